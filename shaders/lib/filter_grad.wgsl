// Blocks of a filter's gradient: 4 channels x 4 filters of one tap and group.

struct Block {
    tap: u32,
    group: u32,
    // Within the group.
    first_channel: u32,
    first_filter: u32,
}

// Blocks run over filters first, then channels, taps, groups.
fn block_at(index: u32) -> Block {
    let taps = u32(params.taps_d * params.taps_h * params.taps_w);
    let rest = index / params.col_blocks / params.row_blocks;
    let channel = index / params.col_blocks % params.row_blocks * 4u;
    return Block(rest % taps, rest / taps, channel, index % params.col_blocks * 4u);
}

// The sum over every `step`-th line of output positions from `first` on, in order.
fn sum_of_lines(block: Block, first: u32, step: u32) -> mat4x4<f32> {
    let tap = tap_of(block.tap);
    let a_left = params.depth - block.first_channel;
    let b_left = params.cols - block.first_filter;
    let a_first = block.group * params.depth + block.first_channel;
    let b_first = block.group * params.cols + block.first_filter;
    var sum = mat4x4<f32>();
    for (var line = first; line < params.batch * params.out_d * params.out_h; line += step) {
        let h = line % params.out_h;
        let rest = line / params.out_h;
        for (var w = 0u; w < params.out_w; w++) {
            let at = source_of(row_at(rest / params.out_d, vec3(rest % params.out_d, h, w)), tap);
            if at != NOWHERE {
                let va = load_a(at + a_first, a_left);
                let vb = load_b((line * params.out_w + w) * params.out_channels + b_first, b_left);
                sum[0] += va.x * vb;
                sum[1] += va.y * vb;
                sum[2] += va.z * vb;
                sum[3] += va.w * vb;
            }
        }
    }
    return sum;
}

fn store_sum(block: Block, sum: mat4x4<f32>) {
    // Rows end with the tap: the next row belongs to the next tap's block.
    let first = block.tap * params.depth;
    let col = block.group * params.cols + block.first_filter;
    let end = (block.group + 1u) * params.cols;
    let rows = first + params.depth;
    store_block(sum, 0u, first + block.first_channel, col, rows, end, params.out_channels);
}
