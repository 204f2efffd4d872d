//! The entries of the fuzz targets, with damage that is the same in every run: whatever the bytes are, an
//! entry ends soon, without a panic, and what it says is fit to be shown. And sweeps over whole files:
//! every cut is refused, and no flipped bit of an archive changes a weight unseen.
//!
//! The sweeps take every place where a file begins and ends, and some between; all of them, which takes
//! minutes, with `KERAUNOS_EVERY` set.

#[path = "../fuzz/entries.rs"]
mod entries;

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::damage::Random;
use keraunos::{Error, LoadOptions, Model, Tensor, load_model_from};

/// What one input may take on a busy machine.
const TIME: Duration = Duration::from_secs(5);
/// Bytes of an error message, at most.
const MESSAGE: usize = 1_000;
/// Seeds above this size make rounds slow without another structure.
const SEED_BYTES: u64 = 64 << 10;

type Entry = fn(&[u8]) -> Result<(), Error>;

fn models() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models")
}

/// Small files below a folder with one of the endings.
fn files(folder: &Path, endings: &[&str]) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    let fits = |path: &PathBuf| {
        let ends = |ending: &&str| path.to_string_lossy().ends_with(*ending);
        endings.iter().any(ends) && path.metadata().unwrap().len() <= SEED_BYTES
    };
    paths.iter().filter(|path| fits(path)).map(|path| std::fs::read(path).unwrap()).collect()
}

/// A member of each archive.
fn members(archives: &[Vec<u8>], name: &str) -> Vec<Vec<u8>> {
    let member = |bytes: &Vec<u8>| {
        let mut zip = zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap();
        let mut member = zip.by_name(name).unwrap();
        let mut out = Vec::new();
        std::io::Read::read_to_end(&mut member, &mut out).unwrap();
        out
    };
    archives.iter().map(member).collect()
}

/// What is wrong with how an entry took its input, if anything is.
fn misbehaviour(entry: Entry, bytes: &[u8]) -> Option<String> {
    let start = Instant::now();
    let outcome = catch_unwind(AssertUnwindSafe(|| entry(bytes)));
    let took = start.elapsed();
    match outcome {
        Err(_) => Some("a panic".into()),
        Ok(_) if took > TIME => Some(format!("it took {took:?}")),
        Ok(Ok(())) => None,
        Ok(Err(error)) => {
            let text = error.to_string();
            let plain = text.len() <= MESSAGE && !text.contains(char::is_control);
            (!plain).then_some(text)
        }
    }
}

/// Damages the seeds in turn; `KERAUNOS_ROUNDS` and `KERAUNOS_SEED` make longer and other runs.
fn run(name: &str, entry: Entry, seeds: &[Vec<u8>], rounds: usize) {
    let named = |key: &str| std::env::var(key).ok().and_then(|n| n.parse::<u64>().ok());
    let rounds = named("KERAUNOS_ROUNDS").map_or(rounds, |n| n as usize);
    let mut random = Random(named("KERAUNOS_SEED").unwrap_or(23));
    assert!(!seeds.is_empty(), "{name}: no seeds");
    assert!(seeds.iter().any(|seed| entry(seed).is_ok()), "{name}: no seed is read");
    let mut wrong = Vec::new();
    for round in 0..rounds {
        let mut bytes = seeds[round % seeds.len()].clone();
        random.damage(&mut bytes);
        wrong.extend(misbehaviour(entry, &bytes).map(|what| format!("round {round}: {what}")));
    }
    assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
}

#[test]
fn archives() {
    run("archive", entries::archive, &files(&models(), &[".keras"]), 1_500);
}

#[test]
fn hdf5_files() {
    let mut seeds = members(&files(&models(), &[".keras"]), "model.weights.h5");
    for version in ["3.0.5", "3.15.1"] {
        seeds.extend(files(&models().join("versions").join(version), &[".h5"]));
    }
    run("hdf5", entries::hdf5, &seeds, 3_000);
}

#[test]
fn configs() {
    let seeds = members(&files(&models(), &[".keras"]), "config.json");
    run("config", entries::config, &seeds, 1_500);
}

#[test]
fn whole_models() {
    let mut seeds = files(&models().join("versions/3.15.1"), &[".keras", ".h5"]);
    seeds.extend(files(&models(), &[".keras"]));
    run("model", entries::model, &seeds, 600);
}

#[test]
fn saved_models() {
    let mut seeds = files(&models().join("versions/3.15.1"), &[".keras", ".h5"]);
    seeds.extend(files(&models(), &[".keras"]));
    run("round_trip", entries::round_trip, &seeds, 200);
}

#[test]
fn json() {
    let mut seeds = members(&files(&models(), &[".keras"]), "config.json");
    seeds.push(br#"[-0.0, 1e-300, NaN, -Infinity, "\ud83d\ude00\u0000", {"": null}, [[]], 18446744073709551615]"#.to_vec());
    run("json", entries::json, &seeds, 3_000);
}

/// What is not fuzzed under its name is forgotten.
#[test]
fn every_entry_has_its_target_and_its_test() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    let (code, manifest) = (read("fuzz/entries.rs"), read("fuzz/Cargo.toml"));
    let entries = code.split("\npub fn ").skip(1).filter_map(|rest| rest.split('(').next());
    let mut count = 0;
    for name in entries {
        let target = read(&format!("fuzz/targets/{name}.rs"));
        assert!(target.contains(&format!("entries::{name}(data)")), "{name}");
        assert!(manifest.contains(&format!("path = \"targets/{name}.rs\"")), "{name}");
        assert!(read("tests/fuzzed.rs").contains(&format!("entries::{name}, &")), "{name}");
        count += 1;
    }
    assert_eq!(count, folder.join("fuzz/targets").read_dir().unwrap().count());
}

#[test]
fn arrays() {
    run("npz", entries::npz, &files(&models(), &[".npz"]), 3_000);
}

fn load(bytes: Vec<u8>) -> Result<Model, Error> {
    load_model_from(Arc::new(bytes), &LoadOptions::default())
}

fn weights(model: &Model) -> Vec<Tensor> {
    model.variables().iter().map(|(_, variable)| variable.value().unwrap()).collect()
}

fn every() -> bool {
    std::env::var_os("KERAUNOS_EVERY").is_some()
}

/// Places of a file: all of them where it begins and ends, which is where its structure stands, some between.
fn places(len: usize, edge: usize, stride: usize) -> impl Iterator<Item = usize> {
    let is_near = move |at: usize| at < edge || at + edge >= len;
    (0..len).filter(move |&at| every() || is_near(at) || at.is_multiple_of(stride))
}

/// Bits of a file: one of each of its [`places`], or all of them.
fn bits(len: usize, edge: usize, stride: usize) -> impl Iterator<Item = (usize, u8)> {
    places(len, edge, stride).enumerate().flat_map(|(round, at)| {
        let bits = if every() { 0..8 } else { round % 8..round % 8 + 1 };
        bits.map(move |bit| (at, 1 << bit))
    })
}

#[test]
fn every_cut_of_a_model_is_refused() {
    for name in ["docs_example.keras", "versions/3.15.1/functional.h5"] {
        let bytes = std::fs::read(models().join(name)).unwrap();
        load(bytes.clone()).unwrap();
        for end in places(bytes.len(), 300, 41) {
            let error = load(bytes[..end].to_vec()).err();
            let error = error.unwrap_or_else(|| panic!("{name}, cut to {end} bytes, is loaded"));
            assert!(error.is_refusal(), "{name}, cut to {end} bytes: {error}");
        }
    }
}

#[test]
fn every_cut_of_weights_is_refused() {
    let bytes = std::fs::read(models().join("versions/3.15.1/sequential.weights.h5")).unwrap();
    for end in places(bytes.len(), 300, 13) {
        assert!(entries::hdf5(&bytes[..end]).is_err(), "cut to {end} bytes");
    }
}

/// The checksum of a member covers every byte that is believed.
#[test]
fn a_flipped_bit_of_an_archive_is_refused_or_changes_nothing() {
    let bytes = std::fs::read(models().join("docs_example.keras")).unwrap();
    let honest = load(bytes.clone()).unwrap();
    let (config, expected) = (honest.config().clone(), weights(&honest));
    let mut refused = 0;
    for (at, bit) in bits(bytes.len(), 400, 37) {
        let mut damaged = bytes.clone();
        damaged[at] ^= bit;
        match load(damaged) {
            Ok(model) => {
                assert!(model.config() == &config && weights(&model) == expected, "byte {at}");
            }
            Err(error) => {
                assert!(error.is_refusal(), "byte {at}: {error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 500, "{refused} refusals");
}

/// HDF5 of version 0 has no checksums, so a bit may change a weight; it does no more.
#[test]
fn a_flipped_bit_of_the_older_format_is_survived() {
    let bytes = std::fs::read(models().join("versions/3.15.1/sequential.h5")).unwrap();
    for (at, bit) in bits(bytes.len(), 300, 61) {
        let mut damaged = bytes.clone();
        damaged[at] ^= bit;
        assert_eq!(misbehaviour(entries::model, &damaged), None, "byte {at}");
    }
}
