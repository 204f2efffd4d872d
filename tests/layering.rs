//! Who may import whom. The tables below are the specification of the crate's layers: a module may
//! name only itself, what its row allows, and the outside crates that are not kept to some modules.
//!
//! The check reads the text of `src`: every `crate::...` and `super::...` path outside comments,
//! strings and `#[cfg(test)]` items. `lib.rs` and `main.rs` may name everything. A macro that is
//! exported to the crate's root counts as part of the module that defines it.

use std::fs;
use std::path::{Path, PathBuf};

/// A module and the modules it may name. The row with the longest matching path counts, so
/// `saving::saving_lib` has its own row apart from `saving`.
const MAY_NAME: &[(&str, &[&str])] = &[
    ("base", &[]),
    ("tensor", &["base"]),
    ("graph", &["tensor", "base"]),
    ("program", &["graph", "tensor", "base"]),
    ("gpu", &["base", "tensor"]),
    ("kernels", &["gpu", "program", "graph", "tensor", "base"]),
    ("runtime", &["kernels", "program", "graph", "gpu", "tensor", "base"]),
    ("saving", &["tensor", "base"]),
    ("activations", KERAS_OBJECT),
    ("constraints", KERAS_OBJECT),
    ("initializers", KERAS_OBJECT),
    ("layers", KERAS_OBJECT),
    ("losses", KERAS_OBJECT),
    ("metrics", KERAS_OBJECT),
    ("operations", KERAS_OBJECT),
    ("optimizers", KERAS_OBJECT),
    ("quantizers", KERAS_OBJECT),
    ("regularizers", KERAS_OBJECT),
    ("schedules", KERAS_OBJECT),
    ("models", MODEL),
    ("trainers", MODEL),
    ("callbacks", MODEL),
    ("saving::saving_lib", WHOLE_FILE),
    ("saving::serialization_lib", WHOLE_FILE),
    ("cli", EVERYTHING),
    ("manual", EVERYTHING),
    ("testing", EVERYTHING),
];

/// Keras objects compute on graph values only: no device, no kernel, no archive.
const KERAS_OBJECT: &[&str] = &[
    "activations",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "operations",
    "optimizers",
    "quantizers",
    "regularizers",
    "schedules",
    "graph",
    "tensor",
    "base",
    "saving::saveable",
    "saving::json",
];

/// Models join Keras objects, a runtime to compute with, and files.
const MODEL: &[&str] = &[
    "activations",
    "constraints",
    "initializers",
    "layers",
    "losses",
    "metrics",
    "operations",
    "models",
    "optimizers",
    "regularizers",
    "runtime",
    "saving",
    "schedules",
    "trainers",
    "graph",
    "tensor",
    "base",
    "program",
];

/// Reading a whole model makes every kind of object, but computes nothing.
const WHOLE_FILE: &[&str] = MODEL;

const EVERYTHING: &[&str] = &[""];

/// Outside crates that only some places may name.
const KEPT_TO: &[(&str, &[&str])] = &[
    ("wgpu", &["gpu", "kernels", "runtime"]),
    // Keras objects read JSON through `layers::config`; those with a table make records in Rust.
    (
        "serde_json",
        &[
            "saving",
            "layers",
            "initializers",
            "constraints",
            "losses",
            "metrics",
            "operations",
            "optimizers",
            "quantizers",
            "regularizers",
            "models",
            "trainers",
            "callbacks",
            "cli",
            // The form of its own file.
            "runtime::tuning",
        ],
    ),
];

/// Names of exported macros and the modules that define them.
type Macros = Vec<(String, String)>;

#[test]
fn modules_name_only_what_their_layer_allows() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let read = |file: PathBuf| {
        let text = fs::read_to_string(&file).expect("a readable source file");
        let place = file.strip_prefix(&source).expect("a file below src").to_owned();
        (module_of(&place), place, without_tests(&without_comments_and_strings(&text)))
    };
    let files: Vec<_> = rust_files(&source).into_iter().map(read).collect();
    let macros: Macros =
        files.iter().flat_map(|(module, _, code)| exported_macros(module, code)).collect();
    let below_roots = files.iter().filter(|(module, _, _)| !module.is_empty());
    let found: Vec<String> =
        below_roots.flat_map(|(module, place, code)| check(place, module, code, &macros)).collect();
    assert!(found.is_empty(), "\n{}\n", found.join("\n"));
}

#[test]
fn the_check_finds_forbidden_edges() {
    let text = "\
//! use crate::gpu::Ignored;
use crate::base::{Error, shape::Shape};
use crate::{graph::Value, gpu::{Device as D, Buffer}};
fn f<'a>(c: char) -> bool { let _ = \"crate::gpu\"; c == '\"' || crate::runtime::g(c) }
use super::super::models::Model;
use crate::Tensor;
fn g() -> wgpu::Limits { /* serde_json */ }
#[cfg(test)]
mod tests { use crate::gpu::Fine; fn t() { wgpu::x() } }
";
    let found = check_text("layers/core/dense.rs", text);
    let expected = [
        "src/layers/core/dense.rs:3: layers may not name gpu::Device",
        "src/layers/core/dense.rs:3: layers may not name gpu::Buffer",
        "src/layers/core/dense.rs:4: layers may not name runtime::g",
        "src/layers/core/dense.rs:6: crate::Tensor: name its module",
        "src/layers/core/dense.rs:7: wgpu is kept to gpu, kernels, runtime",
    ];
    assert_eq!(found, expected);
    let outside = check_text("layers/mod.rs", "use super::gpu::Device;");
    assert_eq!(outside, ["src/layers/mod.rs:1: layers may not name gpu::Device"]);
}

#[test]
fn the_check_knows_rows_within_a_module() {
    let allowed = "use crate::saving::json::Value; use super::x; use crate::tensor::convert::f;";
    assert!(check_text("layers/dense.rs", allowed).is_empty());
    let load = "use crate::saving::saving_lib::load_model;";
    assert_eq!(check_text("saving/h5.rs", load).len(), 1);
    assert!(check_text("cli/predict.rs", load).is_empty());
    assert_eq!(check_text("new/mod.rs", "").len(), 1, "a module without a row");
}

#[test]
fn the_check_knows_where_a_macro_comes_from() {
    let code = "#[macro_export]\nmacro_rules! row { () => {} }\nmacro_rules! own { () => {} }";
    let macros = exported_macros("layers::registry", code);
    assert_eq!(macros, [("row".to_owned(), "layers::registry".to_owned())]);
    let user = "crate::row!();";
    assert!(
        check(Path::new("layers/core/dense.rs"), "layers::core::dense", user, &macros).is_empty()
    );
    assert_eq!(check(Path::new("graph/op.rs"), "graph::op", user, &macros).len(), 1);
}

/// Checks one text as if it were the only file.
fn check_text(file: &str, text: &str) -> Vec<String> {
    let code = without_tests(&without_comments_and_strings(text));
    check(Path::new(file), &module_of(Path::new(file)), &code, &Vec::new())
}

/// One line for each forbidden name in the code of a source file.
fn check(file: &Path, module: &str, code: &str, macros: &Macros) -> Vec<String> {
    let file = file.display();
    let Some(row) = row_of(module) else {
        return vec![format!("src/{file}: module {module} has no row in tests/layering.rs")];
    };
    let mut found = Vec::new();
    for (line, path) in paths(module, code) {
        let home = macros.iter().find(|(name, _)| *name == path);
        let path = home.map_or(path.clone(), |(name, home)| format!("{home}::{name}"));
        if let Some(what) = forbidden(row, &path) {
            found.push(format!("src/{file}:{line}: {what}"));
        }
    }
    for (line, text) in code.lines().enumerate() {
        for (name, places) in KEPT_TO {
            let allowed = places.iter().any(|place| is_within(module, place));
            if !allowed && words(text).any(|word| word == *name) {
                let places = places.join(", ");
                found.push(format!("src/{file}:{}: {name} is kept to {places}", line + 1));
            }
        }
    }
    found
}

/// The macros that a module exports to the crate's root.
fn exported_macros(module: &str, code: &str) -> Macros {
    let exports = code.split("#[macro_export]").skip(1);
    let name = |export: &str| {
        let name = words(export.split_once("macro_rules!")?.1.trim_start()).next()?;
        Some((name.to_owned(), module.to_owned()))
    };
    exports.filter_map(name).collect()
}

/// Why a row may not name a path, if so.
fn forbidden(row: &(&str, &[&str]), path: &str) -> Option<String> {
    match row_of(path) {
        Some(target) if target.0 == row.0 => None,
        Some(_) if row.1.iter().any(|allowed| is_within(path, allowed)) => None,
        Some(_) => Some(format!("{} may not name {path}", row.0)),
        None if row.1 == EVERYTHING => None,
        None => Some(format!("crate::{path}: name its module")),
    }
}

fn row_of(path: &str) -> Option<&'static (&'static str, &'static [&'static str])> {
    let rows = MAY_NAME.iter().filter(|(module, _)| is_within(path, module));
    rows.max_by_key(|(module, _)| module.len())
}

/// Whether a path is `module` or below it; everything is within `""`.
fn is_within(path: &str, module: &str) -> bool {
    module.is_empty()
        || path.strip_prefix(module).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// `layers/core/dense.rs` is `layers::core::dense`; `layers/mod.rs` is `layers`; the roots are "".
fn module_of(place: &Path) -> String {
    let path = place.with_extension("").to_string_lossy().replace(['/', '\\'], "::");
    match path.as_str() {
        "lib" | "main" => String::new(),
        path => path.strip_suffix("::mod").unwrap_or(path).to_owned(),
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("a readable entry").path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Every path that starts with `crate` or `super`, from the crate's root, with its line.
fn paths(module: &str, code: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    for root in ["crate", "super"] {
        for (start, _) in code.match_indices(&format!("{root}::")) {
            let before = code[..start].chars().next_back();
            // `super::super::x` is read from its first word.
            if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            let line = code[..start].matches('\n').count() + 1;
            let mut tree = Vec::new();
            read_tree(&code[start..], "", &mut tree);
            let resolved = tree.into_iter().map(|path| (line, resolve(module, &path)));
            found.extend(resolved.filter(|(_, path)| !path.is_empty()));
        }
    }
    found.sort_by_key(|(line, _)| *line);
    found
}

/// Reads one path or `use` tree, appends its leaves to `leaves`, and returns what follows it.
fn read_tree<'a>(text: &'a str, prefix: &str, leaves: &mut Vec<String>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        loop {
            rest = read_tree(rest, prefix, leaves);
            // Past `as name` to the next member or the end.
            rest = rest.find([',', '}']).map_or("", |end| &rest[end..]);
            match rest.strip_prefix(',').map(str::trim_start) {
                Some(member) if !member.starts_with('}') => rest = member,
                Some(end) => return &end[1..],
                None => return rest.get(1..).unwrap_or(""),
            }
        }
    }
    let end = text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let path = if prefix.is_empty() { word.to_owned() } else { format!("{prefix}::{word}") };
    match rest.strip_prefix("::") {
        Some(rest) => read_tree(rest, &path, leaves),
        None => {
            leaves.push(path.trim_end_matches("::").trim_end_matches("::self").to_owned());
            rest
        }
    }
}

/// A path from the crate's root: `crate` is dropped, each `super` goes up from `module`.
fn resolve(module: &str, path: &str) -> String {
    let mut from: Vec<&str> = module.split("::").collect();
    let mut rest = path;
    if let Some(path) = path.strip_prefix("crate") {
        return path.trim_start_matches("::").to_owned();
    }
    while let Some(up) = rest.strip_prefix("super") {
        from.pop();
        rest = up.trim_start_matches("::");
    }
    from.push(rest);
    from.join("::").trim_end_matches("::").to_owned()
}

/// Removes every item under `#[cfg(test)]`, up to its closing brace or semicolon; keeps lines.
fn without_tests(code: &str) -> String {
    let mut kept = String::new();
    let mut rest = code;
    while let Some(start) = rest.find("#[cfg(test)]") {
        let mut depth = 0_usize;
        let end = rest[start..].char_indices().find_map(|(i, c)| {
            match c {
                '{' => depth += 1,
                '}' => depth = depth.saturating_sub(1),
                _ => {}
            }
            (depth == 0 && matches!(c, '}' | ';')).then_some(start + i + 1)
        });
        let end = end.unwrap_or(rest.len());
        kept.push_str(&rest[..start]);
        kept.extend(rest[start..end].chars().filter(|c| *c == '\n'));
        rest = &rest[end..];
    }
    kept + rest
}

/// The text without comments, strings and character literals; line breaks stay.
fn without_comments_and_strings(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest);
        let (part, after) = rest.split_at(length.max(first.len_utf8()));
        if length == 0 {
            kept.push(first);
        } else {
            kept.push(' ');
            kept.extend(part.chars().filter(|c| *c == '\n'));
        }
        rest = after;
    }
    kept
}

/// The length of the comment or literal at the start of the text, 0 where there is none.
fn skipped(text: &str) -> usize {
    let until = |end: &str, from: usize| text[from..].find(end).map_or(text.len(), |i| from + i);
    if text.starts_with("//") {
        return until("\n", 0);
    }
    if text.starts_with("/*") {
        return until("*/", 2) + 2;
    }
    if let Some(raw) = text.strip_prefix('r') {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            return until(&end, hashes + 2) + end.len();
        }
    }
    let mut characters = text.char_indices();
    match characters.next() {
        Some((_, '"')) => quoted(characters, '"'),
        Some((_, '\'')) => {
            let mut ahead = text[1..].chars();
            let literal = ahead.next() == Some('\\') || ahead.next() == Some('\'');
            if literal { quoted(characters, '\'') } else { 0 } // else a lifetime
        }
        _ => 0,
    }
}

/// The end of a literal whose opening quote was just read.
fn quoted(characters: std::str::CharIndices<'_>, quote: char) -> usize {
    let mut escaped = false;
    let mut end = 0;
    for (i, c) in characters {
        end = i + c.len_utf8();
        if c == quote && !escaped {
            break;
        }
        escaped = c == '\\' && !escaped;
    }
    end
}
