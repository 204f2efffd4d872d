//! Where bytes of anyone come in: what the fuzz targets and `tests/fuzzed.rs` both call.
//!
//! Each takes any bytes, and reads with them all that can be read. It ends soon, and in an error or in
//! nothing; whether it could read is of no interest to a fuzzer.
#![allow(dead_code, reason = "each target uses one of them")]

use std::sync::Arc;

use keraunos::saving::h5::H5File;
use keraunos::saving::json::{parse, to_python};
use keraunos::saving::npz::Npz;
use keraunos::saving::{Archive, LegacyFile, Limits, Store};
use keraunos::{CustomObjects, Error, LoadOptions, Model, Tensor, load_model_from};

type Result<T> = std::result::Result<T, Error>;

/// Bytes of one value that is read as a whole; larger ones are only opened.
const READ: usize = 1 << 20;
/// Groups of a file that are looked into.
const GROUPS: usize = 64;

/// Limits under which one input takes milliseconds.
fn limits() -> Limits {
    let mut limits = Limits::default();
    for (name, value) in [("config_bytes", 1 << 20), ("h5_groups", 256), ("h5_ratio", 64)] {
        limits.set(name, value).unwrap_or_else(|e| unreachable!("{name}: {e}"));
    }
    limits
}

fn read_all(store: &dyn Store) -> Result<()> {
    for path in store.groups().iter().take(GROUPS) {
        let Some(group) = store.group(path)? else { continue };
        for (_, source) in group.datasets.iter().filter(|(_, s)| s.spec().bytes() <= READ) {
            Tensor::from_source(source.as_ref())?;
        }
    }
    Ok(())
}

/// The zip archive of a `.keras` file, and all its members.
///
/// # Errors
/// What is wrong with the bytes.
pub fn archive(data: &[u8]) -> Result<()> {
    let archive = Archive::from_source(Arc::new(data.to_vec()), &limits())?;
    archive.metadata()?;
    archive.config()?;
    for asset in archive.assets() {
        archive.asset(asset)?;
    }
    read_all(archive.weights()?.as_ref())
}

/// An HDF5 file, as weights and in the older format.
///
/// # Errors
/// What is wrong with the bytes.
pub fn hdf5(data: &[u8]) -> Result<()> {
    let bytes = Arc::new(data.to_vec());
    let weights = H5File::open(bytes.clone(), "fuzzed", &limits()).and_then(|f| read_all(&f));
    let older = LegacyFile::from_source(bytes, &limits()).and_then(|file| file.config());
    weights.and(older.map(drop))
}

/// The config of a model, which is built.
///
/// # Errors
/// What is wrong with the bytes.
pub fn config(data: &[u8]) -> Result<()> {
    Model::from_json(&String::from_utf8_lossy(data), &CustomObjects::new()).map(drop)
}

/// A whole model in any form that one file has.
///
/// # Errors
/// What is wrong with the bytes.
pub fn model(data: &[u8]) -> Result<()> {
    let options = LoadOptions { limits: limits(), ..LoadOptions::default() };
    let model = load_model_from(Arc::new(data.to_vec()), &options)?;
    for (_, variable) in model.variables().iter().filter(|(_, v)| v.spec().bytes() <= READ) {
        variable.value()?;
    }
    Ok(())
}

/// A whole model, which is saved and loaded again.
///
/// # Errors
/// What is wrong with the bytes.
///
/// # Panics
/// If the copy is not the model.
pub fn round_trip(data: &[u8]) -> Result<()> {
    let options = LoadOptions { limits: limits(), ..LoadOptions::default() };
    let model = load_model_from(Arc::new(data.to_vec()), &options)?;
    let mut copy = Vec::new();
    model.save_to(&mut copy)?;
    let again = load_model_from(Arc::new(copy), &options);
    let again = again.unwrap_or_else(|e| panic!("what was saved is not loaded: {e}"));
    assert_eq!(again.to_json()?, model.to_json()?);
    let (weights, expected) = (again.variables(), model.variables());
    assert_eq!(weights.len(), expected.len());
    for ((path, variable), (_, expected)) in weights.iter().zip(&expected) {
        let (value, expected) = (variable.value()?, expected.value()?);
        // Bits: what is not a number is not equal to itself.
        assert!(value.spec() == expected.spec() && value.bytes() == expected.bytes(), "{path}");
    }
    Ok(())
}

/// JSON, which is written and read again.
///
/// # Errors
/// What is wrong with the bytes.
///
/// # Panics
/// If what was written reads as something else.
pub fn json(data: &[u8]) -> Result<()> {
    let json = parse(data, "fuzzed", &limits())?;
    let text = to_python(&json);
    let again = parse(text.as_bytes(), "written", &limits());
    assert_eq!(again.unwrap_or_else(|e| panic!("what was written is not read: {e}")), json);
    Ok(())
}

/// Arrays in an `.npz` file.
///
/// # Errors
/// What is wrong with the bytes.
pub fn npz(data: &[u8]) -> Result<()> {
    let npz = Npz::from_source(Arc::new(data.to_vec()))?;
    npz.names().take(GROUPS).try_for_each(|name| npz.read(name).map(drop))
}
