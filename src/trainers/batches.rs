//! Which samples come in which batch.

use crate::base::{Error, Result};
use crate::models::{batch_size, whole_executions};
use crate::trainers::FitOptions;

/// The batches of all epochs of a training. They depend on the epoch's number only, so a training
/// that is taken up again goes on as it would have.
pub struct Batches {
    rows: usize,
    batch_size: usize,
    seed: Option<u64>,
    first_epoch: usize,
    /// Batches in an epoch, as `fit` was told.
    told: Option<usize>,
    /// The same in whole executions.
    steps_per_epoch: Option<usize>,
}

impl Batches {
    /// The batches of this many samples, `execution` of them between one call of callbacks and the next.
    ///
    /// # Errors
    /// If there are no samples, or no sample in a batch.
    pub fn new(rows: usize, execution: usize, options: &FitOptions<'_>) -> Result<Batches> {
        if rows == 0 {
            return Err(Error::Invalid("there are no samples to train on".into()));
        }
        Ok(Batches {
            rows,
            batch_size: batch_size(options.batch_size, rows, options.steps_per_epoch)?,
            seed: options.shuffle.then_some(options.seed),
            first_epoch: options.initial_epoch,
            told: options.steps_per_epoch.filter(|&steps| steps > 0),
            steps_per_epoch: whole_executions(options.steps_per_epoch, execution),
        })
    }

    /// Batches in a pass over all samples.
    fn per_pass(&self) -> usize {
        self.rows.div_ceil(self.batch_size)
    }

    /// Batches in an epoch; a last one may be cut short by the end of the samples.
    pub fn steps(&self) -> usize {
        self.told.unwrap_or_else(|| self.per_pass())
    }

    /// The samples of each batch of an epoch. Epochs of given length share a pass over the samples,
    /// as in Keras; the epoch in which a pass ends is cut short.
    pub fn of(&self, epoch: usize) -> Vec<Vec<usize>> {
        let (pass, skipped) = match self.steps_per_epoch {
            None => (epoch, 0),
            Some(steps) => {
                let since = epoch.saturating_sub(self.first_epoch);
                let epochs_per_pass = self.per_pass().div_ceil(steps);
                let pass = self.first_epoch + since / epochs_per_pass;
                (pass, since % epochs_per_pass * steps)
            }
        };
        let order: Vec<usize> = match self.seed {
            Some(seed) => shuffled(self.rows, seed, pass),
            None => (0..self.rows).collect(),
        };
        let batches: Vec<Vec<usize>> = order
            .chunks(self.batch_size)
            .skip(skipped)
            .take(self.steps_per_epoch.unwrap_or(usize::MAX))
            .map(<[usize]>::to_vec)
            .collect();
        if batches.len() < self.steps() {
            log::warn!(
                "epoch {} has {} of {} steps: the samples are used up",
                epoch + 1,
                batches.len(),
                self.steps()
            );
        }
        batches
    }
}

/// The order of samples in a pass: Fisher and Yates's shuffle by a small counter-based generator.
fn shuffled(rows: usize, seed: u64, pass: usize) -> Vec<usize> {
    let mut order: Vec<usize> = (0..rows).collect();
    let mut state = seed ^ (pass as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for i in (1..rows).rev() {
        order.swap(i, (next(&mut state) % (i as u64 + 1)) as usize);
    }
    order
}

/// SplitMix64 (Steele et al., 2014).
fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (*state ^ (*state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::Device;

    fn sizes(steps: Option<usize>, epochs: std::ops::Range<usize>) -> Vec<usize> {
        let options = FitOptions {
            batch_size: Some(2),
            initial_epoch: epochs.start,
            steps_per_epoch: steps,
            shuffle: false,
            ..FitOptions::on(Device::Host)
        };
        let batches = Batches::new(9, 1, &options).unwrap();
        epochs.map(|epoch| batches.of(epoch).concat().len()).collect()
    }

    #[test]
    fn epochs_of_given_length_share_a_pass() {
        assert_eq!(sizes(None, 0..2), [9, 9]);
        assert_eq!(sizes(Some(2), 4..8), [4, 4, 1, 4]);
        assert_eq!(sizes(Some(7), 0..2), [9, 9]);
    }

    #[test]
    fn orders_follow_from_seed_and_pass() {
        let mut order = shuffled(50, 1, 3);
        assert_eq!(order, shuffled(50, 1, 3));
        assert_ne!(order, shuffled(50, 1, 4));
        assert_ne!(order, shuffled(50, 2, 3));
        order.sort_unstable();
        assert_eq!(order, (0..50).collect::<Vec<_>>());
    }
}
