//! From the start of a process to its first prediction.
//!
//! ```text
//! cargo bench --bench startup -- --device software --network resnet50
//! ```
//!
//! Each line starts processes of this program that load the network, predict one image and end.
//! *Cold* has empty caches, *warm* those of the run before it; *in turn* compiles only when all weights
//! are on the device, instead of meanwhile. Mesa's own shader cache is kept apart
//! (`MESA_SHADER_CACHE_DIR`); other drivers keep theirs where this cannot reach it, so that there
//! *cold* only means that our pipeline cache is empty.

mod common;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use common::{Options, Times, describe};
use keraunos::base::{Error, Result};
use keraunos::{Device, LoadOptions, Tensor, load_model_with};

const RUNS: usize = 5;

fn main() -> Result<()> {
    let options = Options::from_command_line();
    if let [path] = options.all("predict")[..] {
        let in_turn = !options.all("in-turn").is_empty();
        return predict(Path::new(path), options.or("device", &["host"])[0], in_turn);
    }
    options.heading("startup", "whole processes: open the device, load, predict one image");
    for network in options.or("network", &["mobilenet_v2"]) {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(format!("target/keras/{network}_probabilities.keras"));
        if !path.exists() {
            println!("{network}: {} is missing; `make test` writes it", path.display());
            continue;
        }
        for name in options.or("device", &["host", "gpu"]) {
            let device = Device::open(name)?;
            println!("{network} on {}", describe(&device));
            let process = Process { path: &path, device: name, in_turn: false };
            match device {
                Device::Host => println!("  {}", Times::from(process.runs(&Caches::new()?)?)),
                Device::Gpu(_) => process.all_caches()?,
            }
        }
    }
    Ok(())
}

fn predict(path: &Path, device: &str, in_turn: bool) -> Result<()> {
    let device = Device::open(device)?;
    let model = load_model_with(path, &LoadOptions { lazy: true, ..LoadOptions::default() })?;
    if in_turn {
        model.place(&device)?;
    }
    let image = vec![0.5f32; 224 * 224 * 3];
    model.call(&[Tensor::new([1, 224, 224, 3], &image)?], &device).map(|_| ())
}

/// Folders for what is compiled, empty at first.
struct Caches {
    ours: tempfile::TempDir,
    driver: tempfile::TempDir,
}

impl Caches {
    fn new() -> Result<Caches> {
        let folder = || {
            let error = |source| Error::Io { path: std::env::temp_dir(), source };
            tempfile::tempdir().map_err(error)
        };
        Ok(Caches { ours: folder()?, driver: folder()? })
    }
}

/// What each process does.
struct Process<'a> {
    path: &'a PathBuf,
    device: &'a str,
    in_turn: bool,
}

impl Process<'_> {
    fn all_caches(&self) -> Result<()> {
        for (what, in_turn) in [("cold               ", false), ("cold, in turn      ", true)] {
            let process = Process { in_turn, ..*self };
            let cold = (0..RUNS).map(|_| process.seconds(&Caches::new()?, &[]));
            println!("  {what} {}", Times::from(cold.collect::<Result<Vec<_>>>()?));
        }
        let caches = Caches::new()?;
        self.seconds(&caches, &[])?;
        println!("  warm              {}", Times::from(self.runs(&caches)?));
        for (what, off) in [
            ("our cache only    ", ("MESA_SHADER_CACHE_DISABLE", "true")),
            ("driver's cache only", ("KERAUNOS_CACHE", "off")),
        ] {
            let caches = Caches::new()?;
            self.seconds(&caches, &[off])?;
            let times =
                (0..RUNS).map(|_| self.seconds(&caches, &[off])).collect::<Result<Vec<_>>>();
            println!("  {what} {}", Times::from(times?));
        }
        Ok(())
    }

    fn runs(&self, caches: &Caches) -> Result<Vec<f64>> {
        (0..RUNS).map(|_| self.seconds(caches, &[])).collect()
    }

    /// Wall time of one process.
    fn seconds(&self, caches: &Caches, more: &[(&str, &str)]) -> Result<f64> {
        let program = std::env::current_exe().unwrap_or_default();
        let error = |source| Error::Io { path: program.clone(), source };
        let start = Instant::now();
        let status = Command::new(&program)
            .arg("--predict")
            .arg(self.path)
            .args(["--device", self.device])
            .args(if self.in_turn { &["--in-turn", "yes"][..] } else { &[] })
            .env("KERAUNOS_CACHE", caches.ours.path())
            .env("MESA_SHADER_CACHE_DIR", caches.driver.path())
            .envs(more.iter().copied())
            .stdout(Stdio::null())
            .status()
            .map_err(error)?;
        let took = start.elapsed().as_secs_f64();
        if !status.success() {
            return Err(Error::Invalid(format!("the process ended with {status}")));
        }
        Ok(took)
    }
}
