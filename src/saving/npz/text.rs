//! Text as NumPy keeps it: elements of equal width, padded with zeros.

use crate::base::{Error, Result};
use crate::saving::npz::header::Header;

/// Bytes of a character in an array of dtype `U`.
pub(super) const CODE_POINT: usize = 4;

/// The elements of an array of text, whose words are little-endian. Zeros at an element's end are
/// padding.
pub(super) fn decode(header: &Header, data: &[u8]) -> Result<Vec<String>> {
    if header.width == 0 && !header.spec.shape.is_empty() {
        return Err(Error::Invalid("an array of text whose elements have no characters".into()));
    }
    let element = |bytes: &[u8]| match header.is_unicode {
        true => characters(bytes),
        false => utf8(bytes),
    };
    let elements = data.chunks_exact(header.width.max(1)).enumerate();
    elements
        .map(|(i, bytes)| {
            element(bytes).ok_or_else(|| {
                let coding = if header.is_unicode { "Unicode" } else { "UTF-8" };
                Error::Invalid(format!("element {i} of an array of text is not {coding}"))
            })
        })
        .collect()
}

fn characters(bytes: &[u8]) -> Option<String> {
    let (words, _) = bytes.as_chunks::<CODE_POINT>();
    let len = words.iter().rposition(|w| *w != [0; CODE_POINT]).map_or(0, |last| last + 1);
    words[..len].iter().map(|w| char::from_u32(u32::from_le_bytes(*w))).collect()
}

fn utf8(bytes: &[u8]) -> Option<String> {
    let len = bytes.iter().rposition(|b| *b != 0).map_or(0, |last| last + 1);
    String::from_utf8(bytes[..len].to_vec()).ok()
}

/// The number of characters of each element, and all elements as an array of dtype `U` has them.
pub(super) fn encode(strings: &[String]) -> (usize, Vec<u8>) {
    let longest = strings.iter().map(|s| s.chars().count()).max().unwrap_or(0);
    // NumPy itself has no elements without width.
    let characters = longest.max(1);
    let mut data = vec![0; strings.len() * characters * CODE_POINT];
    for (string, place) in strings.iter().zip(data.chunks_exact_mut(characters * CODE_POINT)) {
        for (c, word) in string.chars().zip(place.chunks_exact_mut(CODE_POINT)) {
            word.copy_from_slice(&u32::from(c).to_le_bytes());
        }
    }
    (characters, data)
}
