//! The folder in which what was found out about adapters is kept between processes.

use std::ffi::OsString;
use std::io::{Result, Write};
use std::path::{Path, PathBuf};

/// The environment variable that moves the folder or switches it off.
const ENVIRONMENT: &str = "KERAUNOS_CACHE";

/// `keraunos` under the user's cache folder. `KERAUNOS_CACHE` names another folder, or is `off`: then,
/// and where the user has no folder, there is none. It need not exist.
pub fn cache_folder() -> Option<PathBuf> {
    folder(&|name| std::env::var_os(name))
}

/// The folder, given the environment.
fn folder(variable: &dyn Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    let set = |name: &str| variable(name).filter(|value| !value.is_empty());
    if let Some(chosen) = set(ENVIRONMENT) {
        return (chosen != "off").then(|| chosen.into());
    }
    let base = if cfg!(windows) {
        PathBuf::from(set("LOCALAPPDATA")?)
    } else if cfg!(target_os = "macos") {
        Path::new(&set("HOME")?).join("Library/Caches")
    } else {
        // The specification of these folders says that relative paths are to be ignored.
        let own = set("XDG_CACHE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        own.or_else(|| Some(Path::new(&set("HOME")?).join(".cache")))?
    };
    Some(base.join("keraunos"))
}

/// Replaces a file by these parts, one after the other: readers see the old file or the new one. Its
/// folder is made where there is none.
///
/// # Errors
/// Those of the file system; the old file is then untouched.
pub fn replace_file(path: &Path, parts: &[&[u8]]) -> Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    create_folder(folder)?;
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    parts.iter().try_for_each(|part| file.write_all(part))?;
    file.persist(path).map(|_| ()).map_err(|e| e.error)
}

/// Makes a folder that only its owner can write in: what lies there goes to the driver.
fn create_folder(folder: &Path) -> Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_decides_the_folder() {
        let with = |pairs: &'static [(&str, &str)]| {
            folder(&|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| v.into()))
        };
        assert_eq!(with(&[(ENVIRONMENT, "off"), ("HOME", "/home/me")]), None);
        assert_eq!(with(&[(ENVIRONMENT, "/fast")]), Some("/fast".into()));
        assert_eq!(with(&[]), None);
        if cfg!(all(unix, not(target_os = "macos"))) {
            let home = Some("/home/me/.cache/keraunos".into());
            assert_eq!(with(&[("HOME", "/home/me"), (ENVIRONMENT, "")]), home);
            assert_eq!(with(&[("HOME", "/home/me"), ("XDG_CACHE_HOME", "relative")]), home);
            assert_eq!(with(&[("XDG_CACHE_HOME", "/var")]), Some("/var/keraunos".into()));
        }
    }
}
