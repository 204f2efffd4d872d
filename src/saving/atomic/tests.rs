//! On the real file system.

use std::fs::{File, Permissions};

use super::*;

fn write(path: &Path, overwrite: bool, text: &str) -> Result<()> {
    super::write(path, text.as_bytes(), Replace { overwrite, ..Replace::default() })
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
    let mut unfinished = AtomicFile::create(&Disk, &path, Replace::default()).unwrap();
    unfinished.write(|out| out.write_all(b"new").map_err(|e| Error::io("", e))).unwrap();
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
    assert!(AtomicFile::create(&Disk, Path::new("/dev/null"), Replace::default()).is_err());
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
