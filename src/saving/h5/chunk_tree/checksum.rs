//! The two checksums of HDF5: Bob Jenkins' lookup3 over structures, Fletcher's over data.

/// lookup3's `hashlittle` with the initial value 0.
pub(super) fn lookup3(bytes: &[u8]) -> u32 {
    const START: u32 = 0xdead_beef;
    let mut state = [START.wrapping_add(bytes.len() as u32); 3];
    let mut rest = bytes;
    while rest.len() > 12 {
        let (block, behind) = rest.split_at(12);
        add(&mut state, block);
        mix(&mut state);
        rest = behind;
    }
    if !rest.is_empty() {
        add(&mut state, rest);
        finish(&mut state);
    }
    state[2]
}

/// Adds up to twelve bytes as three little-endian numbers; missing bytes are zeros.
fn add(state: &mut [u32; 3], bytes: &[u8]) {
    for (word, piece) in state.iter_mut().zip(bytes.chunks(4)) {
        let mut padded = [0; 4];
        padded[..piece.len()].copy_from_slice(piece);
        *word = word.wrapping_add(u32::from_le_bytes(padded));
    }
}

fn mix(state: &mut [u32; 3]) {
    for (i, by) in [4, 6, 8, 16, 19, 4].into_iter().enumerate() {
        let [this, next, last] = [i % 3, (i + 1) % 3, (i + 2) % 3];
        state[this] = state[this].wrapping_sub(state[last]) ^ state[last].rotate_left(by);
        state[last] = state[last].wrapping_add(state[next]);
    }
}

fn finish(state: &mut [u32; 3]) {
    for (i, by) in [14, 11, 25, 16, 4, 14, 24].into_iter().enumerate() {
        let [next, this] = [(i + 1) % 3, (i + 2) % 3];
        state[this] = (state[this] ^ state[next]).wrapping_sub(state[next].rotate_left(by));
    }
}

/// Fletcher's checksum over big-endian words of two bytes, as HDF5 computes it.
pub(super) fn fletcher32(bytes: &[u8]) -> u32 {
    /// Words after which the sums are reduced; they cannot overflow before.
    const BLOCK: usize = 2 * 360;
    let (mut first, mut second) = (0u32, 0u32);
    for block in bytes.chunks(BLOCK) {
        for pair in block.chunks(2) {
            let low = pair.get(1).copied().unwrap_or_default();
            first += u32::from(u16::from_be_bytes([pair[0], low]));
            second += first;
        }
        (first, second) = (fold(first), fold(second));
    }
    (fold(second) << 16) | fold(first)
}

/// The residue by 65,535, where a multiple of it that is not zero stays 65,535.
fn fold(sum: u32) -> u32 {
    let once = (sum & 0xffff) + (sum >> 16);
    (once & 0xffff) + (once >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_the_published_ones() {
        // The values that Bob Jenkins gives in lookup3.c.
        assert_eq!(lookup3(b""), 0xdead_beef);
        assert_eq!(lookup3(b"Four score and seven years ago"), 0x1777_0551);
        // Adler's and Fletcher's common example, in big-endian words.
        assert_eq!(fletcher32(&[0x00, 0x01, 0x00, 0x02]), 0x0004_0003);
        assert_eq!(fletcher32(&[0xff, 0xff]), 0xffff_ffff);
    }
}
