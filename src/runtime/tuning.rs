//! Which kernels are best on which adapters: what was measured, as a file that can be shipped.
//!
//! A table changes which of several kernels computes something, never what is computed: a kernel that
//! cannot compute a problem is not used for it, whatever a table says.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use serde_json::{Map, Value as Json, json};

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::gpu::{Caps, Choices, Gpu, cache_folder, replace_file, shader};
use crate::runtime::Device;

/// Name and version of the file's form.
const SCHEMA: &str = "keraunos-tuned/1";

/// Larger files are refused; a problem takes some 200 bytes.
const MAX_BYTES: u64 = 16 << 20;

/// The name of the file in the cache folder.
const CACHED: &str = "tuned.json";

/// The kernels that were found best, by adapter and problem.
///
/// The file is JSON:
///
/// | key | meaning |
/// | --- | --- |
/// | `schema` | `keraunos-tuned/1`; a reader refuses another number |
/// | `adapters` | a list; each adapter is there once |
/// | · `name`, `driver`, `backend` | the adapter, as `keraunos adapters` names it |
/// | · `kernels` | checksum of the shaders that were measured; other ones were not |
/// | · `problems` | what was measured, by its problem, such as `matmul 1x64x64x64 a_batch` |
/// | ·· `fastest` | name of the kernel that is used |
/// | ·· `seconds` | by its name, the time of each kernel that computes what the host computes |
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tuning {
    adapters: BTreeMap<Adapter, BTreeMap<String, Tuned>>,
}

/// An adapter and the shaders that were measured on it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Adapter {
    name: String,
    driver: String,
    backend: String,
    kernels: String,
}

/// What was measured for one problem.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// The kernel that is used.
    pub fastest: String,
    /// Seconds of each kernel that computes what the host computes, by name.
    pub seconds: BTreeMap<String, f64>,
}

impl Tuning {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Invalid`] when it is no such table.
    pub fn load(path: impl AsRef<Path>) -> Result<Tuning> {
        let path = path.as_ref();
        let mut text = String::new();
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let read = file.take(MAX_BYTES + 1).read_to_string(&mut text);
        read.map_err(|e| Error::io(path, e))?;
        Tuning::parse(&text).at(|| path.display().to_string())
    }

    /// Writes a file, in place of one that is there. Readers see one or the other.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be written; an old file is then untouched.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<()> {
        let text = format!("{:#}\n", self.to_json());
        let path = path.as_ref();
        replace_file(path, &[text.as_bytes()]).map_err(|e| Error::io(path, e))
    }

    /// Where `keraunos tune` keeps its table, which devices use from then on: `tuned.json` in the
    /// [`cache_folder`]. `None` where that is switched off.
    pub fn cached_path() -> Option<PathBuf> {
        cache_folder().map(|folder| folder.join(CACHED))
    }

    /// The table in the cache folder; `None` where there is none, or it cannot be read, which is logged.
    pub fn cached() -> Option<Tuning> {
        let path = Tuning::cached_path()?;
        match Tuning::load(&path) {
            Ok(tuning) => Some(tuning),
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => None,
            Err(reason) => {
                log::warn!("kernels are chosen without measurements: {reason}");
                None
            }
        }
    }

    /// Takes over what another table has; of a problem that both have, the other's.
    pub fn merge(&mut self, other: Tuning) {
        for (adapter, problems) in other.adapters {
            self.adapters.entry(adapter).or_default().extend(problems);
        }
    }

    /// What was measured on a device, by problem.
    pub fn problems(&self, device: &Device) -> impl Iterator<Item = (&str, &Tuned)> {
        let adapter = match device {
            Device::Gpu(gpu) => self.adapters.get(&Adapter::of(gpu.caps())),
            Device::Host => None,
        };
        adapter.into_iter().flatten().map(|(problem, tuned)| (problem.as_str(), tuned))
    }

    /// Notes what was measured on an adapter.
    pub(super) fn insert(&mut self, gpu: &Gpu, problem: String, tuned: Tuned) {
        self.adapters.entry(Adapter::of(gpu.caps())).or_default().insert(problem, tuned);
    }

    pub(super) fn choices(&self, device: &Device) -> Choices {
        let pairs = self.problems(device);
        pairs.map(|(problem, tuned)| (problem.to_owned(), tuned.fastest.clone())).collect()
    }

    /// Why there is nothing for a device; `None` where there is something, and for the host, which has
    /// one kernel for each problem.
    pub fn mismatch(&self, device: &Device) -> Option<String> {
        let Device::Gpu(gpu) = device else { return None };
        let own = Adapter::of(gpu.caps());
        if self.adapters.contains_key(&own) {
            return None;
        }
        let same = |a: &&Adapter| (&a.name, &a.backend) == (&own.name, &own.backend);
        let Some(other) = self.adapters.keys().find(same) else {
            return Some(format!("it has no adapter '{}'", quote(&own.name)));
        };
        let reason = match other.driver == own.driver {
            true => "with other kernels than this version of keraunos has".to_owned(),
            false => format!(
                "with the driver '{}', not with '{}'",
                quote(&other.driver),
                quote(&own.driver)
            ),
        };
        Some(format!("'{}' was measured {reason}", quote(&own.name)))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`Error::Invalid`] when it is no such table.
    pub fn parse(text: &str) -> Result<Tuning> {
        if text.len() as u64 > MAX_BYTES {
            return Err(invalid(&format!("more than {MAX_BYTES} bytes")));
        }
        let json: Json = serde_json::from_str(text).map_err(|e| invalid(&e.to_string()))?;
        if json["schema"] != SCHEMA {
            let found = quote(&json["schema"].to_string());
            return Err(invalid(&format!("its schema is {found} instead of \"{SCHEMA}\"")));
        }
        let adapters = json["adapters"].as_array();
        let adapters = adapters.ok_or_else(|| invalid("'adapters' is no list"))?;
        let mut tuning = Tuning::default();
        for entry in adapters {
            let problems = entry["problems"].as_object();
            let problems = problems.ok_or_else(|| invalid("'problems' is no mapping"))?;
            let problems = problems
                .iter()
                .map(|(problem, tuned)| Ok((problem.clone(), Tuned::parse(problem, tuned)?)))
                .collect::<Result<_>>()?;
            if tuning.adapters.insert(Adapter::parse(entry)?, problems).is_some() {
                return Err(invalid("an adapter is there twice"));
            }
        }
        Ok(tuning)
    }

    fn to_json(&self) -> Json {
        let adapters = self.adapters.iter().map(|(adapter, problems)| {
            let Adapter { name, driver, backend, kernels } = adapter;
            let problems = problems.iter().map(|(problem, tuned)| {
                let Tuned { fastest, seconds } = tuned;
                (problem.clone(), json!({"fastest": fastest, "seconds": seconds}))
            });
            json!({
                "name": name, "driver": driver, "backend": backend, "kernels": kernels,
                "problems": problems.collect::<Map<_, _>>(),
            })
        });
        json!({"schema": SCHEMA, "adapters": adapters.collect::<Vec<_>>()})
    }
}

impl Adapter {
    fn of(caps: &Caps) -> Adapter {
        Adapter {
            name: caps.name.clone(),
            driver: caps.driver.clone(),
            backend: caps.backend.clone(),
            kernels: format!("{:08x}", shader::checksum()),
        }
    }

    fn parse(entry: &Json) -> Result<Adapter> {
        Ok(Adapter {
            name: text(entry, "name")?,
            driver: text(entry, "driver")?,
            backend: text(entry, "backend")?,
            kernels: text(entry, "kernels")?,
        })
    }
}

impl Tuned {
    fn parse(problem: &str, entry: &Json) -> Result<Tuned> {
        let wrong = |what: &str| invalid(&format!("problem '{}': {what}", quote(problem)));
        let fastest = text(entry, "fastest")?;
        let seconds = entry["seconds"].as_object();
        let seconds = seconds.ok_or_else(|| wrong("'seconds' is no mapping"))?;
        let number = |(kernel, time): (&String, &Json)| {
            let time = time.as_f64().filter(|time| time.is_finite() && *time >= 0.0);
            let time = time.ok_or_else(|| wrong(&format!("no time of '{}'", quote(kernel))))?;
            Ok((kernel.clone(), time))
        };
        let seconds = seconds.iter().map(number).collect::<Result<BTreeMap<_, _>>>()?;
        if !seconds.contains_key(&fastest) {
            return Err(wrong(&format!("'{}' was not measured", quote(&fastest))));
        }
        Ok(Tuned { fastest, seconds })
    }
}

fn text(entry: &Json, key: &str) -> Result<String> {
    let text = entry[key].as_str();
    Ok(text.ok_or_else(|| invalid(&format!("'{key}' is no text")))?.to_owned())
}

fn invalid(reason: &str) -> Error {
    Error::Invalid(format!("no table of `keraunos tune`: {reason}; make one anew"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = r#"{"schema": "keraunos-tuned/1", "adapters": [{
        "name": "card", "driver": "d 1", "backend": "vulkan", "kernels": "0",
        "problems": {"matmul 1x2x3x4": {"fastest": "a", "seconds": {"a": 0.5, "b": 1}}}}]}"#;

    #[test]
    fn a_table_is_read_as_it_was_written() {
        let table = Tuning::parse(TABLE).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/tuned.json");
        table.save(&path).unwrap();
        assert_eq!(Tuning::load(&path).unwrap(), table);
        let mut merged = Tuning::default();
        merged.merge(table.clone());
        merged.merge(table.clone());
        assert_eq!(merged, table);
    }

    #[test]
    fn what_is_no_table_is_refused() {
        let changes = [
            ("keraunos-tuned/1", "keraunos-tuned/2"),
            ("\"adapters\"", "\"others\""),
            ("\"d 1\"", "7"),
            ("\"fastest\": \"a\"", "\"fastest\": \"c\""),
            ("\"fastest\": \"a\"", "\"fastest\": null"),
            ("0.5", "-1"),
            ("0.5", "\"fast\""),
            ("{\"a\": 0.5, \"b\": 1}", "[]"),
            ("\"problems\": {", "\"problems\": [{"),
        ];
        for (from, to) in changes {
            let text = TABLE.replace(from, to);
            assert_ne!(text, TABLE);
            assert!(Tuning::parse(&text).is_err(), "{from} -> {to}");
        }
        for len in 0..TABLE.len() {
            assert!(Tuning::parse(&TABLE[..len]).is_err(), "the first {len} bytes");
        }
        assert!(Tuning::parse(&"[".repeat(100_000)).is_err());
    }
}
