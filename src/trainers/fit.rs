//! Epochs of training, and evaluation.

use crate::base::Result;
use crate::models::{Model, batch_size, whole_executions};
use crate::trainers::batches::Batches;
use crate::trainers::callback::{Callback, Callbacks, Params, Run, sorted};
use crate::trainers::{Data, EvaluateOptions, FitOptions, History, Logs};

impl Model {
    /// Trains for some epochs.
    ///
    /// # Errors
    /// If the model is not compiled, the data does not fit it, or an option cannot be used; and what
    /// callbacks say.
    pub fn fit(&mut self, data: &Data, options: &mut FitOptions<'_>) -> Result<History> {
        options.check()?;
        let mut history = History::default();
        let mut given = std::mem::take(&mut options.callbacks);
        let mut callbacks = Callbacks(given.iter_mut().map(|callback| &mut **callback).collect());
        callbacks.0.push(&mut history);
        let result = self.fit_epochs(data, options, &mut callbacks);
        drop(callbacks);
        options.callbacks = given;
        result.map(|()| history)
    }

    fn fit_epochs(
        &mut self,
        data: &Data,
        options: &FitOptions<'_>,
        callbacks: &mut Callbacks<'_, '_>,
    ) -> Result<()> {
        let (data, validation) = options.parts(data)?;
        let batches = Batches::new(data.rows()?, self.steps_per_execution(), options)?;
        let params = Params { epochs: options.epochs, steps: batches.steps(), trains: true };
        let mut run = Run::new(self, &options.device, params, options.initial_epoch);
        callbacks.each(|c| c.on_train_begin(&mut run))?;
        let (first, mut done) = run.start();
        let mut logs = Logs::new();
        for epoch in first..options.epochs {
            run.model.reset_metrics()?;
            callbacks.each(|c| c.on_epoch_begin(&mut run, epoch))?;
            train(&mut run, callbacks, &data, &batches.of(epoch), std::mem::take(&mut done))?;
            logs = run.model.metrics_results(&options.device)?;
            let due = options.validation_freq.includes(epoch);
            if let Some(validation) = validation.as_ref().filter(|_| due) {
                let found = test(&mut run, callbacks, validation, &options.validation())?;
                logs.extend(found.into_iter().map(|(name, v)| (format!("val_{name}"), v)));
            }
            logs = sorted(logs);
            callbacks.each(|c| c.on_epoch_end(&mut run, epoch, &mut logs))?;
            if run.is_stopped() {
                break;
            }
        }
        run.model.finalize_optimizer(&options.device)?;
        callbacks.each(|c| c.on_train_end(&mut run, &logs))
    }

    /// Computes the loss and the metrics of all samples.
    ///
    /// # Errors
    /// If the model is not compiled, or the data does not fit it.
    pub fn evaluate(&mut self, data: &Data, options: &EvaluateOptions) -> Result<Logs> {
        self.evaluate_with(data, options, &mut [])
    }

    /// [`evaluate`](Model::evaluate) with callbacks.
    ///
    /// # Errors
    /// As without, and what callbacks say.
    pub fn evaluate_with(
        &mut self,
        data: &Data,
        options: &EvaluateOptions,
        callbacks: &mut [&mut dyn Callback],
    ) -> Result<Logs> {
        let rows = data.rows()?;
        let all = rows.div_ceil(batch_size(options.batch_size, rows, options.steps)?);
        let steps = options.steps.filter(|&steps| steps > 0).unwrap_or(all);
        let params = Params { epochs: 1, steps, trains: false };
        let mut callbacks = Callbacks(callbacks.iter_mut().map(|c| &mut **c).collect());
        let mut run = Run::new(self, &options.device, params, 0);
        test(&mut run, &mut callbacks, data, options)
    }
}

/// Trains on the batches of an epoch, without the first that are `done`.
fn train(
    run: &mut Run<'_>,
    callbacks: &mut Callbacks<'_, '_>,
    data: &Data,
    batches: &[Vec<usize>],
    done: usize,
) -> Result<()> {
    let size = run.model.steps_per_execution();
    for (i, execution) in batches.chunks(size).enumerate().skip(done / size) {
        callbacks.each(|c| c.on_train_batch_begin(run, i * size))?;
        execution.iter().try_for_each(|rows| run.step(&data.pick(rows)?))?;
        callbacks.each(|c| c.on_train_batch_end(run, i * size + size - 1))?;
        if run.is_stopped() {
            break;
        }
    }
    Ok(())
}

/// Evaluates, within a training or alone.
fn test(
    run: &mut Run<'_>,
    callbacks: &mut Callbacks<'_, '_>,
    data: &Data,
    options: &EvaluateOptions,
) -> Result<Logs> {
    callbacks.each(|c| c.on_test_begin(run))?;
    run.model.reset_metrics()?;
    let order: Vec<usize> = (0..data.rows()?).collect();
    let batches = order.chunks(batch_size(options.batch_size, order.len(), options.steps)?);
    let size = run.model.steps_per_execution();
    let steps = whole_executions(options.steps, size).unwrap_or(usize::MAX);
    let batches: Vec<&[usize]> = batches.take(steps).collect();
    if options.steps.is_some_and(|steps| batches.len() < steps) {
        log::warn!("the evaluation has {} steps: the samples are used up", batches.len());
    }
    for (i, execution) in batches.chunks(size).enumerate() {
        callbacks.each(|c| c.on_test_batch_begin(run, i * size))?;
        execution.iter().try_for_each(|rows| run.test(&data.pick(rows)?))?;
        callbacks.each(|c| c.on_test_batch_end(run, i * size + size - 1))?;
    }
    let logs = run.model.metrics_results(&options.device)?;
    let by_name = sorted(logs.clone());
    callbacks.each(|c| c.on_test_end(run, &by_name))?;
    Ok(logs)
}
