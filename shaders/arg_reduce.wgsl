// arg_reduce: out[i] = value(position of the first best element(i, r) over r, i)
//
// Shapes    ep[0].x outputs, ep[0].y elements in each reduction.
// Grid      one invocation per output.
// Prelude   WG: invocations per workgroup.
// Modules   generated: operands, `ep`, `out`, alias Acc, fn wins, element, value.
// NaN       wins over every number.

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
    var best = element(i, 0u);
    var at = 0u;
    for (var r = 1u; r < u32(ep[0].y); r++) {
        let x = element(i, r);
        if wins(x, best) {
            best = x;
            at = r;
        }
    }
    store(i, value(i32(at), i));
}
