// conv_filter_grad_split: gradient of a convolution with respect to its filter, for GPUs
//
// Shapes    as conv_filter_grad.
// Grid      one workgroup per 16 blocks of 4 channels x 4 filters; 16 invocations share a block,
//           each of them every 16th line of output positions.
// Memory    16 x 16 vectors, 4 KiB of workgroup memory, filled before it is read.
// Prelude   DIVIDED: false; ROWS, COLS: 4.
// Modules   as conv_filter_grad.
// Accuracy  float32; 16 partial sums, then added in order, no atomics.

#import lib/index
#import operand_a
#import operand_b
#import lib/conv
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;
#import lib/block
#import lib/filter_grad

const BLOCKS = 16u;
const SLICES = 16u;

var<workgroup> sums: array<array<vec4<f32>, BLOCKS>, SLICES>;

// The sum of one row of a block over all slices, in the first slice.
fn gather_row(row: vec4<f32>, slice: u32, own: u32) -> vec4<f32> {
    sums[slice][own] = row;
    workgroupBarrier();
    var sum = vec4(0.0);
    if slice == 0u {
        for (var s = 0u; s < SLICES; s++) {
            sum += sums[s][own];
        }
    }
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    // Neighbours read neighbouring filters.
    let own = lane % BLOCKS;
    let slice = lane / BLOCKS;
    let index = linear_group(group, groups) * BLOCKS + own;
    // Blocks behind the last repeat it; they are not stored.
    let block = block_at(min(index, params.blocks - 1u));
    let part = sum_of_lines(block, slice, SLICES).c00;
    let sum = mat4x4(
        gather_row(part[0], slice, own),
        gather_row(part[1], slice, own),
        gather_row(part[2], slice, own),
        gather_row(part[3], slice, own),
    );
    if slice == 0u && index < params.blocks {
        store_part(block, sum, 0u, 0u);
    }
}
