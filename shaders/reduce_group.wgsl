// reduce_group: out[i] = value(combine of element(i, r) over r, i), for few long reductions
//
// Shapes    ep[0].x outputs, ep[0].y elements in each reduction.
// Grid      one workgroup per output.
// Memory    WG accumulators of workgroup memory.
// Prelude   WG: invocations per workgroup, a power of two.
// Modules   generated: operands, `ep`, `out`, alias Acc, fn start, combine, element, value.
// Accuracy  float32 sums in a fixed order: every WG-th element, then pairs.

#import lib/index
#import generated

var<workgroup> partial: array<Acc, WG>;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(group, groups);
    let len = u32(ep[0].y);
    var total = start();
    if i < u32(ep[0].x) {
        for (var r = lane; r < len; r += WG) {
            total = combine(total, element(i, r));
        }
    }
    partial[lane] = total;
    workgroupBarrier();
    for (var half = WG / 2u; half > 0u; half /= 2u) {
        if lane < half {
            partial[lane] = combine(partial[lane], partial[lane + half]);
        }
        workgroupBarrier();
    }
    if lane == 0u && i < u32(ep[0].x) {
        store(i, value(partial[0], i));
    }
}
