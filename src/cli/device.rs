//! `--device`.

use std::path::{Path, PathBuf};

use crate::base::Result;
use crate::cli::text;
use crate::runtime::{Device, Tuning};

#[derive(clap::Args)]
pub struct DeviceArgs {
    /// What computes: auto, gpu, host, discrete, integrated, software, or a part of an adapter's
    /// name [default: $KERAUNOS_DEVICE, else auto]
    #[arg(long, value_name = "auto|gpu|host|NAME")]
    device: Option<String>,
    /// Choose kernels by a table that `keraunos tune` has written, instead of the one that it keeps in the
    /// user's cache folder
    #[arg(long, value_name = "F")]
    tuned: Option<PathBuf>,
}

impl DeviceArgs {
    /// Whether a device was asked for in the arguments.
    pub fn is_given(&self) -> bool {
        self.device.is_some()
    }

    /// Opens the device and says which it is.
    pub fn open(&self) -> Result<Device> {
        let mut device = match &self.device {
            Some(name) => Device::open(name)?,
            None => Device::default_device()?,
        };
        if let Some(path) = &self.tuned {
            device = tuned(&device, path)?;
        }
        text::line(&format!("device: {device}"));
        Ok(device)
    }
}

/// A device with the kernels that a table has for it, or, with a warning, without any.
pub fn tuned(device: &Device, table: &Path) -> Result<Device> {
    let tuning = Tuning::load(table)?;
    if let Some(reason) = tuning.mismatch(device) {
        text::line(&format!("warning: {} is of no use here: {reason}", table.display()));
    }
    Ok(device.tuned(&tuning))
}
