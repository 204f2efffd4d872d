//! Bounds on what a file may ask for.

use crate::base::{Error, Result};

/// Bounds on what a model file may ask for; each is far above what honest models need.
///
/// The bounds hold before memory is reserved, not after. They can be raised, never switched off.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Bytes of `config.json`, inflated. The largest of `keras.applications` needs 1.0 MB.
    pub config_bytes: u64,
    /// Bytes of `metadata.json`, inflated.
    pub metadata_bytes: u64,
    /// Bytes of all assets, such as vocabularies, inflated.
    pub asset_bytes: u64,
    /// Levels of nesting in a JSON text.
    pub json_depth: usize,
    /// Values in a JSON text; in memory a value takes up to a hundred times its text.
    pub json_values: usize,
    /// Members of an archive.
    pub archive_members: u64,
    /// Bytes of an archive's central directory.
    pub directory_bytes: u64,
    /// Bytes to which a deflated member may grow.
    pub inflated_bytes: u64,
    /// How many times larger than its deflated form a deflated member may be; the first 64 MiB
    /// are free. Weights hardly compress, so honest archives stay below 2.
    pub inflated_ratio: u64,
    /// Groups visited when the groups of a weights file are listed.
    pub h5_groups: usize,
    /// Datasets in one group of a weights file.
    pub h5_datasets: usize,
    /// Bytes of one chunk of a chunked dataset, inflated.
    pub h5_chunk_bytes: u64,
    /// How many times larger than the whole file a dataset may be: unwritten and compressed chunks
    /// take little room. The first 64 MiB are free.
    pub h5_ratio: u64,
    /// Bytes of one array of an `.npz` file.
    pub npz_array_bytes: u64,
    /// Bytes of the values that a prediction holds at one time, without weights, for 32 rows or fewer;
    /// more rows may take more in proportion. A layer can ask for any amount by one number. Of
    /// `keras.applications`, EfficientNetB7 takes most, 3 GB.
    pub predict_bytes: u64,
}

/// What compressed data may grow to without regard to the ratio.
const FREE_BYTES: u64 = 64 << 20;

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            config_bytes: 64 << 20,
            metadata_bytes: 1 << 20,
            asset_bytes: 256 << 20,
            json_depth: 128,
            json_values: 4 << 20,
            archive_members: 65_536,
            directory_bytes: 16 << 20,
            inflated_bytes: 64 << 30,
            inflated_ratio: 32,
            h5_groups: 16_384,
            h5_datasets: 65_536,
            h5_chunk_bytes: 64 << 20,
            h5_ratio: 1_000,
            npz_array_bytes: 64 << 30,
            predict_bytes: 4 << 30,
        }
    }
}

impl Limits {
    /// The bytes that a deflated member of `compressed` bytes may grow to.
    pub(crate) fn inflated(&self, compressed: u64) -> u64 {
        grown(compressed, self.inflated_ratio).min(self.inflated_bytes)
    }

    /// The bytes that a dataset may declare in an HDF5 file of `len` bytes.
    pub(crate) fn h5_dataset(&self, len: u64) -> u64 {
        grown(len, self.h5_ratio)
    }
}

fn grown(bytes: u64, ratio: u64) -> u64 {
    bytes.saturating_mul(ratio).max(FREE_BYTES)
}

/// Refuses `need` above `limit`; `field` names the field of [`Limits`].
pub(crate) fn check(
    what: impl FnOnce() -> String,
    need: u64,
    limit: u64,
    field: &str,
) -> Result<()> {
    if need <= limit {
        return Ok(());
    }
    Err(Error::Limit {
        what: what(),
        need: need.to_string(),
        limit: limit.to_string(),
        owner: format!("Limits::{field}"),
    })
}
