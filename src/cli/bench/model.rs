//! A model on a device: cold start, then steady runs.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::base::{Result, ResultExt, Spec};
use crate::cli::bench::report::{Cold, Measured, Memory};
use crate::cli::bench::{processor, sample};
use crate::cli::model_file::{Use, load};
use crate::models::{Model, PredictOptions};
use crate::program::{Cost, Options};
use crate::runtime::{Compiled, Device, Rates, Times};
use crate::trainers::Data;

/// What is measured.
pub struct Subject<'a> {
    pub path: &'a Path,
    pub batch: usize,
    /// For axes that the model leaves open, other than the batch.
    pub extent: usize,
    pub train: bool,
    pub span: Duration,
}

impl Subject<'_> {
    /// Opens the device, loads the model, runs it once, then again and again.
    pub fn measure(&self, open: &dyn Fn() -> Result<Device>, rates: Rates) -> Result<Measured> {
        let (open, device) = timed(open)?;
        let (load, mut model) = timed(|| load(self.path, Use::Look))?;
        let data = self.data(&model).at(|| self.path.display().to_string())?;
        let (first, ()) = timed(|| self.run(&mut model, &data, &device))?;
        let before = processor::seconds();
        let times = Times::of(self.span, || self.run(&mut model, &data, &device))?;
        let used = processor::seconds().zip(before).map(|(after, before)| after - before);
        // One run more than is counted.
        let processor = used.map(|seconds| seconds / (times.len() + 1) as f64);
        let verb = if self.train { "step, batch" } else { "predict, batch" };
        let plan = self.plan(&mut model, &data, &device)?;
        Ok(Measured {
            name: format!("{verb} {}", self.batch),
            cold: Some(Cold { open, load, first }),
            times,
            processor,
            batch: self.batch,
            work: Some(work(&plan, rates)),
            memory: Some(memory(&plan, &device)),
        })
    }

    /// The plan that the runs have used.
    fn plan(&self, model: &mut Model, data: &Data, device: &Device) -> Result<Arc<Compiled>> {
        if self.train {
            return model.train_plan(data, device);
        }
        let specs: Vec<Spec> = data.x.iter().map(|x| x.spec().clone()).collect();
        model.compiled(&specs, device, &Options::default())
    }

    fn run(&self, model: &mut Model, data: &Data, device: &Device) -> Result<()> {
        if self.train {
            return model.train_on_batch(data, device).map(|_| ());
        }
        let mut options = PredictOptions::on(device.clone());
        options.batch_size = Some(self.batch);
        model.predict_with(&data.x, &mut options).map(|_| ())
    }

    fn data(&self, model: &Model) -> Result<Data> {
        let x = sample::inputs(model, self.batch, self.extent)?;
        let y = match self.train {
            true => sample::labels(model, self.batch, self.extent)?,
            false => Vec::new(),
        };
        Ok(Data::new(&x, &y))
    }
}

fn work(plan: &Compiled, rates: Rates) -> (Cost, f64) {
    let costs = plan.summary().regions.iter().map(|region| region.cost);
    (costs.clone().sum(), costs.map(|cost| rates.seconds(cost)).sum())
}

fn memory(plan: &Compiled, device: &Device) -> Memory {
    let live = plan.summary().peak_live as u64;
    let (device, scratch) = match device {
        Device::Gpu(gpu) => (gpu.memory_used(), plan.scratch_bytes()),
        Device::Host => {
            (plan.program().variables.values().map(|v| v.spec().bytes() as u64).sum(), live)
        }
    };
    Memory { device, scratch, live }
}

fn timed<T>(f: impl FnOnce() -> Result<T>) -> Result<(f64, T)> {
    let start = Instant::now();
    let result = f()?;
    Ok((start.elapsed().as_secs_f64(), result))
}
