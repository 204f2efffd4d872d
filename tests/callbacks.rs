//! Callbacks: what Keras's do with the same values (`tests/callbacks.json`, recorded by
//! `tests/keras/make_callbacks.py`), and a training that is killed again and again.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use keraunos::base::Result;
use keraunos::callbacks::{
    BackupAndRestore, CSVLogger, Callback, EarlyStopping, LambdaCallback, LearningRateScheduler,
    Mode, ModelCheckpoint, ReduceLROnPlateau, SaveFreq, SwapEMAWeights, TensorBoard,
    TerminateOnNaN, UpdateFreq,
};
use keraunos::layers::{BatchNormalization, Dense, Dropout};
use keraunos::optimizers::{Adam, SGD};
use keraunos::saving::npz::write_npz;
use keraunos::trainers::{Compile, Data, EvaluateOptions, FitOptions, History, Logs, Run};
use keraunos::{Device, Model, Sequential, Tensor, load_model};
use serde_json::Value as Json;

fn recorded(what: &str) -> Vec<Json> {
    let all: Json = serde_json::from_str(include_str!("callbacks.json")).unwrap();
    all[what].as_array().unwrap().clone()
}

/// Puts given values into the logs, as the recording did.
struct Given(Vec<(String, Vec<Option<f64>>)>);

impl Given {
    fn one(name: &str, values: &Json) -> Given {
        let values = values.as_array().unwrap().iter().map(Json::as_f64);
        Given(vec![(name.into(), values.collect())])
    }
}

impl Callback for Given {
    fn on_epoch_end(&mut self, _: &mut Run<'_>, epoch: usize, logs: &mut Logs) -> Result<()> {
        for (name, values) in &self.0 {
            logs.retain(|(known, _)| known != name);
            logs.extend(values[epoch].map(|value| (name.clone(), value.into())));
        }
        Ok(())
    }
}

/// A model whose bias grows by 0.5 in every epoch.
fn counting() -> (Model, Data) {
    let layer = Dense::new(1).kernel_initializer("zeros");
    let mut model = Sequential::new([1]).add(layer).build().unwrap();
    let compile = Compile::new(SGD::new().learning_rate(0.5));
    model.compile(compile.loss("mean_absolute_error").metrics(vec!["mae"])).unwrap();
    let one = |value: f32| Tensor::new([1, 1], &[value]).unwrap();
    (model, Data::new(&[one(0.0)], &[one(1000.0)]))
}

fn fit(epochs: usize, callbacks: &mut [&mut dyn Callback]) -> (Model, History) {
    let (mut model, data) = counting();
    let mut options = FitOptions { epochs, ..FitOptions::on(Device::Host) };
    for callback in callbacks {
        options.callbacks.push(*callback);
    }
    let history = model.fit(&data, &mut options).unwrap();
    (model, history)
}

fn bias(model: &Model) -> f64 {
    model.variables()[1].1.value().unwrap().iter_f64().next().unwrap()
}

fn mode(case: &Json) -> Mode {
    match case["arguments"]["mode"].as_str().unwrap() {
        "min" => Mode::Min,
        "max" => Mode::Max,
        _ => Mode::Auto,
    }
}

#[test]
fn early_stopping_stops_and_restores_as_in_keras() {
    for case in recorded("early_stopping") {
        let given = &case["arguments"];
        let name = given["monitor"].as_str().unwrap();
        let mut stop = EarlyStopping::new()
            .monitor(name)
            .patience(given["patience"].as_u64().unwrap() as usize)
            .min_delta(given["min_delta"].as_f64().unwrap())
            .mode(mode(&case))
            .baseline(given["baseline"].as_f64())
            .restore_best_weights(given["restore_best_weights"].as_bool().unwrap())
            .start_from_epoch(given["start_from_epoch"].as_u64().unwrap() as usize);
        let mut values = Given::one(name, &case["values"]);
        let epochs = case["values"].as_array().unwrap().len();
        let (model, history) = fit(epochs, &mut [&mut values, &mut stop]);
        assert_eq!(history.epoch.len() as u64, case["epochs"].as_u64().unwrap(), "{case}");
        assert_eq!(stop.stopped_epoch() as u64, case["stopped_epoch"].as_u64().unwrap(), "{case}");
        assert_eq!(bias(&model), case["bias"].as_f64().unwrap(), "{case}");
    }
}

#[test]
fn the_learning_rate_is_reduced_as_in_keras() {
    for case in recorded("reduce_lr") {
        let given = &case["arguments"];
        let mut reduce = ReduceLROnPlateau::new()
            .factor(given["factor"].as_f64().unwrap())
            .patience(given["patience"].as_u64().unwrap() as usize)
            .min_delta(given["min_delta"].as_f64().unwrap())
            .mode(mode(&case))
            .cooldown(given["cooldown"].as_u64().unwrap() as usize)
            .min_lr(given["min_lr"].as_f64().unwrap());
        let mut values = Given::one("val_loss", &case["values"]);
        let epochs = case["values"].as_array().unwrap().len();
        let (_, history) = fit(epochs, &mut [&mut values, &mut reduce]);
        let expected: Vec<f64> =
            case["rates"].as_array().unwrap().iter().filter_map(Json::as_f64).collect();
        assert_eq!(history.get("learning_rate").unwrap(), expected, "{case}");
    }
}

#[test]
fn checkpoints_are_written_as_by_keras() {
    for case in recorded("checkpoint") {
        let given = &case["arguments"];
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new").join(given["filepath"].as_str().unwrap());
        let mut checkpoint = ModelCheckpoint::new(path.to_str().unwrap())
            .unwrap()
            .save_best_only(given["save_best_only"].as_bool().unwrap())
            .mode(mode(&case));
        if let Some(threshold) = given["initial_value_threshold"].as_f64() {
            checkpoint = checkpoint.initial_value_threshold(threshold);
        }
        let mut values = Given::one("val_loss", &case["values"]);
        let epochs = case["values"].as_array().unwrap().len();
        fit(epochs, &mut [&mut values, &mut checkpoint]);
        assert_eq!(Json::from(names(&folder.path().join("new"))), case["files"], "{case}");
    }
}

#[test]
fn checkpoints_of_batches_hold_the_state_of_their_batch() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("{epoch}-{batch}.keras");
    let checkpoint = ModelCheckpoint::new(path.to_str().unwrap()).unwrap();
    let mut checkpoint = checkpoint.save_freq(SaveFreq::Batches(4));
    let (mut model, data) = counting();
    let data = data.pick(&[0; 6]).unwrap();
    let mut options = FitOptions { epochs: 2, batch_size: Some(1), ..FitOptions::on(Device::Host) };
    options.callbacks.push(&mut checkpoint);
    model.fit(&data, &mut options).unwrap();
    assert_eq!(names(folder.path()), ["1-4.keras", "2-2.keras", "2-6.keras"]);
    let middle = load_model(folder.path().join("2-2.keras")).unwrap();
    assert_eq!(bias(&middle), 4.0);
    assert!(ModelCheckpoint::new("model.weights").is_err());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).map(|all| all.map(|e| e.unwrap().file_name()).collect());
    let mut names: Vec<_> = entries.unwrap_or_else(|_| Vec::new());
    names.sort();
    names.into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[test]
fn csv_logs_are_those_of_keras() {
    for case in recorded("csv") {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.csv");
        let values = |values: &Json| values.as_array().unwrap().iter().map(Json::as_f64).collect();
        let columns = case["values"].as_object().unwrap().iter();
        let columns: Vec<(String, Vec<Option<f64>>)> =
            columns.map(|(name, all)| (name.clone(), values(all))).collect();
        for _ in 0..2 {
            let mut log = CSVLogger::new(&path);
            if let Some(separator) = case["arguments"]["separator"].as_str() {
                log = log.separator(separator.chars().next().unwrap());
            }
            log = log.append(case["arguments"]["append"] == true);
            fit(2, &mut [&mut Given(columns.clone()), &mut log]);
        }
        assert_eq!(fs::read_to_string(&path).unwrap(), case["text"].as_str().unwrap(), "{case}");
    }
}

#[test]
fn rates_are_set_and_a_schedule_is_not_replaced() {
    let mut halve =
        LearningRateScheduler::new(|epoch, rate| if epoch > 0 { rate / 2.0 } else { rate });
    let (model, history) = fit(3, &mut [&mut halve]);
    assert_eq!(history.get("learning_rate").unwrap(), [0.5, 0.25, 0.125]);
    assert_eq!(bias(&model), 0.875);
    assert_eq!(model.learning_rates().unwrap(), [(None, 0.125)]);
    // A file's config says the current rate, as Keras's does.
    let mut file = Vec::new();
    model.save_to(&mut file).unwrap();
    let text = String::from_utf8_lossy(&file);
    assert!(text.contains(r#""learning_rate": 0.125,"#));

    let (mut model, data) = counting();
    let decay = keraunos::optimizers::schedules::ExponentialDecay::new(0.5, 1, 0.5);
    let optimizer = SGD::new().learning_rate(decay);
    model.compile(Compile::new(optimizer).loss("mae")).unwrap();
    model.train_on_batch(&data, &Device::Host).unwrap();
    assert_eq!(model.learning_rates().unwrap(), [(None, 0.25)]);
    let mut options = FitOptions::on(Device::Host);
    options.callbacks.push(&mut halve);
    let message = model.fit(&data, &mut options).unwrap_err().to_string();
    assert!(message.contains("schedule"), "{message}");
}

#[test]
fn a_loss_that_is_not_finite_ends_the_training() {
    let data = counting().1.pick(&[0; 5]).unwrap();
    let bad = Tensor::new([5, 1], &[1.0f32, 2.0, f32::NAN, 1.0, 1.0]).unwrap();
    let data = Data::new(&data.x, &[bad]);
    for raise in [false, true] {
        let mut model = counting().0;
        let mut batches = 0;
        let mut count = LambdaCallback::new().on_train_batch_end(|_, _| {
            batches += 1;
            Ok(())
        });
        let mut stop = TerminateOnNaN::new().raise_error(raise);
        let mut options = FitOptions {
            epochs: 2,
            batch_size: Some(1),
            shuffle: false,
            ..FitOptions::on(Device::Host)
        };
        options.callbacks.push(&mut count);
        options.callbacks.push(&mut stop);
        assert_eq!(model.fit(&data, &mut options).is_err(), raise);
        drop(options);
        drop(count);
        assert_eq!(batches, 3);
    }
}

#[test]
fn evaluations_use_averages_where_they_are_swapped_in() {
    let (mut model, data) = counting();
    let optimizer = SGD::new().learning_rate(0.5).set("use_ema", true).set("ema_momentum", 0.5);
    model.compile(Compile::new(optimizer).loss("mae")).unwrap();
    for _ in 0..3 {
        model.train_on_batch(&data, &Device::Host).unwrap();
    }
    // The weights are 1.5; the averages 0.5, 0.75 and 1.125.
    let options = EvaluateOptions::on(Device::Host);
    let plain = model.evaluate(&data, &options).unwrap()[0].1.clone();
    let mut swap = SwapEMAWeights::new();
    let swapped = model.evaluate_with(&data, &options, &mut [&mut swap]).unwrap()[0].1.clone();
    assert_eq!((plain, swapped), (998.5.into(), 998.875.into()));
    assert_eq!(bias(&model), 1.5);
    let (mut plain, _) = counting();
    assert!(plain.evaluate_with(&data, &options, &mut [&mut swap]).is_err());
}

/// A model with state of every kind: moving statistics, random numbers, slots.
fn lively() -> Model {
    let mut model = Sequential::new([6])
        .add(Dense::new(8).activation("relu"))
        .add(BatchNormalization::new())
        .add(Dropout::new(0.3).seed(7))
        .add(Dense::new(1))
        .build()
        .unwrap();
    model.compile(Compile::new(Adam::new().learning_rate(0.01)).loss("mse")).unwrap();
    model
}

fn wave(rows: usize, columns: usize) -> Tensor {
    let values: Vec<f32> = (0..rows * columns).map(|i| (i as f32 * 0.37).sin()).collect();
    Tensor::new([rows, columns], &values).unwrap()
}

#[test]
fn a_training_that_was_stopped_within_an_epoch_goes_on_as_if_it_had_not() {
    let data = Data::new(&[wave(50, 6)], &[wave(50, 1)]);
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("start.keras");
    lively().save(&start).unwrap();
    let mut losses = Vec::new();
    let mut run = |stop_at: Option<usize>| {
        let mut model = load_model(&start).unwrap();
        let mut seen = 0;
        let mut backup =
            BackupAndRestore::new(folder.path().join("backup")).save_freq(SaveFreq::Batches(3));
        let mut stop = LambdaCallback::new().on_train_batch_end(move |_, _| {
            seen += 1;
            let end = || Err(keraunos::Error::Invalid("power failure".into()));
            if Some(seen) == stop_at { end() } else { Ok(()) }
        });
        let mut options =
            FitOptions { epochs: 4, batch_size: Some(7), ..FitOptions::on(Device::Host) };
        options.callbacks.push(&mut backup);
        options.callbacks.push(&mut stop);
        let history = model.fit(&data, &mut options);
        losses.extend(history.ok().and_then(|h| h.get("loss").map(|l| l[l.len() - 1])));
        let values = model.variables().into_iter().map(|(_, v)| v.value().unwrap());
        values.collect::<Vec<_>>()
    };
    let whole = run(None);
    assert!(!folder.path().join("backup").exists());
    for stop in [5, 11, 2, 10] {
        run(Some(stop));
    }
    assert!(run(None) == whole);
    assert_eq!(losses.len(), 2);
    assert_eq!(losses[0], losses[1]);
}

#[test]
fn a_backup_that_cannot_be_read_gives_way_to_the_one_before() {
    let data = Data::new(&[wave(20, 6)], &[wave(20, 1)]);
    let folder = tempfile::tempdir().unwrap();
    let fit = |model: &mut Model| {
        let mut backup =
            BackupAndRestore::new(folder.path()).double_checkpoint(true).delete_checkpoint(false);
        let mut options = FitOptions { epochs: 3, ..FitOptions::on(Device::Host) };
        options.callbacks.push(&mut backup);
        model.fit(&data, &mut options).map(|history| history.epoch)
    };
    assert_eq!(fit(&mut lively()).unwrap(), [0, 1, 2]);
    assert_eq!(fit(&mut lively()).unwrap(), [0; 0]);
    fs::write(folder.path().join("3-0.weights.h5"), "no weights").unwrap();
    assert_eq!(fit(&mut lively()).unwrap(), [2]);
    fs::write(folder.path().join("training_metadata.json"), r#"{"weights": "../x.weights.h5"}"#)
        .unwrap();
    assert_eq!(fit(&mut lively()).unwrap(), [2]);
    fs::remove_file(folder.path().join("training_metadata.json.bkp")).unwrap();
    fs::write(folder.path().join("training_metadata.json"), "{}").unwrap();
    assert!(fit(&mut lively()).is_err());
}

#[test]
#[cfg(feature = "cli")]
fn a_killed_process_goes_on_to_the_same_file_bit_for_bit() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).display().to_string();
    lively().save(path("start.keras")).unwrap();
    write_npz(&folder.path().join("x.npz"), &[("x".into(), wave(200, 6))]).unwrap();
    write_npz(&folder.path().join("y.npz"), &[("y".into(), wave(200, 1))]).unwrap();
    let start = |backup: &str, out: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_keraunos"));
        command.args(["fit", &path("start.keras"), "--x", &path("x.npz"), "--y", &path("y.npz")]);
        command.args(["--epochs", "12", "--batch-size", "8", "--device", "host"]);
        command.args(["--backup", &path(backup), "--save", &path(out)]);
        command.stdout(std::process::Stdio::null()).spawn().unwrap()
    };
    let begun = std::time::Instant::now();
    assert!(start("whole", "whole.keras").wait().unwrap().success());
    let whole = begun.elapsed();
    // Killed later and later, so that some deaths fall into the writing of a state.
    let mut kills = 0;
    for i in 0..12 {
        let mut child = start("parts", "parts.keras");
        std::thread::sleep(Duration::from_secs_f64(
            whole.as_secs_f64() * (0.31 + 0.037 * f64::from(i)),
        ));
        if child.try_wait().unwrap().is_some() {
            break;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        kills += 1;
    }
    if !folder.path().join("parts.keras").exists() {
        assert!(start("parts", "parts.keras").wait().unwrap().success());
    }
    assert!(kills > 0);
    assert!(!folder.path().join("parts").exists());
    assert!(fs::read(path("whole.keras")).unwrap() == fs::read(path("parts.keras")).unwrap());
}

/// What real TensorBoard reads from event files: tags, steps and values, one a line.
const READ_EVENTS: &str = "
import glob, os, sys
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.util.tensor_util import make_ndarray
for name in sorted(glob.glob(os.path.join(sys.argv[1], '*', '*'))):
    for event in LegacyEventFileLoader(name).Load():
        for value in event.summary.value:
            array = make_ndarray(value.tensor)
            kind = value.metadata.plugin_data.plugin_name
            part = os.path.basename(os.path.dirname(name))
            text = f'{float(array):.3f}' if kind == 'scalars' else str(array.shape)
            print(part, kind, value.tag, event.step, text)
";

#[test]
fn tensorboard_reads_event_files() {
    let python = std::env::var_os("KERAUNOS_PYTHON").filter(|python| python != "none");
    let Some(python) = python else {
        println!("skipped: KERAUNOS_PYTHON names no Python with TensorBoard");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (mut model, data) = counting();
    let data = data.pick(&[0; 3]).unwrap();
    let mut board =
        TensorBoard::new(folder.path()).histogram_freq(1_usize).update_freq(UpdateFreq::Batches(2));
    let mut options = FitOptions {
        batch_size: Some(1),
        validation_data: Some(data.clone()),
        ..FitOptions::on(Device::Host)
    };
    options.callbacks.push(&mut board);
    model.fit(&data, &mut options).unwrap();
    let mut command = Command::new(python);
    let output = command.args(["-c", READ_EVENTS]).arg(folder.path()).output().unwrap();
    let found = String::from_utf8(output.stdout).unwrap();
    let expected = "\
train graph_keras_model keras 0 ()
train scalars batch_loss 2 999.750
train scalars batch_mae 2 999.750
train scalars epoch_loss 0 999.500
train scalars epoch_mae 0 999.500
train scalars epoch_learning_rate 0 0.500
train histograms dense/kernel/histogram 0 (30, 3)
train histograms dense/bias/histogram 0 (30, 3)
validation scalars epoch_loss 0 998.500
validation scalars epoch_mae 0 998.500
";
    assert_eq!(found, expected, "{}", String::from_utf8_lossy(&output.stderr));
}
