//! Python's regular expressions over the paths and names of layers and weights.

use regex::{Regex, RegexBuilder};

use crate::base::error::quote;
use crate::base::{Error, Result};

/// Bytes that a compiled expression may take: it comes from a file.
const COMPILED_BYTES: usize = 1 << 20;

/// A regular expression. It runs in linear time, so lookaround and references are refused.
#[derive(Clone, Debug)]
pub struct Pattern {
    anywhere: Regex,
    whole: Regex,
}

impl Pattern {
    /// Compiles an expression.
    ///
    /// # Errors
    /// [`Error::Unsupported`] if it is no expression, a very large one, or one of Python that
    /// Rust's `regex` lacks.
    pub fn new(text: &str) -> Result<Pattern> {
        let compile = |text: &str| {
            RegexBuilder::new(text).size_limit(COMPILED_BYTES).build().map_err(|error| {
                Error::Unsupported(format!(
                    "the pattern '{}': {}",
                    quote(text),
                    quote(&error.to_string())
                ))
            })
        };
        Ok(Pattern { anywhere: compile(text)?, whole: compile(&format!("^(?:{text})$"))? })
    }

    /// Whether it matches somewhere, as Python's `re.search`.
    pub fn is_in(&self, text: &str) -> bool {
        self.anywhere.is_match(text)
    }

    /// Whether it matches all of a text, as Python's `re.fullmatch`.
    pub fn is(&self, text: &str) -> bool {
        self.whole.is_match(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_as_in_python() {
        let pattern = Pattern::new("dense|conv").unwrap();
        assert!(pattern.is_in("a/dense_1/kernel") && !pattern.is("dense_1"));
        assert!(pattern.is("conv"));
        assert!(Pattern::new("^dense_1/.*").unwrap().is("dense_1/kernel"));
        assert!(Pattern::new("(?=a)").is_err());
    }
}
