// conv_filter_grad: gradient of a convolution with respect to its filter, for software adapters
//
// Shapes    a: the input [N, D, H, W, C]; b: the output's gradient [N, D, H, W, F];
//           out: [taps, C / groups, F], whose rows are taps and channels, whose columns are filters.
// Grid      one invocation per block of channels x filters of one tap and group; filters first, then
//           channels, taps, groups.
// Prelude   WG: invocations per workgroup; DIVIDED: false; ROWS, COLS: channels and
//           filters of a block, 4 or 8 each.
// Modules   operand_a, operand_b: lib/[ab]_vec4 where the channels allow it, else lib/[ab]_scalar.
// Accuracy  float32; one running sum over all positions in order, no atomics.

#import lib/index
#import operand_a
#import operand_b
#import lib/conv
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
#import lib/block
#import lib/filter_grad

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let index = linear_group(group, groups) * WG + lane;
    if index >= params.blocks {
        return;
    }
    let block = block_at(index);
    let sum = sum_of_lines(block, 0u, 1u);
    store_part(block, sum.c00, 0u, 0u);
    if COLS > 4u {
        store_part(block, sum.c01, 0u, 4u);
    }
    if ROWS > 4u {
        store_part(block, sum.c10, 4u, 0u);
        if COLS > 4u {
            store_part(block, sum.c11, 4u, 4u);
        }
    }
}
