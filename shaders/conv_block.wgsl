// conv_block: convolution or its input gradient, with epilogue, for software adapters
//
// Shapes    source: [N, D, H, W, channels]; filter: [taps, channels / groups, filters];
//           out: [N, D, H, W, channels]; see lib/conv for how the two directions share this.
// Grid      one invocation per block of 8 positions x 8 channels of one group; channels first,
//           then positions, then groups.
// Memory    no workgroup memory and no barrier, as matmul_block.
// Prelude   WG: invocations per workgroup; B_TRANSPOSED: the filter's lines are output channels,
//           as the input gradient needs; DIVIDED: a divisor is not 1.
// Modules   operand_a, operand_b: lib/[ab]_vec4 where the channels allow it, else lib/[ab]_scalar;
//           operand_b: lib/b_halves[_vec4] for floats of 16 bits, lib/b_computed where the
//           epilogue has element_b.
// Accuracy  float32; four products at a time are summed, then added to the running sum.

#import lib/index
#import operand_a
#import operand_b
#import lib/block_b
#import lib/conv
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
#import lib/block

// Channels k..k + 3 of the element that starts at `at`; zero for padding.
fn channels_of(at: u32, k: u32, left: u32) -> vec4<f32> {
    let inside = at != NOWHERE;
    let v = load_a(select(0u, at + k, inside), left);
    return select(vec4(0.0), v, inside);
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let block = linear_group(group, groups) * WG + lane;
    if block >= params.blocks {
        return;
    }
    let col = block % params.col_blocks * 8u;
    let row = block / params.col_blocks % params.row_blocks * 8u;
    let g = block / params.col_blocks / params.row_blocks;
    let channel = g * params.depth;
    let row0 = row_of(row);
    let row1 = row_of(row + 1u);
    let row2 = row_of(row + 2u);
    let row3 = row_of(row + 3u);
    let row4 = row_of(row + 4u);
    let row5 = row_of(row + 5u);
    let row6 = row_of(row + 6u);
    let row7 = row_of(row + 7u);

    var c00 = mat4x4<f32>();
    var c01 = mat4x4<f32>();
    var c10 = mat4x4<f32>();
    var c11 = mat4x4<f32>();
    var filter_base = g * params.group_stride;
    for (var td = 0; td < params.taps_d; td++) {
        for (var th = 0; th < params.taps_h; th++) {
            for (var tw = 0; tw < params.taps_w; tw++) {
                let tap = vec3(td, th, tw);
                let at0 = source_of(row0, tap);
                let at1 = source_of(row1, tap);
                let at2 = source_of(row2, tap);
                let at3 = source_of(row3, tap);
                let at4 = source_of(row4, tap);
                let at5 = source_of(row5, tap);
                let at6 = source_of(row6, tap);
                let at7 = source_of(row7, tap);
                for (var k = 0u; k < params.depth; k += 4u) {
                    let left = params.depth - k;
                    let a0 = mat4x4(
                        channels_of(at0, channel + k, left),
                        channels_of(at1, channel + k, left),
                        channels_of(at2, channel + k, left),
                        channels_of(at3, channel + k, left),
                    );
                    let a1 = mat4x4(
                        channels_of(at4, channel + k, left),
                        channels_of(at5, channel + k, left),
                        channels_of(at6, channel + k, left),
                        channels_of(at7, channel + k, left),
                    );
                    let depth = params.depth;
                    let b0 = block_of_b(filter_base, params.line, k, col, depth, params.cols);
                    let b1 = block_of_b(filter_base, params.line, k, col + 4u, depth, params.cols);
                    c00 += b0 * a0;
                    c01 += b1 * a0;
                    c10 += b0 * a1;
                    c11 += b1 * a1;
                }
                filter_base += params.tap_stride;
            }
        }
    }
    let first = g * params.cols + col;
    let end = (g + 1u) * params.cols;
    store_block(c00, 0u, row, first, params.rows, end, params.out_channels);
    store_block(c01, 0u, row, first + 4u, params.rows, end, params.out_channels);
    store_block(c10, 0u, row + 4u, first, params.rows, end, params.out_channels);
    store_block(c11, 0u, row + 4u, first + 4u, params.rows, end, params.out_channels);
}
