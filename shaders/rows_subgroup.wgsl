// rows_subgroup: what `rows` computes, where neighbours exchange values without workgroup memory
//
// Shapes    as rows.
// Grid      as rows.
// Memory    a word for each of the WG / LEAST_SUBGROUP subgroups that there are at most.
// Prelude   as rows; LEAST_SUBGROUP: invocations of the adapter's smallest subgroup. WG is whole
//           subgroups of any size that it has.
// Modules   as rows.
// Accuracy  float32 sums in a fixed order: as rows, pairs in a subgroup, then subgroups.

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
    let row = linear_group(group, groups) * (WG / LANES) + seat / LANES;
    let lane = seat % LANES;
    // Every invocation exchanges values: those behind the last row repeat it.
    let i = min(row, u32(ep[0].x) - 1u);
    combine_row(i, lane, seat);
    if row < u32(ep[0].x) {
        store_row(i, lane);
    }
}
