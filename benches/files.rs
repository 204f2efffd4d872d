//! Loading and saving against a plain copy of the same file, and against Keras.
//!
//! ```text
//! KERAUNOS_PYTHON=.venv/bin/python cargo bench --bench files -- --gib 1 --device host --device software
//! ```
//!
//! The file is made first, in the folder for temporary files (`TMPDIR`), so it is read from the system's
//! cache. A device's numbers include planning the network and, for a GPU, waiting for the uploads; those
//! of a save include a flush. Memory is the most that a process of its own held, without the weights.
//! `KERAUNOS_PYTHON` names a Python with Keras, which loads and saves the same file in a process of its
//! own; the time to import it is left out, its memory is not. `--times load|save --model F --copy F`
//! prints only the seconds of one kind of work on a file that is there, as JSON.

mod common;

use std::fs::File;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use common::{Options, Times, describe};
use keraunos::base::{Error, Result, Spec};
use keraunos::layers::Dense;
use keraunos::program;
use keraunos::{DType, Device, LoadOptions, Model, Sequential, load_model_with};

/// Units of each layer: 64 MiB of weights.
const UNITS: usize = 4096;

const MIB: f64 = (1 << 20) as f64;

/// Prints seconds of loads, seconds of saves, and the most memory, after each kind of work, in KiB.
const KERAS: &str = "
import os, sys, time, resource
os.environ['KERAS_BACKEND'] = 'jax'
os.environ['TF_CPP_MIN_LOG_LEVEL'] = '3'
import keras
def times(work):
    work()
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    print(*seconds)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
if sys.argv[3] == 'load':
    times(lambda: keras.saving.load_model(sys.argv[1]))
else:
    model = keras.saving.load_model(sys.argv[1])
    times(lambda: model.save(sys.argv[2]))
";

fn main() -> Result<()> {
    let options = Options::from_command_line();
    if let [work] = options.all("only")[..] {
        return alone(work, &options);
    }
    if let [work] = options.all("times")[..] {
        return timed(work, &options);
    }
    options.heading("files", "a stored .keras file of dense layers");
    let folder =
        tempfile::tempdir().map_err(|source| Error::Io { path: std::env::temp_dir(), source })?;
    for gib in options.numbers("gib", &[1])? {
        let path = folder.path().join("model.keras");
        generate(&path, gib)?;
        let copied = folder.path().join("copy.keras");
        Files { path: &path, copied: &copied }.measure(&options)?;
    }
    Ok(())
}

/// The model's file and where copies of it go.
struct Files<'a> {
    path: &'a Path,
    copied: &'a Path,
}

impl Files<'_> {
    fn measure(&self, options: &Options) -> Result<()> {
        let mib = self.path.metadata().map_or(0, |m| m.len()) as f64 / MIB;
        println!("{mib:.0} MiB");
        let line = |what: &str, times: &Times, note: String| {
            println!("{what:<34} {:>6.0} MiB/s  {times}{note}", mib / times.median());
        };
        let copy = self.copy(false)?;
        line("copy", &copy, String::new());
        let flushed = self.copy(true)?;
        line("copy and flush", &flushed, String::new());
        let keras = |work| self.keras(work, mib);
        let (keras_load, keras_save) = (keras("load")?, keras("save")?);
        for (what, keras) in [("Keras load_model", &keras_load), ("Keras save", &keras_save)] {
            if let Some((times, memory)) = keras {
                line(what, times, format!(", {memory:.0} MiB beside the weights"));
            }
        }
        let report = |what: &str, times: &Times, base: &Times, memory: f64, keras: &Keras| {
            let mut note = format!(", {:.2} copies", times.median() / base.median());
            note += &format!(", {memory:.0} MiB beside the weights");
            if let Some((theirs, their_memory)) = keras {
                let faster = theirs.median() / times.median();
                note += &format!(": {faster:.1} × Keras's speed, ");
                note += &format!("{:.2} of its memory", memory / their_memory);
            }
            line(what, times, note);
        };
        let memory = self.memory("save", "host", 0.0)?;
        report("save, flushed", &self.save()?, &flushed, memory, &keras_save);
        for name in options.or("device", &["host", "gpu"]) {
            let device = Device::open(name)?;
            let memory = self.memory("load", name, mib)?;
            println!("{}", describe(&device));
            report("load", &self.load(&device, true)?, &copy, memory, &keras_load);
            report("load, checked first", &self.load(&device, false)?, &copy, memory, &keras_load);
        }
        Ok(())
    }

    fn copy(&self, flush: bool) -> Result<Times> {
        let work = || -> std::io::Result<()> {
            let mut out = File::create(self.copied)?;
            std::io::copy(&mut File::open(self.path)?, &mut out)?;
            if flush { out.sync_all() } else { Ok(()) }
        };
        Times::of(Duration::ZERO, || {
            work().map_err(|source| Error::Io { path: self.copied.into(), source })
        })
    }

    fn load(&self, device: &Device, lazy: bool) -> Result<Times> {
        Times::of(Duration::ZERO, || load(self.path, device, lazy).map(|_| ()))
    }

    /// A model that was loaded and is saved again under another name.
    fn save(&self) -> Result<Times> {
        let model = load_model_with(self.path, &LoadOptions::default())?;
        Times::of(Duration::ZERO, || model.save(self.copied))
    }

    /// The most memory that a process doing only this work holds, without `weights`, in MiB.
    fn memory(&self, work: &str, device: &str, weights: f64) -> Result<f64> {
        let program = std::env::current_exe().unwrap_or_default();
        let mut command = Command::new(&program);
        command.args(["--only", work, "--device", device, "--model"]).arg(self.path);
        let lines = lines(command.arg("--copy").arg(self.copied))?;
        let peak: f64 = lines.first().and_then(|line| line.parse().ok()).unwrap_or(f64::NAN);
        Ok(peak / MIB - weights)
    }

    /// Times of Keras and its memory beside the weights in MiB, where there is Keras.
    fn keras(&self, work: &str, weights: f64) -> Result<Keras> {
        let python = std::env::var_os("KERAUNOS_PYTHON").filter(|p| p != "none");
        let Some(python) = python else { return Ok(None) };
        let mut command = Command::new(python);
        command.args(["-c", KERAS]).arg(self.path).arg(self.copied).arg(work);
        let lines = lines(&mut command)?;
        let numbers = |line: &String| line.split(' ').map(str::parse).collect::<Result<_, _>>();
        let numbers: Vec<Vec<f64>> =
            lines.iter().map(numbers).collect::<Result<_, _>>().map_err(|error| {
                Error::Invalid(format!("what Keras printed is not a number: {error}"))
            })?;
        let [seconds, peak] = &numbers[..] else {
            return Err(Error::Invalid(format!("Keras printed {} lines", numbers.len())));
        };
        let peak = peak.first().copied().unwrap_or(f64::NAN) * 1024.0 / MIB;
        Ok(Some((Times::from(seconds.clone()), peak - weights)))
    }
}

/// Times, and memory beside the weights in MiB.
type Keras = Option<(Times, f64)>;

fn lines(command: &mut Command) -> Result<Vec<String>> {
    let program = command.get_program().to_owned();
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.map_err(|source| Error::Io { path: program.into(), source })?;
    if !output.status.success() {
        return Err(Error::Invalid(format!("a process ended with {}", output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
}

/// What a process of its own does for its memory to be measured, which it prints in bytes.
fn alone(work: &str, options: &Options) -> Result<()> {
    let path = |name| Path::new(options.or(name, &[""])[0]).to_owned();
    if work == "load" {
        load(&path("model"), &Device::open(options.or("device", &["host"])[0])?, true)?;
    } else {
        load_model_with(path("model"), &LoadOptions::default())?.save(path("copy"))?;
    }
    println!("{}", common::peak_memory().unwrap_or(0));
    Ok(())
}

/// What `benches/peers/run.py` asks of a process: a line of JSON with the seconds of each load or save.
fn timed(work: &str, options: &Options) -> Result<()> {
    let path = |name| Path::new(options.or(name, &[""])[0]).to_owned();
    let span = Duration::from_secs(options.numbers("seconds", &[0])?[0] as u64);
    let times = match work {
        "load" => {
            let device = Device::open(options.or("device", &["host"])[0])?;
            Times::of(span, || load(&path("model"), &device, true).map(|_| ()))?
        }
        "save" => {
            let model = load_model_with(path("model"), &LoadOptions::default())?;
            Times::of(span, || model.save(path("copy")))?
        }
        _ => return Err(Error::Invalid(format!("--times is '{work}', expected load or save"))),
    };
    let version = concat!("keraunos ", env!("CARGO_PKG_VERSION"));
    println!("{}", serde_json::json!({"version": version, "seconds": times.seconds()}));
    Ok(())
}

fn generate(path: &Path, gib: usize) -> Result<()> {
    let mut model = Sequential::new([UNITS]);
    for _ in 0..gib * 16 {
        model = model.add(Dense::new(UNITS));
    }
    model.build()?.save(path)
}

/// Until the network could run: weights in the device's memory.
fn load(path: &Path, device: &Device, lazy: bool) -> Result<Model> {
    let model = load_model_with(path, &LoadOptions { lazy, ..LoadOptions::default() })?;
    let input = Spec::new([1, UNITS], DType::Float32);
    model.compiled(&[input], device, &program::Options::default())?.warm_up()?;
    if let Device::Gpu(gpu) = device {
        gpu.wait()?;
    }
    Ok(model)
}
