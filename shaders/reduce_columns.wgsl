// reduce_columns: out[i] = value(combine of element(i, r) over r, i), where neighbouring outputs read
// neighbouring elements
//
// Shapes    ep[0].x outputs, ep[0].y elements in each reduction.
// Grid      one workgroup per COLS outputs.
// Memory    COLS x SLICES accumulators of workgroup memory.
// Prelude   COLS: outputs of a workgroup, as many as a transaction of memory holds words; SLICES:
//           invocations of an output, a power of two; RUN: elements that one invocation combines
//           before they join its total.
// Modules   generated: operands, `ep`, `out`, alias Acc, fn start, combine, element, value.
// Accuracy  float32 sums in a fixed order: every SLICES-th element, in runs of RUN, then pairs.

#import lib/index
#import generated

var<workgroup> partial: array<Acc, COLS * SLICES>;

@compute @workgroup_size(COLS * SLICES)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) seat: u32,
) {
    let i = linear_group(group, groups) * COLS + seat % COLS;
    let slice = seat / COLS;
    let len = u32(ep[0].y);
    var total = start();
    if i < u32(ep[0].x) {
        for (var first = slice; first < len; first += RUN * SLICES) {
            var run = start();
            let end = min(first + RUN * SLICES, len);
            for (var r = first; r < end; r += SLICES) {
                run = combine(run, element(i, r));
            }
            total = combine(total, run);
        }
    }
    partial[seat] = total;
    workgroupBarrier();
    for (var half = SLICES / 2u; half > 0u; half /= 2u) {
        if slice < half {
            partial[seat] = combine(partial[seat], partial[seat + half * COLS]);
        }
        workgroupBarrier();
    }
    if slice == 0u && i < u32(ep[0].x) {
        store(i, value(partial[seat], i));
    }
}
