// pool_grad: gradient of sum and average pooling with respect to the input, with epilogue
//
// Shapes    gradient: that of the output [N, D, H, W, C]; out: that of the input [N, D, H, W, C].
// Grid      one invocation per input element; it gathers from the windows that hold it.
// Prelude   WG: invocations per workgroup.
// Accuracy  float32 sums in the order of the windows, no atomics.

#import lib/index
#import lib/pool

@group(0) @binding(0) var<storage, read> gradient: array<f32>;
#import epilogue
@group(0) @binding(1) var<storage, read_write> out: array<Out>;

fn gathered(at: Place) -> f32 {
    let windows = windows_over(at.position);
    let extent = vec3(params.out_d, params.out_h, params.out_w);
    var sum = 0.0;
    for (var d = windows.first.x; d < windows.end.x; d++) {
        for (var h = windows.first.y; h < windows.end.y; h++) {
            for (var w = windows.first.z; w < windows.end.z; w++) {
                let o = vec3(d, h, w);
                let g = gradient[index_of(at.n, o, extent, at.channel)];
                let n = select(1, count(clip(window_at(o))), params.mode == MODE_AVERAGE);
                sum += g / f32(n);
            }
        }
    }
    return sum;
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(group, groups) * WG + lane;
    if i >= params.elements {
        return;
    }
    let at = place_of(i, input_extent());
    store(i, epilogue(gathered(at), 0u, i / params.channels, at.channel));
}
