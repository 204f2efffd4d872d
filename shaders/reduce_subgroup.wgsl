// reduce_subgroup: out[i] = value(combine of element(i, r) over r, i), by subgroups
//
// Shapes    ep[0].x outputs, ep[0].y elements in each reduction.
// Grid      LANES invocations per output, WG / LANES outputs per workgroup.
// Memory    a word for each of the WG / LEAST_SUBGROUP subgroups that there are at most.
// Prelude   WG: invocations per workgroup, whole subgroups of any size that the adapter has; LANES:
//           invocations of an output, a power of two that divides WG; LEAST_SUBGROUP: invocations of
//           the smallest subgroup; RUN: elements that one invocation combines before they join its
//           total.
// Modules   generated: operands, `ep`, `out`, alias Acc, fn start, combine, element, value, combined.
// Accuracy  float32 sums in a fixed order: every LANES-th element, in runs of RUN, then pairs in a
//           subgroup, then subgroups.

#import lib/index
#import lib/subgroup

var<workgroup> seats: array<u32, WG / LEAST_SUBGROUP>;

#import generated

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    subgroup: Subgroup,
) {
    let seat = take_seat(subgroup);
    let output = linear_group(group, groups) * (WG / LANES) + seat / LANES;
    // Every invocation exchanges values: those behind the last output repeat it.
    let i = min(output, u32(ep[0].x) - 1u);
    let total = combined(i, seat % LANES, seat);
    if seat % LANES == 0u && output < u32(ep[0].x) {
        store(i, value(total, i));
    }
}
