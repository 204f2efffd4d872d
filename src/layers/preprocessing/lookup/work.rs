//! Looking up.

use super::settings::{Mode, OovHash};
use super::vocabulary::{Kind, Token, Vocabulary, Words};
use super::{Lookup, Settings};
use crate::base::{DType, Error, Result, Spec};
use crate::graph::Value;
use crate::layers::host::{HostWork, int32, only, same_shape};
use crate::layers::preprocessing::encoding::OutputMode;
use crate::layers::preprocessing::hash::Hash;
use crate::layers::{Context, SymbolicSpec};
use crate::tensor::Tensor;

/// An index that no encoding counts.
const DROPPED: i64 = -1;

impl HostWork for Lookup {
    fn output(&self, inputs: &[Spec]) -> Result<SymbolicSpec> {
        let input = only(inputs)?;
        let takes_text = self.settings.kind == Kind::Text && !self.settings.invert;
        if takes_text != (input.dtype == DType::String) {
            return Err(Error::DType {
                context: self.settings.owner.clone(),
                found: input.dtype.name().into(),
                expected: if takes_text { "string" } else { "numbers" }.into(),
            });
        }
        let gives_text = self.settings.kind == Kind::Text && self.settings.invert;
        let dtype = if gives_text { DType::String } else { self.settings.indices };
        Ok(same_shape(input, dtype))
    }

    fn work(&self, inputs: &[Tensor]) -> Result<Tensor> {
        let input = only(inputs)?;
        if self.settings.invert {
            return self.words_at(input);
        }
        let indices = match input.strings() {
            Ok(strings) => self.indices(strings.iter().map(String::as_str))?,
            Err(_) => self.indices_of_numbers(input)?,
        };
        self.settings.tensor(input, &indices)
    }

    fn finish<'g>(&self, cx: &Context<'g>, result: Value<'g>) -> Result<Value<'g>> {
        self.encode(cx, result)
    }
}

impl Lookup {
    /// The index of each text; [`DROPPED`] for what an encoding does not count.
    pub fn indices<'a>(&self, texts: impl Iterator<Item = &'a str>) -> Result<Vec<i64>> {
        let words = self.words()?;
        let position = |text: &str| match words.as_ref() {
            Vocabulary::Text(words) => words.position(text),
            Vocabulary::Numbers(_) => None,
        };
        let is_mask = |text: &str| matches!(&self.settings.mask, Some(Token::Text(m)) if m == text);
        texts
            .map(|text| {
                let oov = |hash: Hash, bins| hash.bin(text, bins);
                let remainder = || 0;
                let found = (position(text), is_mask(text));
                self.settings.index(found, oov, remainder, || Token::Text(text.to_owned()))
            })
            .collect()
    }

    fn indices_of_numbers(&self, input: &Tensor) -> Result<Vec<i64>> {
        let words = self.words()?;
        let position = |number: i64| match words.as_ref() {
            Vocabulary::Numbers(words) => words.position(&number),
            Vocabulary::Text(_) => None,
        };
        let bins = self.settings.oov_indices.max(1) as i64;
        input
            .iter_i64()
            .map(|number| {
                let is_mask = self.settings.mask == Some(Token::Number(number));
                let oov = |hash: Hash, bins| hash.bin(&number.to_string(), bins);
                let remainder = || number.rem_euclid(bins);
                let found = (position(number), is_mask);
                self.settings.index(found, oov, remainder, || Token::Number(number))
            })
            .collect()
    }

    /// The words of indices, for `invert`.
    fn words_at(&self, input: &Tensor) -> Result<Tensor> {
        let settings = &self.settings;
        let words = self.words()?;
        let start = settings.token_start() as i64;
        match (words.as_ref(), &settings.oov, &settings.mask) {
            (Vocabulary::Text(words), Some(Token::Text(oov)), mask) => {
                let mask = mask.as_ref().and_then(|m| match m {
                    Token::Text(text) => Some(text),
                    Token::Number(_) => None,
                });
                let strings: Vec<&str> =
                    input.iter_i64().map(|i| at(words, i, start, mask, oov).as_str()).collect();
                Tensor::from_strings(input.shape().clone(), &strings)
            }
            (Vocabulary::Numbers(words), Some(Token::Number(oov)), mask) => {
                let mask = mask.as_ref().and_then(|m| match m {
                    Token::Number(number) => Some(number),
                    Token::Text(_) => None,
                });
                let numbers: Vec<i64> =
                    input.iter_i64().map(|i| *at(words, i, start, mask, oov)).collect();
                settings.tensor(input, &numbers)
            }
            _ => Err(Error::Invalid(format!(
                "{}: invert without an oov_token of the vocabulary's kind",
                settings.owner
            ))),
        }
    }
}

/// The word of an index: the mask's token at 0 where there is one, the out-of-vocabulary token where
/// there is no word.
fn at<'a, T: Clone + Eq + std::hash::Hash>(
    words: &'a Words<T>,
    index: i64,
    start: i64,
    mask: Option<&'a T>,
    oov: &'a T,
) -> &'a T {
    let word = index.checked_sub(start).and_then(|position| words.at(position));
    mask.filter(|_| index == 0).or(word).unwrap_or(oov)
}

impl Settings {
    /// The index of a token, of which is known where it is among the words and whether it is the mask's.
    fn index(
        &self,
        (position, is_mask): (Option<usize>, bool),
        hashed: impl Fn(Hash, u64) -> i64,
        remainder: impl Fn() -> i64,
        token: impl Fn() -> Token,
    ) -> Result<i64> {
        if is_mask {
            let is_int = self.mode == Mode::Encode(OutputMode::Int);
            return Ok(if is_int { 0 } else { DROPPED });
        }
        if let Some(position) = position {
            return Ok((position + self.token_start()) as i64);
        }
        let bin = match (self.oov_indices, self.oov_hash) {
            (0, _) => {
                return Err(Error::Invalid(format!(
                    "{}: {} is not in the vocabulary, and num_oov_indices is 0",
                    self.owner,
                    token()
                )));
            }
            (1, _) => 0,
            (_, OovHash::Remainder) => remainder(),
            (bins, OovHash::Text(hash)) => hashed(hash, bins as u64),
        };
        Ok(bin + self.oov_start() as i64)
    }

    /// Indices in the shape of the input, in the lookup's dtype.
    fn tensor(&self, input: &Tensor, indices: &[i64]) -> Result<Tensor> {
        match self.indices {
            DType::Int64 => Tensor::new(input.shape().clone(), indices),
            _ => int32(input.shape(), indices),
        }
    }
}
