//! The command line tool as a user meets it: arguments in; exit code, files and text out.

#[path = "common/tool.rs"]
mod tool;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use keraunos::Tensor;
use keraunos::saving::npz::{read_npz, write_npz};
use keraunos::saving::{Contents, WriteOptions, write_archive};
use serde_json::{Value as Json, json};
use tool::{Folder, arrays, fail, model, run, succeed};

const TWO: &str = "two_inputs_two_outputs";

/// A well-formed archive whose model cannot be built.
fn unknown_class(path: &str) {
    let layer = json!({
        "module": "mine", "class_name": "Mystery", "registered_name": "mine>Mystery",
        "config": {"name": "mystery"},
    });
    let config = json!({
        "module": "keras", "class_name": "Sequential", "registered_name": null,
        "config": {"name": "strange", "layers": [layer]},
    });
    let contents = Contents {
        metadata: json!({"keras_version": "3.15.1", "date_saved": "2026-01-01@00:00:00"}),
        config,
        groups: Vec::new(),
        assets: Vec::new(),
    };
    let options = WriteOptions::default();
    write_archive(Path::new(path), &contents, &options, &mut |_, _| {}).unwrap();
}

fn assert_close(found: &Tensor, expected: &Tensor) {
    assert_eq!(found.spec(), expected.spec());
    assert!(found.iter_f64().zip(expected.iter_f64()).all(|(f, e)| (f - e).abs() < 1e-4));
}

#[test]
fn predict_writes_outputs_by_name_or_by_position() {
    let folder = Folder::new();
    let output = folder.path("out.npz");
    let recorded = read_npz(Path::new(&arrays(TWO))).unwrap();
    let expected = |name: &str| &recorded.iter().find(|(n, _)| n == name).unwrap().1;
    for (flags, names) in
        [(&["--batch-size", "2"][..], ["price", "kind"]), (&["--positional"], ["y0", "y1"])]
    {
        let (model, inputs) = (model(TWO), arrays(TWO));
        let mut args = vec!["predict", &model, "--inputs", &inputs, "--output", &output];
        args.extend(flags);
        assert_eq!(succeed(&args), "");
        let found = read_npz(Path::new(&output)).unwrap();
        assert_eq!(found.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), names);
        assert_close(&found[0].1, expected("y0"));
        assert_close(&found[1].1, expected("y1"));
    }
}

#[test]
fn predict_reads_and_writes_json() {
    let folder = Folder::new();
    let (inputs, output) = (folder.path("x.json"), folder.path("y.json"));
    let rows = |name: &str| {
        let arrays = read_npz(Path::new(&arrays("mlp"))).unwrap();
        let array = arrays.into_iter().find(|(n, _)| n == name).unwrap().1;
        let columns = array.shape()[1];
        let all: Vec<f64> = array.iter_f64().collect();
        all.chunks(columns).map(<[f64]>::to_vec).collect::<Vec<_>>()
    };
    fs::write(&inputs, json!(rows("x0")).to_string()).unwrap();
    let model = model("mlp");
    let args = ["predict", &model, "--inputs", &inputs, "--output", &output];
    assert_eq!(succeed(&args), "");
    let found: Vec<Vec<f64>> = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    for (found, expected) in found.iter().flatten().zip(rows("y0").iter().flatten()) {
        assert!((found - expected).abs() < 1e-4);
    }
    succeed(&["compare", &model, "--inputs", &inputs, "--expected", &output]);
    succeed(&[&args[..], &["--positional"]].concat());
    let found: Json = serde_json::from_slice(&fs::read(&output).unwrap()).unwrap();
    assert!(found["y0"].is_array(), "{found}");
    fs::write(&inputs, "[[1, 2, \"three\"]]").unwrap();
    let line = fail(&args, 1);
    assert!(line.contains("x.json: at [0][2]: text among numbers"), "{line}");
}

#[test]
fn inputs_are_found_by_name() {
    let folder = Folder::new();
    let recorded = read_npz(Path::new(&arrays(TWO))).unwrap();
    let named = [("table", "x1"), ("image", "x0"), ("price", "y0"), ("kind", "y1")].map(
        |(name, number)| {
            let array = recorded.iter().find(|(n, _)| n == number).unwrap();
            (name.to_owned(), array.1.clone())
        },
    );
    let path = folder.path("named.npz");
    write_npz(Path::new(&path), &named).unwrap();
    let said = succeed(&["compare", &model(TWO), "--inputs", &path, "--expected", &path]);
    assert!(said.contains("output price (5, 1) float32: same"), "{said}");
}

#[test]
fn inputs_that_do_not_fit_are_the_caller_s() {
    let folder = Folder::new();
    let (wrong, output) = (folder.path("wrong.npz"), folder.path("out.npz"));
    let predict = |name: &str| {
        let args = ["predict", &model(name), "--inputs", &wrong, "--output", &output];
        fail(&args, 1)
    };
    write_npz(Path::new(&wrong), &[("picture".into(), Tensor::scalar(0.0))]).unwrap();
    let line = predict(TWO);
    for part in ["found picture ()", "expected image (None, 8, 8, 2), table (None, 5)", "x0, x1"] {
        assert!(line.contains(part), "{line}");
    }
    write_npz(Path::new(&wrong), &[("x0".into(), Tensor::new([2, 3], &[0f32; 6]).unwrap())])
        .unwrap();
    let line = predict("mlp");
    assert!(line.contains("(2, 3)") && line.contains("(None, 12)"), "{line}");
    assert!(!Path::new(&output).exists());
}

#[test]
fn refused_files_give_2_and_one_line() {
    let folder = Folder::new();
    let (noise, strange) = (folder.path("noise.keras"), folder.path("strange.keras"));
    fs::write(&noise, "no archive").unwrap();
    unknown_class(&strange);
    let (inputs, output) = (arrays("mlp"), folder.path("out.npz"));
    for file in [&noise, &strange] {
        let commands: [&[&str]; 6] = [
            &["predict", file, "--inputs", &inputs, "--output", &output],
            &["inspect", file],
            &["summary", file],
            &["convert", file, &folder.path("copy.keras")],
            &["compare", file, "--inputs", &inputs, "--expected", &inputs],
            &["plan", file],
        ];
        for command in commands {
            let line = fail(command, 2);
            assert!(line.contains(file.as_str()), "{line}");
        }
    }
    assert!(fail(&["summary", &strange], 2).contains("mine>Mystery"));
    let refused = ["predict", &model("mlp"), "--inputs", &noise, "--output", &output];
    fail(&refused, 2);
}

#[test]
fn other_failures_give_1() {
    let folder = Folder::new();
    assert!(fail(&["summary", &folder.path("nothing.keras")], 1).contains("nothing.keras"));
    let (model, inputs, output) = (model("mlp"), arrays("mlp"), folder.path("out.npz"));
    let args = ["predict", &model, "--inputs", &inputs, "--output", &output];
    let line = fail(&[&args[..], &["--device", "no such adapter"]].concat(), 1);
    assert!(line.contains("no such adapter"), "{line}");
    let usage = run(&[&args[..], &["--batch-size", "0"]].concat());
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn the_device_is_said_once() {
    let folder = Folder::new();
    let output = folder.path("out.npz");
    let said = run(&["predict", &model("mlp"), "--inputs", &arrays("mlp"), "--output", &output]);
    assert_eq!(String::from_utf8_lossy(&said.stderr), "device: host\n");
}

#[test]
fn inspect_lists_what_a_file_holds() {
    let text = succeed(&["inspect", &model("mlp_compiled")]);
    let parts = ["Keras 3.15.1", "config.json", "BatchNormalization", "layers/dense/vars/0"];
    for part in parts.into_iter().chain(["(10, 16)", "optimizer Adam", "optimizer/vars/13"]) {
        assert!(text.contains(part), "{part}:\n{text}");
    }
    let report: Json =
        serde_json::from_str(&succeed(&["inspect", &model("mlp_compiled"), "--json"])).unwrap();
    assert_eq!(report["keras_version"], "3.15.1");
    assert_eq!(report["class_name"], "Sequential");
    assert_eq!(report["members"][1]["name"], "config.json");
    assert_eq!(report["layers"][1]["class_name"], "Dense");
    let kernel = &report["variables"][4];
    let expected = json!({
        "path": "layers/dense/vars/0", "shape": [10, 16], "dtype": "float32", "bytes": 640,
    });
    assert_eq!(*kernel, expected);
    assert_eq!(report["optimizer"]["class_name"], "Adam");
    assert_eq!(report["optimizer"]["variables"].as_array().unwrap().len(), 14);
    assert_eq!(report["unsupported"], json!({"classes": [], "reason": null}));
}

#[test]
fn inspect_shows_what_it_can_of_a_file_that_is_refused() {
    let folder = Folder::new();
    let strange = folder.path("strange.keras");
    unknown_class(&strange);
    let output = run(&["inspect", &strange, "--json"]);
    assert_eq!(output.status.code(), Some(2));
    let report: Json = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["layers"][0]["name"], "mystery");
    assert_eq!(report["unsupported"]["classes"], json!(["Mystery (mine)"]));
    assert!(report["unsupported"]["reason"].as_str().unwrap().contains("Mystery"));
    let text = run(&["inspect", &strange]).stdout;
    assert!(String::from_utf8_lossy(&text).contains("unknown class: Mystery (mine)"));
}

#[test]
fn summary_is_keras_s_table() {
    let text = succeed(&["summary", &model("mlp_compiled")]);
    let rows = [
        "Model: \"sequential\"",
        "┃ Layer (type)                             ┃ Output Shape ┃ Param # ┃",
        "│ batch_normalization (BatchNormalization) │ (None, 16)   │      64 │",
        " Total params: 862 (3.37 KB)",
        " Trainable params: 276 (1.08 KB)",
        " Non-trainable params: 32 (128.00 B)",
        " Optimizer params: 554 (2.16 KB)",
    ];
    for row in rows {
        assert!(text.lines().any(|line| line == row), "{row}\n{text}");
    }
    let text = succeed(&["summary", &model(TWO)]);
    assert!(text.contains("│ dense[0][0], dense_1[0][0] │"), "{text}");
    let text = succeed(&["summary", &model("op_nodes")]);
    assert!(text.contains("│ clip (Clip) "), "operations are rows, too:\n{text}");
    let text = succeed(&["summary", &model("frozen_base"), "--expand-nested", "--show-trainable"]);
    for part in ["   └ ", " Trainable ┃", " N ", " - "] {
        assert!(text.contains(part), "{part}\n{text}");
    }
}

#[test]
fn convert_writes_archives_and_folders() {
    let folder = Folder::new();
    let (unpacked, packed) = (folder.path("unpacked"), folder.path("packed.keras"));
    succeed(&["convert", &model("cnn"), &unpacked]);
    assert!(Path::new(&unpacked).join("config.json").is_file());
    succeed(&["convert", &unpacked, &packed]);
    let recorded = arrays("cnn");
    succeed(&["compare", &packed, "--inputs", &recorded, "--expected", &recorded]);
    let before = fs::read(&packed).unwrap();
    let line = fail(&["convert", &model("mlp"), &packed, "--no-overwrite"], 1);
    assert!(line.contains("packed.keras"), "{line}");
    assert_eq!(fs::read(&packed).unwrap(), before);
}

#[test]
fn a_verified_save_has_the_same_bytes() {
    let folder = Folder::new();
    let (plain, verified) = (folder.path("plain.keras"), folder.path("verified.keras"));
    succeed(&["convert", &model("cnn"), &plain]);
    succeed(&["convert", &model("cnn"), &verified, "--verify"]);
    assert_eq!(fs::read(&verified).unwrap(), fs::read(&plain).unwrap());
    for name in ["m.weights.h5", "m.weights.json", "m.json", "m.h5", "m"] {
        succeed(&["convert", &plain, &folder.path(name), "--verify"]);
    }
    let line = fail(&["convert", &plain, "-", "--verify"], 1);
    assert!(line.contains("cannot be read again"), "{line}");
}

#[test]
fn compare_names_the_first_difference() {
    let folder = Folder::new();
    let changed = folder.path("changed.npz");
    let mut recorded = read_npz(Path::new(&arrays("mlp"))).unwrap();
    for (_, array) in recorded.iter_mut().filter(|(name, _)| name == "y0") {
        let mut elements: Vec<f32> = array.to_vec().unwrap();
        elements[7 + 3] = 42.0;
        *array = Tensor::new(array.shape().clone(), &elements).unwrap();
    }
    write_npz(Path::new(&changed), &recorded).unwrap();
    let (model, inputs) = (model("mlp"), arrays("mlp"));
    let output = run(&["compare", &model, "--inputs", &inputs, "--expected", &changed]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("different, 1 of 35 elements, the first at [1, 3] is"), "{text}");
    let wide = ["compare", &model, "--inputs", &inputs, "--expected", &changed, "--atol", "50"];
    succeed(&wide);
}

#[test]
fn compare_finds_layers_the_same_on_a_gpu_and_on_the_host() {
    let (model, inputs) = (model("nested"), arrays("nested"));
    let args = ["compare", &model, "--inputs", &inputs, "--layers"];
    assert!(fail(&args, 1).contains("--device"));
    let text = succeed(&[&args[..], &["--device", "gpu"]].concat());
    assert!(text.contains("and the host give the same"), "{text}");
}

#[test]
fn plan_needs_no_adapter_and_can_leave_out_passes() {
    let folder = Folder::new();
    let dump = folder.path("dump");
    let dispatches = |text: &str| -> usize {
        let line = text.lines().find_map(|line| line.strip_prefix("each run: ")).expect("a count");
        line.split(' ').next().unwrap().parse().unwrap()
    };
    let fused = succeed(&["plan", &model("cnn"), "--batch", "4", "--dump", &dump]);
    assert!(fused.contains("(4, "), "{fused}");
    let unfused = succeed(&["plan", &model("cnn"), "--without", "fuse", "--without", "hoist"]);
    assert!(dispatches(&fused) < dispatches(&unfused));
    let mut files: Vec<_> = fs::read_dir(&dump).unwrap().map(|e| e.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["0_trace.txt", "1_simplify.txt", "2_hoist.txt", "3_regions.txt"]);
    assert!(succeed(&["plan", &model("cnn"), "--device", "host"]).contains("\nhost: "));
    assert_eq!(run(&["plan", &model("cnn"), "--without", "magic"]).status.code(), Some(2));
}

#[test]
fn adapters_are_listed() {
    assert!(succeed(&["adapters"]).contains("host"));
    let list: Json = serde_json::from_str(&succeed(&["adapters", "--json"])).unwrap();
    assert!(list["adapters"].is_array() && list["auto"].is_string());
}

#[test]
fn completions_are_printed() {
    assert!(succeed(&["completions", "bash"]).contains("_keraunos"));
}

#[test]
fn bench_writes_the_schema_of_the_manual() {
    let folder = Folder::new();
    let file = folder.path("bench.json");
    let arguments = ["--batch", "2,3", "--seconds", "0", "--json", &file];
    let adapters = ["--adapter", "software", "--adapter", "host"];
    let model = model("mlp_compiled");
    let text = succeed(&[&["bench", &model][..], &adapters, &arguments].concat());
    assert!(text.contains("predict, batch 3"), "{text}");
    let json: serde_json::Value = serde_json::from_slice(&fs::read(&file).unwrap()).unwrap();
    assert_eq!(json["schema"], "keraunos-bench/1");
    let devices = json["devices"].as_array().unwrap();
    assert_eq!(devices.len(), 2);
    for device in devices {
        assert!(device["best"]["flops_per_s"].as_f64().unwrap() > 1e6);
        let lines = device["lines"].as_array().unwrap();
        let batches: Vec<_> = lines.iter().map(|line| line["batch"].as_u64().unwrap()).collect();
        assert_eq!(batches, [2, 3]);
        for line in lines {
            assert!(line["runs"].as_u64().unwrap() >= 5, "{line}");
            let at = |key: &str| line["seconds"][key].as_f64().unwrap();
            assert!(at("least") <= at("median") && at("median") <= at("p95"), "{line}");
            assert!(line["cold"]["first_s"].as_f64().unwrap() > 0.0, "{line}");
            assert!(line["cpu_s"].is_number() || !cfg!(target_os = "linux"), "{line}");
            assert!(line["work"]["flops"].as_u64().unwrap() > 0, "{line}");
            assert!(line["memory"]["device_bytes"].as_u64().unwrap() > 0, "{line}");
        }
    }
    let text = succeed(&["bench", &model, "--train", "--adapter", "host", "--seconds", "0"]);
    assert!(text.contains("step, batch 32"), "{text}");
    let large = ["bench", &model, "--adapter", "host", "--batch", "999999999999"];
    let refused = run(&large);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("more elements"));
}

#[test]
fn tune_keeps_a_table_that_other_commands_take() {
    let folder = Folder::new();
    let (table, arrays) = (folder.path("new/tuned.json"), arrays("cnn"));
    let tune = ["tune", &model("cnn"), "--device", "software", "--output", &table];
    let text = succeed(&[&tune[..], &["--batch", "2", "--seconds", "0"]].concat());
    assert!(text.contains("conv_block") && text.contains(&table), "{text}");
    let read = || serde_json::from_slice::<Json>(&fs::read(&table).unwrap()).unwrap();
    let count = |table: &Json| table["adapters"][0]["problems"].as_object().unwrap().len();
    let first = read();
    assert_eq!(first["schema"], "keraunos-tuned/1");
    let report = succeed(&[&tune[..], &["--batch", "3", "--seconds", "0", "--json"]].concat());
    let report: Json = serde_json::from_str(&report).unwrap();
    assert_eq!(report["schema"], "keraunos-tune/1");
    assert!(report["problems"].as_array().unwrap().iter().all(|p| p["fastest"].is_string()));
    assert!(count(&read()) > count(&first), "what was there stays");
    let outputs = ["plain.npz", "tuned.npz"].map(|name| folder.path(name));
    let predict =
        ["predict", &model("cnn"), "--inputs", &arrays, "--device", "software", "--output"];
    succeed(&[&predict[..], &[&outputs[0]]].concat());
    succeed(&[&predict[..], &[&outputs[1], "--tuned", &table]].concat());
    let same = ["--inputs", &arrays, "--expected", &outputs[0], "--tuned", &table];
    succeed(&[&["compare", &model("cnn"), "--device", "software"][..], &same].concat());
    fs::write(&table, "{}").unwrap();
    assert!(
        fail(&[&predict[..], &[&outputs[1], "--tuned", &table]].concat(), 1).contains("schema")
    );
    assert!(fail(&["tune", &model("cnn"), "--output", &table], 1).contains("schema"));
    fs::remove_file(&table).unwrap();
    assert!(fail(&["tune", &model("cnn"), "--output", &table], 2).contains("host"));
}

#[test]
fn profile_tells_the_time_of_each_layer() {
    let none = run(&["profile", &model("cnn"), "--device", "host", "--batch", "0"]);
    assert_eq!(none.status.code(), Some(2));
    for device in ["host", "software"] {
        let text =
            succeed(&["profile", &model("cnn"), "--device", device, "--runs", "2", "--json"]);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        let dispatches = json["dispatches"].as_array().unwrap();
        let seconds = |line: &serde_json::Value| line["seconds"].as_f64().unwrap();
        assert!(dispatches.iter().all(|line| seconds(line) > 0.0), "{text}");
        let layers = json["layers"].as_array().unwrap();
        assert!(layers.iter().any(|line| line["name"] == "dense"), "{text}");
        let [of_layers, of_dispatches] =
            [layers, dispatches].map(|lines| lines.iter().map(seconds).sum::<f64>());
        assert!((of_layers - of_dispatches).abs() < 1e-9);
    }
}

#[test]
fn an_audit_says_what_is_unusual_and_what_is_dangerous() {
    let clean = succeed(&["inspect", "--audit", &model(TWO)]);
    assert_eq!(clean.trim(), "verdict: clean");
    let folder = Folder::new();
    let write = |name: &str, config: Json| {
        let path = folder.0.path().join(name);
        let contents =
            Contents { metadata: json!({}), config, groups: Vec::new(), assets: Vec::new() };
        write_archive(&path, &contents, &WriteOptions::default(), &mut |_, _| {}).unwrap();
        path.display().to_string()
    };
    let code = json!({"module": "os", "class_name": "system", "config": {"command": "true"}});
    let output = run(&["inspect", "--audit", "--json", &write("code.keras", code)]);
    assert_eq!(output.status.code(), Some(2));
    let report: Json = serde_json::from_slice(&output.stdout).expect("JSON");
    assert_eq!(report["verdict"], "dangerous");
    let what = report["findings"][0]["what"].as_str().unwrap();
    assert!(what.contains("os.system"), "{what}");
}

#[test]
fn limits_are_changed_by_name() {
    let small = ["summary", "--limit", "config_bytes=1KiB", &model(TWO)];
    assert!(fail(&small, 2).contains("config_bytes"));
    succeed(&["summary", "--limit", "config_bytes=1GiB", &model(TWO)]);
    let unknown = run(&["summary", "--limit", "colour=1", &model(TWO)]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("config_bytes"));
}

#[test]
fn models_go_through_pipes() {
    let piped = |arguments: &[&str], input: &[u8]| {
        let mut child = Command::new(env!("CARGO_BIN_EXE_keraunos"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Small enough for a pipe to hold: nobody waits for anybody.
        child.stdin.take().unwrap().write_all(input).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), output.stdout)
    };
    let folder = Folder::new();
    let [direct, copy] = ["direct.keras", "copy.keras"].map(|name| folder.0.path().join(name));
    succeed(&["convert", &model(TWO), direct.to_str().unwrap()]);
    let (code, streamed) = piped(&["convert", &model(TWO), "-"], b"");
    assert_eq!(code, Some(0));
    let (code, nothing) = piped(&["convert", "-", copy.to_str().unwrap()], &streamed);
    assert_eq!((code, nothing.len()), (Some(0), 0));
    assert!(std::fs::read(&copy).unwrap() == std::fs::read(&direct).unwrap());
    let (code, _) = piped(&["convert", "-", "-"], b"no model");
    assert_eq!(code, Some(2));
}

/// A model that passes its only input on, compiled, with samples on which its squared error is 1, 4, 9.
fn passing(folder: &Folder) -> [String; 3] {
    use keraunos::layers::Dense;
    use keraunos::trainers::Compile;
    let layer = Dense::new(1).use_bias(false).kernel_initializer("ones");
    let mut model = keraunos::Sequential::new([1]).add(layer).build().unwrap();
    model.compile(Compile::new("sgd").loss("mse")).unwrap();
    let [file, x, y] = ["model.keras", "x.npz", "y.npz"].map(|name| folder.path(name));
    model.save(&file).unwrap();
    let write = |path: &str, values: [f32; 3]| {
        let tensor = Tensor::new([3, 1], &values).unwrap();
        write_npz(Path::new(path), &[("y".into(), tensor)]).unwrap();
    };
    write(&x, [0.0; 3]);
    write(&y, [1.0, 2.0, 3.0]);
    [file, x, y]
}

#[test]
fn evaluations_and_validations_weigh_samples_and_count_batches() {
    let folder = Folder::new();
    let [file, x, y] = passing(&folder);
    let weights = folder.path("w.npz");
    let tensor = Tensor::new([3], &[3.0f32, 0.0, 1.0]).unwrap();
    write_npz(Path::new(&weights), &[("w".into(), tensor)]).unwrap();
    let evaluate = |more: &[&str]| {
        let all = [&["evaluate", &file, "--x", &x, "--y", &y, "--json"], more].concat();
        let logs: Json = serde_json::from_str(&succeed(&all)).unwrap();
        logs["loss"].as_f64().unwrap()
    };
    assert!((evaluate(&[]) - 14.0 / 3.0).abs() < 1e-6);
    assert!((evaluate(&["--sample-weight", &weights]) - 4.0).abs() < 1e-6);
    assert!((evaluate(&["--batch-size", "1", "--steps", "2"]) - 2.5).abs() < 1e-6);

    let (out, history) = (folder.path("out.keras"), folder.path("history.json"));
    let fit = |more: &[&str]| {
        let all = ["fit", &file, "--x", &x, "--y", &y, "--save", &out, "--history", &history];
        succeed(&[&all, &["--validation-x", &x, "--validation-y", &y][..], more].concat());
        let logs: Json = serde_json::from_str(&fs::read_to_string(&history).unwrap()).unwrap();
        logs["history"]["val_loss"][0].as_f64().unwrap()
    };
    // The input is 0, so that training changes nothing.
    assert!((fit(&["--validation-sample-weight", &weights]) - 4.0).abs() < 1e-6);
    let batches = ["--validation-batch-size", "1", "--validation-steps", "1"];
    assert!((fit(&batches) - 1.0).abs() < 1e-6);

    // What cannot be saved is said before the training, and what is asked for in vain during it.
    let given = ["fit", &file, "--x", &x, "--y", &y, "--epochs", "2", "--save"];
    let (nowhere, log) = (folder.path("none/out.keras"), folder.path("log.csv"));
    let refused = fail(&[&given[..], &[&nowhere, "--csv-log", &log]].concat(), 1);
    assert!(refused.contains("its folder does not exist"), "{refused}");
    assert!(!Path::new(&log).exists());
    let refused = fail(&["fit", &file, "--x", "x.npy", "--y", &y, "--save", &out], 1);
    assert!(refused.contains("numpy.savez"), "{refused}");
    let watched =
        run(&[&given[..], &[&out, "--early-stopping", "2", "--monitor", "val_los"]].concat());
    let said = String::from_utf8_lossy(&watched.stderr);
    assert!(said.contains("warning: EarlyStopping finds no 'val_los'"), "{said}");
}
