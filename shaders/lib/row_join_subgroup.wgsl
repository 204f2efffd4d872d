// Joins what the lanes of a row have: pairs within a subgroup, then the row's subgroups in their
// order. The sum of a subgroup is a tree of our own, because the order of `subgroupAdd` is the
// driver's, and `subgroupMax` says nothing about NaN.

fn joined_K(own: Acc_K, seat: u32) -> Acc_K {
    var total = own;
    // Lanes of a row in one subgroup.
    let together = min(LANES, subgroup_width);
    for (var apart = 1u; apart < together; apart *= 2u) {
        total = combine_K(total, subgroupShuffleXor(total, apart));
    }
    if LANES > LEAST_SUBGROUP {
        seats[seat / together] = bitcast<u32>(total);
        workgroupBarrier();
        let parts = LANES / together;
        let first = seat / LANES * parts;
        total = bitcast<Acc_K>(seats[first]);
        for (var part = 1u; part < parts; part++) {
            total = combine_K(total, bitcast<Acc_K>(seats[first + part]));
        }
        // The next reduction writes where others may still read.
        workgroupBarrier();
    }
    return total;
}
