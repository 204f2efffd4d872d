//! Names of temporary files and folders, beside what they will replace.

use std::hash::{BuildHasher as _, RandomState};
use std::io;
use std::path::{Path, PathBuf};

use super::refuse;
use crate::base::Result;

/// How often another name is tried when one is taken.
const ATTEMPTS: usize = 100;
/// Names are bounded by the file system; the random part and the ending need some room.
const NAME_CHARS: usize = 50;

/// The folder that a path is in.
pub(super) fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Refuses what cannot be the name of a file.
pub(super) fn check(path: &Path, target: &Path) -> Result<()> {
    match target.file_name() {
        Some(_) => Ok(()),
        None => Err(refuse(path, "it names no file")),
    }
}

/// Makes something in `folder` under a name that nothing has: `.<name of target>.<random>.tmp`.
pub(super) fn temporary<T>(
    folder: &Path,
    target: &Path,
    create: impl Fn(&Path) -> io::Result<T>,
) -> io::Result<(PathBuf, T)> {
    let name = target.file_name().unwrap_or_default().to_string_lossy();
    let name: String = name.chars().take(NAME_CHARS).collect();
    for attempt in 0..ATTEMPTS {
        // A hasher of the standard library has random keys, new for each.
        let random = RandomState::new().hash_one(attempt) as u32;
        let path = folder.join(format!(".{name}.{random:08x}.tmp"));
        match create(&path) {
            Ok(made) => return Ok((path, made)),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
