//! What the configs of lookups say.

use super::vocabulary::{Kind, Token};
use crate::base::{DType, Error, Result};
use crate::layers::config::Config;
use crate::layers::preprocessing::encoding::OutputMode;
use crate::layers::preprocessing::hash::Hash;
use crate::layers::preprocessing::hashing::hash;

/// How a lookup works, but for its words.
pub(in super::super) struct Settings {
    /// The layer, for errors.
    pub owner: String,
    pub kind: Kind,
    pub invert: bool,
    pub mode: Mode,
    pub mask: Option<Token>,
    pub oov: Option<Token>,
    pub oov_indices: usize,
    pub oov_hash: OovHash,
    pub max_tokens: Option<usize>,
    pub pad_to_max_tokens: bool,
    /// The number of words, special ones with them, as the config has it.
    pub size: Option<usize>,
    /// The dtype of indices: int64 from the internal class, elsewhere Keras's usual int32.
    pub indices: DType,
}

/// What becomes of the indices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum Mode {
    Encode(OutputMode),
    /// Counts times the words' inverse document frequencies.
    TfIdf,
}

/// How words that are not in the vocabulary are put into bins, where there are several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) enum OovHash {
    /// The remainder of the integer.
    Remainder,
    Text(Hash),
}

impl Settings {
    /// Reads all keys but `vocabulary` and `idf_weights`.
    pub fn from_config(config: &Config, kind: Kind, indices: DType) -> Result<Settings> {
        let settings = Settings {
            owner: config.owner().into(),
            kind,
            invert: config.bool("invert")?,
            mode: Mode::from_config(config)?,
            mask: Token::from_config(config, "mask_token", kind)?,
            oov: Token::from_config(config, "oov_token", kind)?,
            oov_indices: oov_indices(config)?,
            oov_hash: OovHash::from_config(config, kind)?,
            max_tokens: config.optional_size("max_tokens")?,
            pad_to_max_tokens: config.bool("pad_to_max_tokens")?,
            size: match config.is_null("vocabulary_size") {
                true => None,
                false => Some(count(config, "vocabulary_size")?),
            },
            indices,
        };
        config.optional_bool("has_input_vocabulary")?;
        settings.check(config)?;
        Ok(settings)
    }

    fn check(&self, config: &Config) -> Result<()> {
        if self.max_tokens.is_some_and(|n| n < 2) {
            return Err(config.bad("max_tokens", "more than 1"));
        }
        if self.pad_to_max_tokens && self.max_tokens.is_none() {
            return Err(config.bad("max_tokens", "a number where pad_to_max_tokens is true"));
        }
        if self.invert && self.mode != Mode::Encode(OutputMode::Int) {
            return Err(config.bad("output_mode", "\"int\" where invert is true"));
        }
        Ok(())
    }

    /// The first index of words that are not in the vocabulary.
    pub fn oov_start(&self) -> usize {
        let has_mask = self.mask.is_some() && self.mode == Mode::Encode(OutputMode::Int);
        usize::from(has_mask)
    }

    /// The index of the first word.
    pub fn token_start(&self) -> usize {
        self.oov_start() + self.oov_indices
    }

    /// The tokens before the first word, in a list that holds them.
    pub fn special_tokens(&self) -> Vec<Option<Token>> {
        let mut special = vec![self.mask.clone(); self.oov_start()];
        special.resize(self.token_start(), self.oov.clone());
        special
    }

    /// The last extent of an encoded output, where the vocabulary has this many words with the special
    /// ones.
    pub fn depth(&self, size: Option<usize>) -> Result<usize> {
        let depth = if self.pad_to_max_tokens { self.max_tokens } else { size };
        depth.filter(|&depth| depth > 0).ok_or_else(|| {
            let owner = &self.owner;
            Error::Invalid(format!("{owner}: without a vocabulary the output has no shape"))
        })
    }
}

/// How many indices words outside the vocabulary share. Each is a token in memory, so a config may not
/// ask for any number.
fn oov_indices(config: &Config) -> Result<usize> {
    let indices = count(config, "num_oov_indices")?;
    if indices > MAX_OOV_INDICES {
        return Err(config.bad("num_oov_indices", "at most 1048576"));
    }
    Ok(indices)
}

/// The largest `num_oov_indices`.
const MAX_OOV_INDICES: usize = 1 << 20;

impl Mode {
    fn from_config(config: &Config) -> Result<Mode> {
        if matches!(config.get("output_mode").as_str(), Some("tf_idf" | "tf-idf")) {
            config.optional_bool("sparse")?;
            return Ok(Mode::TfIdf);
        }
        let mode = OutputMode::from_config(config, true);
        mode.map(Mode::Encode).map_err(|error| match error {
            Error::Config { owner, key, found, expected } if key == "output_mode" => {
                Error::Config { owner, key, found, expected: format!("{expected} or \"tf_idf\"") }
            }
            other => other,
        })
    }
}

impl OovHash {
    fn from_config(config: &Config, kind: Kind) -> Result<OovHash> {
        let methods = [("floormod", false), ("farmhash", true)];
        let farm = config.choice("oov_method", &methods)?;
        if kind == Kind::Number && !farm {
            if !config.is_null("salt") {
                return Err(config.bad("salt", "null where oov_method is not \"farmhash\""));
            }
            return Ok(OovHash::Remainder);
        }
        hash(config).map(OovHash::Text)
    }
}

/// A number from 0 on.
fn count(config: &Config, key: &str) -> Result<usize> {
    let count = u32::try_from(config.int(key)?);
    count.map(|n| n as usize).map_err(|_| config.bad(key, "a number from 0 on"))
}
