// Where an invocation sits: those of a subgroup side by side, one subgroup behind the other, so that
// neighbours can exchange values. Workgroups are whole subgroups. What sits where does not follow from
// `local_invocation_index`, whose relation to subgroups is the driver's.

struct Subgroup {
    @builtin(subgroup_size) width: u32,
    @builtin(subgroup_id) id: u32,
    @builtin(subgroup_invocation_id) lane: u32,
}

// Invocations of a subgroup.
var<private> subgroup_width: u32;

fn take_seat(subgroup: Subgroup) -> u32 {
    subgroup_width = subgroup.width;
    return subgroup.id * subgroup.width + subgroup.lane;
}
