//! Writing weights that are spread over files.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use super::plan::{ShardPlan, ShardSize};
use super::shards::entries;
use crate::base::{Error, Result};
use crate::saving::Limits;
use crate::saving::atomic::{AtomicFile, Replace};
use crate::saving::file_system::{Disk, FileSystem};
use crate::saving::h5::H5Writer;
use crate::saving::json;
use crate::saving::store::GroupPlan;

/// How the name of an index ends.
const INDEX: &str = ".weights.json";

/// Writes `NAME.weights.json` and the shards that it lists, `NAME_00000.weights.h5`..., as Keras does:
/// variables in order, a new shard where the next one would make a shard's data larger than `size`.
///
/// The set changes in one step, when the index takes its place. The shards that an old index names
/// stay until then, so the new ones are called `NAME.1_00000.weights.h5`... where they are in the
/// way; then they are removed.
///
/// # Errors
/// [`Error::Invalid`] if what must stay together is larger than a shard; otherwise as
/// [`write_weights`](crate::saving::write_weights).
pub fn write_shards(
    index: &Path,
    groups: &[GroupPlan],
    size: ShardSize,
    replace: Replace,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    write_shards_on(&Disk, index, groups, size, replace, progress)
}

/// [`write_shards`] on any file system.
pub(in crate::saving) fn write_shards_on(
    files: &dyn FileSystem,
    index: &Path,
    groups: &[GroupPlan],
    size: ShardSize,
    replace: Replace,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<()> {
    // A link stands for the index that it leads to, and the shards stand beside that one.
    let target = files.resolve(index).map_err(|e| Error::io(index, e))?;
    let stem = stem(index, &target)?;
    let plan = plan(files, &target, groups, size, replace.overwrite, stem)?;
    let writers: Vec<H5Writer> =
        plan.shards.iter().map(|(_, groups)| H5Writer::new(groups)).collect::<Result<_>>()?;
    let total = writers.iter().fold(0, |sum, writer| sum + writer.len());
    let old = listed(files, &target, stem);
    let mut index_file = AtomicFile::create(files, &target, replace)?;
    let text = plan.index();
    index_file.write(|out| out.write_all(text.as_bytes()).map_err(|e| Error::io("", e)))?;
    let mut written = Written { files, paths: Vec::new() };
    let mut before = 0;
    for ((name, _), writer) in plan.shards.iter().zip(&writers) {
        let path = target.with_file_name(name);
        let mut file = AtomicFile::create(files, &path, Replace { overwrite: false, ..replace })?;
        let mut progress = |done| progress(before + done, total);
        file.write(|out| writer.write_to(out, &mut progress))?;
        before += writer.len();
        let placed = file.place()?;
        written.paths.push(path);
        placed.finish()?;
    }
    let placed = index_file.place()?;
    let new = std::mem::take(&mut written.paths);
    placed.finish()?;
    for path in old.iter().filter(|path| !new.contains(path)) {
        if let Err(error) = files.remove_file(path) {
            log::warn!("left behind: the old shard '{}' ({error})", path.display());
        }
    }
    Ok(())
}

/// `NAME` of an index.
fn stem<'a>(index: &Path, target: &'a Path) -> Result<&'a str> {
    let name = target.file_name().and_then(|name| name.to_str());
    name.and_then(|name| name.strip_suffix(INDEX)).ok_or_else(|| {
        let name = index.display();
        Error::Invalid(format!("'{name}': an index of shards is named NAME{INDEX}"))
    })
}

/// The shards, under names that no file has.
fn plan(
    files: &dyn FileSystem,
    index: &Path,
    groups: &[GroupPlan],
    size: ShardSize,
    overwrite: bool,
    stem: &str,
) -> Result<ShardPlan> {
    let mut attempt = 0;
    loop {
        let stem = if attempt == 0 { stem.into() } else { format!("{stem}.{attempt}") };
        let plan = ShardPlan::new(groups, size, &stem)?;
        let Some(taken) = first_taken(files, index, &plan)? else { return Ok(plan) };
        if !overwrite {
            let taken = taken.display();
            return Err(Error::Invalid(format!(
                "cannot write '{taken}': it exists, and overwriting was not asked for"
            )));
        }
        attempt += 1;
    }
}

fn first_taken(files: &dyn FileSystem, index: &Path, plan: &ShardPlan) -> Result<Option<PathBuf>> {
    for (name, _) in &plan.shards {
        let path = index.with_file_name(name);
        if files.kind(&path).map_err(|e| Error::io(&path, e))?.is_some() {
            return Ok(Some(path));
        }
    }
    Ok(None)
}

/// The shards that the index of an older set names; none where it cannot be read. What is not named
/// as a shard of this index is someone else's, whatever the index says.
fn listed(files: &dyn FileSystem, index: &Path, stem: &str) -> Vec<PathBuf> {
    let limits = Limits::default();
    let read = || {
        let mut bytes = Vec::new();
        files.open(index).ok()?.take(limits.config_bytes).read_to_end(&mut bytes).ok()?;
        let index_json = json::parse(&bytes, "the index of shards", &limits).ok()?;
        let names = entries(&index_json).ok()?;
        let ours = names.iter().filter(|(_, name)| is_shard(name, stem));
        let mut paths: Vec<PathBuf> = ours.map(|(_, name)| index.with_file_name(name)).collect();
        paths.sort();
        paths.dedup();
        Some(paths)
    };
    read().unwrap_or_default()
}

/// Whether a file is called `STEM_00000.weights.h5` or `STEM.1_00000.weights.h5`.
fn is_shard(name: &str, stem: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let rest = name.strip_prefix(stem).and_then(|rest| rest.strip_suffix(".weights.h5"));
    rest.and_then(|rest| rest.rsplit_once('_')).is_some_and(|(attempt, number)| {
        let attempt_fits = attempt.strip_prefix('.').map_or(attempt.is_empty(), is_number);
        attempt_fits && is_number(number)
    })
}

/// New files that nothing names yet; removed again if the save fails.
struct Written<'a> {
    files: &'a dyn FileSystem,
    paths: Vec<PathBuf>,
}

impl Drop for Written<'_> {
    fn drop(&mut self) {
        for path in &self.paths {
            if let Err(error) = self.files.remove_file(path) {
                log::warn!("left behind: '{}' ({error})", path.display());
            }
        }
    }
}
