//! One model, predicted with by several threads at once: what each gets is what it would get alone.

mod common;

use std::sync::mpsc;
use std::time::Duration;

use common::gpu;
use keraunos::layers::{Dense, Softmax};
use keraunos::models::PredictOptions;
use keraunos::{Device, Model, Sequential, Tensor};
use rayon::prelude::*;

const REQUESTS: u32 = 48;

/// Large enough that its kernels and its reading back take longer than starting a thread.
fn model() -> Model {
    let model = Sequential::new([96]).add(Dense::new(512).activation("relu"));
    model.add(Dense::new(1024)).add(Softmax::new()).build().unwrap()
}

fn input(request: u32) -> Tensor {
    let numbers: Vec<f32> = (0..8 * 96).map(|i| ((i * 7 + request * 13) % 29) as f32).collect();
    Tensor::new([8, 96], &numbers).unwrap()
}

fn answer(model: &Model, device: &Device, request: u32) -> Vec<f32> {
    let mut options = PredictOptions::on(device.clone());
    model.predict_with(&[input(request)], &mut options).unwrap()[0].to_vec().unwrap()
}

/// What each request gives on a model of its own thread.
fn expected(device: &Device) -> (Model, Vec<Vec<f32>>) {
    let alone = model();
    let answers = (0..REQUESTS).map(|request| answer(&alone, device, request)).collect();
    // The same weights, and nothing compiled.
    let mut file = std::io::Cursor::new(Vec::new());
    alone.save_to(&mut file).unwrap();
    (keraunos::load_model_from_reader(file, &Default::default()).unwrap(), answers)
}

fn threads_get_their_own_answers(device: &Device) {
    let (model, expected) = expected(device);
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (model, expected) = (&model, &expected);
            scope.spawn(move || {
                for request in (0..REQUESTS).filter(|request| request % 4 == thread) {
                    let found = answer(model, device, request);
                    assert!(found == expected[request as usize], "request {request}");
                }
            });
        }
    });
}

#[test]
fn threads_get_their_own_answers_on_the_host() {
    threads_get_their_own_answers(&Device::Host);
}

#[test]
fn threads_get_their_own_answers_on_the_gpu() {
    threads_get_their_own_answers(&gpu());
}

/// The weights move from one to the other and back, as often as it takes.
#[test]
fn the_host_and_the_gpu_get_their_own_answers_at_once() {
    let devices = [Device::Host, gpu()];
    let (model, expected) = expected(&Device::Host);
    std::thread::scope(|scope| {
        for device in &devices {
            let (model, expected) = (&model, &expected);
            scope.spawn(move || {
                for _ in 0..4 {
                    let found = answer(model, device, 3);
                    let close = |(a, b): (&f32, &f32)| (a - b).abs() <= 1e-4;
                    assert!(found.iter().zip(&expected[3]).all(close), "{device:?}");
                }
            });
        }
    });
}

/// A worker that waits for others takes up another request, on the same thread: none may wait for what
/// that thread holds.
fn workers_of_a_pool_get_their_own_answers(device: &Device) {
    let (model, expected) = expected(device);
    let (done, wait) = mpsc::channel();
    let device = device.clone();
    std::thread::spawn(move || {
        let wrong: Vec<u32> = (0..REQUESTS)
            .into_par_iter()
            .filter(|&request| answer(&model, &device, request) != expected[request as usize])
            .collect();
        done.send(wrong).unwrap();
    });
    let wrong = wait
        .recv_timeout(Duration::from_secs(120))
        .expect("an answer: workers wait for each other");
    assert!(wrong.is_empty(), "requests {wrong:?}");
}

#[test]
fn workers_of_a_pool_get_their_own_answers_on_the_host() {
    workers_of_a_pool_get_their_own_answers(&Device::Host);
}

#[test]
fn workers_of_a_pool_get_their_own_answers_on_the_gpu() {
    workers_of_a_pool_get_their_own_answers(&gpu());
}
