//! Making a model ready before its first prediction.

use crate::base::error::quote;
use crate::base::{Error, Result, Shape, Spec};
use crate::models::model::{InputSpec, Model};
use crate::models::predict::PLANS;
use crate::program::Options;
use crate::runtime::Device;

impl Model {
    /// Does now what the first prediction of each of these batch sizes would do besides computing: it
    /// plans, compiles kernels, brings the weights to the device and computes what depends on them only.
    /// On a GPU, kernels are compiled while the weights arrive. The last batch of a prediction may be
    /// smaller than the others, and is then one more size.
    ///
    /// # Errors
    /// [`Error::Invalid`] for more sizes than a model keeps plans for, 8, or for an input whose shape is
    /// open beside its batch size: make the plan by [`Model::compiled`] then. [`Error::Unsupported`] for a
    /// model with layers that work on the host, such as those of text, which is planned by its data.
    /// Otherwise those of planning and of reading the weights.
    pub fn warm_up(&self, batch_sizes: &[usize], device: &Device) -> Result<()> {
        if batch_sizes.len() > PLANS {
            let found = batch_sizes.len();
            return Err(Error::Invalid(format!(
                "{found} batch sizes to warm up for, expected at most {PLANS}"
            )));
        }
        if self.on_host {
            let what = "warming up a model with layers that work on the host, whose plan depends on \
                        the data; its first prediction does it";
            return Err(Error::Unsupported(what.into()));
        }
        for &rows in batch_sizes {
            let inputs = self.inputs();
            let specs =
                inputs.iter().map(|input| spec_of(input, rows)).collect::<Result<Vec<_>>>()?;
            self.compiled(&specs, device, &Options::default())?.warm_up()?;
        }
        Ok(())
    }
}

/// The spec of an input with so many rows.
fn spec_of(input: &InputSpec, rows: usize) -> Result<Spec> {
    let mut extents = input.shape.0.clone();
    if let Some(batch) = extents.first_mut() {
        *batch = Some(rows);
    }
    let known: Option<Vec<usize>> = extents.into_iter().collect();
    let open = || {
        Error::Invalid(format!(
            "warm_up: the shape of input '{}' is {}, open in more than its batch size; make the plan \
             for the shape that comes by Model::compiled",
            quote(&input.name),
            input.shape
        ))
    };
    known.map(|extents| Spec::new(Shape::from(extents), input.dtype)).ok_or_else(open)
}
