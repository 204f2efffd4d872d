//! The time of each dispatch, by the device's own clock.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::base::{Error, Result};
use crate::gpu::recording::{Recorded, Recording};
use crate::gpu::{Buffer, Gpu};

/// Dispatches timed by one query set, which holds two stamps for each.
const TIMED_AT_ONCE: usize = wgpu::QUERY_SET_MAX_QUERIES as usize / 2;

impl Recording {
    /// Runs all dispatches, each in a pass of its own, and gives the time of each: the position of
    /// its work in the list that was recorded, and how long it took; for a loop, all of its steps.
    /// Steps with an empty grid are not there. Passes of their own cost time that a recording run as a whole does not spend.
    ///
    /// # Errors
    /// [`Error::Unsupported`] on an adapter without timestamps; as [`run`](Recording::run).
    pub fn run_timed(&self) -> Result<Vec<(usize, Duration)>> {
        let gpu = self.gpu();
        if !gpu.caps().timestamps {
            return Err(Error::Unsupported(format!(
                "times of single dispatches on '{}', whose driver has no timestamps",
                gpu.caps().name
            )));
        }
        let mut times: BTreeMap<usize, Duration> = BTreeMap::new();
        for steps in self.dispatches().chunks(TIMED_AT_ONCE) {
            let stamps = run_stamped(gpu, steps)?;
            let period = f64::from(gpu.queue().get_timestamp_period());
            for ((step, _), [begin, end]) in steps.iter().zip(stamps) {
                let nanoseconds = end.saturating_sub(begin) as f64 * period;
                let time = Duration::from_nanos(nanoseconds as u64);
                *times.entry(step.position).or_default() += time;
            }
        }
        Ok(times.into_iter().collect())
    }
}

/// Ticks of the device's clock before and after each step.
fn run_stamped(gpu: &Gpu, steps: &[(&Recorded, u32)]) -> Result<Vec<[u64; 2]>> {
    let count = steps.len() as u32 * 2;
    let bytes = u64::from(count) * 8;
    let (set, resolved) = gpu.guarded("timestamps", || {
        let set = gpu.device().create_query_set(&wgpu::QuerySetDescriptor {
            label: Some("times"),
            ty: wgpu::QueryType::Timestamp,
            count,
        });
        let usage = wgpu::BufferUsages::QUERY_RESOLVE | wgpu::BufferUsages::COPY_SRC;
        (set, gpu.create_raw(bytes, "times", usage))
    })?;
    let (resolved, readable) = (resolved?, gpu.create_buffer(bytes, "times")?);
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    for (i, (step, offset)) in steps.iter().enumerate() {
        let first = i as u32 * 2;
        let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor {
            label: Some(&step.label),
            timestamp_writes: Some(wgpu::ComputePassTimestampWrites {
                query_set: &set,
                beginning_of_pass_write_index: Some(first),
                end_of_pass_write_index: Some(first + 1),
            }),
        });
        step.encode(&mut pass, *offset);
    }
    encoder.resolve_query_set(&set, 0..count, &resolved, 0);
    let (to, start) = readable.at(0);
    encoder.copy_buffer_to_buffer(&resolved, 0, to, start, bytes);
    gpu.submit(encoder)?;
    read_stamps(gpu, &readable, bytes)
}

fn read_stamps(gpu: &Gpu, buffer: &Buffer, bytes: u64) -> Result<Vec<[u64; 2]>> {
    let mut words: Vec<u8> = Vec::with_capacity(bytes as usize);
    gpu.download_many(&[(buffer.clone(), bytes)], || (), &mut |_, piece| {
        words.extend_from_slice(piece);
        Ok(())
    })?;
    let stamp = |eight: &[u8]| eight.iter().rev().fold(0, |sum, &b| sum << 8 | u64::from(b));
    Ok(words.chunks_exact(16).map(|pair| [stamp(&pair[..8]), stamp(&pair[8..])]).collect())
}
