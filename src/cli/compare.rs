//! `keraunos compare`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use crate::base::error::quote;
use crate::base::{Error, Result, ResultExt};
use crate::cli::arrays;
use crate::cli::device::DeviceArgs;
use crate::cli::difference::{Difference, Tolerance};
use crate::cli::failure::{Failure, Outcome};
use crate::cli::model_file::{ModelArgs, Use};
use crate::cli::predict::{BatchArgs, predict, read_inputs};
use crate::cli::text;
use crate::models::{Model, batch_size};
use crate::runtime::Device;
use crate::tensor::Tensor;

/// Compare a model's predictions with recorded ones, or its layers on a GPU with those on the host
///
/// Numbers are the same when |found - expected| <= atol + rtol * |expected|; integers and booleans
/// when they are equal. The exit code is 1 when something differs.
#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    model: ModelArgs,
    /// Inputs, as for predict
    #[arg(long, value_name = "IN.npz|json")]
    inputs: PathBuf,
    /// Expected outputs, by name, else by number (y0, y1, … or output_0, …)
    #[arg(long, value_name = "OUT.npz|json", required_unless_present = "layers")]
    expected: Option<PathBuf>,
    /// Compare every layer on the device with the host, on the rows of the first batch
    #[arg(long)]
    layers: bool,
    /// Relative tolerance
    #[arg(long, default_value_t = 1e-4)]
    rtol: f64,
    /// Absolute tolerance
    #[arg(long, default_value_t = 1e-4)]
    atol: f64,
    #[command(flatten)]
    rows: BatchArgs,
    #[command(flatten)]
    device: DeviceArgs,
}

impl Args {
    pub fn run(&self, out: &mut dyn Write) -> Outcome {
        let model = self.model.load(Use::Answers)?;
        let inputs = read_inputs(&model, &self.inputs)?;
        let device = self.device.open()?;
        let mut same = true;
        if let Some(expected) = &self.expected {
            same &= self.compare_outputs(&model, &inputs, expected, &device, out)?;
        }
        if self.layers {
            same &= self.compare_layers(&model, &inputs, &device, out)?;
        }
        Ok(if same { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    fn tolerance(&self) -> Tolerance {
        Tolerance { relative: self.rtol, absolute: self.atol }
    }

    /// Whether the outputs are the expected ones.
    fn compare_outputs(
        &self,
        model: &Model,
        inputs: &[Option<Tensor>],
        expected: &Path,
        device: &Device,
        out: &mut dyn Write,
    ) -> Result<bool, Failure> {
        let outputs = model.outputs();
        let expected = arrays::read_outputs(expected, model)?;
        let found = predict(model, inputs, device.clone(), (self.rows.batch_size, None))
            .at(|| self.model.path.display().to_string())?;
        let mut same = true;
        for ((output, found), expected) in outputs.iter().zip(&found).zip(&expected) {
            let difference = Difference::of(found, expected, self.tolerance());
            same &= difference.is_none_beyond();
            print(&format!("output {}", quote(&output.name)), found, &difference, out)?;
        }
        Ok(same)
    }

    /// Whether every layer gives the same on the device and on the host. Stops at the first that
    /// does not: what follows it differs because of it.
    fn compare_layers(
        &self,
        model: &Model,
        inputs: &[Option<Tensor>],
        device: &Device,
        out: &mut dyn Write,
    ) -> Result<bool, Failure> {
        if device.is(&Device::Host) {
            return Err(Error::Invalid(
                "--layers compares a GPU with the host, and the device is the host: choose another \
                 with --device gpu or --device software"
                    .into(),
            )
            .into());
        }
        let first = |t: &Tensor| {
            let rows = t.shape().first().copied().unwrap_or(0);
            t.rows(0, rows.min(batch_size(self.rows.batch_size, rows, None)?))
        };
        let first = |t: &Option<Tensor>| t.as_ref().map(first).transpose();
        let inputs = inputs.iter().map(first).collect::<Result<Vec<_>>>()?;
        let found = model.activations(inputs.clone(), device)?;
        let expected = model.activations(inputs, &Device::Host)?;
        for ((layer, found), (_, expected)) in found.iter().zip(&expected) {
            let difference = Difference::of(found, expected, self.tolerance());
            if !difference.is_none_beyond() {
                print(&format!("layer {}", quote(layer)), found, &difference, out)?;
                return Ok(false);
            }
        }
        let all =
            format!("{}: {device} and the host give the same", text::count(found.len(), "layer"));
        writeln!(out, "{all}")?;
        Ok(true)
    }
}

fn print(
    what: &str,
    found: &Tensor,
    difference: &Difference,
    out: &mut dyn Write,
) -> io::Result<()> {
    let verdict =
        if difference.is_none_beyond() { text::good("same") } else { text::bad("different") };
    writeln!(out, "{what} {}: {verdict}, {difference}", found.spec())
}
