//! What the benches share: options, headings, repeated measurements.
#![allow(dead_code, reason = "each bench uses a part")]

use keraunos::base::{Error, Result};
use keraunos::runtime::Device;
pub use keraunos::runtime::Times;

/// The options behind `--` of `cargo bench`: pairs of `--name value`.
pub struct Options(Vec<String>);

impl Options {
    pub fn from_command_line() -> Options {
        Options(std::env::args().skip(1).collect())
    }

    /// All values given for a name.
    pub fn all(&self, name: &str) -> Vec<&str> {
        let pairs = self.0.windows(2).filter(|pair| pair[0].strip_prefix("--") == Some(name));
        pairs.map(|pair| pair[1].as_str()).collect()
    }

    /// The values given for a name, or those that go without saying.
    pub fn or<'a>(&'a self, name: &str, usual: &[&'a str]) -> Vec<&'a str> {
        let given = self.all(name);
        if given.is_empty() { usual.to_vec() } else { given }
    }

    /// The numbers given for a name, or those that go without saying.
    pub fn numbers(&self, name: &str, usual: &[usize]) -> Result<Vec<usize>> {
        let number = |text: &str| {
            text.parse()
                .map_err(|_| Error::Invalid(format!("--{name} is '{text}', expected a number")))
        };
        let given = self.all(name);
        if given.is_empty() { Ok(usual.to_vec()) } else { given.into_iter().map(number).collect() }
    }

    /// The devices given by `--device`, or the host and a GPU, a software one if need be.
    pub fn devices(&self) -> Result<Vec<Device>> {
        self.or("device", &["host", "gpu"]).into_iter().map(Device::open).collect()
    }

    /// Prints what is measured and how to do it again.
    pub fn heading(&self, bench: &str, what: &str) {
        let options: Vec<&str> =
            self.0.iter().map(String::as_str).filter(|o| *o != "--bench").collect();
        let dashes = if options.is_empty() { "" } else { " -- " };
        println!("# {what}\n# cargo bench --bench {bench}{dashes}{}", options.join(" "));
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        println!("# {cores} processor cores; one run not counted, then median (least to most)");
    }
}

/// One line about a device: name, kind, interface and driver.
pub fn describe(device: &Device) -> String {
    match device {
        Device::Gpu(gpu) => format!("{device}, {}", gpu.caps().driver),
        Device::Host => device.to_string(),
    }
}

/// The most memory that this process has held at one time, in bytes, where the system tells.
pub fn peak_memory() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
}
