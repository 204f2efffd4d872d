//! The header of an `.npy` file: a Python dictionary that says what the bytes are.

use crate::base::error::quote;
use crate::base::{DType, Error, Result, Shape, Spec};
use crate::saving::bytes::{Cursor, ReadAt};
use crate::saving::npz::text;

const MAGIC: &[u8] = b"\x93NUMPY";
/// NumPy's own bound is 10,000.
const MAX_HEADER: u64 = 64 << 10;
/// The data starts at a multiple of this.
const ALIGNMENT: usize = 64;

/// What an `.npy` file holds.
pub(super) struct Header {
    pub(super) spec: Spec,
    /// Bytes of one element in the file; text is as wide as the longest string of the array.
    pub(super) width: usize,
    /// Whether text is in characters, rather than in bytes.
    pub(super) is_unicode: bool,
    pub(super) big_endian: bool,
    pub(super) fortran_order: bool,
}

fn refuse(what: impl Into<String>) -> Error {
    Error::Archive(format!("not a readable .npy header: {}", what.into()))
}

impl Header {
    /// The header, and the offset of the data behind it.
    pub(super) fn read(bytes: &dyn ReadAt) -> Result<(Header, u64)> {
        let mut head = [0; 12];
        let known = usize::try_from(bytes.len()).unwrap_or(12).min(12);
        bytes.read_at(0, &mut head[..known])?;
        let mut fields = Cursor(&head);
        let magic = fields.take(MAGIC.len());
        let version = fields.take(2).and_then(|v| v.first().copied());
        let (len, start) = match version {
            Some(1) => (fields.u16().map(u64::from), 10),
            Some(2 | 3) => (fields.u32().map(u64::from), 12),
            _ => return Err(refuse("not version 1 to 3")),
        };
        let len =
            len.filter(|&len| magic == Some(MAGIC) && len <= MAX_HEADER && len <= bytes.len());
        let len = len.ok_or_else(|| refuse("it is cut, too long, or something else"))?;
        let mut text = vec![0; usize::try_from(len).unwrap_or_default()];
        bytes.read_at(start, &mut text)?;
        let text = String::from_utf8(text).map_err(|_| refuse("not UTF-8"))?;
        Ok((Header::parse(&text)?, start + len))
    }

    fn parse(text: &str) -> Result<Header> {
        let mut rest = Literal(text.trim());
        let (mut descr, mut order, mut shape) = (None, None, None);
        rest.expect("{")?;
        while !rest.eat("}") {
            let key = rest.string()?;
            rest.expect(":")?;
            match key {
                "descr" if descr.is_none() => descr = Some(rest.string()?),
                "fortran_order" if order.is_none() => order = Some(rest.boolean()?),
                "shape" if shape.is_none() => shape = Some(rest.tuple()?),
                other => return Err(refuse(format!("key '{}'", quote(other)))),
            }
            if !rest.eat(",") {
                rest.expect("}")?;
                break;
            }
        }
        let (Some(descr), Some(fortran_order), Some(shape)) = (descr, order, shape) else {
            return Err(refuse("a key is missing"));
        };
        let shape = Shape::from(shape);
        shape.checked_len()?;
        let (order, kind) = descr.split_at_checked(1).unwrap_or_default();
        let (dtype, width) = element(kind)?;
        let spec = Spec::new(shape, dtype);
        if !["<", ">", "|", "="].contains(&order) {
            return Err(refuse(format!("byte order '{}'", quote(order))));
        }
        let is_unicode = kind.starts_with('U');
        Ok(Header { spec, width, is_unicode, big_endian: order == ">", fortran_order })
    }
}

/// The dtype of an element, and its bytes in the file.
fn element(kind: &str) -> Result<(DType, usize)> {
    let characters = |digits: &str| {
        let count = digits.parse::<u32>().ok().map(|n| n as usize);
        count.ok_or_else(|| refuse(format!("text of '{}' characters", quote(digits))))
    };
    if let Some(digits) = kind.strip_prefix('U') {
        return Ok((DType::String, characters(digits)?.saturating_mul(text::CODE_POINT)));
    }
    if let Some(digits) = kind.strip_prefix('S') {
        return Ok((DType::String, characters(digits)?));
    }
    let dtype = number(kind)?;
    Ok((dtype, dtype.size()))
}

fn number(kind: &str) -> Result<DType> {
    Ok(match kind {
        "f8" => DType::Float64,
        "f4" => DType::Float32,
        "f2" => DType::Float16,
        "V2" => DType::BFloat16,
        "i8" => DType::Int64,
        "i4" => DType::Int32,
        "i2" => DType::Int16,
        "i1" => DType::Int8,
        "u8" => DType::UInt64,
        "u4" => DType::UInt32,
        "u2" => DType::UInt16,
        "u1" => DType::UInt8,
        "b1" => DType::Bool,
        "c8" => DType::Complex64,
        "O" => {
            return Err(refuse(
                "it holds Python objects, which are never unpickled; text is read from arrays of \
                 dtype str, as array.astype(str) gives them",
            ));
        }
        other => {
            return Err(Error::DType {
                context: "an .npy file".into(),
                found: quote(other),
                expected: "real numbers, complex64, booleans or text".into(),
            });
        }
    })
}

/// A Python literal, read from the front.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn eat(&mut self, token: &str) -> bool {
        match self.0.trim_start().strip_prefix(token) {
            Some(rest) => {
                self.0 = rest;
                true
            }
            None => false,
        }
    }

    fn expect(&mut self, token: &str) -> Result<()> {
        if self.eat(token) { Ok(()) } else { Err(refuse(format!("'{token}' is expected"))) }
    }

    fn string(&mut self) -> Result<&'a str> {
        let quote = if self.eat("'") { '\'' } else { '"' };
        if quote == '"' {
            self.expect("\"")?;
        }
        let (text, rest) =
            self.0.split_once(quote).ok_or_else(|| refuse("a string without its end"))?;
        self.0 = rest;
        Ok(text)
    }

    fn boolean(&mut self) -> Result<bool> {
        if self.eat("True") {
            return Ok(true);
        }
        self.expect("False").map(|()| false)
    }

    fn tuple(&mut self) -> Result<Vec<usize>> {
        let mut items = Vec::new();
        self.expect("(")?;
        while !self.eat(")") {
            let text = self.0.trim_start();
            let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
            let extent = text[..end].parse().map_err(|_| refuse("an extent that is no number"))?;
            items.push(extent);
            self.0 = text[end..].strip_prefix('L').unwrap_or(&text[end..]);
            if !self.eat(",") {
                self.expect(")")?;
                break;
            }
        }
        Ok(items)
    }
}

/// The header of an array in version 1 of the format, padded as NumPy pads it.
///
/// `characters` is the length of the longest string, where the array is one of text.
pub(super) fn write(spec: &Spec, characters: usize) -> Vec<u8> {
    let dict = format!(
        "{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}",
        descr(spec.dtype, characters),
        spec.shape
    );
    let total = (MAGIC.len() + 4 + dict.len() + 1).next_multiple_of(ALIGNMENT);
    let mut out = MAGIC.to_vec();
    out.extend_from_slice(&[1, 0]);
    out.extend_from_slice(&((total - MAGIC.len() - 4) as u16).to_le_bytes());
    out.extend_from_slice(dict.as_bytes());
    out.resize(total - 1, b' ');
    out.push(b'\n');
    out
}

fn descr(dtype: DType, characters: usize) -> String {
    let descr = match dtype {
        DType::Float64 => "<f8",
        DType::Float32 => "<f4",
        DType::Float16 => "<f2",
        DType::Int64 => "<i8",
        DType::Int32 => "<i4",
        DType::Int16 => "<i2",
        DType::Int8 => "|i1",
        DType::UInt64 => "<u8",
        DType::UInt32 => "<u4",
        DType::UInt16 | DType::BFloat16 => "<u2",
        // As bfloat16, NumPy lacks them: their bits.
        DType::UInt8 | DType::Float8E4M3FN | DType::Float8E5M2 => "|u1",
        DType::Bool => "|b1",
        DType::Complex64 => "<c8",
        DType::String => return format!("<U{characters}"),
    };
    descr.into()
}
