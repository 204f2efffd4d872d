// Geometry of convolutions, forward and backward alike.
//
// Every output element is a sum over taps of the filter and channels of a source. The forward
// convolution reads the input at  o * stride - pad + tap * dilation;  its gradient with respect to
// the input reads the output's gradient at  (i + pad - tap * dilation) / stride  where that is
// whole. Both are  (position * scale + shift + tap * reach) / divisor.

struct Params {
    batch: u32,
    source_d: i32,
    source_h: i32,
    source_w: i32,
    source_channels: u32,
    out_d: u32,
    out_h: u32,
    out_w: u32,
    out_channels: u32,
    taps_d: i32,
    taps_h: i32,
    taps_w: i32,
    scale_d: i32,
    scale_h: i32,
    scale_w: i32,
    shift_d: i32,
    shift_h: i32,
    shift_w: i32,
    reach_d: i32,
    reach_h: i32,
    reach_w: i32,
    divisor_d: i32,
    divisor_h: i32,
    divisor_w: i32,
    // Channels per group: of the source, and of the output.
    depth: u32,
    cols: u32,
    // The filter [taps, lines, filters]: elements per line, per tap, and per group in a line.
    line: u32,
    tap_stride: u32,
    group_stride: u32,
    // Output positions of the whole batch.
    rows: u32,
    row_blocks: u32,
    col_blocks: u32,
    blocks: u32,
}

@group(1) @binding(0) var<uniform> params: Params;

const NOWHERE = 0xffffffffu;

// What a row of the output, one position of one batch element, reads.
struct Row {
    // The source's first element of the batch element.
    base: u32,
    // position * scale + shift
    origin: vec3<i32>,
}

// Rows beyond the last repeat it; they are not stored.
fn row_at(n: u32, position: vec3<u32>) -> Row {
    let size = u32(params.source_d * params.source_h * params.source_w) * params.source_channels;
    let scale = vec3(params.scale_d, params.scale_h, params.scale_w);
    let shift = vec3(params.shift_d, params.shift_h, params.shift_w);
    return Row(n * size, vec3<i32>(position) * scale + shift);
}

// Rows beyond the last repeat it; they are not stored.
fn row_of(index: u32) -> Row {
    let row = min(index, params.rows - 1u);
    let w = row % params.out_w;
    let h = row / params.out_w % params.out_h;
    let rest = row / params.out_w / params.out_h;
    return row_at(rest / params.out_d, vec3(rest % params.out_d, h, w));
}

// The tap at an index into the filter.
fn tap_of(index: u32) -> vec3<i32> {
    let t = i32(index);
    let w = t % params.taps_w;
    let h = t / params.taps_w % params.taps_h;
    return vec3(t / params.taps_w / params.taps_h, h, w);
}

// First channel of the source element that a row reads at a tap, or NOWHERE for padding.
fn source_of(row: Row, tap: vec3<i32>) -> u32 {
    var p = row.origin + tap * vec3(params.reach_d, params.reach_h, params.reach_w);
    var whole = true;
    if DIVIDED {
        let divisor = vec3(params.divisor_d, params.divisor_h, params.divisor_w);
        let quotient = p / divisor;
        whole = all(quotient * divisor == p);
        p = quotient;
    }
    let extent = vec3(params.source_d, params.source_h, params.source_w);
    // Truncation rounds -1 / 2 to 0, but then the quotient is not whole.
    if whole && all(p >= vec3(0)) && all(p < extent) {
        let at = u32((p.x * extent.y + p.y) * extent.z + p.z);
        return row.base + at * params.source_channels;
    }
    return NOWHERE;
}
