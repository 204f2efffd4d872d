//! Every form of a model's file, given to every command that takes one.

#[path = "common/tool.rs"]
mod tool;

use std::fs::{self, File};
use std::process::{Command, Stdio};

use serde_json::Value as Json;
use tool::{Folder, arrays, fail, model, run, succeed};

/// One model in all forms, made from a file of Keras.
struct Forms {
    folder: Folder,
}

impl Forms {
    /// Those that hold the whole model.
    const WHOLE: [&str; 3] = ["m.keras", "m.h5", "folder"];
    /// Those that hold weights only.
    const WEIGHTS: [&str; 2] = ["w.weights.h5", "w.weights.json"];

    fn new() -> Forms {
        let folder = Folder::new();
        let source = model("mlp_compiled");
        for form in Forms::WHOLE.iter().chain(&Forms::WEIGHTS).chain(&["c.json"]) {
            succeed(&["convert", &source, &folder.path(form), "--max-shard-size", "0.000001"]);
        }
        Forms { folder }
    }

    fn path(&self, form: &str) -> String {
        self.folder.path(form)
    }
}

/// What a command prints that reads a form from standard input.
fn piped(path: &str, args: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keraunos"));
    command.args(args).stdin(File::open(path).unwrap()).stderr(Stdio::inherit());
    let output = command.env("KERAUNOS_DEVICE", "host").output().unwrap();
    assert!(output.status.success(), "{args:?} < {path}");
    String::from_utf8(output.stdout).unwrap()
}

fn report(path: &str) -> Json {
    serde_json::from_str(&succeed(&["inspect", "--json", path])).unwrap()
}

fn count(report: &Json, place: &str) -> usize {
    report.pointer(place).unwrap().as_array().unwrap().len()
}

#[test]
fn inspect_shows_what_every_form_holds() {
    let forms = Forms::new();
    let expected = report(&model("mlp_compiled"));
    for form in Forms::WHOLE {
        let found = report(&forms.path(form));
        for place in ["/layers", "/variables", "/optimizer/variables"] {
            assert_eq!(count(&found, place), count(&expected, place), "{form}: {place}");
        }
        assert_eq!(found["holds"], "model");
        assert_eq!(found["class_name"], expected["class_name"], "{form}");
        assert_eq!(found["keras_version"], expected["keras_version"], "{form}");
        assert_eq!(found["optimizer"]["class_name"], "Adam", "{form}");
    }
    for form in Forms::WEIGHTS {
        let found = report(&forms.path(form));
        assert_eq!(found["holds"], "weights");
        for place in ["/variables", "/optimizer/variables"] {
            assert_eq!(found.pointer(place), expected.pointer(place), "{form}: {place}");
        }
    }
    let shards = report(&forms.path("w.weights.json"));
    assert!(count(&shards, "/members") > 1, "{}", shards["members"]);
    assert_eq!(shards["members"][1]["name"], "w_00001.weights.h5");
    let found = report(&forms.path("c.json"));
    assert_eq!((&found["holds"], &found["layers"]), (&"architecture".into(), &expected["layers"]));
    assert!(succeed(&["inspect", &forms.path("c.json")]).contains("without weights"));
    assert!(succeed(&["inspect", &forms.path("w.weights.h5")]).contains("without a model"));
    for form in ["m.keras", "m.h5"] {
        assert!(piped(&forms.path(form), &["inspect", "-"]).contains("optimizer Adam"), "{form}");
    }
}

#[test]
fn an_audit_looks_at_every_form() {
    let forms = Forms::new();
    for form in Forms::WHOLE.iter().chain(&Forms::WEIGHTS).chain(&["c.json"]) {
        let found = succeed(&["inspect", "--audit", &forms.path(form)]);
        assert_eq!(found.trim(), "verdict: clean", "{form}");
    }
    let text = fs::read_to_string(forms.path("c.json")).unwrap();
    let hostile = text.replacen("\"Dense\"", "\"Lambda\"", 1);
    fs::write(forms.path("c.json"), hostile).unwrap();
    let output = run(&["inspect", "--audit", &forms.path("c.json")]);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stdout).contains("dangerous"));
    for form in ["w.weights.h5", "w_00001.weights.h5", "m.h5"] {
        let path = forms.path(form);
        let bytes = fs::read(&path).unwrap();
        fs::write(&path, &bytes[..bytes.len() - 8]).unwrap();
    }
    for form in ["w.weights.h5", "w.weights.json", "m.h5"] {
        let output = run(&["inspect", "--audit", &forms.path(form)]);
        assert_eq!(output.status.code(), Some(2), "{form}");
        assert_eq!(run(&["inspect", &forms.path(form)]).status.code(), Some(2), "{form}");
    }
}

#[test]
fn every_form_of_a_model_predicts_the_same() {
    let forms = Forms::new();
    let (inputs, output) = (arrays("mlp_compiled"), forms.path("out.npz"));
    let predict = |model: &str, weights: &[&str]| {
        let mut args = vec!["predict", model, "--inputs", &inputs, "--output", &output];
        args.extend(weights);
        succeed(&args);
        fs::read(&output).unwrap()
    };
    let expected = predict(&model("mlp_compiled"), &[]);
    for form in Forms::WHOLE {
        assert_eq!(predict(&forms.path(form), &[]), expected, "{form}");
    }
    let architecture = forms.path("c.json");
    for form in Forms::WEIGHTS.iter().chain(&["m.keras", "m.h5"]) {
        let weights = forms.path(form);
        assert_eq!(predict(&architecture, &["--weights", &weights]), expected, "{form}");
    }
    let args = ["predict", "-", "--inputs", &inputs, "--output", &output];
    piped(&forms.path("m.keras"), &args);
    assert_eq!(fs::read(&output).unwrap(), expected);
    let untrained = fail(&["predict", &architecture, "--inputs", &inputs, "--output", &output], 1);
    assert!(untrained.contains("--weights"), "{untrained}");
}

#[test]
fn commands_that_need_no_weights_take_an_architecture() {
    let forms = Forms::new();
    let (whole, architecture) = (forms.path("m.h5"), forms.path("c.json"));
    for command in ["summary", "plan"] {
        assert_eq!(succeed(&[command, &architecture]), succeed(&[command, &whole]), "{command}");
        for form in Forms::WEIGHTS {
            let refused = fail(&[command, &forms.path(form)], 1);
            assert!(refused.contains("holds weights and no model"), "{refused}");
        }
    }
}
