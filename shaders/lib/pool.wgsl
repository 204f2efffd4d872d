// Geometry of pooling: the window of output o starts at  o * stride - pad  of the input.

#import lib/math

const MODE_MAX = 0u;
const MODE_AVERAGE = 1u;
const MODE_SUM = 2u;

struct Params {
    mode: u32,
    // -inf, which WGSL cannot write.
    lowest: f32,
    channels: u32,
    // Of the kernel's own output.
    elements: u32,
    input_d: i32,
    input_h: i32,
    input_w: i32,
    out_d: i32,
    out_h: i32,
    out_w: i32,
    window_d: i32,
    window_h: i32,
    window_w: i32,
    stride_d: i32,
    stride_h: i32,
    stride_w: i32,
    pad_d: i32,
    pad_h: i32,
    pad_w: i32,
}

@group(1) @binding(0) var<uniform> params: Params;

// Whether v takes the place of best in a maximum: the first of equals stays, NaN wins.
fn beats(v: f32, best: f32) -> bool {
    return !is_nan(best) && (is_nan(v) || v > best);
}

// A box of positions; `end` is the first one outside.
struct Box {
    first: vec3<i32>,
    end: vec3<i32>,
}

// An element of a tensor [N, D, H, W, C].
struct Place {
    n: u32,
    position: vec3<i32>,
    channel: u32,
}

fn place_of(index: u32, extent: vec3<i32>) -> Place {
    let e = vec3<u32>(extent);
    let i = index / params.channels;
    let position = vec3(i / e.z / e.y % e.x, i / e.z % e.y, i % e.z);
    return Place(i / e.z / e.y / e.x, vec3<i32>(position), index % params.channels);
}

fn index_of(n: u32, position: vec3<i32>, extent: vec3<i32>, channel: u32) -> u32 {
    let p = vec3<u32>(position);
    let e = vec3<u32>(extent);
    return (((n * e.x + p.x) * e.y + p.y) * e.z + p.z) * params.channels + channel;
}

fn input_extent() -> vec3<i32> {
    return vec3(params.input_d, params.input_h, params.input_w);
}

fn input_index(n: u32, position: vec3<i32>, channel: u32) -> u32 {
    return index_of(n, position, input_extent(), channel);
}

// The window of an output position; parts of it may lie in the padding.
fn window_at(position: vec3<i32>) -> Box {
    let stride = vec3(params.stride_d, params.stride_h, params.stride_w);
    let first = position * stride - vec3(params.pad_d, params.pad_h, params.pad_w);
    return Box(first, first + vec3(params.window_d, params.window_h, params.window_w));
}

// The part of a window that lies inside the input.
fn clip(w: Box) -> Box {
    return Box(max(w.first, vec3(0)), min(w.end, input_extent()));
}

// Positions in a clipped window, at least 1.
fn count(w: Box) -> i32 {
    let size = max(w.end - w.first, vec3(0));
    return max(size.x * size.y * size.z, 1);
}

// Output positions whose windows hold an input position.
fn windows_over(position: vec3<i32>) -> Box {
    let stride = vec3(params.stride_d, params.stride_h, params.stride_w);
    let window = vec3(params.window_d, params.window_h, params.window_w);
    let padded = position + vec3(params.pad_d, params.pad_h, params.pad_w);
    // The least o with o * stride + window > padded; no window before 0.
    let first = max((padded - window + stride) / stride, vec3(0));
    let end = min(padded / stride + 1, vec3(params.out_d, params.out_h, params.out_w));
    return Box(first, end);
}
