// conv_depthwise: convolution of each channel with its own filter, or its input gradient
//
// Shapes    source: [N, D, H, W, C]; filter: [taps, 1, C]; out: [N, D, H, W, C]; C divides by 4.
// Grid      one invocation per four channels of one position.
// Prelude   WG: invocations per workgroup; DIVIDED: as conv_block.
// Modules   operand_b: lib/b_vec4, lib/b_halves_vec4, or lib/b_computed where the epilogue has element_b.
// Accuracy  float32; products are added to the running sum in the order of taps.

#import lib/index
#import lib/conv

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
#import operand_b
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(group, groups) * WG + lane;
    if i >= params.blocks {
        return;
    }
    let quads = params.out_channels / 4u;
    let quad = i % quads;
    let index = i / quads;
    let row = row_of(index);
    var sum = vec4(0.0);
    var filter_at = quad;
    for (var td = 0; td < params.taps_d; td++) {
        for (var th = 0; th < params.taps_h; th++) {
            for (var tw = 0; tw < params.taps_w; tw++) {
                let at = source_of(row, vec3(td, th, tw));
                if at != NOWHERE {
                    sum += a[at / 4u + quad] * load_b(filter_at * 4u, 4u);
                }
                filter_at += quads;
            }
        }
    }
    for (var j = 0u; j < 4u; j++) {
        store(i * 4u + j, epilogue(sum[j], 0u, index, quad * 4u + j));
    }
}
