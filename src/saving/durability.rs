//! Whatever fails while a model is saved, the old one stays or the new one is there: every call of
//! the file system fails in turn, and the machine crashes between any two.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;

use super::archive_writer::{Contents, WriteOptions, write_archive_on};
use super::atomic::Replace;
use super::file_system::memory::{Fault, Memory, Tree};
use super::legacy::{LegacyContents, write_legacy_on};
use super::store::GroupPlan;
use super::weights_file::{ShardSize, write_shards_on, write_weights_on};
use crate::base::Result;
use crate::tensor::Tensor;

/// A file in a model's folder that is not the model's.
const NOTES: &str = "notes.txt";

/// With all that a save can do.
const REPLACE: Replace = Replace { overwrite: true, verify: true };

const FORMS: [Form; 5] = [
    Form { name: "archive", target: "/m.keras", save: save_archive },
    Form { name: "folder", target: "/m", save: save_folder },
    Form { name: "weights", target: "/m.weights.h5", save: save_weights },
    Form { name: "shards", target: "/m.weights.json", save: save_shards },
    Form { name: "older format", target: "/m.h5", save: save_legacy },
];

/// A form in which models are saved.
struct Form {
    name: &'static str,
    /// What a reader opens.
    target: &'static str,
    /// Saves a model whose weights are all of this value.
    save: fn(&Memory, f32) -> Result<()>,
}

fn groups(value: f32) -> Vec<GroupPlan> {
    let tensor = |len: usize| Arc::new(Tensor::new([len], &vec![value; len]).unwrap());
    let group = |path: &str, len| GroupPlan {
        path: path.into(),
        name: None,
        datasets: vec![("0".into(), tensor(len))],
    };
    vec![group("layers/dense/vars", 700), group("layers/dense_1/vars", 300)]
}

fn archive(files: &Memory, path: &str, value: f32, zipped: bool) -> Result<()> {
    let contents = Contents {
        metadata: json!({"keras_version": "3.15.1"}),
        config: json!({"value": value}),
        groups: groups(value),
        assets: vec![("layers/lookup/vocabulary.txt".into(), value.to_string().into())],
    };
    let options = WriteOptions { replace: REPLACE, zipped, zip64: false };
    write_archive_on(files, Path::new(path), &contents, &options, &mut |_, _| {})
}

fn save_archive(files: &Memory, value: f32) -> Result<()> {
    archive(files, "/m.keras", value, true)
}

fn save_folder(files: &Memory, value: f32) -> Result<()> {
    archive(files, "/m", value, false)
}

fn save_weights(files: &Memory, value: f32) -> Result<()> {
    write_weights_on(files, Path::new("/m.weights.h5"), &groups(value), REPLACE, &mut |_, _| {})
}

fn save_shards(files: &Memory, value: f32) -> Result<()> {
    let index = Path::new("/m.weights.json");
    let size = ShardSize { bytes: 3_000, whole_objects: false };
    write_shards_on(files, index, &groups(value), size, REPLACE, &mut |_, _| {})
}

fn save_legacy(files: &Memory, value: f32) -> Result<()> {
    let contents = LegacyContents {
        keras_version: "3.15.1".into(),
        config: json!({"value": value}),
        training: None,
        layers: Vec::new(),
        optimizer: groups(value).into_iter().flat_map(|group| group.datasets).collect(),
    };
    write_legacy_on(files, Path::new("/m.h5"), contents, REPLACE, &mut |_, _| {})
}

impl Form {
    /// What a reader of the target sees: the files that belong to it.
    fn seen(&self, tree: &Tree) -> Tree {
        let target = PathBuf::from(self.target);
        let Some(index) = tree.get(&target) else { return Tree::new() };
        let shards = String::from_utf8_lossy(index);
        let is_shard = |path: &Path| {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            self.name == "shards" && shards.contains(&format!("\"{name}\""))
        };
        // The names of shards are in the index, so they need not be the same for two to be equal.
        let is_part = |path: &Path| path.starts_with(&target) && !path.ends_with(NOTES);
        let seen = tree.iter().filter(|(path, _)| is_part(path) || is_shard(path));
        seen.map(|(path, bytes)| (path.clone(), bytes.clone())).collect()
    }

    /// A file system that holds the model of `value`, or none.
    fn start(&self, old: Option<f32>, can_exchange: bool) -> Memory {
        let files = Memory::new(can_exchange);
        if let Some(value) = old {
            (self.save)(&files, value).unwrap();
            if self.name == "folder" {
                use super::file_system::FileSystem as _;
                drop(files.create(&Path::new("/m").join(NOTES), None).unwrap());
            }
        }
        files.copy()
    }

    fn each_start(&self, mut run: impl FnMut(Memory)) {
        for can_exchange in [true, false] {
            for old in [None, Some(1.0)] {
                run(self.start(old, can_exchange));
            }
            if self.name != "folder" {
                break;
            }
        }
    }
}

/// Numbers that are as good as random and always the same.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0 >> 33
    }
}

/// Whether the file of someone else is still somewhere.
fn keeps_notes(before: &Tree, after: &Tree) -> bool {
    let has = |tree: &Tree| tree.keys().any(|path| path.ends_with(NOTES));
    !has(before) || has(after)
}

fn is_temporary(path: &Path) -> bool {
    path.components().any(|part| {
        let name = part.as_os_str().to_string_lossy();
        name.starts_with('.') && name.ends_with(".tmp")
    })
}

#[test]
fn whichever_call_fails_the_old_model_stays() {
    use ErrorKind::{Interrupted, Other, QuotaExceeded, StorageFull};
    let faults = [StorageFull, Other, QuotaExceeded, Interrupted].map(Fault::Error);
    for form in &FORMS {
        form.each_start(|before| {
            let whole = before.copy();
            (form.save)(&whole, 2.0).unwrap();
            let (old, new) = (form.seen(&before.tree()), form.seen(&whole.tree()));
            assert!(old != new && !new.is_empty());
            for call in 0..whole.calls() {
                for fault in faults.into_iter().chain([Fault::ShortWrite]) {
                    let files = before.copy();
                    files.fail(call, fault);
                    let saved = (form.save)(&files, 2.0);
                    check_failed(form, &before, &files, (&old, &new), &saved, call);
                }
            }
        });
    }
}

fn check_failed(
    form: &Form,
    before: &Memory,
    files: &Memory,
    (old, new): (&Tree, &Tree),
    saved: &Result<()>,
    call: usize,
) {
    let name = form.name;
    let seen = form.seen(&files.tree());
    if saved.is_ok() {
        assert!(seen == *new, "{name}, call {call}: no error, and not the new model");
        return;
    }
    // The new model is in place when what fails is the last: making its name durable, clearing up.
    assert!(seen == *old || seen == *new, "{name}, call {call}: neither model is whole");
    assert!(keeps_notes(&before.tree(), &files.tree()), "{name}, call {call}: a file is lost");
    let left: Vec<PathBuf> = files.tree().into_keys().filter(|path| is_temporary(path)).collect();
    if seen == *old {
        assert!(left.is_empty(), "{name}, call {call}: left behind {left:?}");
        assert!(files.tree() == before.tree(), "{name}, call {call}: something else changed");
    }
}

/// A bit that changes between writing and the new name is found before the new model takes the place of
/// the old one.
#[test]
fn a_bit_that_changes_on_the_disk_is_found() {
    const BITS: usize = 25;
    let mut random = Random(2);
    for form in &FORMS {
        let mut found = 0;
        form.each_start(|before| {
            let whole = before.copy();
            (form.save)(&whole, 2.0).unwrap();
            let (old, new) = (form.seen(&before.tree()), form.seen(&whole.tree()));
            for call in (0..whole.calls()).flat_map(|call| [call; BITS]) {
                let files = before.copy();
                files.fail(call, Fault::Flip(random.next() as usize));
                let saved = (form.save)(&files, 2.0);
                check_failed(form, &before, &files, (&old, &new), &saved, call);
                found += usize::from(saved.is_err());
            }
        });
        assert!(found >= 2 * BITS, "{}: {found} found", form.name);
    }
}

#[test]
fn wherever_the_machine_crashes_a_whole_model_is_there() {
    const SUBSETS: usize = 64;
    let mut random = Random(1);
    for form in &FORMS {
        form.each_start(|before| {
            let after = before.copy();
            (form.save)(&after, 2.0).unwrap();
            let (old, new) = (form.seen(&before.tree()), form.seen(&after.tree()));
            let check = |count, keep: &mut dyn FnMut() -> bool| {
                let tree = after.after_crash(&before, count, keep);
                let seen = form.seen(&tree);
                let is_last = count == after.changes();
                let whole = seen == new || seen == old && !is_last;
                keeps_notes(&before.tree(), &tree) && (whole || form.may_be_between(&before, &seen))
            };
            for count in 0..=after.changes() {
                assert!(check(count, &mut || true), "{}: after {count} changes", form.name);
                assert!(check(count, &mut || false), "{}: {count}, nothing kept", form.name);
                for subset in 0..SUBSETS {
                    let kept = check(count, &mut || random.next().is_multiple_of(2));
                    assert!(kept, "{}: after {count} changes, subset {subset}", form.name);
                }
            }
        });
    }
}

impl Form {
    /// Where folders cannot change places, there is a moment at which neither is there.
    fn may_be_between(&self, before: &Memory, seen: &Tree) -> bool {
        self.name == "folder" && !before.can_exchange() && seen.is_empty()
    }
}

#[test]
fn what_else_is_in_a_folder_stays() {
    for can_exchange in [true, false] {
        let form = &FORMS[1];
        let files = form.start(Some(1.0), can_exchange);
        (form.save)(&files, 2.0).unwrap();
        let names: Vec<PathBuf> = files.tree().into_keys().collect();
        assert!(names.contains(&"/m/notes.txt".into()), "{names:?}");
        assert!(!names.iter().any(|path| is_temporary(path)), "{names:?}");
    }
}
