//! Shader text: the embedded files and their importer.
//!
//! A shader is a plain `.wgsl` file. The one addition to the language is a line `#import name`,
//! which stands for the text of another file under `shaders/`, or of a module that the caller
//! passes in (such as a generated epilogue). Each module is taken once, where it is first
//! imported. Tile sizes and types come from a prelude of `const` and `alias` lines. Comment lines
//! `//# name line` in the result say where the lines that follow came from; [`locate`] reads them.

use std::collections::HashSet;
use std::fmt::Write;
use std::sync::Arc;

use crate::base::{Error, Result};

macro_rules! embed {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../shaders/", $name, ".wgsl")))),*]
    };
}

/// Every file under `shaders/`, by its path without the ending.
pub const FILES: &[(&str, &str)] = embed![
    "arg_reduce",
    "attention_row",
    "attention_tile",
    "cholesky",
    "conv_block",
    "conv_depthwise",
    "conv_depthwise_line",
    "conv_direct",
    "conv_filter_grad",
    "conv_filter_grad_split",
    "conv_gemm",
    "eigh",
    "lib/a_scalar",
    "lib/a_vec4",
    "lib/attention",
    "lib/b_computed",
    "lib/b_halves",
    "lib/b_halves_vec4",
    "lib/b_scalar",
    "lib/b_vec4",
    "lib/block",
    "lib/block_b",
    "lib/circular",
    "lib/conv",
    "lib/exponential",
    "lib/factor",
    "lib/filter_grad",
    "lib/float8",
    "lib/halves_bf16",
    "lib/halves_f16",
    "lib/householder",
    "lib/index",
    "lib/inverse_erf",
    "lib/math",
    "lib/matmul",
    "lib/number",
    "lib/pool",
    "lib/random",
    "lib/rotation",
    "lib/row_join",
    "lib/row_join_subgroup",
    "lib/row_stage",
    "lib/rows_of_a",
    "lib/singular",
    "lib/special",
    "lib/subgroup",
    "lu",
    "map",
    "map_tiled",
    "matmul_block",
    "matmul_line",
    "matmul_matrix",
    "matmul_tile",
    "matmul_vec",
    "matmul_vec_subgroup",
    "pool",
    "pool_grad",
    "pool_max_grad",
    "qr",
    "reduce",
    "reduce_columns",
    "reduce_group",
    "reduce_subgroup",
    "rows",
    "rows_subgroup",
    "segment_reduce",
    "sort_step",
    "svd",
    "triangular_solve",
];

const MARK: &str = "//# ";

/// The text of a file under `shaders/`.
pub fn file(name: &str) -> Result<&'static str> {
    FILES
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, text)| *text)
        .ok_or_else(|| Error::Internal(format!("no shader file '{name}'")))
}

/// A number that changes with any file under `shaders/`.
pub fn checksum() -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    for (name, text) in FILES {
        [name, text].iter().for_each(|part| hasher.update(part.as_bytes()));
    }
    hasher.finalize()
}

/// The whole text of a kernel: prelude, then the file with its imports resolved, first among
/// `modules` (name and text), then among the embedded files.
///
/// # Errors
/// [`Error::Internal`] when an import is not found.
pub fn compose(kernel: &str, prelude: &str, modules: &[(&str, &str)]) -> Result<Arc<str>> {
    let mut composer = Composer { modules, taken: HashSet::new(), out: String::new() };
    composer.lines("prelude", prelude)?;
    composer.take(kernel)?;
    Ok(composer.out.into())
}

/// The same text, with these storage bindings declared as writable.
///
/// # Errors
/// [`Error::Internal`] when the text has no such binding that is only read.
pub(super) fn writable(source: &str, bindings: &[usize]) -> Result<String> {
    bindings.iter().try_fold(source.to_owned(), |text, binding| {
        let read = format!("@group(0) @binding({binding}) var<storage, read> ");
        match text.contains(&read) {
            true => Ok(text.replace(&read, &read.replace("read>", "read_write>"))),
            false => Err(Error::Internal(format!("a kernel does not read binding {binding}"))),
        }
    })
}

/// File and line that a line of a composed text, counted from 1, came from.
pub fn locate(source: &str, line: usize) -> String {
    let mut place = ("", 0);
    for text in source.lines().take(line) {
        place.1 += 1;
        if let Some((name, next)) = text.strip_prefix(MARK).and_then(|mark| mark.rsplit_once(' ')) {
            place = (name, next.parse::<usize>().map_or(0, |n| n.saturating_sub(1)));
        }
    }
    format!("{}.wgsl line {}", place.0, place.1)
}

struct Composer<'a> {
    modules: &'a [(&'a str, &'a str)],
    taken: HashSet<String>,
    out: String,
}

impl Composer<'_> {
    fn take(&mut self, name: &str) -> Result<()> {
        if !self.taken.insert(name.into()) {
            return Ok(());
        }
        let given = self.modules.iter().find(|(known, _)| *known == name);
        let text = match given {
            Some((_, text)) => text,
            None => file(name)?,
        };
        self.lines(name, text)
    }

    fn lines(&mut self, name: &str, text: &str) -> Result<()> {
        self.mark(name, 1);
        for (i, line) in text.lines().enumerate() {
            match line.trim().strip_prefix("#import ") {
                Some(import) => {
                    self.take(import.trim())?;
                    self.mark(name, i + 2);
                }
                None => {
                    self.out.push_str(line);
                    self.out.push('\n');
                }
            }
        }
        Ok(())
    }

    fn mark(&mut self, name: &str, line: usize) {
        // Writing to a string cannot fail.
        let _ = writeln!(self.out, "{MARK}{name} {line}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_are_taken_once_and_lines_are_found_again() {
        let modules = [
            ("main", "one\n#import part\n#import part\nfour"),
            ("part", "#import deep\np2"),
            ("deep", "d1\nd2"),
        ];
        let text = compose("main", "const A = 1;", &modules).unwrap();
        assert_eq!(text.matches("d1").count(), 1);
        let line = |needle: &str| text.lines().position(|l| l == needle).unwrap() + 1;
        for (needle, place) in [
            ("const A = 1;", "prelude.wgsl line 1"),
            ("one", "main.wgsl line 1"),
            ("d2", "deep.wgsl line 2"),
            ("p2", "part.wgsl line 2"),
            ("four", "main.wgsl line 4"),
        ] {
            assert_eq!(locate(&text, line(needle)), place);
        }
    }

    #[test]
    fn an_unknown_import_is_named() {
        let message = compose("m", "", &[("m", "#import nowhere")]).unwrap_err().to_string();
        assert!(message.contains("nowhere"), "{message}");
    }
}
