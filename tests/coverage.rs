//! The README's table of layers is the registry's, and says which ones are missing. `KERAUNOS_BLESS=1` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write;

use keraunos::layers::registry::{Group, LAYERS, Status};
use keraunos::operations::{OPERATIONS, OperationDef, REFUSED};

const START: &str = "<!-- coverage:start -->\n";
const END: &str = "<!-- coverage:end -->";

fn table() -> String {
    let mut groups: Vec<Group> = Vec::new();
    for def in LAYERS {
        if !groups.contains(&def.group) {
            groups.push(def.group);
        }
    }
    let count = |tables: &[(&str, &[OperationDef])]| -> usize {
        tables.iter().map(|(_, rows)| rows.len()).sum()
    };
    let operations = count(OPERATIONS) - count(REFUSED);
    let mut text = format!(
        "{} of Keras's layer classes, with all their settings but those named:\n\n\
         | layers | |\n| --- | --- |\n",
        LAYERS.len()
    );
    for group in groups {
        let names: Vec<String> = LAYERS
            .iter()
            .filter(|def| def.group == group)
            .map(|def| match def.status {
                Status::Complete => def.class_name.to_owned(),
                Status::Partial(missing) => format!("{} (not: {missing})", def.class_name),
            })
            .collect();
        writeln!(text, "| {group:?} | {} |", names.join(", ")).unwrap();
    }
    for (reason, names) in refused() {
        writeln!(text, "| Not: {} | {reason} |", names.join(", ")).unwrap();
    }
    writeln!(
        text,
        "\nand {operations} operations of `keras.ops` as nodes of functional models.\n\n\
         | operations | |\n| --- | --- |"
    )
    .unwrap();
    for (reason, names) in refused_operations() {
        writeln!(text, "| Not: {} | {reason} |", names.join(", ")).unwrap();
    }
    text
}

/// The layer classes that files may hold and the registry does not, by the reason. Base classes are in
/// no file, and a `FeatureSpace` is read as a model.
fn refused() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut refused: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for line in include_str!("exceptions/classes.txt").lines() {
        let Some((name, reason)) = line.strip_prefix("layer ").and_then(|l| l.split_once(": "))
        else {
            continue;
        };
        if !reason.starts_with("a base class") && !reason.starts_with("read beside") {
            refused.entry(reason).or_default().push(name);
        }
    }
    refused
}

/// The operations that only say why they are not computed, by the reason.
fn refused_operations() -> BTreeMap<&'static str, Vec<&'static str>> {
    let mut refused: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for (reason, table) in REFUSED {
        refused.entry(*reason).or_default().extend(table.iter().map(|def| def.class_name));
    }
    refused
}

#[test]
fn the_readme_lists_the_registry() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let start = readme.find(START).expect("the start mark") + START.len();
    let end = readme.find(END).expect("the end mark");
    if std::env::var_os("KERAUNOS_BLESS").is_some() {
        let new = format!("{}{}{}", &readme[..start], table(), &readme[end..]);
        std::fs::write(path, new).unwrap();
        return;
    }
    assert_eq!(&readme[start..end], table(), "the table is stale: run with KERAUNOS_BLESS=1");
}
