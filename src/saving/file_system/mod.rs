//! What saving asks of the operating system.
//!
//! One seam for all of it, so that tests can make any call fail, and can crash between any two.

mod disk;
#[cfg(test)]
pub(in crate::saving) mod memory;

use std::ffi::OsString;
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

pub(crate) use disk::Disk;

/// A file that is being written.
pub(crate) trait NewFile: Write + Seek {
    /// Returns when everything written is on the disk.
    fn sync(&mut self) -> io::Result<()>;
}

/// What stands at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    File,
    Folder,
    /// A device, a pipe, a socket.
    Other,
}

/// Where models are saved.
pub(crate) trait FileSystem {
    /// What stands at a path, behind links; `None` if nothing does.
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>>;

    /// The path behind symbolic links; the path itself where there is none.
    fn resolve(&self, path: &Path) -> io::Result<PathBuf>;

    /// Makes a file where nothing stands; with the mode of an older one, and its owner where the
    /// system allows that.
    fn create(&self, path: &Path, like: Option<&Path>) -> io::Result<Box<dyn NewFile>>;

    /// Makes a folder where nothing stands; with the mode of an older one.
    fn create_folder(&self, path: &Path, like: Option<&Path>) -> io::Result<()>;

    /// Opens a file to be read, from the disk itself where the system lets its cache be left aside.
    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>>;

    /// The names in a folder.
    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>>;

    /// Moves a file or a folder in one step, over a file that stands there.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Moves a file in one step to where nothing stands.
    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Lets two folders change places in one step.
    ///
    /// # Errors
    /// [`io::ErrorKind::Unsupported`] where the system has no such step.
    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()>;

    fn remove_file(&self, path: &Path) -> io::Result<()>;

    /// Removes a folder and what is in it.
    fn remove_folder(&self, path: &Path) -> io::Result<()>;

    /// Returns when the names in a folder are on the disk.
    fn sync_folder(&self, folder: &Path) -> io::Result<()>;
}
