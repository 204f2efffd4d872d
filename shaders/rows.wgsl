// rows: reductions over each row, one after the other, then the row's elements
//
// Shapes    ep[0].x rows of ep[0].y elements.
// Grid      one group of LANES invocations per row, WG / LANES rows per workgroup.
// Memory    WG words of workgroup memory, if LANES > 1.
// Prelude   WG: invocations per workgroup; LANES: invocations of a row, a power of two that divides
//           WG; WIDE: neighbours that an invocation takes at once, 1 or 4; RUN: elements that one
//           invocation combines before they join its total.
// Modules   generated: operands, `ep`, places for results, fn combine_row, fn store_row; a copy of
//           lib/row_stage for each reduction.
// Accuracy  float32 sums in a fixed order: every LANES-th element, or four of them, in runs of RUN,
//           then pairs.

#import lib/index

var<workgroup> seats: array<u32, WG>;

#import generated

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) seat: u32,
) {
    let row = linear_group(group, groups) * (WG / LANES) + seat / LANES;
    let lane = seat % LANES;
    // Every invocation comes to every barrier: those behind the last row repeat it.
    let i = min(row, u32(ep[0].x) - 1u);
    combine_row(i, lane, seat);
    if row < u32(ep[0].x) {
        store_row(i, lane);
    }
}
