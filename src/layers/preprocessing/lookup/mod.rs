//! What `StringLookup`, `IntegerLookup`, `IndexLookup` and `TextVectorization` share: words and their
//! indices.
//!
//! The words are in the config, or in the model's file as `vocabulary.txt`, one a line. They are looked
//! up on the host; what is made of the indices (one-hot, counts) is written into the graph.
//!
//! | variable | shape | when |
//! | --- | --- | --- |
//! | idf_weights | (words, with special ones, or max_tokens when padded) | output_mode is tf_idf |

mod idf;
mod layer;
mod settings;
mod vocabulary;
mod work;

use std::sync::{Arc, PoisonError, RwLock};

use crate::base::{DType, Error, Result};
use crate::graph::Value;
use crate::layers::Context;
use crate::layers::config::Config;
use crate::saving::saveable::Assets;
use crate::tensor::Variable;

pub(super) use layer::lookup_layer;
pub(super) use settings::{Mode, Settings};
pub(super) use vocabulary::Kind;
use vocabulary::{Token, Vocabulary};

use super::encoding::OutputMode;

/// The name of the file that Keras keeps the words in.
const FILE: &str = "vocabulary.txt";

/// Words and their indices.
pub(super) struct Lookup {
    pub settings: Settings,
    /// Whether the config holds the words. A file's words are not looked at then.
    is_given: bool,
    words: RwLock<Option<Arc<Vocabulary>>>,
    idf_weights: Option<Variable>,
}

impl Lookup {
    /// Reads a lookup's config; `indices` is the dtype of the indices it gives.
    pub fn from_config(config: &Config, kind: Kind, indices: DType) -> Result<Lookup> {
        let settings = Settings::from_config(config, kind, indices)?;
        let given = vocabulary::given(config, kind)?;
        let is_special = given.as_ref().is_some_and(|tokens| settings.starts_special(tokens));
        let count = given.as_ref().map(Vec::len);
        let words = given.map(|tokens| settings.words(tokens)).transpose()?;
        let size = words.as_ref().map(|words| words.len() + settings.token_start());
        let idf_weights =
            idf::weights(config, &settings, size.or(settings.size), count, is_special)?;
        let is_given = words.is_some();
        Ok(Lookup { settings, is_given, words: RwLock::new(words.map(Arc::new)), idf_weights })
    }

    /// The number of words, with the special ones; as the config has it while there are none.
    fn size(&self) -> Option<usize> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        let known = words.as_ref().map(|words| words.len() + self.settings.token_start());
        known.or(self.settings.size)
    }

    fn words(&self) -> Result<Arc<Vocabulary>> {
        let words = self.words.read().unwrap_or_else(PoisonError::into_inner);
        words.clone().ok_or_else(|| {
            let owner = &self.settings.owner;
            Error::Invalid(format!("{owner}: no vocabulary; adapt the layer in Keras first"))
        })
    }

    /// The variable of tf_idf, under its key.
    pub fn variables(&self) -> Vec<(String, Variable)> {
        self.idf_weights.iter().map(|v| ("idf_weights".to_owned(), v.clone())).collect()
    }

    /// What the mode makes of indices; those below 0 do not count.
    pub fn encode<'g>(&self, cx: &Context<'g>, indices: Value<'g>) -> Result<Value<'g>> {
        let dtype = self.settings.indices;
        match (self.settings.mode, &self.idf_weights) {
            (Mode::Encode(OutputMode::Int), _) => Ok(indices),
            (Mode::Encode(mode), _) => {
                Ok(mode.encode(indices, self.settings.depth(self.size())?, dtype, None))
            }
            (Mode::TfIdf, Some(weights)) => {
                let depth = self.settings.depth(self.size())?;
                let counts = OutputMode::Count.encode(indices, depth, DType::Float32, None);
                Ok(counts * cx.graph().read(weights))
            }
            (Mode::TfIdf, None) => Err(Error::Internal("tf_idf without its weights".into())),
        }
    }
}

impl Settings {
    /// Whether a list begins with the special tokens.
    fn starts_special(&self, tokens: &[Token]) -> bool {
        let special = self.special_tokens();
        tokens.len() >= special.len()
            && special.iter().zip(tokens).all(|(special, token)| special.as_ref() == Some(token))
    }

    /// The words of a list that may begin with the special tokens; checked as Keras checks them.
    fn words(&self, mut tokens: Vec<Token>) -> Result<Vocabulary> {
        let fail = |what: String| Err(Error::Invalid(format!("{}: {what}", self.owner)));
        if tokens.is_empty() {
            return fail("the vocabulary is empty".into());
        }
        if self.starts_special(&tokens) {
            tokens.drain(..self.token_start());
        }
        let words = Vocabulary::new(tokens, &self.owner)?;
        let oov = self.oov.as_ref().filter(|_| self.invert);
        if let Some(token) = self.mask.iter().chain(oov).find(|token| words.contains(token)) {
            return fail(format!(
                "the vocabulary holds {token}, which is the mask's or the out-of-vocabulary token; \
                 leave all of these out, or begin with them, the mask's first"
            ));
        }
        let size = words.len() + self.token_start();
        if self.max_tokens.is_some_and(|most| size > most) {
            return fail(format!(
                "the vocabulary has {size} words with the special ones, more than max_tokens"
            ));
        }
        Ok(words)
    }
}

impl Assets for Lookup {
    fn load(&self, read: &dyn Fn(&str) -> Result<Vec<u8>>) -> Result<()> {
        if self.is_given {
            return Ok(());
        }
        let tokens = vocabulary::parse(&read(FILE)?, self.settings.kind)?;
        let words = self.settings.words(tokens)?;
        let found = words.len() + self.settings.token_start();
        let has_shape =
            self.settings.mode == Mode::Encode(OutputMode::Int) || self.settings.pad_to_max_tokens;
        if let Some(size) = self.settings.size.filter(|&size| !has_shape && size != found) {
            return Err(Error::Invalid(format!(
                "{}: the vocabulary has {found} words with the special ones, the config says {size}",
                self.settings.owner
            )));
        }
        *self.words.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::new(words));
        Ok(())
    }
}
