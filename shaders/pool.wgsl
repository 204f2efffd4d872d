// pool: maximum, sum or average over windows, with epilogue
//
// Shapes    source: [N, D, H, W, C]; out: [N, D, H, W, C].
// Grid      one invocation per output element.
// Prelude   WG: invocations per workgroup.
// NaN       a maximum over a window with NaN is NaN. A maximum over padding alone is -inf.
// Accuracy  exact for maxima; float32 sums in the order of the window.

#import lib/index
#import lib/pool

@group(0) @binding(0) var<storage, read> source: array<f32>;
#import epilogue
@group(0) @binding(1) var<storage, read_write> out: array<Out>;

fn pooled(n: u32, position: vec3<i32>, channel: u32) -> f32 {
    let w = clip(window_at(position));
    var best = params.lowest;
    var sum = 0.0;
    for (var d = w.first.x; d < w.end.x; d++) {
        for (var h = w.first.y; h < w.end.y; h++) {
            for (var x = w.first.z; x < w.end.z; x++) {
                let v = source[input_index(n, vec3(d, h, x), channel)];
                sum += v;
                best = select(best, v, beats(v, best));
            }
        }
    }
    if params.mode == MODE_MAX {
        return best;
    }
    if params.mode == MODE_SUM {
        return sum;
    }
    return sum / f32(count(w));
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
    let extent = vec3(params.out_d, params.out_h, params.out_w);
    let at = place_of(i, extent);
    let value = pooled(at.n, at.position, at.channel);
    store(i, epilogue(value, 0u, i / params.channels, at.channel));
}
