// Joins what the lanes of a row have, by pairs in workgroup memory.

fn joined_K(own: Acc_K, seat: u32) -> Acc_K {
    if LANES == 1u {
        return own;
    }
    let lane = seat % LANES;
    seats[seat] = bitcast<u32>(own);
    workgroupBarrier();
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        if lane < half {
            let pair = combine_K(bitcast<Acc_K>(seats[seat]), bitcast<Acc_K>(seats[seat + half]));
            seats[seat] = bitcast<u32>(pair);
        }
        workgroupBarrier();
    }
    let total = bitcast<Acc_K>(seats[seat - lane]);
    // The next reduction writes where others may still read.
    workgroupBarrier();
    return total;
}
