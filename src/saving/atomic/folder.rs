//! Folders that take another's place as a whole.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::witness::{Unverified, Witness};
use super::{Replace, name, named, refuse, resolve};
use crate::base::{Error, Result};
use crate::saving::file_system::{FileSystem, Kind};

/// The files of a folder form.
pub(crate) struct FolderForm {
    /// The file that makes a folder one of this form.
    pub(crate) marker: &'static str,
    /// All names that belong to the form; others in the same folder are someone else's.
    pub(crate) names: &'static [&'static str],
}

/// A folder that is written beside its target, or within it, and takes the target's place when it is
/// complete.
///
/// A target that holds a model changes places with the new folder in one step (on systems without
/// such a step the old folder is moved aside first); what else was in it is moved over. A target
/// without a model gets the new files one by one, the marker last. After a crash at most one folder
/// named `.<target>.<random>.tmp` is left behind.
pub(crate) struct AtomicFolder<'a> {
    files: &'a dyn FileSystem,
    form: &'static FolderForm,
    temporary: PathBuf,
    /// Folders within the temporary one.
    folders: Vec<PathBuf>,
    verify: bool,
    unverified: Unverified,
    target: PathBuf,
    old: Old,
    /// Whether the temporary folder is to be removed when this is dropped.
    is_open: bool,
}

/// What stands at the target.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Old {
    Nothing,
    /// A folder without a model.
    Other,
    Model,
}

impl<'a> AtomicFolder<'a> {
    /// Starts a folder that will stand at `path`; folders on the way are made.
    ///
    /// # Errors
    /// If a model is there that must not be replaced, if a file is there, or the system refuses.
    pub(crate) fn create(
        files: &'a dyn FileSystem,
        path: &Path,
        form: &'static FolderForm,
        replace: Replace,
    ) -> Result<AtomicFolder<'a>> {
        let Replace { overwrite, verify } = replace;
        let io = |e| Error::io(path, e);
        let target = resolve(files, path)?;
        let old = match files.kind(&target).map_err(io)? {
            None => Old::Nothing,
            Some(Kind::Folder) => match files.kind(&target.join(form.marker)).map_err(io)? {
                None => Old::Other,
                Some(_) => Old::Model,
            },
            Some(_) => return Err(refuse(path, "it is a file, and a folder is to be written")),
        };
        if old == Old::Model && !overwrite {
            return Err(refuse(path, "it holds a model, and overwriting was not asked for"));
        }
        name::check(path, &target)?;
        let (place, like) = match old {
            Old::Nothing => (name::folder_of(&target), None),
            Old::Other => (target.as_path(), None),
            Old::Model => (name::folder_of(&target), Some(target.as_path())),
        };
        make_folders(files, place).map_err(io)?;
        let made = name::temporary(place, &target, |path| files.create_folder(path, like));
        let (temporary, ()) = made.map_err(io)?;
        Ok(AtomicFolder {
            files,
            form,
            temporary,
            folders: Vec::new(),
            verify,
            unverified: Unverified::default(),
            target,
            old,
            is_open: true,
        })
    }

    /// Makes a folder within the folder, at a path of parts between `/`, and those on the way to it.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn folder(&mut self, path: &str) -> Result<()> {
        let mut at = self.temporary.clone();
        for part in path.split('/') {
            at.push(part);
            if !self.folders.contains(&at) {
                self.files.create_folder(&at, None).map_err(|e| self.io(e))?;
                self.folders.push(at.clone());
            }
        }
        Ok(())
    }

    /// Writes a file within the folder, at a path of parts between `/`.
    ///
    /// # Errors
    /// Those of `write`, and what the system refuses.
    pub(crate) fn file(
        &mut self,
        path: &str,
        write: impl FnOnce(&mut Witness) -> Result<()>,
    ) -> Result<()> {
        if let Some((folder, _)) = path.rsplit_once('/') {
            self.folder(folder)?;
        }
        let path = self.temporary.join(path);
        let file = self.files.create(&path, None).map_err(|e| self.io(e))?;
        let mut file = Witness::new(file, self.verify);
        write(&mut file).map_err(|e| named(e, &self.target))?;
        let record = file.sync().map_err(|e| self.io(e))?;
        self.unverified.add(path, record);
        Ok(())
    }

    /// Writes a file within the folder as a whole.
    ///
    /// # Errors
    /// If the system refuses.
    pub(crate) fn bytes(&mut self, path: &str, bytes: &[u8]) -> Result<()> {
        self.file(path, |out| out.write_all(bytes).map_err(|e| Error::io("", e)))
    }

    /// Makes the folder durable, verifies its files where that is asked for, and puts it in the target's place.
    ///
    /// # Errors
    /// If the system refuses; the message says so if the new folder is in place already.
    pub(crate) fn commit(mut self) -> Result<()> {
        self.sync().map_err(|e| self.io(e))?;
        self.unverified.check(self.files).map_err(|e| Error::io(&self.target, e))?;
        match self.old {
            Old::Nothing => self.appear().map_err(|e| self.io(e)),
            Old::Other => self.fill().map_err(|e| self.io(e)),
            Old::Model => self.replace(),
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.folders.iter().try_for_each(|folder| self.files.sync_folder(folder))?;
        self.files.sync_folder(&self.temporary)
    }

    fn appear(&mut self) -> io::Result<()> {
        self.files.rename(&self.temporary, &self.target)?;
        self.is_open = false;
        self.files.sync_folder(name::folder_of(&self.target))
    }

    /// Moves the files into a folder that holds no model; it holds one when the marker is there.
    fn fill(&mut self) -> io::Result<()> {
        let files = self.files;
        let marker = |folder: &Path| folder.join(self.form.marker);
        let (from, to) = (marker(&self.temporary), marker(&self.target));
        merge(files, &self.temporary, &self.target, &|path| path != from)?;
        files.rename(&from, &to)?;
        files.sync_folder(&self.target)
    }

    fn replace(&mut self) -> Result<()> {
        let moved = match self.files.exchange(&self.temporary, &self.target) {
            Err(e) if e.kind() == io::ErrorKind::Unsupported => self.step_aside(),
            moved => moved,
        };
        moved.map_err(|e| self.io(e))?;
        // The temporary folder is the old one from here on, and may hold what is not ours.
        self.is_open = false;
        self.clear_old().map_err(|e| {
            let (new, old) = (self.target.display(), self.temporary.display());
            Error::Invalid(format!(
                "'{new}' is saved, but the folder that it replaced is left at '{old}': {e}"
            ))
        })
    }

    /// Two steps where one is not to be had.
    fn step_aside(&mut self) -> io::Result<()> {
        let place = name::folder_of(&self.target);
        let aside = |path: &Path| self.files.rename(&self.target, path);
        let (old, ()) = name::temporary(place, &self.target, aside)?;
        let moved = self.files.sync_folder(place);
        let moved = moved.and_then(|()| self.files.rename(&self.temporary, &self.target));
        if let Err(error) = moved {
            self.files.rename(&old, &self.target)?;
            return Err(error);
        }
        self.temporary = old;
        Ok(())
    }

    fn clear_old(&self) -> io::Result<()> {
        self.files.sync_folder(name::folder_of(&self.target))?;
        for name in self.files.names(&self.temporary)? {
            if !self.form.names.iter().any(|ours| OsStr::new(ours) == name) {
                self.files.rename(&self.temporary.join(&name), &self.target.join(&name))?;
            }
        }
        self.files.sync_folder(&self.target)?;
        self.files.remove_folder(&self.temporary)
    }

    fn io(&self, error: io::Error) -> Error {
        Error::io(&self.target, error)
    }
}

impl Drop for AtomicFolder<'_> {
    fn drop(&mut self) {
        if !self.is_open {
            return;
        }
        if let Err(error) = self.files.remove_folder(&self.temporary) {
            log::warn!("left behind: '{}' ({error})", self.temporary.display());
        }
    }
}

/// Makes a folder and those on the way to it, durably.
fn make_folders(files: &dyn FileSystem, path: &Path) -> io::Result<()> {
    if files.kind(path)?.is_some() {
        return Ok(());
    }
    let parent = name::folder_of(path);
    make_folders(files, parent)?;
    files.create_folder(path, None)?;
    files.sync_folder(parent)
}

/// Moves the files of a folder, and of those in it, to the same places in another.
fn merge(
    files: &dyn FileSystem,
    from: &Path,
    to: &Path,
    wanted: &dyn Fn(&Path) -> bool,
) -> io::Result<()> {
    for name in files.names(from)? {
        let (from, to) = (from.join(&name), to.join(&name));
        if files.kind(&from)? == Some(Kind::Folder) {
            if files.kind(&to)?.is_none() {
                files.create_folder(&to, None)?;
            }
            merge(files, &from, &to, wanted)?;
        } else if wanted(&from) {
            files.rename(&from, &to)?;
        }
    }
    files.sync_folder(to)
}
