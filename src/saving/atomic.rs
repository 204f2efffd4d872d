//! Files that appear under their name only when they are complete.

use std::fs::{File, Metadata, Permissions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::base::{Error, Result};

/// A file that is written beside its target and takes the target's place in one step.
///
/// Until [`AtomicFile::commit`] returns `Ok` the target keeps its old contents, or stays absent.
/// If the file is dropped before, the temporary file is removed; after a crash at most one file
/// named `.<target>.<random>.tmp` is left behind, which can be deleted.
///
/// A target that is a symbolic link is resolved, so the link stays. Mode bits of an old file are
/// kept, and its owner where the system allows it; a new file gets what the umask leaves of 0666.
/// Other hard links to an old file keep the old contents.
pub struct AtomicFile {
    file: NamedTempFile,
    target: PathBuf,
    folder: PathBuf,
    overwrite: bool,
}

impl AtomicFile {
    /// Starts a file that will stand at `path`.
    ///
    /// # Errors
    /// If the target exists and `overwrite` is false, is a folder or a device, is a link to
    /// nowhere, or its folder is missing or cannot be written.
    pub fn create(path: &Path, overwrite: bool) -> Result<AtomicFile> {
        let target = resolve(path)?;
        let old = check_target(path, &target, overwrite)?;
        let name = target.file_name().map(|name| name.to_string_lossy().into_owned());
        let name = name.ok_or_else(|| refuse(path, "names no file"))?;
        let folder = match target.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder.to_path_buf(),
            _ => PathBuf::from("."),
        };
        if !folder.is_dir() {
            return Err(refuse(path, "its folder does not exist; create it first"));
        }
        let file = temporary(&name, &folder, old.as_ref()).map_err(|e| Error::io(path, e))?;
        Ok(AtomicFile { file, target, folder, overwrite })
    }

    /// The temporary file, for writing.
    pub fn file(&mut self) -> &mut File {
        self.file.as_file_mut()
    }

    /// Makes the file durable and puts it in the target's place.
    ///
    /// # Errors
    /// If the system refuses; the target then keeps its old contents, except that it may already
    /// be replaced when the last step, making the folder durable, fails.
    pub fn commit(self) -> Result<()> {
        let AtomicFile { file, target, folder, overwrite } = self;
        let io = |e| Error::io(&target, e);
        file.as_file().sync_all().map_err(io)?;
        let moved = if overwrite { file.persist(&target) } else { file.persist_noclobber(&target) };
        moved.map_err(|e| io(e.error))?;
        sync_folder(&folder).map_err(io)
    }
}

/// Writes a file that appears in one step.
///
/// # Errors
/// As [`AtomicFile::create`] and [`AtomicFile::commit`].
pub fn write(path: &Path, bytes: &[u8], overwrite: bool) -> Result<()> {
    let mut file = AtomicFile::create(path, overwrite)?;
    file.file().write_all(bytes).map_err(|e| Error::io(path, e))?;
    file.commit()
}

fn refuse(path: &Path, what: &str) -> Error {
    Error::Invalid(format!("cannot write '{}': {what}", path.display()))
}

/// The path behind a symbolic link, or the path itself.
fn resolve(path: &Path) -> Result<PathBuf> {
    let is_link = path.symlink_metadata().is_ok_and(|meta| meta.file_type().is_symlink());
    if !is_link {
        return Ok(path.into());
    }
    path.canonicalize().map_err(|e| refuse(path, &format!("it is a link that leads nowhere ({e})")))
}

/// The old file's metadata, when there is one that may be replaced.
fn check_target(path: &Path, target: &Path, overwrite: bool) -> Result<Option<Metadata>> {
    let old = match target.metadata() {
        Ok(old) => old,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(Error::io(path, e)),
    };
    if old.is_dir() {
        return Err(refuse(path, "it is a folder"));
    }
    if !old.is_file() {
        return Err(refuse(path, "it is a device or a pipe"));
    }
    if !overwrite {
        return Err(refuse(path, "it exists, and overwriting was not asked for"));
    }
    Ok(Some(old))
}

fn temporary(name: &str, folder: &Path, old: Option<&Metadata>) -> io::Result<NamedTempFile> {
    // Names are bounded by the file system; the random part and the ending need some room.
    let name: String = name.chars().take(50).collect();
    let prefix = format!(".{name}.");
    let mut builder = tempfile::Builder::new();
    builder.prefix(&prefix).suffix(".tmp");
    let file = match new_file_permissions() {
        Some(permissions) => builder.permissions(permissions).tempfile_in(folder)?,
        None => builder.tempfile_in(folder)?,
    };
    if let Some(old) = old {
        keep_owner_and_mode(file.as_file(), old)?;
    }
    Ok(file)
}

/// What the system's umask is applied to; temporary files would otherwise be private.
#[cfg(unix)]
fn new_file_permissions() -> Option<Permissions> {
    Some(std::os::unix::fs::PermissionsExt::from_mode(0o666))
}

#[cfg(not(unix))]
fn new_file_permissions() -> Option<Permissions> {
    None
}

#[cfg(unix)]
fn keep_owner_and_mode(file: &File, old: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let new = file.metadata()?;
    if (new.uid(), new.gid()) != (old.uid(), old.gid()) {
        // Only a privileged process may give files away; others keep the new owner.
        let _allowed = fchown(file, Some(old.uid()), Some(old.gid()));
    }
    file.set_permissions(old.permissions())
}

#[cfg(not(unix))]
fn keep_owner_and_mode(_file: &File, _old: &Metadata) -> io::Result<()> {
    Ok(())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn write(path: &Path, overwrite: bool, text: &str) -> Result<()> {
        let mut file = AtomicFile::create(path, overwrite)?;
        file.file().write_all(text.as_bytes()).unwrap();
        file.commit()
    }

    fn names(folder: &Path) -> Vec<String> {
        let items = std::fs::read_dir(folder).unwrap();
        items.map(|item| item.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn the_old_file_stays_until_the_new_one_is_complete() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.keras");
        write(&path, false, "old").unwrap();
        let mut unfinished = AtomicFile::create(&path, true).unwrap();
        unfinished.file().write_all(b"new").unwrap();
        assert_eq!(names(folder.path()).len(), 2);
        drop(unfinished);
        assert_eq!(names(folder.path()), ["model.keras"]);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "old");
        assert!(write(&path, false, "new").unwrap_err().to_string().contains("exists"));
        write(&path, true, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn targets_that_are_no_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (path, what) in [
            (folder.path().to_path_buf(), "folder"),
            (folder.path().join("missing/model.keras"), "does not exist"),
            (PathBuf::from(""), "names no file"),
        ] {
            let message = write(&path, true, "x").unwrap_err().to_string();
            assert!(message.contains(what), "{message}");
        }
        assert!(names(folder.path()).is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn links_and_modes_are_kept() {
        use std::os::unix::fs::{PermissionsExt, symlink};
        let folder = tempfile::tempdir().unwrap();
        let (real, link) = (folder.path().join("real"), folder.path().join("link"));
        write(&real, false, "old").unwrap();
        std::fs::set_permissions(&real, Permissions::from_mode(0o640)).unwrap();
        symlink("real", &link).unwrap();
        write(&link, true, "new").unwrap();
        assert!(link.symlink_metadata().unwrap().file_type().is_symlink());
        assert_eq!(std::fs::read_to_string(&real).unwrap(), "new");
        assert_eq!(real.metadata().unwrap().permissions().mode() & 0o777, 0o640);
        symlink("nowhere", folder.path().join("dangling")).unwrap();
        let message = write(&folder.path().join("dangling"), true, "x").unwrap_err().to_string();
        assert!(message.contains("leads nowhere"), "{message}");
        assert!(AtomicFile::create(Path::new("/dev/null"), true).is_err());
    }

    #[cfg(unix)]
    #[test]
    fn new_files_get_what_the_umask_leaves() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (ours, plain) = (folder.path().join("ours"), folder.path().join("plain"));
        write(&ours, false, "").unwrap();
        File::create(&plain).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode();
        assert_eq!(mode(&ours), mode(&plain));
    }
}
