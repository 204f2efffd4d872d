//! The hashes by which TensorFlow puts values into bins.

use std::hash::Hasher;

use siphasher::sip::SipHasher24;

/// Multipliers of FarmHash.
const K0: u64 = 0xc3a5_c85c_97cb_3127;
const K1: u64 = 0xb492_b66f_be98_f273;
const K2: u64 = 0x9ae1_6a3b_2f90_404f;

/// Key with which crosses start where none is given.
const CROSS_KEY: u64 = 0xde_cafc_affe;

/// How text becomes the number of a bin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hash {
    /// `tf.strings.to_hash_bucket_fast`.
    Fast,
    /// `tf.strings.to_hash_bucket_strong` with these keys.
    Salted(u64, u64),
}

impl Hash {
    /// The bin of a text among `bins`, of which there is at least one.
    pub fn bin(self, text: &str, bins: u64) -> i64 {
        let hash = match self {
            Hash::Fast => fingerprint64(text.as_bytes()),
            Hash::Salted(low, high) => {
                let mut hasher = SipHasher24::new_with_keys(low, high);
                hasher.write(text.as_bytes());
                hasher.finish()
            }
        };
        (hash % bins.max(1)) as i64
    }
}

/// The bin of a cross of features, `tf.sparse.cross_hashed`. Features are integers as they are, and
/// [`fingerprint64`] of text.
pub(super) fn cross(features: impl Iterator<Item = u64>, bins: u64) -> i64 {
    (features.fold(CROSS_KEY, concatenated) % bins.max(1)) as i64
}

/// The fingerprint of two things by theirs.
fn concatenated(first: u64, second: u64) -> u64 {
    const MUL: u64 = 0xc6a4_a793_5bd1_e995;
    let mixed = shift_mix(second.wrapping_mul(MUL)).wrapping_mul(MUL);
    let result = (first ^ MUL ^ mixed).wrapping_mul(MUL);
    shift_mix(shift_mix(result).wrapping_mul(MUL))
}

/// FarmHash's `Fingerprint64`, which is the same on every machine and will stay so.
pub(super) fn fingerprint64(s: &[u8]) -> u64 {
    match s.len() {
        0..=16 => up_to_16(s),
        17..=32 => up_to_32(s),
        33..=64 => up_to_64(s),
        _ => longer(s),
    }
}

fn word(s: &[u8], at: usize) -> u64 {
    s.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

fn half_word(s: &[u8], at: usize) -> u64 {
    let bytes = s.get(at..).and_then(<[u8]>::first_chunk);
    bytes.map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)))
}

fn shift_mix(x: u64) -> u64 {
    x ^ (x >> 47)
}

fn sum<const N: usize>(terms: [u64; N]) -> u64 {
    terms.into_iter().fold(0, u64::wrapping_add)
}

fn mix(u: u64, v: u64, mul: u64) -> u64 {
    let a = shift_mix((u ^ v).wrapping_mul(mul));
    shift_mix((v ^ a).wrapping_mul(mul)).wrapping_mul(mul)
}

/// The multiplier for a length.
fn multiplier(len: usize) -> u64 {
    K2.wrapping_add(2 * len as u64)
}

fn up_to_16(s: &[u8]) -> u64 {
    let len = s.len();
    let mul = multiplier(len);
    if len >= 8 {
        let a = word(s, 0).wrapping_add(K2);
        let b = word(s, len - 8);
        let c = b.rotate_right(37).wrapping_mul(mul).wrapping_add(a);
        let d = a.rotate_right(25).wrapping_add(b).wrapping_mul(mul);
        return mix(c, d, mul);
    }
    if len >= 4 {
        return mix(len as u64 + (half_word(s, 0) << 3), half_word(s, len - 4), mul);
    }
    let (Some(&first), Some(&last)) = (s.first(), s.last()) else { return K2 };
    let y = u64::from(first) + (u64::from(s[len / 2]) << 8);
    let z = len as u64 + (u64::from(last) << 2);
    shift_mix(y.wrapping_mul(K2) ^ z.wrapping_mul(K0)).wrapping_mul(K2)
}

fn up_to_32(s: &[u8]) -> u64 {
    let len = s.len();
    let mul = multiplier(len);
    let a = word(s, 0).wrapping_mul(K1);
    let b = word(s, 8);
    let c = word(s, len - 8).wrapping_mul(mul);
    let d = word(s, len - 16).wrapping_mul(K2);
    let u = sum([a.wrapping_add(b).rotate_right(43), c.rotate_right(30), d]);
    mix(u, sum([a, b.wrapping_add(K2).rotate_right(18), c]), mul)
}

fn up_to_64(s: &[u8]) -> u64 {
    let len = s.len();
    let mul = multiplier(len);
    let a = word(s, 0).wrapping_mul(K2);
    let b = word(s, 8);
    let c = word(s, len - 8).wrapping_mul(mul);
    let d = word(s, len - 16).wrapping_mul(K2);
    let y = sum([a.wrapping_add(b).rotate_right(43), c.rotate_right(30), d]);
    let z = mix(y, sum([a, b.wrapping_add(K2).rotate_right(18), c]), mul);
    let e = word(s, 16).wrapping_mul(mul);
    let f = word(s, 24);
    let g = y.wrapping_add(word(s, len - 32)).wrapping_mul(mul);
    let h = z.wrapping_add(word(s, len - 24)).wrapping_mul(mul);
    let u = sum([e.wrapping_add(f).rotate_right(43), g.rotate_right(30), h]);
    mix(u, sum([e, f.wrapping_add(a).rotate_right(18), g]), mul)
}

/// 32 bytes from `at` on, hashed into two words.
fn weak(s: &[u8], at: usize, a: u64, b: u64) -> (u64, u64) {
    let z = word(s, at + 24);
    let a = a.wrapping_add(word(s, at));
    let b = sum([b, a, z]).rotate_right(21);
    let moved = sum([a, word(s, at + 8), word(s, at + 16)]);
    (moved.wrapping_add(z), sum([b, moved.rotate_right(44), a]))
}

/// The state of a hash of more than 64 bytes.
struct State {
    x: u64,
    y: u64,
    z: u64,
    v: (u64, u64),
    w: (u64, u64),
}

impl State {
    /// Takes the 64 bytes from `at` on. The last of them are taken with other weights.
    fn take(&mut self, s: &[u8], at: usize, mul: u64, weights: (u64, u64)) {
        let State { x, y, z, v, w } = self;
        *x = sum([*x, *y, v.0, word(s, at + 8)]).rotate_right(37).wrapping_mul(mul);
        *y = sum([*y, v.1, word(s, at + 48)]).rotate_right(42).wrapping_mul(mul);
        *x ^= w.1.wrapping_mul(weights.0);
        *y = sum([*y, v.0.wrapping_mul(weights.1), word(s, at + 40)]);
        *z = z.wrapping_add(w.0).rotate_right(33).wrapping_mul(mul);
        *v = weak(s, at, v.1.wrapping_mul(mul), x.wrapping_add(w.0));
        *w = weak(s, at + 32, z.wrapping_add(w.1), y.wrapping_add(word(s, at + 16)));
        std::mem::swap(z, x);
    }
}

fn longer(s: &[u8]) -> u64 {
    const SEED: u64 = 81;
    let y = SEED.wrapping_mul(K1).wrapping_add(113);
    let z = shift_mix(y.wrapping_mul(K2).wrapping_add(113)).wrapping_mul(K2);
    let x = SEED.wrapping_mul(K2).wrapping_add(word(s, 0));
    let mut state = State { x, y, z, v: (0, 0), w: (0, 0) };
    let whole = (s.len() - 1) / 64;
    for block in 0..whole {
        state.take(s, block * 64, K1, (1, 1));
    }
    let mul = K1.wrapping_add((state.z & 0xff) << 1);
    state.w.0 = state.w.0.wrapping_add((s.len() as u64 - 1) & 63);
    state.v.0 = state.v.0.wrapping_add(state.w.0);
    state.w.0 = state.w.0.wrapping_add(state.v.0);
    state.take(s, s.len() - 64, mul, (9, 9));
    let State { x, y, z, v, w } = state;
    let u = sum([mix(v.0, w.0, mul), shift_mix(y).wrapping_mul(K0), z]);
    mix(u, mix(v.1, w.1, mul).wrapping_add(x), mul)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As TensorFlow 2.20 computes them.
    #[test]
    fn hashes_are_those_of_tensorflow() {
        let bins = 1 << 62;
        let texts = ["a".into(), String::new(), "x".repeat(40), "y".repeat(70), "z".repeat(200)];
        let fast = [
            3694432073954588131,
            1936946117179621455,
            3168538174772821140,
            2525296024834194218,
            4117204190001636188,
        ];
        assert_eq!(texts.each_ref().map(|text| Hash::Fast.bin(text, bins)), fast);
        let salted =
            [546566331822570742, 443797209252341627, 620143099891017215, 2942251336022653932];
        let strong = |text: &String| Hash::Salted(1, 2).bin(text, bins);
        assert_eq!(texts[..4].iter().map(strong).collect::<Vec<_>>(), salted);
    }

    #[test]
    fn crosses_are_those_of_tensorflow() {
        let features = [(1i64, "a"), (2, "b"), (-3, "")];
        let crossed = features.map(|(number, text)| {
            cross([number as u64, fingerprint64(text.as_bytes())].into_iter(), 1 << 40)
        });
        assert_eq!(crossed, [917495242861, 822526549253, 971952450321]);
    }
}
