//! File names with the epoch and metrics in them: the part of Python's `str.format` that is of use
//! for numbers.

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::json::{from_float, to_python};

/// A number as Python holds it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Number {
    Int(i64),
    Float(f64),
}

/// What Python's `str` makes of a float.
pub fn python_float(value: f64) -> String {
    match (value.is_nan(), value.is_infinite()) {
        (true, _) => "nan".into(),
        (_, true) => if value > 0.0 { "inf" } else { "-inf" }.into(),
        _ => to_python(&from_float(value)),
    }
}

/// What Python's `str` makes of a float32: as few digits as tell it from others.
pub fn python_float32(value: f64) -> String {
    python_float((value as f32).to_string().parse().unwrap_or(value))
}

/// Puts numbers into a text with fields such as `{epoch:02d}` and `{val_loss:.2f}`.
///
/// # Errors
/// If a field names no number, or its form is none that Python has for the number; and the rarer
/// forms: `g`, signs, grouping, alignment.
pub fn format(text: &str, values: &[(&str, Number)]) -> Result<String> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let (brace, after) = (&rest[at..=at], &rest[at + 1..]);
        if let Some(after) = after.strip_prefix(brace) {
            out.push_str(brace);
            rest = after;
            continue;
        }
        let end = after.find('}').filter(|_| brace == "{");
        let end = end.ok_or_else(|| refused(text, "a brace stands alone"))?;
        out.push_str(&field(text, &after[..end], values)?);
        rest = &after[end + 1..];
    }
    out.push_str(rest);
    Ok(out)
}

fn refused(text: &str, what: &str) -> Error {
    Error::Invalid(format!("the file name '{}': {what}", quote(text)))
}

fn field(text: &str, field: &str, values: &[(&str, Number)]) -> Result<String> {
    let (name, form) = field.split_once(':').unwrap_or((field, ""));
    let value = values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let value = value.ok_or_else(|| {
        let names: Vec<&str> = values.iter().map(|(name, _)| *name).collect();
        refused(text, &format!("'{}' is none of {}", quote(name), names.join(", ")))
    })?;
    let bad = || refused(text, &format!("the form '{}' is not supported here", quote(form)));
    let form = Form::parse(form).ok_or_else(bad)?;
    form.apply(value).ok_or_else(bad)
}

/// `[0][width][.precision][kind]`.
struct Form {
    zeros: bool,
    width: usize,
    precision: Option<usize>,
    kind: Option<char>,
}

/// No file name is longer than this.
const LONGEST: usize = 255;

impl Form {
    fn parse(text: &str) -> Option<Form> {
        let number = |text: &str| match text {
            "" => Some(0),
            digits => digits.parse().ok().filter(|n| *n <= LONGEST),
        };
        let kind = text
            .chars()
            .last()
            .filter(char::is_ascii_alphabetic)
            .or(text.ends_with('%').then_some('%'));
        let rest = kind.map_or(text, |kind| &text[..text.len() - kind.len_utf8()]);
        let (width, precision) = match rest.split_once('.') {
            Some((width, precision)) if !precision.is_empty() => (width, Some(number(precision)?)),
            Some(_) => return None,
            None => (rest, None),
        };
        let zeros = width.starts_with('0');
        Some(Form { zeros, width: number(width)?, precision, kind })
    }

    fn apply(&self, value: Number) -> Option<String> {
        let text = match (self.kind, value, self.precision) {
            (None | Some('d'), Number::Int(n), None) => n.to_string(),
            (None, Number::Float(x), None) => python_float(x),
            (Some(kind @ ('e' | 'E' | 'f' | 'F' | '%')), number, precision) => {
                let x = match number {
                    Number::Int(n) => n as f64,
                    Number::Float(x) => x,
                };
                python_float_as(kind, x, precision.unwrap_or(6))
            }
            _ => return None,
        };
        let missing = self.width.saturating_sub(text.len());
        Some(match (self.zeros, text.strip_prefix('-')) {
            (true, Some(digits)) => format!("-{}{digits}", "0".repeat(missing)),
            (true, None) => format!("{}{text}", "0".repeat(missing)),
            (false, _) => format!("{}{text}", " ".repeat(missing)),
        })
    }
}

/// What Python makes of a float in one of the forms `e`, `f` and `%`.
pub fn python_float_as(kind: char, x: f64, precision: usize) -> String {
    if !x.is_finite() {
        return match kind {
            '%' => format!("{}%", python_float(x)),
            'E' | 'F' => python_float(x).to_uppercase(),
            _ => python_float(x),
        };
    }
    match kind {
        '%' => format!("{:.precision$}%", x * 100.0),
        'f' | 'F' => format!("{x:.precision$}"),
        _ => {
            let text = format!("{x:.precision$e}");
            let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
            let (sign, exponent) = match exponent.strip_prefix('-') {
                Some(exponent) => ('-', exponent),
                None => ('+', exponent),
            };
            format!("{digits}{kind}{sign}{exponent:0>2}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_written_as_python_writes_them() {
        let values = [
            ("epoch", Number::Int(7)),
            ("loss", Number::Float(0.123_456_78)),
            ("small", Number::Float(-1.5e-7)),
            ("nan", Number::Float(f64::NAN)),
        ];
        for (text, expected) in [
            ("{epoch:02d}-{loss:.2f}.keras", "07-0.12.keras"),
            ("{epoch}{{x}}{loss}", "7{x}0.12345678"),
            ("{epoch:4}|{epoch:.1f}|{loss:08.3f}|{loss:.1%}", "   7|7.0|0000.123|12.3%"),
            ("{small:.2e} {small} {small:010.1E}", "-1.50e-07 -1.5e-07 -001.5E-07"),
            ("{nan:.2f} {loss:f}", "nan 0.123457"),
        ] {
            assert_eq!(format(text, &values).unwrap(), expected);
        }
        for text in ["{val_loss}", "{epoch", "}", "{loss:d}", "{epoch:x}", "{loss:9999f}", "{}"] {
            assert!(format(text, &values).is_err(), "{text}");
        }
    }
}
