// Position in a grid that the launcher folded because one dimension holds 65,535 groups at most.

// The linear index of a workgroup; it may lie behind the last one that has work.
fn linear_group(group: vec3<u32>, groups: vec3<u32>) -> u32 {
    return group.x + groups.x * (group.y + groups.y * group.z);
}
