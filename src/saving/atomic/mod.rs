//! Files and folders that appear under their name only when they are complete.

mod folder;
mod name;
#[cfg(test)]
mod tests;
mod witness;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use crate::base::{Error, Result};
use crate::saving::file_system::{Disk, FileSystem, Kind};
use witness::Witness;

pub(super) use folder::{AtomicFolder, FolderForm};

/// How a file or a folder takes the place of what stands at its path.
#[derive(Clone, Copy, Debug)]
pub struct Replace {
    /// Whether something may stand there.
    pub overwrite: bool,
    /// Reads what was written before it takes its place, from the disk where the system lets its cache
    /// be left aside, and compares checksums: a save takes longer by the time of reading.
    pub verify: bool,
}

impl Default for Replace {
    fn default() -> Replace {
        Replace { overwrite: true, verify: false }
    }
}

/// A file that is written beside its target and takes the target's place in one step.
///
/// Until [`AtomicFile::commit`] has put it there the target keeps its old contents, or stays absent.
/// If the file is dropped before, the temporary file is removed; after a crash at most one file
/// named `.<target>.<random>.tmp` is left behind, which can be deleted.
///
/// A target that is a symbolic link is resolved, so the link stays. Mode bits of an old file are
/// kept, and its owner where the system allows it; a new file gets what the umask leaves of 0666.
/// Other hard links to an old file keep the old contents.
pub(crate) struct AtomicFile<'a> {
    files: &'a dyn FileSystem,
    /// Open until it is committed.
    file: Option<Witness>,
    temporary: PathBuf,
    target: PathBuf,
    overwrite: bool,
}

impl<'a> AtomicFile<'a> {
    /// Starts a file that will stand at `path`.
    ///
    /// # Errors
    /// If the target exists and must not be replaced, is a folder or a device, is a link to
    /// nowhere, or its folder is missing or cannot be written.
    pub(crate) fn create(
        files: &'a dyn FileSystem,
        path: &Path,
        replace: Replace,
    ) -> Result<AtomicFile<'a>> {
        let Replace { overwrite, verify } = replace;
        let target = resolve(files, path)?;
        let old = match files.kind(&target).map_err(|e| Error::io(path, e))? {
            Some(Kind::Folder) => return Err(refuse(path, "it is a folder")),
            Some(Kind::Other) => return Err(refuse(path, "it is a device or a pipe")),
            Some(Kind::File) if !overwrite => {
                return Err(refuse(path, "it exists, and overwriting was not asked for"));
            }
            Some(Kind::File) => Some(target.as_path()),
            None => None,
        };
        let folder = name::folder_of(&target);
        name::check(path, &target)?;
        if files.kind(folder).map_err(|e| Error::io(path, e))? != Some(Kind::Folder) {
            return Err(refuse(path, "its folder does not exist; create it first"));
        }
        let create = |temporary: &Path| files.create(temporary, old);
        let made = name::temporary(folder, &target, create);
        let (temporary, file) = made.map_err(|e| Error::io(path, e))?;
        let file = Some(Witness::new(file, verify));
        Ok(AtomicFile { files, file, temporary, target, overwrite })
    }

    /// Writes to the temporary file.
    ///
    /// # Errors
    /// Those of `write`; an [`Error::Io`] without a path gets that of the target.
    pub(crate) fn write(&mut self, write: impl FnOnce(&mut Witness) -> Result<()>) -> Result<()> {
        let closed = || Error::Internal("a file is written to after it was closed".into());
        let file = self.file.as_mut().ok_or_else(closed)?;
        write(file).map_err(|e| named(e, &self.target))
    }

    /// Makes the file durable, verifies it where that is asked for, and puts it in the target's place.
    ///
    /// # Errors
    /// If the system refuses; the target then keeps its old contents, except that it may already
    /// be replaced when the last step, making the folder durable, fails.
    pub(crate) fn commit(self) -> Result<()> {
        self.place()?.finish()
    }

    /// All of [`commit`](AtomicFile::commit) but the last step.
    ///
    /// # Errors
    /// If the system refuses; the target keeps its old contents.
    pub(crate) fn place(mut self) -> Result<Placed<'a>> {
        let io = |e| Error::io(&self.target, e);
        let synced = self.file.as_mut().map(Witness::sync).transpose().map_err(io)?;
        if let Some(record) = synced.flatten() {
            record.check(self.files, &self.temporary).map_err(io)?;
        }
        let (from, to) = (&self.temporary, &self.target);
        let moved = match self.overwrite {
            true => self.files.rename(from, to),
            false => self.files.rename_new(from, to),
        };
        moved.map_err(io)?;
        self.file = None;
        Ok(Placed { files: self.files, target: self.target.clone() })
    }

    fn discard(&self) {
        if let Err(error) = self.files.remove_file(&self.temporary) {
            log::warn!("left behind: '{}' ({error})", self.temporary.display());
        }
    }
}

impl Drop for AtomicFile<'_> {
    fn drop(&mut self) {
        if self.file.take().is_some() {
            self.discard();
        }
    }
}

/// A complete file under its name; only a crash of the machine can still take it away.
pub(crate) struct Placed<'a> {
    files: &'a dyn FileSystem,
    target: PathBuf,
}

impl Placed<'_> {
    /// Makes the name durable.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn finish(self) -> Result<()> {
        let synced = self.files.sync_folder(name::folder_of(&self.target));
        synced.map_err(|e| Error::io(&self.target, e))
    }
}

/// Writes a file that appears in one step.
///
/// # Errors
/// If the target exists and must not be replaced, cannot be written to, or the system refuses; an
/// old file is then as it was.
pub fn write(path: &Path, bytes: &[u8], replace: Replace) -> Result<()> {
    let mut file = AtomicFile::create(&Disk, path, replace)?;
    file.write(|out| out.write_all(bytes).map_err(|e| Error::io("", e)))?;
    file.commit()
}

/// Whether a file can be written at a path, which stays as it is.
///
/// # Errors
/// As those of [`write`] before it writes.
pub(super) fn try_create(path: &Path) -> Result<()> {
    AtomicFile::create(&Disk, path, Replace::default()).map(drop)
}

/// The path behind a symbolic link, or the path itself.
fn resolve(files: &dyn FileSystem, path: &Path) -> Result<PathBuf> {
    files.resolve(path).map_err(|e| refuse(path, &format!("it is a link that leads nowhere ({e})")))
}

fn refuse(path: &Path, what: &str) -> Error {
    Error::Invalid(format!("cannot write '{}': {what}", path.display()))
}

/// Gives an error of a writer the path of its file.
fn named(error: Error, path: &Path) -> Error {
    match error {
        Error::Io { path: empty, source } if empty.as_os_str().is_empty() => {
            Error::io(path, source)
        }
        other => other,
    }
}
