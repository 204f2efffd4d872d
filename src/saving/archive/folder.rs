//! The directory form of a model, as `zipped=False` writes it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::{ASSETS, CONFIG, METADATA, Member, Method, NPZ_WEIGHTS, WEIGHTS};
use crate::base::{Error, Result};
use crate::saving::Limits;
use crate::saving::bytes::{FileBytes, ReadAt};
use crate::saving::limits::check;

/// A folder that holds the members as files.
pub(super) struct Folder(PathBuf);

impl Folder {
    /// The folder and its members. Links to files are followed, as model hubs store files behind
    /// links; links to folders are not.
    pub(super) fn open(path: &Path, limits: &Limits) -> Result<(Folder, Vec<Member>)> {
        if !path.join(CONFIG).is_file() {
            return Err(Error::Archive(format!(
                "the folder '{}' holds no '{CONFIG}', so it is not a model",
                path.display()
            )));
        }
        let folder = Folder(path.into());
        let mut members = Vec::new();
        for name in [METADATA, CONFIG, WEIGHTS, NPZ_WEIGHTS] {
            if path.join(name).is_file() {
                members.push(folder.member(name.into())?);
            }
        }
        folder.add_assets(limits, &mut members)?;
        Ok((folder, members))
    }

    fn member(&self, name: String) -> Result<Member> {
        let bytes = self.open_file(&name)?.len();
        Ok(Member { name, method: Method::Stored, bytes, compressed: bytes })
    }

    /// The files below `assets`, sorted by name.
    fn add_assets(&self, limits: &Limits, members: &mut Vec<Member>) -> Result<()> {
        let mut names = Vec::new();
        let mut pending = vec![ASSETS.trim_end_matches('/').to_string()];
        while let Some(folder) = pending.pop() {
            let path = self.0.join(&folder);
            if !path.is_dir() {
                continue;
            }
            for item in std::fs::read_dir(&path).map_err(|e| Error::io(&path, e))? {
                let item = item.map_err(|e| Error::io(&path, e))?;
                let Ok(name) = item.file_name().into_string() else { continue };
                let name = format!("{folder}/{name}");
                let is_folder = item.file_type().is_ok_and(|kind| kind.is_dir());
                let found = if is_folder { &mut pending } else { &mut names };
                found.push(name);
                let count = (names.len() + pending.len()) as u64;
                let what = || "assets of a model".into();
                check(what, count, limits.archive_members, "archive_members")?;
            }
        }
        names.retain(|name| self.0.join(name).is_file());
        names.sort();
        for name in names {
            members.push(self.member(name)?);
        }
        Ok(())
    }

    /// The bytes of one of the members.
    pub(super) fn open_file(&self, name: &str) -> Result<Arc<dyn ReadAt>> {
        Ok(Arc::new(FileBytes::open(&self.0.join(name))?))
    }
}
