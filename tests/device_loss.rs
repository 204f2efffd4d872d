//! A device that goes away at any moment of a training, or of a save: an error that says so, never a
//! panic or a hang, and the file from before stays as it was.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use keraunos::gpu::{Choice, Gpu};
use keraunos::layers::Dense;
use keraunos::trainers::{Compile, Data, FitOptions};
use keraunos::{Device, Error, Model, Result, Sequential, Tensor, load_model};

/// Moments of a training at which the device is taken away.
const POINTS: u32 = 50;
/// Of a save.
const SAVES: u32 = 5;

/// A device of its own for each round. Without any adapter the tests fail, unless `KERAUNOS_NO_ADAPTER=1`
/// says that this is known.
fn gpu() -> Option<Gpu> {
    match Gpu::open(&Choice::AnyGpu) {
        Ok(gpu) => Some(gpu),
        Err(e) if std::env::var_os("KERAUNOS_NO_ADAPTER").is_some() => {
            eprintln!("skipped: {e}");
            None
        }
        Err(e) => panic!("{e}; set KERAUNOS_NO_ADAPTER=1 if that is expected"),
    }
}

fn model(units: usize) -> Model {
    let layers = Sequential::new([16]).add(Dense::new(units)).add(Dense::new(4));
    let mut model = layers.build().unwrap();
    model.compile(Compile::new("adam").loss("mse")).unwrap();
    model
}

fn fit(model: &mut Model, gpu: &Gpu) -> Result<()> {
    let numbers = |count: usize| (0..count).map(|i| (i % 7) as f32 - 3.0).collect::<Vec<_>>();
    let x = Tensor::new([64, 16], &numbers(64 * 16))?;
    let y = Tensor::new([64, 4], &numbers(64 * 4))?;
    let mut options =
        FitOptions { batch_size: Some(8), epochs: 3, ..FitOptions::on(Device::Gpu(gpu.clone())) };
    model.fit(&Data::new(&[x], &[y]), &mut options).map(drop)
}

/// Runs `work` while the device goes away after some time; gives what `work` gave.
fn losing<T>(gpu: &Gpu, after: Duration, work: impl FnOnce() -> T) -> T {
    thread::scope(|scope| {
        scope.spawn(|| {
            thread::sleep(after);
            gpu.destroy();
        });
        work()
    })
}

/// Asserts that an outcome is a success or the loss of the device, and says which.
fn is_lost(outcome: &Result<()>, what: &str) -> bool {
    match outcome {
        Ok(()) => false,
        Err(error) => {
            assert!(matches!(error.root(), Error::DeviceLost(_)), "{what}: {error}");
            true
        }
    }
}

fn timed(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

#[test]
fn a_device_lost_at_any_point_of_a_training_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.keras");
    model(32).save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let Some(first) = gpu() else { return };
    fit(&mut load_model(&path).unwrap(), &first).unwrap();
    let whole = timed(|| fit(&mut load_model(&path).unwrap(), &first).unwrap());
    let mut lost = 0;
    for point in 0..POINTS {
        let Some(gpu) = gpu() else { return };
        let mut model = load_model(&path).unwrap();
        let what = format!("point {point}");
        let outcome = losing(&gpu, whole * point / POINTS, || fit(&mut model, &gpu));
        lost += u32::from(is_lost(&outcome, &what));
        assert!(is_lost(&fit(&mut model, &gpu), &what), "{what}: a lost device trains");
        // What went with the device cannot be saved; what never came there is as it was.
        is_lost(&model.save(&path), &what);
        assert_eq!(fs::read(&path).unwrap(), before, "{what}");
        load_model(&path).unwrap();
    }
    assert!(lost >= POINTS / 2, "the device was lost within {lost} of {POINTS} trainings");
}

/// A file of weights that take a while to come back.
fn large(path: &Path) {
    model(20_000).save(path).unwrap();
}

#[test]
fn a_device_lost_within_a_save_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("m.keras");
    large(&path);
    let before = fs::read(&path).unwrap();
    let Some(first) = gpu() else { return };
    let placed = |gpu: &Gpu| {
        let mut model = load_model(&path).unwrap();
        model.place(&Device::Gpu(gpu.clone())).unwrap();
        // What was read from the file could be read from there again.
        fit(&mut model, gpu).unwrap();
        model
    };
    let other = folder.path().join("other.keras");
    let whole = timed(|| placed(&first).save(&other).unwrap());
    for point in 0..SAVES {
        let Some(gpu) = gpu() else { return };
        let model = placed(&gpu);
        let outcome = losing(&gpu, whole * point / SAVES / 4, || model.save(&path));
        if is_lost(&outcome, &format!("point {point}")) {
            assert_eq!(fs::read(&path).unwrap(), before, "point {point}");
        } else {
            // Faster than the loss: whole, and new.
            load_model(&path).unwrap();
            fs::write(&path, &before).unwrap();
        }
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "a file was left behind");
    }
}
