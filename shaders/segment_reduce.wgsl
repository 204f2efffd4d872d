// segment_reduce: out[s, c] = combine of values[rows[k], c] over the k with numbers[k] = s
//
// Shapes    numbers (ascending), rows: [n]; values: [n, inner]; out: [segments, inner].
// Grid      `lanes` invocations per row of the output; each has every `lanes`th column, so that
//           neighbours write neighbours; the places of a segment are searched once for all of them.
// Prelude   WG: invocations per workgroup; RUN: elements combined before they join the total.
// Modules   generated: alias Acc, fn start, combine.
// Accuracy  float32 sums in the order of the rows: runs of RUN elements, then the runs.

#import lib/index
#import lib/math
#import generated

struct Params {
    invocations: u32,
    n: u32,
    inner: u32,
    lanes: u32,
}

@group(0) @binding(0) var<storage, read> numbers: array<i32>;
@group(0) @binding(1) var<storage, read> rows: array<i32>;
@group(0) @binding(2) var<storage, read> values: array<Acc>;
@group(0) @binding(3) var<storage, read_write> out: array<Acc>;
@group(1) @binding(0) var<uniform> params: Params;

// The first place whose number is at least `number`.
fn place(number: i32) -> u32 {
    var low = 0u;
    var high = params.n;
    while low < high {
        let middle = (low + high) / 2u;
        if numbers[middle] < number {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low;
}

fn combined(first: u32, end: u32, column: u32) -> Acc {
    var total = start();
    for (var begin = first; begin < end; begin += RUN) {
        var run = start();
        for (var k = begin; k < min(begin + RUN, end); k++) {
            let row = min(u32(rows[k]), params.n - 1u);
            run = combine(run, values[row * params.inner + column]);
        }
        total = combine(total, run);
    }
    return total;
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(group, groups) * WG + lane;
    if i >= params.invocations {
        return;
    }
    let segment = i / params.lanes;
    let first = place(i32(segment));
    let end = place(i32(segment) + 1);
    for (var column = i % params.lanes; column < params.inner; column += params.lanes) {
        out[segment * params.inner + column] = combined(first, end, column);
    }
}
