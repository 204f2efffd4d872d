// map: out[i] = value(i)
//
// Shapes    whatever the generated code loads; out has ep[0].x elements.
// Grid      one invocation per output element.
// Prelude   WG: invocations per workgroup.
// Modules   generated: operands, parameters `ep`, `out`, and fn value(i: u32) -> Out.
// Accuracy  that of the functions in lib/math.

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
    store(i, value(i));
}
