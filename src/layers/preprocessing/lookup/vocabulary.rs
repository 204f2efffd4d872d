//! The words of a lookup: an ordered list without repetitions.

use std::collections::HashMap;
use std::hash::Hash;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::layers::config::{Config, Json};

/// One word, or the stand-in for missing ones.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Token {
    Text(String),
    Number(i64),
}

/// What the words of a lookup are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Kind {
    Text,
    Number,
}

/// Words with their positions, which count from the first that is no special token.
pub(super) enum Vocabulary {
    Text(Words<String>),
    Numbers(Words<i64>),
}

pub(super) struct Words<T> {
    list: Vec<T>,
    positions: HashMap<T, usize>,
}

impl<T: Clone + Eq + Hash> Words<T> {
    /// Nothing if a word is there twice; that word then.
    fn new(list: Vec<T>) -> Result<Words<T>, T> {
        let mut positions = HashMap::with_capacity(list.len());
        for (i, word) in list.iter().enumerate() {
            if positions.insert(word.clone(), i).is_some() {
                return Err(word.clone());
            }
        }
        Ok(Words { list, positions })
    }

    pub fn position<Q: Eq + Hash + ?Sized>(&self, word: &Q) -> Option<usize>
    where
        T: std::borrow::Borrow<Q>,
    {
        self.positions.get(word).copied()
    }

    /// The word at a position that may be any number.
    pub fn at(&self, position: i64) -> Option<&T> {
        usize::try_from(position).ok().and_then(|i| self.list.get(i))
    }
}

impl Vocabulary {
    /// The words of a list of one kind.
    ///
    /// # Errors
    /// As Keras, for a word that is there twice.
    pub fn new(tokens: Vec<Token>, owner: &str) -> Result<Vocabulary> {
        let twice = |word: Token| {
            Error::Invalid(format!("{owner}: the vocabulary holds {word} twice; make it unique"))
        };
        if matches!(tokens.first(), Some(Token::Number(_))) {
            let numbers = tokens.into_iter().filter_map(Token::number).collect();
            return Words::new(numbers)
                .map(Vocabulary::Numbers)
                .map_err(|number| twice(Token::Number(number)));
        }
        let texts = tokens.into_iter().filter_map(Token::text).collect();
        Words::new(texts).map(Vocabulary::Text).map_err(|text| twice(Token::Text(text)))
    }

    pub fn len(&self) -> usize {
        match self {
            Vocabulary::Text(words) => words.list.len(),
            Vocabulary::Numbers(words) => words.list.len(),
        }
    }

    pub fn contains(&self, token: &Token) -> bool {
        match (self, token) {
            (Vocabulary::Text(words), Token::Text(text)) => words.position(text).is_some(),
            (Vocabulary::Numbers(words), Token::Number(number)) => words.position(number).is_some(),
            _ => false,
        }
    }
}

impl Token {
    /// A token of a config; null for none.
    pub fn from_config(config: &Config, key: &str, kind: Kind) -> Result<Option<Token>> {
        match config.get(key) {
            Json::Null => Ok(None),
            json => {
                let token = Token::from_json(json, kind);
                token.map(Some).ok_or_else(|| config.bad(key, kind.noun()))
            }
        }
    }

    fn from_json(json: &Json, kind: Kind) -> Option<Token> {
        match kind {
            Kind::Text => json.as_str().map(|text| Token::Text(text.into())),
            Kind::Number => json.as_i64().map(Token::Number),
        }
    }

    fn text(self) -> Option<String> {
        match self {
            Token::Text(text) => Some(text),
            Token::Number(_) => None,
        }
    }

    fn number(self) -> Option<i64> {
        match self {
            Token::Number(number) => Some(number),
            Token::Text(_) => None,
        }
    }
}

impl Kind {
    fn noun(self) -> &'static str {
        match self {
            Kind::Text => "a string",
            Kind::Number => "an integer",
        }
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Token::Text(text) => write!(f, "'{}'", quote(text)),
            Token::Number(number) => write!(f, "{number}"),
        }
    }
}

/// The tokens of a config's `vocabulary`; nothing where it has none.
pub(super) fn given(config: &Config, kind: Kind) -> Result<Option<Vec<Token>>> {
    let key = "vocabulary";
    match config.get(key) {
        Json::Null => Ok(None),
        Json::Array(items) => {
            let tokens = items.iter().map(|json| Token::from_json(json, kind)).collect();
            let bad = || config.bad(key, &format!("a list of which each is {}", kind.noun()));
            Option::ok_or_else(tokens, bad).map(Some)
        }
        Json::String(_) => Err(config.bad(
            key,
            "a list: a vocabulary outside of the model's file is not read, as in Keras's safe mode",
        )),
        _ => Err(config.bad(key, "a list")),
    }
}

/// The tokens of a vocabulary's file: one a line, by Python's idea of lines.
///
/// # Errors
/// If it is not UTF-8, or holds something else than integers where it should.
pub(super) fn parse(bytes: &[u8], kind: Kind) -> Result<Vec<Token>> {
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let at = e.valid_up_to();
        Error::Invalid(format!("a vocabulary that is not UTF-8, from byte {at} on"))
    })?;
    let mut lines = lines(text);
    while lines.last().is_some_and(|line| line.is_empty()) {
        lines.pop();
    }
    let token = |line: &str| match kind {
        Kind::Text => Ok(Token::Text(line.to_owned())),
        Kind::Number => line.trim().parse().map(Token::Number).map_err(|_| {
            Error::Invalid(format!("'{}' in a vocabulary of 64-bit integers", quote(line)))
        }),
    };
    lines.into_iter().map(token).collect()
}

/// Lines as Python's `splitlines` cuts them.
fn lines(text: &str) -> Vec<&str> {
    let is_end = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\x0b' | '\x0c' | '\x1c'..='\x1e' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = text;
    while let Some(end) = rest.find(is_end) {
        lines.push(&rest[..end]);
        let after = &rest[end..];
        let len = after.chars().next().map_or(0, char::len_utf8);
        rest = after.strip_prefix("\r\n").unwrap_or(&after[len..]);
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_those_of_python() {
        assert_eq!(lines("a\r\nb\n\nc\u{2028}d\x0be"), ["a", "b", "", "c", "d", "e"]);
        let text = |texts: &[&str]| -> Vec<Token> {
            texts.iter().map(|t| Token::Text((*t).into())).collect()
        };
        assert_eq!(parse(b"\n[UNK]\na b\n\n\n", Kind::Text).unwrap(), text(&["", "[UNK]", "a b"]));
        assert_eq!(parse(b"-1\n 7\n", Kind::Number).unwrap(), [-1, 7].map(Token::Number));
        assert!(parse(b"1.5", Kind::Number).is_err());
        assert!(parse(b"\xff", Kind::Text).is_err());
    }

    #[test]
    fn words_are_found_once() {
        let tokens = vec![Token::Text("a".into()), Token::Text("b".into())];
        let words = Vocabulary::new(tokens.clone(), "lookup").unwrap();
        assert!(words.contains(&tokens[1]) && !words.contains(&Token::Number(0)));
        let twice = Vocabulary::new([tokens.clone(), tokens].concat(), "lookup");
        assert!(twice.err().unwrap().to_string().contains("'a' twice"));
    }
}
