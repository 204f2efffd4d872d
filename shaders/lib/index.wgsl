// Position in a grid that the launcher folded because one dimension holds 65,535 groups at most.

// The linear index of a workgroup; it may lie behind the last one that has work.
fn linear_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}

// The same number, as a bound of a loop that drivers take for no constant: Mesa 22.3 compiles a kernel
// anew, before every dispatch, for the constants that its loops are bounded by. Positions in a grid have
// fewer than 32 bits.
fn bound(n: u32, group: vec3<u32>) -> u32 {
    return n | (group.x >> 31u);
}
