//! Writing `.keras` archives, and the directory form.

use std::io::Write;
use std::path::Path;

use crate::base::error::quote;
use crate::base::{Error, Result};
use crate::saving::archive::{ASSETS, CONFIG, METADATA, NPZ_WEIGHTS, WEIGHTS};
use crate::saving::atomic::{AtomicFile, AtomicFolder, FolderForm, Replace};
use crate::saving::file_system::{Disk, FileSystem};
use crate::saving::h5::H5Writer;
use crate::saving::json::{Json, to_python};
use crate::saving::store::GroupPlan;
use crate::saving::stored_zip::StoredZip;

/// What a model file holds.
pub struct Contents {
    /// `metadata.json`: Keras's version and the date, which the caller gives so that the bytes of
    /// the file depend on nothing else.
    pub metadata: Json,
    /// `config.json`.
    pub config: Json,
    /// The weights, by group.
    pub groups: Vec<GroupPlan>,
    /// Paths below `assets/` and contents.
    pub assets: Vec<(String, Vec<u8>)>,
}

/// How to write a model file.
#[derive(Clone, Copy, Debug)]
pub struct WriteOptions {
    /// How it takes the place of an existing one.
    pub replace: Replace,
    /// An archive, or a folder with the same members as files.
    pub zipped: bool,
    /// Whether an archive's sizes and offsets all stand in 64-bit fields (ZIP64), as those above 4 GiB
    /// always do: Python's `force_zip64`.
    pub zip64: bool,
}

impl Default for WriteOptions {
    fn default() -> WriteOptions {
        WriteOptions { replace: Replace::default(), zipped: true, zip64: false }
    }
}

/// The files of the folder form.
const FOLDER: FolderForm =
    FolderForm { marker: CONFIG, names: &[METADATA, CONFIG, WEIGHTS, NPZ_WEIGHTS, ASSETS_FOLDER] };

/// Keras makes it even when it stays empty.
const ASSETS_FOLDER: &str = "assets";

/// Writes a model file. Equal contents give equal bytes.
///
/// An archive or a folder appears at `path` in one step, when it is complete; any failure leaves what
/// was there before. Folders on the way to a folder are made. In a folder that holds no model the
/// files appear one by one, the configuration, which makes it a model, last; what else is in a folder
/// stays there.
///
/// `progress` is given the bytes of weights written so far and their total.
///
/// # Errors
/// [`Error::Invalid`] if `path` cannot be written to, [`Error::Io`] if the system refuses, and
/// whatever reading the weights gives.
pub fn write_archive(
    path: &Path,
    contents: &Contents,
    options: &WriteOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    write_archive_on(&Disk, path, contents, options, progress)
}

/// [`write_archive`] on any file system.
pub(super) fn write_archive_on(
    files: &dyn FileSystem,
    path: &Path,
    contents: &Contents,
    options: &WriteOptions,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    // Everything that can fail without a file does so before there is one.
    check_assets(&contents.assets)?;
    let weights = H5Writer::new(&contents.groups)?;
    let total = weights.len();
    let mut progress = |done| progress(done, total);
    let members = Members { contents, weights };
    if options.zipped {
        let mut file = AtomicFile::create(files, path, options.replace)?;
        file.write(|out| {
            members.write_zip(StoredZip::new(out).zip64(options.zip64), &mut progress)
        })?;
        return file.commit();
    }
    members.write_folder(files, path, options.replace, &mut progress)
}

/// Writes the archive form of a model to anything that takes bytes, from start to end. The checksum
/// of the weights follows them, in a data descriptor.
///
/// # Errors
/// As [`write_archive`]; errors of `out` come as [`Error::Io`] with an empty path.
pub fn write_archive_to(
    out: impl Write,
    contents: &Contents,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    check_assets(&contents.assets)?;
    let weights = H5Writer::new(&contents.groups)?;
    let total = weights.len();
    let members = Members { contents, weights };
    members.write_zip(StoredZip::streamed(out), &mut |done| progress(done, total))
}

fn check_assets(assets: &[(String, Vec<u8>)]) -> Result<()> {
    for (i, (path, _)) in assets.iter().enumerate() {
        let odd = |part: &str| part.is_empty() || part == "." || part == "..";
        if path.contains(['\\', '\0', ':']) || path.split('/').any(odd) {
            let path = quote(path);
            return Err(Error::Invalid(format!("'{path}' cannot be the path of an asset")));
        }
        if assets[..i].iter().any(|(other, _)| other == path) {
            return Err(Error::Invalid(format!("asset '{}' is given twice", quote(path))));
        }
    }
    Ok(())
}

struct Members<'a> {
    contents: &'a Contents,
    weights: H5Writer,
}

impl Members<'_> {
    /// The members before the weights, in Keras's order.
    fn texts(&self) -> [(&'static str, String); 2] {
        [(METADATA, to_python(&self.contents.metadata)), (CONFIG, to_python(&self.contents.config))]
    }

    fn write_zip<W: Write>(
        &self,
        mut zip: StoredZip<W>,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        for (name, text) in self.texts() {
            zip.member(name, text.as_bytes())?;
        }
        zip.start(WEIGHTS, self.weights.len())?;
        self.weights.write_to(&mut zip, progress)?;
        for (path, bytes) in &self.contents.assets {
            zip.member(&format!("{ASSETS}{path}"), bytes)?;
        }
        zip.finish()
    }

    fn write_folder(
        &self,
        files: &dyn FileSystem,
        path: &Path,
        replace: Replace,
        progress: &mut dyn FnMut(u64),
    ) -> Result<()> {
        if path.extension().is_some_and(|ending| ending == "keras") {
            return Err(Error::Invalid(format!(
                "'{}' ends in .keras, which is for archives; name the folder otherwise",
                path.display()
            )));
        }
        let mut folder = AtomicFolder::create(files, path, &FOLDER, replace)?;
        folder.folder(ASSETS_FOLDER)?;
        folder.file(WEIGHTS, |out| self.weights.write_to(out, progress))?;
        for (name, bytes) in &self.contents.assets {
            folder.bytes(&format!("{ASSETS}{name}"), bytes)?;
        }
        for (name, text) in self.texts() {
            folder.bytes(name, text.as_bytes())?;
        }
        folder.commit()
    }
}
