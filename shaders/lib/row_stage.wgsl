// Combines a row's elements by all of its lanes, which all get the result. The launcher puts the
// number of the reduction in place of `_K`, here and in the module that joins the lanes.

fn combined_K(i: u32, lane: u32, seat: u32) -> Acc_K {
    let len = u32(ep[0].y);
    var total = start_K();
    for (var first = lane * WIDE; first < len; first += RUN * LANES) {
        var run = start_K();
        let end = min(first + RUN * LANES, len);
        for (var r = first; r < end; r += LANES * WIDE) {
            run = extended_K(run, i, r);
        }
        total = combine_K(total, run);
    }
    return joined_K(total, seat);
}
