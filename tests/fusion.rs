//! Fused = unfused = host: random graphs through every executor and every choice of passes.

mod common;

use common::random_graph::sample;
use common::{assert_close, gpu, oracle};
use keraunos::program::{Options, Pass, Program};
use keraunos::runtime::{Compiled, Device};
use keraunos::tensor::Tensor;

/// Random graphs per test; each is small, the kernels' pipelines take the time.
const SAMPLES: u64 = 60;

fn run(program: &Program, device: &Device, options: &Options, inputs: &[Tensor]) -> Vec<Tensor> {
    let compiled = Compiled::new(program.clone(), device, options, &mut |_, _| {});
    compiled.and_then(|c| c.run(inputs)).unwrap_or_else(|e| panic!("{e}\n{program}"))
}

fn check(device: &Device, options: &Options, what: &str) {
    for seed in 0..SAMPLES {
        let sample = sample(seed, 14);
        let expected = oracle(&sample.program, &sample.inputs);
        let found = run(&sample.program, device, options, &sample.inputs);
        for (f, e) in found.iter().zip(&expected) {
            assert_close(f, e, 2e-5, &format!("{what}, seed {seed}\n{}", sample.program));
        }
    }
}

#[test]
fn host_agrees_with_the_oracle() {
    check(&Device::Host, &Options::default(), "host");
}

#[test]
fn host_without_any_pass_but_simplify_agrees_with_the_oracle() {
    let without = vec![Pass::Hoist, Pass::Fuse, Pass::Memory];
    check(&Device::Host, &Options { without }, "host unfused");
}

#[test]
fn gpu_agrees_with_the_oracle() {
    check(&gpu(), &Options::default(), "gpu");
}

#[test]
fn gpu_without_fusing_agrees_with_the_oracle() {
    let without = vec![Pass::Hoist, Pass::Fuse, Pass::Memory];
    check(&gpu(), &Options { without }, "gpu unfused");
}
