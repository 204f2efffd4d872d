// conv_depthwise_line: conv_depthwise for four neighbours along a line at once
//
// Shapes    as conv_depthwise; along lines, a stride of SCALE and no dilation.
// Grid      one invocation per four channels of up to four positions of a line.
// Prelude   WG: invocations per workgroup; SCALE: 1, or 2 for a convolution; BACKWARD: whether taps
//           run against positions, as in the input gradient; DIVIDED: false.
// Modules   operand_b: lib/b_vec4, lib/b_halves_vec4, or lib/b_computed where the epilogue has element_b.
// Accuracy  float32; products are added to the running sum in the order of taps; backward, those of a
//           line in reverse order.
//
// A filter's element is read once for four positions, and so is most of the source: a window of four
// moves along the line. With a stride of 2 two windows take turns.

#import lib/index
#import lib/conv

@group(0) @binding(0) var<storage, read> a: array<vec4<f32>>;
#import operand_b
#import epilogue
@group(0) @binding(2) var<storage, read_write> out: array<Out>;

// Four channels of a column of a line of the source, or zero for padding.
fn column(line: u32, x: i32, quads: u32) -> vec4<f32> {
    let inside = x >= 0 && x < params.source_w;
    return select(vec4(0.0), a[line + select(0u, u32(x), inside) * quads], inside);
}

// Adds a line of the filter, whose first element and step from tap to tap are given.
fn line_of_taps(sums: mat4x4<f32>, line: u32, x: i32, quads: u32, first: u32, step: u32) -> mat4x4<f32> {
    var sum = sums;
    var v0 = column(line, x, quads);
    var v1 = column(line, x + SCALE, quads);
    var v2 = column(line, x + 2 * SCALE, quads);
    var u0 = vec4(0.0);
    var u1 = vec4(0.0);
    var u2 = vec4(0.0);
    if SCALE == 2 {
        u0 = column(line, x + 1, quads);
        u1 = column(line, x + 3, quads);
        u2 = column(line, x + 5, quads);
    }
    var filter_at = first;
    for (var tap = 0; tap < params.taps_w; tap++) {
        let v3 = column(line, x + 3 * SCALE + tap, quads);
        let f = load_b(filter_at * 4u, 4u);
        sum[0] += v0 * f;
        sum[1] += v1 * f;
        sum[2] += v2 * f;
        sum[3] += v3 * f;
        filter_at += step;
        if SCALE == 2 {
            let w0 = v1;
            let w1 = v2;
            v0 = u0;
            v1 = u1;
            v2 = u2;
            u0 = w0;
            u1 = w1;
            u2 = v3;
        } else {
            v0 = v1;
            v1 = v2;
            v2 = v3;
        }
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
    let quads = params.out_channels / 4u;
    let quad = i % quads;
    let w = i / quads % params.col_blocks * 4u;
    let line = i / quads / params.col_blocks;
    let h = line % params.out_h;
    let rest = line / params.out_h;
    let row = row_at(rest / params.out_d, vec3(rest % params.out_d, h, w));
    let taps = u32(params.taps_w);
    var x = row.origin.z;
    var first = quad;
    var step = quads;
    if BACKWARD {
        // From the last tap on, which reads the first column.
        x -= params.taps_w - 1;
        first += (taps - 1u) * quads;
        step = 0u - quads;
    }

    var sum = mat4x4<f32>();
    for (var td = 0; td < params.taps_d; td++) {
        for (var th = 0; th < params.taps_h; th++) {
            let y = row.origin.xy + vec2(td, th) * vec2(params.reach_d, params.reach_h);
            if all(y >= vec2(0)) && y.x < params.source_d && y.y < params.source_h {
                let at = u32((y.x * params.source_h + y.y) * params.source_w) * quads;
                sum = line_of_taps(sum, row.base / 4u + at + quad, x, quads, first, step);
            }
            first += taps * quads;
        }
    }
    for (var j = 0u; j < 4u; j++) {
        if w + j < params.out_w {
            let index = line * params.out_w + w + j;
            for (var c = 0u; c < 4u; c++) {
                let channel = quad * 4u + c;
                store(index * params.out_channels + channel, epilogue(sum[j][c], 0u, index, channel));
            }
        }
    }
}
