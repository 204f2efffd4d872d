//! The set of hostile files, which lies beside the repository.

use std::path::{Path, PathBuf};

use serde_json::Value as Json;

/// A file of the set.
pub struct Case {
    pub id: String,
    /// Its path within the set.
    pub file: String,
    /// What must become of it, such as `reject`.
    pub verdict: String,
    /// The honest model that it was made from.
    pub base: String,
}

fn shared() -> PathBuf {
    std::env::var_os("KERAUNOS_SHARED").map_or("../shared".into(), PathBuf::from)
}

/// Unpacks the set into a folder.
pub fn unpack(to: &Path) {
    let path = shared().join("hostile/hostile.zip");
    let bytes = std::fs::read(&path).unwrap_or_else(|e| {
        panic!("{}: {e}; KERAUNOS_SHARED names the folder that holds hostile/", path.display())
    });
    zip::ZipArchive::new(std::io::Cursor::new(bytes)).unwrap().extract(to).unwrap();
}

/// The cases of a set that is unpacked.
pub fn cases(set: &Path) -> Vec<Case> {
    let text = std::fs::read_to_string(set.join("manifest.json")).unwrap();
    let manifest: Json = serde_json::from_str(&text).unwrap();
    let field = |case: &Json, key: &str| case[key].as_str().unwrap_or_default().to_owned();
    let cases = manifest["cases"].as_array().unwrap().iter();
    cases
        .map(|case| Case {
            id: field(case, "id"),
            file: field(case, "file"),
            verdict: field(case, "verdict"),
            base: field(case, "base"),
        })
        .collect()
}
