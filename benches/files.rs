//! Loading and saving against a plain copy of the same file.
//!
//! ```text
//! cargo bench --bench files -- --gib 1 --device host --device gpu
//! ```
//!
//! The file is made first, in the folder for temporary files, so it is read from the system's cache.
//! A device's numbers include planning the network and, for a GPU, waiting for the uploads.

mod common;

use std::fs::File;
use std::path::Path;
use std::time::Duration;

use common::{Options, Times, describe};
use keraunos::base::{Error, Result, Spec};
use keraunos::layers::Dense;
use keraunos::program;
use keraunos::{DType, Device, Sequential, load_model};

/// Units of each layer: 64 MiB of weights.
const UNITS: usize = 4096;

fn main() -> Result<()> {
    let options = Options::from_command_line();
    options.heading("files", "a stored .keras file of dense layers");
    let folder =
        tempfile::tempdir().map_err(|source| Error::Io { path: std::env::temp_dir(), source })?;
    for gib in options.numbers("gib", &[1])? {
        let path = folder.path().join("model.keras");
        generate(&path, gib)?;
        let bytes = path.metadata().map_or(0, |m| m.len());
        let mib = bytes as f64 / f64::from(1 << 20);
        let copied = folder.path().join("copy.keras");
        let copy = Times::of(Duration::ZERO, || copy(&path, &copied))?;
        let line = |what: &str, times: &Times| {
            let (rate, ratio) = (mib / times.median(), copy.median() / times.median());
            println!("{what:<22} {rate:>8.0} MiB/s  {ratio:>5.2} of a copy  {times}");
        };
        println!("{mib:.0} MiB");
        line("copy and fsync", &copy);
        line("save (from the file)", &save(&path, &copied)?);
        for device in options.devices()? {
            println!("{}", describe(&device));
            line("load", &load(&path, &device)?);
        }
    }
    Ok(())
}

fn generate(path: &Path, gib: usize) -> Result<()> {
    let mut model = Sequential::new([UNITS]);
    for _ in 0..gib * 16 {
        model = model.add(Dense::new(UNITS));
    }
    model.build()?.save(path)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    let work = || -> std::io::Result<()> {
        let mut out = File::create(to)?;
        std::io::copy(&mut File::open(from)?, &mut out)?;
        out.sync_all()
    };
    work().map_err(|source| Error::Io { path: to.into(), source })
}

/// Until the network could run: weights in the device's memory.
fn load(path: &Path, device: &Device) -> Result<Times> {
    Times::of(Duration::ZERO, || {
        let model = load_model(path)?;
        let input = Spec::new([1, UNITS], DType::Float32);
        let plan = model.compiled(&[input], device, &program::Options::default())?;
        match device {
            Device::Gpu(gpu) => gpu.wait()?,
            // The host reads weights when the first run asks for them.
            Device::Host => {
                for (_, variable) in model.variables() {
                    variable.keep_on_host()?;
                }
            }
        }
        drop(plan);
        Ok(())
    })
}

/// A model that was loaded and is saved again under another name.
fn save(path: &Path, to: &Path) -> Result<Times> {
    let model = load_model(path)?;
    Times::of(Duration::ZERO, || model.save(to))
}
