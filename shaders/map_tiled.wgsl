// map_tiled: out[i] = value(i), where neighbouring outputs read far apart and others read neighbours
//
// Shapes    out is [.., D = ep[0].y, M = ep[0].z, L = ep[0].w]; what it reads has neighbours along D.
// Grid      one workgroup per tile of TILE x TILE elements along D and L; tiles along L first.
// Prelude   TILE: elements along a side of a tile, whole transactions of memory.
// Modules   generated: operands, parameters `ep`, `out`, and fn value(i: u32) -> Out.
// Accuracy  that of the functions in lib/math.
//
// A row of elements would use one word of every transaction that it reads; a tile uses all of them,
// and stores whole transactions.

#import lib/index
#import generated

@compute @workgroup_size(TILE * TILE)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) seat: u32,
) {
    let tile = linear_group(group, groups);
    let extents = vec3<u32>(ep[0].yzw);
    let tiles = vec3<u32>(ep[1].xyz);
    if tile >= tiles.z {
        return;
    }
    let y = tile % tiles.y * TILE + seat % TILE;
    let x = tile / tiles.y % tiles.x * TILE + seat / TILE;
    let slab = tile / tiles.y / tiles.x;
    if x < extents.x && y < extents.z {
        let row = (slab / extents.y * extents.x + x) * extents.y + slab % extents.y;
        let i = row * extents.z + y;
        store(i, value(i));
    }
}
