//! Model files: `.keras` archives, HDF5 and npz weights, and the walk that orders a model's state.
//!
//! Everything here knows bytes, not devices: it moves tensors between [`Source`](crate::base::Source)s
//! and files, piece by piece. Files are untrusted. Nothing is allocated from a number in a file
//! before it was compared with [`Limits`] or with the bytes that exist, and whatever could mean two
//! things is refused.
#![forbid(unsafe_code)]

pub mod archive;
pub mod archive_writer;
pub mod atomic;
pub mod bytes;
#[cfg(test)]
mod durability;
mod file_system;
pub mod h5;
pub mod json;
pub mod legacy;
pub mod limits;
pub mod load;
pub mod npz;
pub mod profile;
pub mod saveable;
pub mod saving_lib;
pub mod store;
mod stored_zip;
pub mod walk;
pub mod weights_file;

/// The log's target for what `skip_mismatch` leaves out, so that a tool can show that and no more.
pub(crate) const SKIPPED: &str = "keraunos::skipped";

pub use archive::{Archive, Member, Method};
pub use archive_writer::{Contents, WriteOptions, write_archive, write_archive_to};
pub use atomic::Replace;
pub use bytes::ReadAt;
pub use json::Json;
pub use legacy::{LegacyFile, LegacyLayer};
pub use limits::Limits;
pub use load::load_into;
pub use profile::KerasVersion;
pub use saveable::{Assets, Child, Kind, Saveable};
pub use store::{Group, GroupPlan, Store};
pub use walk::{Saved, walk};
pub use weights_file::{ShardSize, open_weights, shard_names, write_shards, write_weights};
