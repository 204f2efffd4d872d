//! The real file system.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::{FileSystem, Kind, NewFile};

/// The file system of this machine.
pub(crate) struct Disk;

impl NewFile for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl FileSystem for Disk {
    fn kind(&self, path: &Path) -> io::Result<Option<Kind>> {
        match fs::metadata(path) {
            Ok(found) if found.is_file() => Ok(Some(Kind::File)),
            Ok(found) if found.is_dir() => Ok(Some(Kind::Folder)),
            Ok(_) => Ok(Some(Kind::Other)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    }

    fn resolve(&self, path: &Path) -> io::Result<PathBuf> {
        let is_link = path.symlink_metadata().is_ok_and(|found| found.file_type().is_symlink());
        if is_link { path.canonicalize() } else { Ok(path.into()) }
    }

    fn create(&self, path: &Path, like: Option<&Path>) -> io::Result<Box<dyn NewFile>> {
        // The system's umask applies to a new file, as to any other that a program makes.
        let file = File::create_new(path)?;
        if let Some(old) = like {
            let kept = keep_owner(&file, old).and_then(|()| keep_mode(path, old));
            if let Err(error) = kept {
                drop(file);
                fs::remove_file(path)?;
                return Err(error);
            }
        }
        Ok(Box::new(file))
    }

    fn create_folder(&self, path: &Path, like: Option<&Path>) -> io::Result<()> {
        fs::create_dir(path)?;
        like.map_or(Ok(()), |old| keep_mode(path, old))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn Read>> {
        let file = File::open(path)?;
        leave_cache(&file);
        Ok(Box::new(file))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<OsString>> {
        fs::read_dir(folder)?.map(|entry| Ok(entry?.file_name())).collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn rename_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        // A link is made only where nothing stands; a rename would replace what stands there.
        match fs::hard_link(from, to) {
            Ok(()) => fs::remove_file(from),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Err(e),
            // Some file systems have no links. Another program may come between the two calls.
            Err(_) if to.symlink_metadata().is_err() => fs::rename(from, to),
            Err(_) => Err(io::ErrorKind::AlreadyExists.into()),
        }
    }

    fn exchange(&self, a: &Path, b: &Path) -> io::Result<()> {
        exchange(a, b)
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn remove_folder(&self, path: &Path) -> io::Result<()> {
        fs::remove_dir_all(path)
    }

    fn sync_folder(&self, folder: &Path) -> io::Result<()> {
        sync_folder(folder)
    }
}

fn keep_mode(new: &Path, old: &Path) -> io::Result<()> {
    fs::set_permissions(new, fs::metadata(old)?.permissions())
}

#[cfg(unix)]
fn keep_owner(new: &File, old: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt, fchown};
    let (new_owner, old_owner) = (new.metadata()?, fs::metadata(old)?);
    if (new_owner.uid(), new_owner.gid()) != (old_owner.uid(), old_owner.gid()) {
        // Only a privileged process may give files away; others keep the new owner.
        let _allowed = fchown(new, Some(old_owner.uid()), Some(old_owner.gid()));
    }
    Ok(())
}

#[cfg(not(unix))]
fn keep_owner(_new: &File, _old: &Path) -> io::Result<()> {
    Ok(())
}

/// Asks the system to forget what its cache holds of a file; what is not on the disk stays.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn leave_cache(file: &File) {
    // A hint: a file system without it gives what its cache holds.
    let _asked = rustix::fs::fadvise(file, 0, None, rustix::fs::Advice::DontNeed);
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn leave_cache(_file: &File) {}

#[cfg(any(target_os = "linux", target_os = "android", target_vendor = "apple"))]
fn exchange(a: &Path, b: &Path) -> io::Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    use rustix::io::Errno;
    renameat_with(CWD, a, CWD, b, RenameFlags::EXCHANGE).map_err(|error| match error {
        // File systems without this step say one of these.
        Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP => io::ErrorKind::Unsupported.into(),
        other => other.into(),
    })
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(_a: &Path, _b: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}
