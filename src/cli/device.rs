//! `--device`.

use crate::base::Result;
use crate::cli::text;
use crate::runtime::Device;

#[derive(clap::Args)]
pub struct DeviceArgs {
    /// What computes: auto, gpu, host, discrete, integrated, software, or a part of an adapter's
    /// name [default: $KERAUNOS_DEVICE, else auto]
    #[arg(long, value_name = "auto|gpu|host|NAME")]
    device: Option<String>,
}

impl DeviceArgs {
    /// Whether a device was asked for in the arguments.
    pub fn is_given(&self) -> bool {
        self.device.is_some()
    }

    /// Opens the device and says which it is.
    pub fn open(&self) -> Result<Device> {
        let device = match &self.device {
            Some(name) => Device::open(name)?,
            None => Device::default_device()?,
        };
        text::line(&format!("device: {device}"));
        Ok(device)
    }
}
