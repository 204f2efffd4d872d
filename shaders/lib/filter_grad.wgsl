// Blocks of a filter's gradient: ROWS channels x COLS filters of one tap and group, each 4 or 8.

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
    let channel = index / params.col_blocks % params.row_blocks * ROWS;
    return Block(rest % taps, rest / taps, channel, index % params.col_blocks * COLS);
}

// The positions of a line of the output whose source exists at a tap.
struct Line {
    // Along the line.
    first: u32,
    end: u32,
    // The source's element at the first of them, and from one to the next.
    at: u32,
    step: u32,
}

fn line_at(line: u32, tap: vec3<i32>) -> Line {
    let rest = line / params.out_h;
    let row = row_at(rest / params.out_d, vec3(rest % params.out_d, line % params.out_h, 0u));
    let p = row.origin + tap * vec3(params.reach_d, params.reach_h, params.reach_w);
    let outside = p.x < 0 || p.x >= params.source_d || p.y < 0 || p.y >= params.source_h;
    let scale = params.scale_w;
    let first = (max(-p.z, 0) + scale - 1) / scale;
    let last = (max(params.source_w - p.z, 0) + scale - 1) / scale;
    let end = select(u32(last), 0u, outside);
    let at = (p.x * params.source_h + p.y) * params.source_w + p.z + first * scale;
    let step = u32(scale) * params.source_channels;
    let base = row.base + select(0u, u32(at), u32(first) < end) * params.source_channels;
    return Line(u32(first), min(end, params.out_w), base, step);
}

// The gradient of a block, four channels x four filters to a matrix.
struct Sum {
    c00: mat4x4<f32>,
    c01: mat4x4<f32>,
    c10: mat4x4<f32>,
    c11: mat4x4<f32>,
}

fn outer(a: vec4<f32>, b: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(a.x * b, a.y * b, a.z * b, a.w * b);
}

// Elements left behind the first four of them.
fn behind_four(left: u32) -> u32 {
    return max(left, 4u) - 4u;
}

// The sum over every `step`-th line of output positions from `first` on, in order.
fn sum_of_lines(block: Block, first: u32, step: u32) -> Sum {
    let tap = tap_of(block.tap);
    let a_left = params.depth - block.first_channel;
    let b_left = params.cols - block.first_filter;
    let a_first = block.group * params.depth + block.first_channel;
    let b_first = block.group * params.cols + block.first_filter;
    var sum = Sum();
    for (var index = first; index < params.batch * params.out_d * params.out_h; index += step) {
        let line = line_at(index, tap);
        var i = line.at + a_first;
        var j = (index * params.out_w + line.first) * params.out_channels + b_first;
        for (var w = line.first; w < line.end; w++) {
            let a0 = load_a(i, a_left);
            let b0 = load_b(j, b_left);
            sum.c00 += outer(a0, b0);
            if COLS > 4u {
                let b1 = load_b(j + 4u, behind_four(b_left));
                sum.c01 += outer(a0, b1);
                if ROWS > 4u {
                    sum.c11 += outer(load_a(i + 4u, behind_four(a_left)), b1);
                }
            }
            if ROWS > 4u {
                sum.c10 += outer(load_a(i + 4u, behind_four(a_left)), b0);
            }
            i += line.step;
            j += params.out_channels;
        }
    }
    return sum;
}

// Stores one matrix of a block, whose channels and filters start so far behind the block's.
fn store_part(block: Block, part: mat4x4<f32>, channels: u32, filters: u32) {
    // Rows end with the tap: the next row belongs to the next tap's block.
    let first = block.tap * params.depth;
    let col = block.group * params.cols + block.first_filter + filters;
    let end = (block.group + 1u) * params.cols;
    let row = first + block.first_channel + channels;
    store_block(part, 0u, row, col, first + params.depth, end, params.out_channels);
}
