//! burn's side of `benches/peers/run.py`: `keraunos-peer-burn WORKLOAD BATCH SECONDS`.
//!
//! Runs one workload on the adapter that wgpu finds, fusion and autotune on, from arrays of this process
//! to arrays of this process, as `keraunos bench` does. Prints one line of JSON: burn's version, the
//! seconds of each run, and the processor's seconds of all of them. Runs before the first counted one
//! tune the kernels. Weights are random: no time depends on them.

mod networks;
mod training;

use std::fs;
use std::time::{Duration, Instant};

use burn::nn::{GruConfig, LayerNormConfig, LstmConfig, PaddingConfig2d};
use burn::prelude::*;
use burn::tensor::{DeviceKind, TensorData, activation};

/// Runs that a measurement has at least.
const RUNS: usize = 5;
/// Runs that tune and are not counted.
const WARM_UP: usize = 2;

/// One run of a workload, from inputs to outputs on the host.
pub type Run = Box<dyn FnMut()>;

/// What the workloads of [`Run`]s are made of.
pub struct Setting {
    pub device: Device,
    pub batch: usize,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, batch, seconds] = arguments.as_slice() else {
        eprintln!("usage: keraunos-peer-burn WORKLOAD BATCH SECONDS");
        std::process::exit(2);
    };
    let device = Device::wgpu(DeviceKind::DefaultDevice);
    let batch = batch.parse().expect("a batch size");
    let seconds: f64 = seconds.parse().expect("a number of seconds");
    let Some(mut run) = workload(name, &Setting { device, batch }) else {
        eprintln!("{name} is not written for burn");
        std::process::exit(1);
    };
    (0..WARM_UP).for_each(|_| run());
    let (begin, cpu, mut times) = (Instant::now(), processor(), Vec::new());
    while times.len() < RUNS || begin.elapsed() < Duration::from_secs_f64(seconds) {
        let start = Instant::now();
        run();
        times.push(start.elapsed().as_secs_f64());
    }
    let used = processor().zip(cpu).map(|(end, begin)| end - begin);
    let version = "burn 0.22.1 (wgpu, fusion, autotune)";
    println!("{}", serde_json::json!({"version": version, "seconds": times, "cpu_s": used}));
}

fn workload(name: &str, setting: &Setting) -> Option<Run> {
    let parts: Vec<&str> = name.split('_').collect();
    let number = |text: &str| text.parse::<usize>().ok();
    match parts.as_slice() {
        ["matmul", n] => Some(matmul(number(n)?, setting)),
        ["conv", kernel, inner, outer, size, stride] => {
            let [kernel, inner, outer] = [number(kernel)?, number(inner)?, number(outer)?];
            Some(conv([kernel, inner, outer, number(size)?, number(stride)?], setting))
        }
        ["softmax"] => Some(rows(setting, |x| activation::softmax(x, 1))),
        ["layernorm"] => {
            let layer = LayerNormConfig::new(WIDTH).init(&setting.device);
            Some(rows(setting, move |x| layer.forward(x)))
        }
        ["lstm"] => {
            let layer = LstmConfig::new(256, 256, true).init(&setting.device);
            Some(run3(setting, [128, 256], move |x| layer.forward(x, None).1.hidden))
        }
        ["gru"] => {
            let layer = GruConfig::new(256, 256, true).init(&setting.device);
            Some(run3(setting, [128, 256], move |x| {
                let all = layer.forward(x, None);
                let [batch, steps, units] = all.dims();
                all.slice([0..batch, steps - 1..steps, 0..units]).squeeze_dim::<2>(1)
            }))
        }
        ["train", "cnn"] => Some(training::cnn(setting)),
        _ => networks::workload(name, setting),
    }
}

/// Columns of the workloads of rows.
const WIDTH: usize = 1024;

/// Numbers of no meaning.
pub fn data<const D: usize>(shape: [usize; D]) -> TensorData {
    let count = shape.iter().product();
    let numbers: Vec<f32> =
        (0..count).map(|i: usize| (i * 7919 % 1009) as f32 / 504.5 - 1.0).collect();
    TensorData::new(numbers, shape)
}

fn matmul(n: usize, setting: &Setting) -> Run {
    let device = setting.device.clone();
    let [a, b] = [data([n, n]), data([n, n])];
    Box::new(move || {
        let a = Tensor::<2>::from_data(a.clone(), &device);
        let b = Tensor::<2>::from_data(b.clone(), &device);
        read(a.matmul(b));
    })
}

fn conv([kernel, inner, outer, size, stride]: [usize; 5], setting: &Setting) -> Run {
    let layer = networks::convolution([inner, outer], kernel, stride, 1, &setting.device);
    let (device, x) = (setting.device.clone(), data([setting.batch, inner, size, size]));
    Box::new(move || {
        read(layer.forward(Tensor::<4>::from_data(x.clone(), &device)));
    })
}

fn rows(setting: &Setting, forward: impl Fn(Tensor<2>) -> Tensor<2> + 'static) -> Run {
    let (device, x) = (setting.device.clone(), data([4096 * setting.batch, WIDTH]));
    Box::new(move || {
        read(forward(Tensor::<2>::from_data(x.clone(), &device)));
    })
}

fn run3(
    setting: &Setting,
    [steps, features]: [usize; 2],
    forward: impl Fn(Tensor<3>) -> Tensor<2> + 'static,
) -> Run {
    let (device, x) = (setting.device.clone(), data([setting.batch, steps, features]));
    Box::new(move || {
        read(forward(Tensor::<3>::from_data(x.clone(), &device)));
    })
}

/// Brings an output to the host: what burn gives is read only when it is looked at.
pub fn read<const D: usize>(output: Tensor<D>) {
    let data = output.into_data();
    std::hint::black_box(data.as_slice::<f32>().expect("numbers on the host"));
}

/// Padding as Keras's `same` gives it, for odd kernels.
pub fn same(kernel: usize, stride: usize, size_is_even: bool) -> PaddingConfig2d {
    let all = kernel.saturating_sub(if size_is_even { stride } else { 1 });
    let (before, after) = (all / 2, all - all / 2);
    PaddingConfig2d::Explicit(before, before, after, after)
}

/// Seconds of the processor that this process has used, in steps of 10 ms; Linux only.
fn processor() -> Option<f64> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    let fields: Vec<&str> = text.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |i: usize| fields.get(i)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}
