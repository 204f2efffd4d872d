//! Bounds on what a file may ask for.

use crate::base::error::quote;
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
    /// Bytes of a JSON text that holds inputs or outputs of a model.
    pub json_array_bytes: u64,
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
            json_array_bytes: 256 << 20,
            predict_bytes: 4 << 30,
        }
    }
}

impl Limits {
    /// Bounds for files of one's own, which are larger than any model of today: each is 64 times the
    /// usual. What is ambiguous or damaged is refused all the same.
    pub fn for_trusted_files() -> Limits {
        const MORE: u64 = 64;
        let mut limits = Limits::default();
        for (_, field) in limits.fields() {
            field.raise(MORE);
        }
        // Depth is bounded by this program's stack, not by what a file may want.
        limits.json_depth = Limits::default().json_depth;
        limits
    }

    /// Sets the bound of a name, one of this type's fields.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such field, or the value does not fit it: nothing may nest
    /// deeper than 128 levels.
    pub fn set(&mut self, name: &str, value: u64) -> Result<()> {
        let deepest = Limits::default().json_depth as u64;
        if name == "json_depth" && value > deepest {
            return Err(Error::Invalid(format!(
                "json_depth is {value}, expected at most {deepest}"
            )));
        }
        let mut fields = self.fields();
        let names: Vec<&str> = fields.iter().map(|(name, _)| *name).collect();
        let unknown =
            format!("no limit is named '{}'; there are {}", quote(name), names.join(", "));
        let field = fields.iter_mut().find(|(field, _)| *field == name);
        let (_, field) = field.ok_or(Error::Invalid(unknown))?;
        field.set(value)
    }

    fn fields(&mut self) -> [(&'static str, Field<'_>); 16] {
        use Field::{Long, Short};
        [
            ("config_bytes", Long(&mut self.config_bytes)),
            ("metadata_bytes", Long(&mut self.metadata_bytes)),
            ("asset_bytes", Long(&mut self.asset_bytes)),
            ("json_depth", Short(&mut self.json_depth)),
            ("json_values", Short(&mut self.json_values)),
            ("archive_members", Long(&mut self.archive_members)),
            ("directory_bytes", Long(&mut self.directory_bytes)),
            ("inflated_bytes", Long(&mut self.inflated_bytes)),
            ("inflated_ratio", Long(&mut self.inflated_ratio)),
            ("h5_groups", Short(&mut self.h5_groups)),
            ("h5_datasets", Short(&mut self.h5_datasets)),
            ("h5_chunk_bytes", Long(&mut self.h5_chunk_bytes)),
            ("h5_ratio", Long(&mut self.h5_ratio)),
            ("npz_array_bytes", Long(&mut self.npz_array_bytes)),
            ("json_array_bytes", Long(&mut self.json_array_bytes)),
            ("predict_bytes", Long(&mut self.predict_bytes)),
        ]
    }

    /// The bytes that a deflated member of `compressed` bytes may grow to.
    pub(crate) fn inflated(&self, compressed: u64) -> u64 {
        grown(compressed, self.inflated_ratio).min(self.inflated_bytes)
    }

    /// The bytes that a dataset may declare in an HDF5 file of `len` bytes.
    pub(crate) fn h5_dataset(&self, len: u64) -> u64 {
        grown(len, self.h5_ratio)
    }
}

/// A field of [`Limits`].
enum Field<'a> {
    Long(&'a mut u64),
    Short(&'a mut usize),
}

impl Field<'_> {
    fn raise(self, factor: u64) {
        match self {
            Field::Long(value) => *value = value.saturating_mul(factor),
            Field::Short(value) => {
                *value = value.saturating_mul(usize::try_from(factor).unwrap_or(usize::MAX));
            }
        }
    }

    fn set(&mut self, new: u64) -> Result<()> {
        match self {
            Field::Long(value) => **value = new,
            Field::Short(value) => {
                let new = usize::try_from(new);
                **value = new.map_err(|_| Error::Invalid("a limit beyond this machine".into()))?;
            }
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_set_by_name_and_never_off() {
        let mut limits = Limits::default();
        limits.set("config_bytes", 5).unwrap();
        limits.set("h5_groups", 6).unwrap();
        assert_eq!((limits.config_bytes, limits.h5_groups), (5, 6));
        assert!(limits.set("json_depth", 129).is_err());
        let message = limits.set("depth", 1).unwrap_err().to_string();
        assert!(message.contains("json_depth"), "{message}");
        let trusted = Limits::for_trusted_files();
        assert_eq!(trusted.config_bytes, 64 * Limits::default().config_bytes);
        assert_eq!(trusted.json_depth, Limits::default().json_depth);
    }
}
