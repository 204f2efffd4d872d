// conv_direct: convolution or its input gradient, with epilogue, for groups of few channels
//
// Shapes    as conv_block.
// Grid      one invocation per output element.
// Prelude   WG: invocations per workgroup; B_TRANSPOSED, DIVIDED: as conv_block.
// Modules   operand_b: lib/b_scalar, lib/b_halves, or lib/b_computed where the epilogue has element_b.
// Accuracy  float32; products are added to the running sum in the order of taps, then channels.

#import lib/index
#import lib/conv

@group(0) @binding(0) var<storage, read> a: array<f32>;
#import operand_b
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;

// One tap: the sum over the channels of the group.
fn sum_of_channels(at: u32, filter_base: u32, col: u32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < params.depth; k++) {
        let line = select(k, col, B_TRANSPOSED);
        let column = select(col, k, B_TRANSPOSED);
        sum += a[at + k] * element_b(filter_base + line * params.line + column);
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
    if i >= params.blocks {
        return;
    }
    let channel = i % params.out_channels;
    let index = i / params.out_channels;
    let g = channel / params.cols;
    let row = row_of(index);
    var filter_base = g * params.group_stride;
    var sum = 0.0;
    for (var td = 0; td < params.taps_d; td++) {
        for (var th = 0; th < params.taps_h; th++) {
            for (var tw = 0; tw < params.taps_w; tw++) {
                let at = source_of(row, vec3(td, th, tw));
                if at != NOWHERE {
                    sum += sum_of_channels(at + g * params.depth, filter_base, channel % params.cols);
                }
                filter_base += params.tap_stride;
            }
        }
    }
    store(i, epilogue(sum, 0u, index, channel));
}
