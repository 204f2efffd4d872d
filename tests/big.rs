//! A model of 1 GiB, which `tests/keras/make_big.py` writes (`make test` does it): loaded and saved
//! in a memory that does not depend on its size.
#![cfg(target_os = "linux")]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const MIB: u64 = 1 << 20;

/// What a command may hold besides the weights that it must hold.
const OVERHEAD: u64 = 128 * MIB;

fn big() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras/big.keras");
    assert!(path.exists(), "{} is missing: run `make test`", path.display());
    path
}

/// Runs the tool; gives the most memory it held at any time, in bytes, as the system counts it.
fn peak(arguments: &[&Path]) -> u64 {
    let mut child = Command::new(env!("CARGO_BIN_EXE_keraunos"))
        .args(arguments)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    loop {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|l| l.strip_prefix("VmHWM:"));
        let kib = line.and_then(|l| l.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kib.unwrap_or(0) * 1024);
        if let Some(code) = child.try_wait().unwrap() {
            assert!(code.success(), "{arguments:?}: {code}");
            return peak;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn p(text: &str) -> &Path {
    Path::new(text)
}

#[test]
fn memory_does_not_grow_with_the_model() {
    let (big, folder) = (big(), tempfile::tempdir().unwrap());
    let weights = std::fs::metadata(&big).unwrap().len();
    assert!(weights > 1000 * MIB, "the big model is {weights} bytes");
    let small = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models/mlp.keras");
    let copy = folder.path().join("copy.keras");

    // From file to file: no tensor is ever in memory as a whole.
    let through = peak(&[p("convert"), &big, &copy]);
    println!("file to file: {} MiB", through / MIB);
    assert!(through < OVERHEAD, "{through} bytes from file to file");

    // Through a device. A software adapter keeps its buffers in host memory, and its driver needs
    // memory of its own, which a small model shows.
    for device in ["host", "gpu"] {
        let convert = |model: &Path| peak(&[p("convert"), model, &copy, p("--device"), p(device)]);
        let (driver, through) = (convert(&small), convert(&big));
        let own = through.saturating_sub(weights).saturating_sub(driver);
        println!(
            "through {device}: {} MiB for {} MiB of weights; a small model {} MiB",
            through / MIB,
            weights / MIB,
            driver / MIB
        );
        assert!(own < OVERHEAD, "{own} bytes beyond weights and driver on {device}");
    }
}

#[test]
fn the_big_model_predicts_what_keras_does() {
    let (big, inputs) = (big(), big().with_extension("npz"));
    for device in ["host", "gpu"] {
        let model: [&Path; 8] = [
            p("compare"),
            &big,
            p("--inputs"),
            &inputs,
            p("--expected"),
            &inputs,
            p("--device"),
            p(device),
        ];
        let done = Command::new(env!("CARGO_BIN_EXE_keraunos")).args(model).output().unwrap();
        assert!(done.status.success(), "{device}: {}", String::from_utf8_lossy(&done.stdout));
    }
}
