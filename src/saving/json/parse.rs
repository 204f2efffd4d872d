//! Reading JSON texts that others wrote.

use serde_json::Map;

use super::{FLOAT_KEY, Json, not_finite};
use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::Limits;
use crate::saving::limits::check;

/// The value of a JSON text; `member` names the text in messages.
///
/// As Python's `json.loads`, with these differences: the text is UTF-8; a key may occur once per
/// object; integers fit 64 bits and floats are finite or written `NaN`, `Infinity`, `-Infinity`;
/// depth and number of values are bounded by `limits`.
///
/// # Errors
/// [`Error::Json`] with the byte offset, or [`Error::Limit`].
pub fn parse(bytes: &[u8], member: &str, limits: &Limits) -> Result<Json> {
    let text = std::str::from_utf8(bytes).map_err(|e| Error::Json {
        member: member.into(),
        what: format!("not UTF-8 at byte {}", e.valid_up_to()),
    })?;
    let start = if text.starts_with('\u{feff}') { 3 } else { 0 };
    let mut parser = Parser { text, at: start, member, limits, depth: 0, values: 0 };
    let value = parser.value()?;
    parser.blanks();
    match parser.peek() {
        None => Ok(value),
        Some(_) => Err(parser.error("text after the end of the value")),
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    member: &'a str,
    limits: &'a Limits,
    depth: usize,
    values: usize,
}

impl Parser<'_> {
    fn error(&self, what: impl Into<String>) -> Error {
        let what = format!("{} at byte {}", what.into(), self.at);
        Error::Json { member: self.member.into(), what }
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blanks(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    /// Passes over `byte` when it is next.
    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn word(&mut self, word: &str, value: Json) -> Result<Json> {
        if !self.text.as_bytes()[self.at..].starts_with(word.as_bytes()) {
            return Err(self.error("a value is expected"));
        }
        self.at += word.len();
        Ok(value)
    }

    fn value(&mut self) -> Result<Json> {
        self.values += 1;
        let what = || format!("JSON values in {}", self.member);
        check(what, self.values as u64, self.limits.json_values as u64, "json_values")?;
        self.blanks();
        match self.peek() {
            Some(b'{') => self.nested(Self::object),
            Some(b'[') => self.nested(Self::array),
            Some(b'"') => self.string().map(Json::String),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'N') => self.word("NaN", not_finite("NaN")),
            Some(b'I') => self.word("Infinity", not_finite("Infinity")),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(_) => Err(self.error("a value is expected")),
            None => Err(self.error("the text ends early")),
        }
    }

    /// Reads a container one level down; its opening bracket is next.
    fn nested(&mut self, read: fn(&mut Self) -> Result<Json>) -> Result<Json> {
        self.at += 1;
        self.depth += 1;
        let what = || format!("nesting of JSON in {}", self.member);
        check(what, self.depth as u64, self.limits.json_depth as u64, "json_depth")?;
        let value = read(self)?;
        self.depth -= 1;
        Ok(value)
    }

    fn array(&mut self) -> Result<Json> {
        let mut items = Vec::new();
        self.blanks();
        if self.eat(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            items.push(self.value()?);
            if !self.another(b']')? {
                return Ok(Json::Array(items));
            }
        }
    }

    fn object(&mut self) -> Result<Json> {
        let mut map = Map::new();
        self.blanks();
        if self.eat(b'}') {
            return Ok(Json::Object(map));
        }
        loop {
            self.blanks();
            if self.peek() != Some(b'"') {
                return Err(self.error("a key in double quotes is expected"));
            }
            let key = self.string()?;
            self.check_key(&map, &key)?;
            self.blanks();
            if !self.eat(b':') {
                return Err(self.error("':' is expected"));
            }
            let value = self.value()?;
            map.insert(key, value);
            if !self.another(b'}')? {
                return Ok(Json::Object(map));
            }
        }
    }

    fn check_key(&self, map: &Map<String, Json>, key: &str) -> Result<()> {
        if map.contains_key(key) {
            return Err(self.error(format!("key '{}' occurs twice in one object", quote(key))));
        }
        if key == FLOAT_KEY {
            return Err(self.error(format!("key '{FLOAT_KEY}' is reserved")));
        }
        Ok(())
    }

    /// Whether a comma follows, or else the closing bracket.
    fn another(&mut self, close: u8) -> Result<bool> {
        self.blanks();
        if self.eat(b',') {
            return Ok(true);
        }
        if self.eat(close) {
            return Ok(false);
        }
        Err(self.error(format!("',' or '{}' is expected", char::from(close))))
    }

    fn string(&mut self) -> Result<String> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.bytes().position(|b| b == b'"' || b == b'\\' || b < 0x20);
            let plain = plain.ok_or_else(|| self.error("a string without its closing quote"))?;
            out.push_str(&rest[..plain]);
            self.at += plain;
            if self.eat(b'"') {
                return Ok(out);
            }
            if !self.eat(b'\\') {
                return Err(self.error("a control character inside a string"));
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char> {
        let escaped = match self.peek() {
            Some(b @ (b'"' | b'\\' | b'/')) => char::from(b),
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'u') => return self.unicode(),
            _ => return Err(self.error("an unknown escape")),
        };
        self.at += 1;
        Ok(escaped)
    }

    /// One character from one or two `uXXXX`, the first of which is next.
    fn unicode(&mut self) -> Result<char> {
        let first = self.hex()?;
        let code = if (0xd800..0xdc00).contains(&first) && self.eat(b'\\') {
            let second = self.hex()?;
            if !(0xdc00..0xe000).contains(&second) {
                return Err(self.error("half of a surrogate pair"));
            }
            0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00)
        } else {
            first
        };
        char::from_u32(code).ok_or_else(|| self.error("half of a surrogate pair"))
    }

    fn hex(&mut self) -> Result<u32> {
        let digits = self.text.get(self.at + 1..self.at + 5);
        let digits = digits
            .filter(|d| self.peek() == Some(b'u') && d.bytes().all(|b| b.is_ascii_hexdigit()));
        let code = digits.and_then(|d| u32::from_str_radix(d, 16).ok());
        let code = code.ok_or_else(|| self.error("an unfinished escape"))?;
        self.at += 5;
        Ok(code)
    }

    fn number(&mut self) -> Result<Json> {
        let start = self.at;
        let negative = self.eat(b'-');
        if negative && self.peek() == Some(b'I') {
            return self.word("Infinity", not_finite("-Infinity"));
        }
        let leading_zero = self.peek() == Some(b'0');
        if self.digits()? > 1 && leading_zero {
            return Err(self.error("a number with a leading zero"));
        }
        let mut whole = true;
        if self.eat(b'.') {
            whole = false;
            self.digits()?;
        }
        if self.eat(b'e') || self.eat(b'E') {
            whole = false;
            let _sign = self.eat(b'+') || self.eat(b'-');
            self.digits()?;
        }
        self.number_from(start, whole)
    }

    /// Passes over at least one digit.
    fn digits(&mut self) -> Result<usize> {
        let start = self.at;
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        match self.at - start {
            0 => Err(self.error("a digit is expected")),
            count => Ok(count),
        }
    }

    fn number_from(&self, start: usize, whole: bool) -> Result<Json> {
        let text = &self.text[start..self.at];
        if whole {
            let value = text
                .parse::<i64>()
                .map(Json::from)
                .or_else(|_| text.parse::<u64>().map(Json::from));
            return value.map_err(|_| self.error("an integer that does not fit 64 bits"));
        }
        let finite = text.parse::<f64>().ok().and_then(serde_json::Number::from_f64);
        finite.map(Json::Number).ok_or_else(|| self.error("a number out of range"))
    }
}
