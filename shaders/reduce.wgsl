// reduce: out[i] = value(combine of element(i, r) over r, i)
//
// Shapes    ep[0].x outputs, ep[0].y elements in each reduction.
// Grid      one invocation per output.
// Prelude   WG: invocations per workgroup; RUN: elements combined before they join the total.
// Modules   generated: operands, `ep`, `out`, alias Acc, fn start, combine, element, value.
// Accuracy  float32 sums in a fixed order: runs of RUN elements, then the runs.

#import lib/index
#import generated

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(group, groups) * WG + lane;
    if i >= u32(ep[0].x) {
        return;
    }
    let len = u32(ep[0].y);
    var total = start();
    for (var first = 0u; first < len; first += RUN) {
        var run = start();
        let end = min(first + RUN, len);
        for (var r = first; r < end; r++) {
            run = combine(run, element(i, r));
        }
        total = combine(total, run);
    }
    store(i, value(total, i));
}
