// conv_filter_grad: gradient of a convolution with respect to its filter
//
// Shapes    a: the input [N, D, H, W, C]; b: the output's gradient [N, D, H, W, F];
//           out: [taps, C / groups, F], whose rows are taps and channels, whose columns are filters.
// Grid      one invocation per block of 4 channels x 4 filters of one tap and group; filters first,
//           then channels, taps, groups.
// Prelude   WG: invocations per workgroup; DIVIDED: false.
// Modules   operand_a, operand_b: lib/[ab]_vec4 where the channels allow it, else lib/[ab]_scalar.
// Accuracy  float32; one running sum over all positions in order, no atomics.

#import lib/index
#import operand_a
#import operand_b
#import lib/conv
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
#import lib/block

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
    let col = block % params.col_blocks * 4u;
    let channel = block / params.col_blocks % params.row_blocks * 4u;
    let rest = block / params.col_blocks / params.row_blocks;
    let taps = u32(params.taps_d * params.taps_h * params.taps_w);
    let tap = tap_of(rest % taps);
    let g = rest / taps;

    let a_left = params.depth - channel;
    let b_left = params.cols - col;
    let a_first = g * params.depth + channel;
    var b_at = g * params.cols + col;
    var c = mat4x4<f32>();
    for (var nd = 0u; nd < params.batch * params.out_d; nd++) {
        for (var h = 0u; h < params.out_h; h++) {
            for (var w = 0u; w < params.out_w; w++) {
                let row = row_at(nd / params.out_d, vec3(nd % params.out_d, h, w));
                let at = source_of(row, tap);
                if at != NOWHERE {
                    let va = load_a(at + a_first, a_left);
                    let vb = load_b(b_at, b_left);
                    c[0] += va.x * vb;
                    c[1] += va.y * vb;
                    c[2] += va.z * vb;
                    c[3] += va.w * vb;
                }
                b_at += params.out_channels;
            }
        }
    }
    // Rows end with the tap: the next row belongs to the next tap's block.
    let first = rest % taps * params.depth;
    let end = (g + 1u) * params.cols;
    let rows = first + params.depth;
    store_block(c, 0u, first + channel, g * params.cols + col, rows, end, params.out_channels);
}
