// sort_step: merges sorted runs of an order into groups
//
// Shapes    keys, order, out: [rows, n]; order and out hold positions along a row of keys.
// Grid      one invocation per entry of the order.
// Prelude   WG: invocations per workgroup.
// Result    exact. Every entry counts, by one search in each other run of its group, how many come
//           before it: in earlier runs those with an equal key too, so that equal keys keep their order.

#import lib/index

struct Params {
    elements: u32,
    n: u32,
    run: u32,
    group: u32,
}

@group(0) @binding(0) var<storage, read> keys: array<u32>;
@group(0) @binding(1) var<storage, read> order: array<i32>;
@group(0) @binding(2) var<storage, read_write> out: array<i32>;
@group(1) @binding(0) var<uniform> params: Params;

fn key_at(row: u32, entry: u32) -> u32 {
    return keys[row + min(u32(order[row + entry]), params.n - 1u)];
}

// How many entries of the run `[first, end)` come before an entry with this key.
fn before(row: u32, first: u32, end: u32, key: u32, or_equal: bool) -> u32 {
    var low = first;
    var high = end;
    while low < high {
        let middle = (low + high) / 2u;
        let found = key_at(row, middle);
        if found < key || (or_equal && found == key) {
            low = middle + 1u;
        } else {
            high = middle;
        }
    }
    return low - first;
}

@compute @workgroup_size(WG)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let i = linear_group(group, groups) * WG + lane;
    if i >= params.elements {
        return;
    }
    let entry = i % params.n;
    let row = i - entry;
    let key = key_at(row, entry);
    let start = entry / params.group * params.group;
    let end = min(start + params.group, params.n);
    let own = entry / params.run * params.run;
    var rank = entry - own;
    for (var first = start; first < end; first += params.run) {
        if first != own {
            rank += before(row, first, min(first + params.run, end), key, first < own);
        }
    }
    out[row + start + rank] = order[i];
}
