//! Weights between files and devices: when they are read, how often, and what a changed file does.

mod common;

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keraunos::base::{Error, Result};
use keraunos::layers::Dense;
use keraunos::saving::ReadAt;
use keraunos::{Device, LoadOptions, Model, Sequential, Tensor};
use keraunos::{load_model, load_model_from, load_model_with};

const UNITS: usize = 1024;
/// Bytes of the weights of the model below.
const WEIGHTS: u64 = 3 * (UNITS as u64 * UNITS as u64 + UNITS as u64) * 4;

/// 12 MiB of weights.
fn write(path: &Path) -> Vec<u8> {
    let layers = (0..3).fold(Sequential::new([UNITS]), |model, _| model.add(Dense::new(UNITS)));
    layers.build().unwrap().save(path).unwrap();
    fs::read(path).unwrap()
}

fn lazy() -> LoadOptions {
    LoadOptions { lazy: true, ..LoadOptions::default() }
}

fn devices() -> [Device; 2] {
    [Device::Host, common::gpu()]
}

fn predict(model: &Model, device: &Device) -> Result<Vec<Tensor>> {
    let x: Vec<f32> = (0..2 * UNITS).map(|i| (i % 7) as f32).collect();
    model.call(&[Tensor::new([2, UNITS], &x).unwrap()], device)
}

/// A file in memory that counts the bytes that are read of it.
struct Counted(Vec<u8>, AtomicU64);

impl Counted {
    fn new(bytes: Vec<u8>) -> Arc<Counted> {
        Arc::new(Counted(bytes, AtomicU64::new(0)))
    }
    fn read(&self) -> u64 {
        self.1.load(Ordering::Relaxed)
    }
}

impl ReadAt for Counted {
    fn len(&self) -> u64 {
        self.0.len() as u64
    }
    fn read_at(&self, offset: u64, buf: &mut [u8]) -> Result<()> {
        self.1.fetch_add(buf.len() as u64, Ordering::Relaxed);
        self.0.read_at(offset, buf)
    }
}

#[test]
fn a_lazy_model_is_read_once_and_only_when_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = write(&folder.path().join("model.keras"));
    let expected = predict(&load_model(folder.path().join("model.keras")).unwrap(), &Device::Host);
    for device in devices() {
        let file = Counted::new(bytes.clone());
        let model = load_model_from(file.clone(), &lazy()).unwrap();
        // All structure, some of it several times, but no weight.
        let layout = file.read();
        assert!(layout < 64 << 10, "{layout} bytes read while loading");
        let found = predict(&model, &device).unwrap();
        common::assert_close(&found[0], &expected.as_ref().unwrap()[0], 1e-4, "prediction");
        let read = file.read();
        assert!((WEIGHTS..WEIGHTS + (256 << 10)).contains(&read), "{read} bytes of {WEIGHTS}");
        predict(&model, &device).unwrap();
        assert_eq!(file.read(), read);
    }
    let file = Counted::new(bytes);
    load_model_from(file.clone(), &LoadOptions::default()).unwrap();
    assert!(file.read() > WEIGHTS, "without being lazy the checksum is compared at once");
}

#[test]
fn one_weight_is_not_believed_before_the_checksum_of_all() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = write(&folder.path().join("model.keras"));
    let whole = load_model_from(Arc::new(bytes.clone()), &lazy()).unwrap();
    assert!(whole.variables()[0].1.value().is_ok());
    // Somewhere in the weights of the last layer.
    let at = bytes.len() - (1 << 20);
    bytes[at] ^= 1;
    assert!(load_model_from(Arc::new(bytes.clone()), &LoadOptions::default()).is_err());
    let load = || load_model_from(Arc::new(bytes.clone()), &lazy()).unwrap();
    let is_damage = |error: Error| error.to_string().contains("CRC-32");
    assert!(is_damage(load().variables()[0].1.value().unwrap_err()));
    for device in devices() {
        let model = load();
        for _ in 0..2 {
            assert!(is_damage(predict(&model, &device).unwrap_err()), "{device}");
            assert!(is_damage(model.place(&device).unwrap_err()), "{device}");
        }
    }
    let target = folder.path().join("saved.keras");
    fs::write(&target, "as it was").unwrap();
    assert!(is_damage(load().save(&target).unwrap_err()));
    assert_eq!(fs::read_to_string(&target).unwrap(), "as it was");
    assert!(is_damage(load().save_to(Vec::new()).unwrap_err()));
}

#[test]
fn a_file_that_was_written_to_since_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let bytes = write(&path);
    for options in [lazy(), LoadOptions::default()] {
        for change in ["length", "date"] {
            fs::write(&path, &bytes).unwrap();
            let model = load_model_with(&path, &options).unwrap();
            let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
            match change {
                "length" => file.set_len(bytes.len() as u64 + 1).unwrap(),
                _ => file.set_modified(std::time::UNIX_EPOCH).unwrap(),
            }
            for device in devices() {
                let message = predict(&model, &device).unwrap_err().to_string();
                assert!(message.contains("was written to"), "{change}: {message}");
            }
        }
    }
}

#[test]
fn a_lazy_model_is_saved_to_the_file_it_is_read_from() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let bytes = write(&path);
    let model = load_model_with(&path, &lazy()).unwrap();
    for _ in 0..2 {
        model.save(&path).unwrap();
        assert!(fs::read(&path).unwrap() == bytes);
    }
    // The model still reads the file that it opened, which has no name any more.
    assert!(predict(&model, &Device::Host).is_ok());
}

#[test]
fn warming_up_leaves_nothing_to_read_or_compile() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    write(&path);
    for device in devices() {
        let model = load_model(&path).unwrap();
        model.warm_up(&[2, 32], &device).unwrap();
        // What is read from now on would be an error.
        let file = fs::OpenOptions::new().append(true).open(&path).unwrap();
        file.set_modified(std::time::UNIX_EPOCH).unwrap();
        predict(&model, &device).unwrap();
        assert!(matches!(model.warm_up(&[1; 9], &device), Err(Error::Invalid(_))));
    }
    let open = Sequential::new([None, Some(3)]).add(Dense::new(2)).build().unwrap();
    let message = open.warm_up(&[1], &Device::Host).unwrap_err().to_string();
    assert!(message.contains("(None, None, 3)"), "{message}");
}
