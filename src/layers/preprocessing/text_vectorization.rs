//! `keras.layers.TextVectorization`: text standardized, split into tokens, and looked up.
//!
//! Input (batch, …) or (batch, …, 1) of text → output (batch, …, tokens) of indices for `int`, where the
//! number of tokens is `output_sequence_length` or that of the longest row; else as the mode says with
//! the number of words as last extent. Works on the host. Weights and words are those of its
//! [`lookup`](super::lookup), which Keras keeps once for the layer and once for the `StringLookup` in it.

use std::sync::Arc;

use super::encoding::OutputMode;
use super::lookup::{Kind, Lookup, Mode, lookup_layer};
use crate::base::{DType, Error, Nested, Result, Shape, Spec, SymbolicShape};
use crate::builder;
use crate::layers::config::{Config, Json};
use crate::layers::host::{HostWork, int32, only};
use crate::layers::layer::layer_base;
use crate::layers::{Args, Context, Layer, LayerBase, Outputs, SymbolicSpec};
use crate::saving::saveable::Assets;
use crate::tensor::{Tensor, Variable};

builder! {
    /// Maps text to the indices of its words.
    TextVectorization() {
        max_tokens: null,
        standardize: "lower_and_strip_punctuation",
        split: "whitespace",
        ngrams: null,
        output_mode: "int",
        output_sequence_length: null,
        pad_to_max_tokens: false,
        vocabulary: null,
        idf_weights: null,
        sparse: false,
        ragged: false,
        encoding: "utf-8",
    }
}

#[derive(Clone, Copy)]
enum Split {
    Whitespace,
    Character,
}

/// From text to indices; negative ones are not counted.
struct Vectorize {
    lower: bool,
    strip_punctuation: bool,
    split: Option<Split>,
    /// Numbers of words that are joined to one token, in this order; nothing for the words themselves.
    ngrams: Option<Vec<usize>>,
    length: Option<usize>,
    lookup: Arc<Lookup>,
}

struct TextVectorizationLayer {
    base: LayerBase,
    work: Vectorize,
    /// Keras's `_lookup_layer`.
    lookup_layer: Arc<dyn Layer>,
}

impl TextVectorization {
    pub(crate) fn from_config(config: &Config) -> Result<Box<dyn Layer>> {
        if config.bool("ragged")? {
            return Err(Error::Unsupported(format!("{}: ragged output", config.owner())));
        }
        config.str("encoding")?;
        let standardize = [
            ("lower_and_strip_punctuation", (true, true)),
            ("lower", (true, false)),
            ("strip_punctuation", (false, true)),
        ];
        let (lower, strip_punctuation) = match config.is_null("standardize") {
            true => (false, false),
            false => config.choice("standardize", &standardize)?,
        };
        let splits = [("whitespace", Split::Whitespace), ("character", Split::Character)];
        let split = match config.is_null("split") {
            true => None,
            false => Some(config.choice("split", &splits)?),
        };
        let inner = lookup_config(config);
        let lookup = Arc::new(Lookup::from_config(&inner, Kind::Text, DType::Int32)?);
        let length = config.optional_size("output_sequence_length")?;
        if length.is_some() && lookup.settings.mode != Mode::Encode(OutputMode::Int) {
            let key = "output_sequence_length";
            return Err(config.bad(key, "null where output_mode is not \"int\""));
        }
        let mut base = LayerBase::without_policy("TextVectorization", config)?;
        base.autocast = false;
        let inner_base = LayerBase::without_policy("StringLookup", &inner)?;
        Ok(Box::new(TextVectorizationLayer {
            base,
            lookup_layer: Arc::from(lookup_layer(inner_base, lookup.clone())),
            work: Vectorize {
                lower,
                strip_punctuation,
                split,
                ngrams: ngrams(config)?,
                length,
                lookup,
            },
        }))
    }
}

/// The config of the `StringLookup` in the layer.
fn lookup_config<'a>(config: &Config<'a>) -> Config<'a> {
    let keys = [
        "max_tokens",
        "output_mode",
        "pad_to_max_tokens",
        "vocabulary",
        "idf_weights",
        "sparse",
        "vocabulary_size",
        "has_input_vocabulary",
    ];
    let mut given = config.given().clone();
    given.clear();
    for key in keys {
        given.insert(key.into(), config.get(key).clone());
    }
    given.insert("mask_token".into(), "".into());
    Config::new(config.owner().into(), given, super::StringLookup::defaults())
}

/// The widths of n-grams: of a list as they are, of a number all up to it.
fn ngrams(config: &Config) -> Result<Option<Vec<usize>>> {
    let key = "ngrams";
    let widths = match config.get(key) {
        Json::Null => return Ok(None),
        Json::Array(_) => config.ints(key)?,
        _ => (1..=config.int(key)?.min(MOST_NGRAMS + 1)).collect(),
    };
    let width = |&n: &i64| usize::try_from(n).ok().filter(|&n| n > 0 && n as i64 <= MOST_NGRAMS);
    let widths: Option<Vec<usize>> = widths.iter().map(width).collect();
    let expected = format!("numbers from 1 to {MOST_NGRAMS}");
    widths.filter(|w| !w.is_empty()).map(Some).ok_or_else(|| config.bad(key, &expected))
}

/// Words in one n-gram at most; Keras has no bound.
const MOST_NGRAMS: i64 = 1_000;

impl Vectorize {
    /// The tokens of one text.
    fn tokens(&self, text: &str) -> Vec<String> {
        let mut text = text.to_owned();
        if self.lower {
            // `tf.strings.lower` without an encoding leaves all but ASCII alone.
            text.make_ascii_lowercase();
        }
        if self.strip_punctuation {
            text.retain(|c| !c.is_ascii_punctuation());
        }
        match self.split {
            None => vec![text],
            Some(Split::Character) => text.chars().map(String::from).collect(),
            Some(Split::Whitespace) => {
                let is_space = |c: char| c.is_ascii_whitespace() || c == '\x0b';
                let words = text.split(is_space).filter(|word| !word.is_empty());
                words.map(str::to_owned).collect()
            }
        }
    }

    /// All n-grams of a row of words, width by width.
    fn joined(&self, words: Vec<String>) -> Vec<String> {
        let Some(widths) = &self.ngrams else { return words };
        let of_width = |&width: &usize| words.windows(width).map(|w| w.join(" "));
        widths.iter().flat_map(of_width).collect()
    }

    /// The shape of the rows that are tokens each.
    fn rows(&self, shape: &Shape) -> Result<Shape> {
        match (self.split, shape.split_last()) {
            (Some(_), Some((1, rest))) if !rest.is_empty() => Ok(Shape::from(rest)),
            (Some(_), Some((_, rest))) if !rest.is_empty() => Err(Error::shape(
                "TextVectorization",
                shape.to_string(),
                "rank 1, or a last axis of extent 1, of which each element is split",
            )),
            (Some(_), _) => Ok(shape.clone()),
            (None, Some((_, rest))) => Ok(Shape::from(rest)),
            (None, None) => Ok(shape.clone()),
        }
    }

    fn is_int(&self) -> bool {
        self.lookup.settings.mode == Mode::Encode(OutputMode::Int)
    }
}

impl HostWork for Vectorize {
    fn output(&self, inputs: &[Spec]) -> Result<SymbolicSpec> {
        let input = only(inputs)?;
        if input.dtype != DType::String {
            return Err(Error::DType {
                context: self.lookup.settings.owner.clone(),
                found: input.dtype.name().into(),
                expected: DType::String.name().into(),
            });
        }
        let mut shape = SymbolicShape::from(&self.rows(&input.shape)?);
        let as_given = self.split.is_none() && self.ngrams.is_none();
        let given = input.shape.last().copied().filter(|_| as_given);
        shape.0.push(self.length.or(given));
        Ok(SymbolicSpec { shape, dtype: DType::Int32 })
    }

    fn work(&self, inputs: &[Tensor]) -> Result<Tensor> {
        let input = only(inputs)?;
        let shape = self.rows(input.shape())?;
        let strings = input.strings()?;
        let per_row = strings.len().checked_div(shape.len()).unwrap_or(1).max(1);
        let row = |texts: &[String]| {
            let words = texts.iter().flat_map(|text| self.tokens(text)).collect();
            self.lookup.indices(self.joined(words).iter().map(String::as_str))
        };
        let rows: Vec<Vec<i64>> = strings.chunks(per_row).map(row).collect::<Result<_>>()?;
        let longest = rows.iter().map(Vec::len).max().unwrap_or(0);
        // What is counted keeps one place for nothing, since no maximum is taken over none.
        let (least, filler) = if self.is_int() { (0, 0) } else { (1, -1) };
        let length = self.length.unwrap_or(longest.max(least));
        let mut indices = Vec::with_capacity(rows.len().saturating_mul(length));
        for mut row in rows {
            row.resize(length, filler);
            indices.extend(row);
        }
        let extents: Vec<usize> = shape.iter().copied().chain([length]).collect();
        int32(&Shape::from(extents), &indices)
    }
}

impl Layer for TextVectorizationLayer {
    layer_base!();

    fn call<'g>(&self, cx: &Context<'g>, args: &Args<'g>) -> Result<Outputs<'g>> {
        let indices = cx.on_host(&self.work, &[args.input()?])?;
        Ok(self.work.lookup.encode(cx, indices)?.into())
    }

    fn on_host(&self) -> bool {
        true
    }

    fn own_variables(&self) -> Vec<(String, Variable)> {
        self.work.lookup.variables()
    }

    fn assets(&self) -> Option<Arc<dyn Assets>> {
        Some(self.work.lookup.clone())
    }

    fn children(&self) -> Vec<(&'static str, Nested<Arc<dyn Layer>>)> {
        vec![("_lookup_layer", Nested::Leaf(self.lookup_layer.clone()))]
    }
}
