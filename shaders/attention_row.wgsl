// attention_row: attention as attention_tile computes it, for few queries
//
// Shapes    as attention_tile.
// Grid      one workgroup per query of a head.
// Memory    a word for each of 256 keys and 8 parts of their products, 9 KiB of workgroup memory,
//           filled before it is read.
// Prelude   BLOCKS: blocks of 64 columns of V, at most 4.
// Modules   as attention_tile.
// Accuracy  float32; keys are added in fours of 64 out of every 256, in a fixed order.
//
// All 256 invocations share the keys, 256 at a time: for the products, neighbours read neighbouring
// elements of K, along its keys or along its elements; for the result, 64 read neighbouring columns
// of V for every fourth key.

#import lib/index
#import lib/attention

const KEYS = 256u;
const SLICES = 8u;

var<workgroup> products: array<f32, 2048>;
var<workgroup> seats: array<f32, KEYS>;

// The largest, or the sum, of what all invocations have.
fn largest(value: f32, lane: u32) -> f32 {
    seats[lane] = value;
    workgroupBarrier();
    for (var half = KEYS / 2u; half > 0u; half /= 2u) {
        if lane < half {
            seats[lane] = max(seats[lane], seats[lane + half]);
        }
        workgroupBarrier();
    }
    let result = seats[0];
    workgroupBarrier();
    return result;
}

fn total(value: f32, lane: u32) -> f32 {
    seats[lane] = value;
    workgroupBarrier();
    for (var half = KEYS / 2u; half > 0u; half /= 2u) {
        if lane < half {
            seats[lane] += seats[lane + half];
        }
        workgroupBarrier();
    }
    let result = seats[0];
    workgroupBarrier();
    return result;
}

// The product of the query and the key of each invocation.
fn product(b: u32, row: u32, first_key: u32, lane: u32) -> f32 {
    let slices = select(1u, SLICES, params.k.z == 1u);
    let at_once = KEYS / slices;
    let slice = lane % slices;
    for (var turn = 0u; turn < slices; turn++) {
        let own = turn * at_once + lane / slices;
        var sum = 0.0;
        for (var d = slice; d < params.depth; d += slices) {
            sum += element_of_q(b, row, d) * element_of_k(b, first_key + own, d);
        }
        products[own * slices + slice] = sum;
    }
    workgroupBarrier();
    var sum = 0.0;
    for (var i = 0u; i < slices; i++) {
        sum += products[lane * slices + i];
    }
    return sum;
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) lane: u32,
) {
    let at = linear_group(group, groups);
    if at >= params.groups {
        return;
    }
    let b = at / params.queries;
    let row = at % params.queries;
    let x = lane % 64u;
    let part = lane / 64u;

    var peak = LOWEST;
    var sum = 0.0;
    var c: array<f32, BLOCKS>;
    for (var first_key = 0u; first_key < params.keys; first_key += KEYS) {
        let key = first_key + lane;
        let s = score_of(product(b, row, first_key, lane), b, row, key);
        let next = max(peak, largest(s, lane));
        let scale = safe_exp(peak - next);
        peak = next;
        let weight = weight_of(s, peak, key);
        sum = sum * scale + weight;
        seats[lane] = share_of(weight, b, row, key);
        workgroupBarrier();
        for (var block = 0u; block < BLOCKS; block++) {
            var column = c[block] * scale;
            let end = min(KEYS, params.keys - first_key);
            for (var i = part; i < end; i += 4u) {
                column += seats[i] * element_of_v(b, first_key + i, block * 64u + x);
            }
            c[block] = column;
        }
        // The next keys' products and scores come where these are still read.
        workgroupBarrier();
    }

    let whole = total(sum, lane);
    for (var block = 0u; block < BLOCKS; block++) {
        products[lane] = c[block];
        workgroupBarrier();
        let col = block * 64u + x;
        if part == 0u && col < params.width {
            let column = products[x] + products[x + 64u] + products[x + 128u] + products[x + 192u];
            let i = (b * params.queries + row) * params.width + col;
            store(i, epilogue(column / whole, b, row, col));
        }
        workgroupBarrier();
    }
}
