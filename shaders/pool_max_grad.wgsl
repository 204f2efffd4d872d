// pool_max_grad: gradient of maximum pooling with respect to the input, with epilogue
//
// Shapes    source: the input [N, D, H, W, C]; gradient: that of the output [N, D, H, W, C];
//           out: that of the input.
// Grid      one invocation per input element; it gathers from the windows whose maximum it is.
// Prelude   WG: invocations per workgroup.
// Ties      the gradient goes to the first maximum in the order of the window; NaN is a maximum.
// Accuracy  float32 sums in the order of the windows, no atomics.

#import lib/index
#import lib/pool

@group(0) @binding(0) var<storage, read> source: array<f32>;
@group(0) @binding(1) var<storage, read> gradient: array<f32>;
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;

// Index of the first maximum of a window.
fn winner(window: Box, n: u32, channel: u32) -> u32 {
    var index = input_index(n, window.first, channel);
    var best = source[index];
    for (var d = window.first.x; d < window.end.x; d++) {
        for (var h = window.first.y; h < window.end.y; h++) {
            for (var w = window.first.z; w < window.end.z; w++) {
                let i = input_index(n, vec3(d, h, w), channel);
                let better = beats(source[i], best);
                best = select(best, source[i], better);
                index = select(index, i, better);
            }
        }
    }
    return index;
}

fn gathered(at: Place, index: u32) -> f32 {
    let windows = windows_over(at.position);
    let extent = vec3(params.out_d, params.out_h, params.out_w);
    var sum = 0.0;
    for (var d = windows.first.x; d < windows.end.x; d++) {
        for (var h = windows.first.y; h < windows.end.y; h++) {
            for (var w = windows.first.z; w < windows.end.z; w++) {
                let o = vec3(d, h, w);
                if winner(clip(window_at(o)), at.n, at.channel) == index {
                    sum += gradient[index_of(at.n, o, extent, at.channel)];
                }
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
    store(i, epilogue(gathered(at, i), 0u, i / params.channels, at.channel));
}
