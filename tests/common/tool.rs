//! The command line tool as a child process.
#![allow(dead_code, reason = "each test file uses a part")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)
}

pub fn model(name: &str) -> String {
    fixture(&format!("{name}.keras")).display().to_string()
}

pub fn arrays(name: &str) -> String {
    fixture(&format!("{name}.npz")).display().to_string()
}

/// Runs the tool on the host device.
pub fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keraunos"));
    command.args(args).env("KERAUNOS_DEVICE", "host").env_remove("RUST_LOG");
    // Mesa's driver prints a line of its own where no session has set it.
    command.env("XDG_RUNTIME_DIR", std::env::temp_dir());
    command.output().expect("keraunos starts")
}

/// What it printed, after success.
pub fn succeed(args: &[&str]) -> String {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{args:?}: {}\n{stderr}", output.status);
    String::from_utf8(output.stdout).expect("UTF-8")
}

/// The one line on standard error, after the given exit code.
pub fn fail(args: &[&str], code: i32) -> String {
    let output = run(args);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(code), "{args:?}: {stderr}");
    let mut lines = stderr.lines().filter(|line| !line.starts_with("device: "));
    let line = lines.next().expect("a line").to_owned();
    assert_eq!(lines.next(), None, "{args:?}: more than one line");
    assert!(line.starts_with("error: "), "{line}");
    line
}

/// A temporary folder.
pub struct Folder(pub TempDir);

impl Folder {
    pub fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    pub fn path(&self, name: &str) -> String {
        self.0.path().join(name).display().to_string()
    }
}
