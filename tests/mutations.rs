//! Honest models, damaged in many small ways: whatever is changed, loading and predicting end soon,
//! in values or in an error that blames the file.

mod common;

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use common::damage::Random;
use common::peak_memory;
use keraunos::saving::npz::read_npz;
use keraunos::{CustomObjects, Device, Error, Model, PredictOptions, Tensor, load_model};
use serde_json::{Value as Json, json};
use zip::write::SimpleFileOptions;

/// How long one damaged file may take, with other tests running beside.
const TIME: Duration = Duration::from_secs(2);
/// Bytes of memory that all runs together may take at their peak.
const MEMORY: u64 = 1 << 30;
/// Bytes of an error message, at most.
const MESSAGE: usize = 1_000;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)
}

fn fixtures() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(fixture("")).unwrap().map(|e| e.unwrap().path());
    let mut models: Vec<_> =
        entries.filter(|p| p.extension().is_some_and(|e| e == "keras")).collect();
    models.sort();
    models
}

fn inputs(model: &Path) -> Vec<Tensor> {
    let arrays = read_npz(&model.with_extension("npz")).unwrap();
    let named = |i: usize| arrays.iter().find(|(name, _)| *name == format!("x{i}"));
    (0..).map_while(named).map(|(_, tensor)| tensor.rows(0, 1).unwrap()).collect()
}

fn load_and_predict(path: &Path, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
    load_model(path)?.predict_with(inputs, &mut PredictOptions::on(Device::Host))
}

/// Loads one file after the other in a thread of its own, so that one without end is noticed.
struct Runner {
    folder: tempfile::TempDir,
    jobs: mpsc::Sender<(PathBuf, Vec<Tensor>)>,
    done: mpsc::Receiver<Result<Vec<Tensor>, Error>>,
    faults: Vec<String>,
    accepted: usize,
    runs: usize,
}

impl Runner {
    fn new() -> Runner {
        let (jobs, queue) = mpsc::channel::<(PathBuf, Vec<Tensor>)>();
        let (results, done) = mpsc::channel();
        std::thread::spawn(move || {
            for (path, inputs) in queue {
                results.send(load_and_predict(&path, &inputs)).unwrap();
            }
        });
        let folder = tempfile::tempdir().unwrap();
        Runner { folder, jobs, done, faults: Vec::new(), accepted: 0, runs: 0 }
    }

    fn run(&mut self, bytes: &[u8], inputs: &[Tensor], what: &str) {
        if std::env::var_os("KERAUNOS_VERBOSE").is_some() {
            println!("{what}");
        }
        let path = self.folder.path().join("damaged.keras");
        std::fs::write(&path, bytes).unwrap();
        let start = Instant::now();
        self.jobs.send((path, inputs.to_vec())).unwrap();
        let outcome = self.done.recv_timeout(10 * TIME);
        let took = start.elapsed();
        self.runs += 1;
        match outcome {
            Err(_) => panic!("{what}: a panic, or no end after {took:?}"),
            Ok(_) if took > TIME => self.faults.push(format!("{what}: it took {took:?}")),
            Ok(Ok(_)) => self.accepted += 1,
            Ok(Err(error)) => {
                let text = error.to_string();
                let plain = text.len() <= MESSAGE && !text.contains(char::is_control);
                if !plain || !(error.is_refusal() || is_input_misfit(&error)) {
                    self.faults.push(format!("{what}: {text}"));
                }
            }
        }
    }

    fn finish(self) {
        if let Some(peak) = peak_memory() {
            assert!(peak <= MEMORY, "the runs took {} MiB at their peak", peak >> 20);
        }
        println!("{} of {} damaged files were accepted", self.accepted, self.runs);
        assert!(
            self.faults.is_empty(),
            "{} faults:\n{}",
            self.faults.len(),
            self.faults.join("\n")
        );
    }
}

/// Whether the caller's inputs are to blame: a changed file declares others.
fn is_input_misfit(error: &Error) -> bool {
    matches!(error.root(), Error::Invalid(_))
}

#[test]
fn cut_files_are_refused() {
    let mut runner = Runner::new();
    for name in ["mlp.keras", "nested.keras"] {
        let path = fixture(name);
        let (bytes, inputs) = (std::fs::read(&path).unwrap(), inputs(&path));
        let step = bytes.len().div_ceil(400);
        for end in (0..bytes.len()).step_by(step) {
            runner.run(&bytes[..end], &inputs, &format!("{name} cut to {end} bytes"));
        }
    }
    assert_eq!(runner.accepted, 0, "a cut file was accepted");
    runner.finish();
}

#[test]
fn flipped_bits_are_survived() {
    let mut runner = Runner::new();
    let mut random = Random(1);
    for name in ["mlp.keras", "nested.keras"] {
        let path = fixture(name);
        let (honest, inputs) = (std::fs::read(&path).unwrap(), inputs(&path));
        for round in 0..600 {
            let mut bytes = honest.clone();
            for _ in 0..1 + round % 3 {
                let at = random.below(bytes.len());
                bytes[at] ^= 1 << random.below(8);
            }
            runner.run(&bytes, &inputs, &format!("{name}, bits flipped, round {round}"));
        }
    }
    runner.finish();
}

/// The members of an archive.
fn members(path: &Path) -> Vec<(String, Vec<u8>)> {
    let mut zip = zip::ZipArchive::new(std::fs::File::open(path).unwrap()).unwrap();
    (0..zip.len())
        .map(|i| {
            let mut member = zip.by_index(i).unwrap();
            let mut bytes = Vec::new();
            member.read_to_end(&mut bytes).unwrap();
            (member.name().unwrap().into_owned(), bytes)
        })
        .collect()
}

fn archive(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in members {
        zip.start_file(name.as_str(), stored).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

/// JSON pointers to all values below `json`.
fn pointers(json: &Json, at: &str, to: &mut Vec<String>) {
    let escape = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match json {
        Json::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                pointers(item, &format!("{at}/{i}"), to);
            }
        }
        Json::Object(map) => {
            for (key, value) in map {
                pointers(value, &format!("{at}/{}", escape(key)), to);
            }
        }
        _ => {}
    }
    to.push(at.to_owned());
}

/// Values that a reader may not expect.
fn odd_values() -> Vec<Json> {
    let mut values: Vec<Json> = [
        "0",
        "1",
        "-1",
        "2",
        "3",
        "7",
        "255",
        "65536",
        "16777216",
        "2147483647",
        "2147483648",
        "4294967295",
        "4294967296",
        "1099511627776",
        "9223372036854775807",
        "18446744073709551615",
        "-9223372036854775808",
        "-2147483648",
        "0.5",
        "-0.0",
        "1e9",
        "1e-300",
        "1e300",
        "null",
        "true",
        "false",
        "\"\"",
        "\"16\"",
        "\"relu\"",
        "\"same\"",
        "\"channels_first\"",
        "\"float16\"",
        "\"../x\"",
        "\"a\\u0000b\"",
        "\"__lambda__\"",
        "[]",
        "[null]",
        "[1]",
        "[1,1]",
        "[0,0]",
        "[-1,-1]",
        "[2147483647,2147483647]",
        "[1,2,3,4,5]",
        "[[1,1],[1,1]]",
        "[[2147483647,0],[0,2147483647]]",
        "{}",
        "{\"a\":1}",
    ]
    .iter()
    .map(|text| serde_json::from_str(text).unwrap())
    .collect();
    values.push(json!("x".repeat(3_000_000)));
    values.push(json!({"class_name": "__tensor__", "config": {"value": [1, 2], "dtype": "O"}}));
    values.push(json!({"class_name": "__typespec__", "config": {}, "module": "os"}));
    values.push(json!({"class_name": "__lambda__", "config": {"value": ["4w==", null, null]}}));
    values.push(json!({"module": "os", "class_name": "function", "config": "system"}));
    values
        .push(json!({"class_name": "__keras_tensor__", "config": {"keras_history": ["a", 9, 9]}}));
    values
}

/// The ends of places in configs, and values there that Keras refuses.
const REFUSED: [(&str, &str); 16] = [
    ("/inbound_nodes/0/args/0/config/shape", "\"ave\""),
    ("/inbound_nodes/0/args/0/config/shape", "null"),
    ("/inbound_nodes/0/args/0/config/shape/1", "1.5"),
    ("/inbound_nodes/0/args/0/config/shape/1", "-1"),
    ("/inbound_nodes/0/args/0/config/dtype", "\"zeros\""),
    ("/inbound_nodes/0/args/0/config/dtype", "2"),
    ("/config/dtype/config", "4"),
    ("/config/dtype/config/name", "[1]"),
    ("/build_config", "255"),
    ("/build_config/input_shape", "false"),
    ("/build_config/input_shape/1", "\"nearest\""),
    ("/kwargs/mask", "\"float16\""),
    ("/kernel_initializer/config/seed", "{}"),
    ("/kernel_regularizer/config", "[1]"),
    ("/kwargs/use_causal_mask", "\"yes\""),
    ("/config/bin_boundaries/0", "1e9"),
];

/// What is read by no one is not passed over: a config that says nothing sensible is none.
#[test]
fn settings_that_keras_refuses_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let damaged = folder.path().join("damaged.keras");
    let mut refused = vec![0; REFUSED.len()];
    for path in fixtures() {
        let mut members = members(&path);
        let config = members.iter().position(|(name, _)| name == "config.json").unwrap();
        let honest: Json = serde_json::from_slice(&members[config].1).unwrap();
        let mut places = Vec::new();
        pointers(&honest, "", &mut places);
        for ((end, value), refused) in REFUSED.iter().zip(&mut refused) {
            let place = places.iter().filter(|place| place.contains("/layers/"));
            let Some(place) = place.filter(|_| *refused < 3).find(|place| place.ends_with(end))
            else {
                continue;
            };
            let mut changed = honest.clone();
            *changed.pointer_mut(place).unwrap() = serde_json::from_str(value).unwrap();
            members[config].1 = serde_json::to_vec(&changed).unwrap();
            std::fs::write(&damaged, archive(&members)).unwrap();
            // Arguments of calls are read when the model is traced.
            let error = load_and_predict(&damaged, &inputs(&path)).err();
            let error = error.unwrap_or_else(|| panic!("{}: {place} = {value}", path.display()));
            assert!(error.is_refusal(), "{}: {place} = {value}: {error}", path.display());
            *refused += 1;
        }
    }
    let missing = REFUSED.iter().zip(&refused).filter(|(_, refused)| **refused == 0);
    let missing: Vec<&str> = missing.map(|((end, _), _)| *end).collect();
    assert!(missing.is_empty(), "no model has {missing:?}");
}

/// A functional model of additions, each of the one before to itself: as many paths as 2 to their number.
fn doublings(count: usize) -> String {
    let tensor = |layer: &str| {
        json!({"class_name": "__keras_tensor__", "config": {
            "shape": [null, 4], "dtype": "float32", "keras_history": [layer, 0, 0]}})
    };
    let layer = |class: &str, name: &str, config: Json, calls: Json| {
        json!({"module": "keras.layers", "class_name": class, "config": config, "name": name,
            "registered_name": null, "inbound_nodes": calls})
    };
    let input = json!({"batch_shape": [null, 4], "dtype": "float32", "name": "x"});
    let mut layers = vec![layer("InputLayer", "x", input, json!([]))];
    let mut last = "x".to_owned();
    for i in 0..count {
        let name = format!("add_{i}");
        let config = json!({"name": name, "trainable": true, "dtype": "float32"});
        let calls = json!([{"args": [[tensor(&last), tensor(&last)]], "kwargs": {}}]);
        layers.push(layer("Add", &name, config, calls));
        last = name;
    }
    json!({"module": "keras.src.models.functional", "class_name": "Functional",
        "registered_name": "Functional", "config": {"name": "doublings", "trainable": true,
        "layers": layers, "input_layers": [["x", 0, 0]], "output_layers": [[last, 0, 0]]}})
    .to_string()
}

#[test]
fn values_with_many_paths_to_them_take_no_time() {
    const COUNT: usize = 120;
    let (done, result) = mpsc::channel();
    std::thread::spawn(move || {
        let model = Model::from_json(&doublings(COUNT), &CustomObjects::new()).unwrap();
        let x = Tensor::new([1, 4], &[1f32; 4]).unwrap();
        done.send(model.call(&[x], &Device::Host).unwrap()).unwrap();
    });
    let y = result.recv_timeout(10 * TIME).expect("an end");
    assert_eq!(y[0].to_vec::<f32>().unwrap(), [2f32.powi(COUNT as i32); 4]);
}

#[test]
fn changed_settings_are_survived() {
    let mut runner = Runner::new();
    let mut random = Random(2);
    let odd = odd_values();
    let rounds = std::env::var("KERAUNOS_ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(60);
    let seed = std::env::var("KERAUNOS_SEED").ok().and_then(|n| n.parse().ok());
    random.0 = seed.unwrap_or(random.0);
    for path in fixtures() {
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        let (mut members, inputs) = (members(&path), inputs(&path));
        let config = members.iter().position(|(name, _)| name == "config.json").unwrap();
        let honest: Json = serde_json::from_slice(&members[config].1).unwrap();
        let mut places = Vec::new();
        pointers(&honest, "", &mut places);
        for _ in 0..rounds {
            let mut changed = honest.clone();
            let place = &places[random.below(places.len())];
            let value = &odd[random.below(odd.len())];
            *changed.pointer_mut(place).unwrap() = value.clone();
            members[config].1 = serde_json::to_vec(&changed).unwrap();
            let shown: String = value.to_string().chars().take(60).collect();
            runner.run(&archive(&members), &inputs, &format!("{name}: {place} = {shown}"));
        }
    }
    runner.finish();
}
