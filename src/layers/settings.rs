//! Settings that several layers share and that do not change what they compute.

use crate::base::Result;
use crate::layers::config::Config;

/// Takes the keys of a low-rank adaptation: a file holds the merged weight, so rank and scale matter
/// for training only.
pub fn lora_settings(config: &Config) -> Result<()> {
    config.optional_size("lora_rank")?;
    config.optional_float("lora_alpha")?;
    Ok(())
}
