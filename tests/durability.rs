//! Saves of real processes: killed, side by side, into odd places.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use keraunos::Tensor;
use keraunos::base::DType;
use keraunos::base::Spec;
use keraunos::saving::saving_lib::SaveWeightsOptions;
use keraunos::saving::{
    Archive, Contents, GroupPlan, Limits, WriteOptions, open_weights, write_archive,
};
use keraunos::{SaveOptions, load_model};
use serde_json::json;
use tempfile::TempDir;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/models").join(name)
}

fn convert(from: &Path, to: &Path) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_keraunos"));
    command.arg("convert").args([from, to]).env("KERAUNOS_DEVICE", "host").env_remove("RUST_LOG");
    if to.to_string_lossy().ends_with(".weights.json") {
        command.args(["--max-shard-size", "0.003"]);
    }
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("keraunos starts")
}

/// A model of one Dense layer whose weights are all of one value.
fn dense(path: &Path, units: usize, value: f32) -> Vec<u8> {
    let mut model = keraunos::Sequential::new([8])
        .add(keraunos::layers::Dense::new(units))
        .build()
        .expect("a model");
    fill(&mut model, value);
    model.save(path).expect("saved");
    fs::read(path).expect("written")
}

fn fill(model: &mut keraunos::Model, value: f32) {
    for (_, variable) in model.variables() {
        let count = variable.spec().shape.len();
        let tensor = Tensor::new(variable.spec().shape.clone(), &vec![value; count]);
        variable.assign(tensor.expect("a tensor")).expect("fits");
    }
}

fn leftovers(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").map(|entry| entry.unwrap().path());
    let is_temporary = |path: &PathBuf| path.extension().is_some_and(|ending| ending == "tmp");
    entries.filter(is_temporary).collect()
}

/// Kills a save 500 times: half of the times at any moment, half as soon as its temporary file shows.
#[test]
fn a_killed_save_leaves_a_whole_model() {
    const KILLS: usize = 500;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let sizes = [10, 20_000, 200_000];
    for (round, units) in sizes.into_iter().enumerate() {
        let old = dense(&at("old.keras"), units, 1.0);
        let new = dense(&at("new.keras"), units, 2.0);
        let target = at("target.keras");
        let started = Instant::now();
        assert!(convert(&at("new.keras"), &at("timed.keras")).wait().unwrap().success());
        let duration = started.elapsed();
        for kill in (0..KILLS).filter(|kill| kill % sizes.len() == round) {
            fs::write(&target, &old).unwrap();
            let mut child = convert(&at("new.keras"), &target);
            if kill.is_multiple_of(2) {
                std::thread::sleep(duration.mul_f64((kill * 7 % 100) as f64 / 100.0));
            } else {
                while leftovers(folder.path()).is_empty() && child.try_wait().unwrap().is_none() {}
                std::thread::sleep(Duration::from_micros((kill * 13 % 400) as u64));
            }
            child.kill().unwrap();
            child.wait().unwrap();
            let found = fs::read(&target).unwrap();
            assert!(found == old || found == new, "{units} units, kill {kill}: neither is whole");
            let left = leftovers(folder.path());
            assert!(left.len() <= 1, "{units} units, kill {kill}: {left:?}");
            left.iter().for_each(|path| fs::remove_file(path).unwrap());
        }
    }
}

/// The one value that all weights of a model have.
fn value_of(model: &keraunos::Model) -> f64 {
    let all: Vec<f64> = (model.variables().iter())
        .flat_map(|(_, variable)| variable.value().unwrap().iter_f64().collect::<Vec<_>>())
        .collect();
    assert!(all.iter().all(|&value| value == all[0]), "parts of two models");
    all[0]
}

/// Kills saves over a model folder and over shards. The name leads to the old weights or to the new
/// ones, never to some of both.
#[test]
fn killed_saves_of_several_files_leave_one_model() {
    const KILLS: usize = 60;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    dense(&at("old.keras"), 100_000, 1.0);
    dense(&at("new.keras"), 100_000, 2.0);
    for name in ["model", "model.weights.json"] {
        let target = at(name);
        let started = Instant::now();
        assert!(convert(&at("old.keras"), &target).wait().unwrap().success());
        let duration = started.elapsed();
        let mut old = 1.0;
        for kill in 0..KILLS {
            let from = if old == 1.0 { at("new.keras") } else { at("old.keras") };
            let mut child = convert(&from, &target);
            std::thread::sleep(duration.mul_f64((kill * 37 % 120) as f64 / 100.0));
            child.kill().unwrap();
            child.wait().unwrap();
            let mut model = load_model(at("old.keras")).unwrap();
            match name {
                "model" => model = load_model(&target).unwrap(),
                _ => model.load_weights(&target).unwrap(),
            }
            old = value_of(&model);
            assert!([1.0, 2.0].contains(&old), "kill {kill} of {name}: {old}");
        }
    }
    let shard = |path: &PathBuf| path.to_string_lossy().ends_with(".weights.h5");
    let entries = fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path());
    assert!(entries.filter(shard).count() > 1, "one shard only");
}

#[test]
fn savers_and_readers_at_once_see_whole_models() {
    const SAVERS: usize = 4;
    const READS: usize = 300;
    let folder = tempfile::tempdir().unwrap();
    let at = |name: String| folder.path().join(name);
    let models: Vec<Vec<u8>> =
        (0..SAVERS).map(|i| dense(&at(format!("{i}.keras")), 1_000 << i, i as f32)).collect();
    let target = at("target.keras".into());
    fs::write(&target, &models[0]).unwrap();
    let start = |i: usize| convert(&at(format!("{i}.keras")), &target);
    let mut savers: Vec<Child> = (0..SAVERS).map(start).collect();
    let mut saves = 0;
    for read in 0..READS {
        let found = fs::read(&target).unwrap();
        assert!(models.contains(&found), "read {read}, after {saves} saves: no whole model");
        for (i, saver) in savers.iter_mut().enumerate() {
            if let Some(status) = saver.try_wait().unwrap() {
                assert!(status.success());
                saves += 1;
                *saver = start(i);
            }
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    assert!(savers.into_iter().all(|mut saver| saver.wait().unwrap().success()));
    assert!(saves >= SAVERS, "{saves} saves in all");
    assert!(leftovers(folder.path()).is_empty());
}

struct Place {
    folder: TempDir,
    model: keraunos::Model,
}

impl Place {
    fn new() -> Place {
        let model = load_model(fixture("mlp_compiled.keras")).unwrap();
        Place { folder: tempfile::tempdir().unwrap(), model }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn refused(&self, path: &Path) -> String {
        self.model.save(path).unwrap_err().to_string()
    }
}

#[cfg(unix)]
#[test]
fn links_stay_and_lead_to_the_new_model() {
    use std::os::unix::fs::symlink;
    let place = Place::new();
    let at = |name: &str| place.at(name);
    fs::create_dir(at("other")).unwrap();
    fs::write(at("other/real.keras"), b"old").unwrap();
    symlink(at("other/real.keras"), at("absolute.keras")).unwrap();
    symlink("other/real.keras", at("relative.keras")).unwrap();
    symlink("relative.keras", at("chain.keras")).unwrap();
    symlink("nowhere.keras", at("dangling.keras")).unwrap();
    symlink("loop.keras", at("loop.keras")).unwrap();
    for link in ["absolute.keras", "relative.keras", "chain.keras"] {
        fs::write(at("other/real.keras"), b"old").unwrap();
        place.model.save(at(link)).unwrap();
        assert!(at(link).symlink_metadata().unwrap().file_type().is_symlink(), "{link}");
        load_model(at("other/real.keras")).unwrap();
    }
    for link in ["dangling.keras", "loop.keras"] {
        let message = place.refused(&at(link));
        assert!(message.contains("leads nowhere"), "{message}");
    }
    // The folder form, through a link to a folder.
    fs::create_dir(at("other/model")).unwrap();
    symlink("other/model", at("model")).unwrap();
    for _ in 0..2 {
        let mut options = SaveOptions { zipped: false, ..SaveOptions::default() };
        place.model.save_with(at("model"), &mut options).unwrap();
        assert!(at("model").symlink_metadata().unwrap().file_type().is_symlink());
        load_model(at("other/model")).unwrap();
    }
}

#[cfg(unix)]
#[test]
fn modes_are_kept_and_hard_links_keep_the_old_model() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new();
    let path = place.at("model.keras");
    for mode in [0o600, 0o640, 0o666, 0o444] {
        fs::write(place.at("new"), b"old").unwrap();
        fs::rename(place.at("new"), &path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let (_, other) = (fs::remove_file(place.at("other")), place.at("other"));
        fs::hard_link(&path, &other).unwrap();
        place.model.save(&path).unwrap();
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, mode);
        assert_eq!(fs::read(&other).unwrap(), b"old");
    }
}

#[cfg(unix)]
#[test]
fn what_cannot_be_a_model_is_refused_and_stays() {
    let place = Place::new();
    let folder = place.at("folder.keras");
    fs::create_dir(&folder).unwrap();
    let fifo = place.at("fifo.keras");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    std::os::unix::fs::symlink("/dev/full", place.at("full.keras")).unwrap();
    let long = place.at(&"x".repeat(4_096)).with_extension("keras");
    for (path, what) in [
        (folder, "folder"),
        (fifo, "pipe"),
        (place.at("full.keras"), "device"),
        (place.at("missing/model.keras"), "does not exist"),
        (PathBuf::from(""), "ends in .keras"),
        (PathBuf::from("."), "ends in .keras"),
        (long, "long"),
        (PathBuf::from("nul\0.keras"), "nul"),
    ] {
        let message = place.refused(&path);
        assert!(message.contains(what), "{message}");
    }
    assert!(leftovers(place.folder.path()).is_empty());
    let text = place.at("text");
    fs::write(&text, "mine").unwrap();
    let mut options = SaveOptions { zipped: false, ..SaveOptions::default() };
    let message = place.model.save_with(&text, &mut options).unwrap_err().to_string();
    assert!(message.contains("it is a file"), "{message}");
    assert_eq!(fs::read_to_string(&text).unwrap(), "mine");
}

/// As a user who is not root: a folder that may not be written to, a file that may not, and a file
/// system that takes no files.
#[cfg(target_os = "linux")]
#[test]
fn places_that_may_not_be_written_to_are_refused_and_stay() {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
    use std::os::unix::process::CommandExt;
    const NOBODY: u32 = 65_534;
    let place = Place::new();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        if is_root {
            chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    };
    let (tool, source) = (place.at("keraunos"), place.at("source.keras"));
    fs::copy(env!("CARGO_BIN_EXE_keraunos"), &tool).unwrap();
    place.model.save(&source).unwrap();
    let save = |to: &Path| {
        let mut command = Command::new(&tool);
        command.arg("convert").args([source.as_path(), to]).env("KERAUNOS_DEVICE", "host");
        if is_root {
            command.uid(NOBODY).gid(NOBODY);
        }
        let run = command.output().expect("keraunos starts");
        (run.status.success(), String::from_utf8_lossy(&run.stderr).into_owned())
    };
    fs::create_dir(place.at("locked")).unwrap();
    let locked = place.at("locked/model.keras");
    fs::write(&locked, "mine").unwrap();
    let read_only = place.at("read_only.keras");
    fs::write(&read_only, "mine").unwrap();
    for (path, bits) in [(&tool, 0o755), (&source, 0o644), (&locked, 0o644), (&read_only, 0o444)] {
        mode(path, bits);
    }
    mode(&place.at("locked"), 0o555);
    mode(place.folder.path(), 0o755);
    for path in [locked.as_path(), Path::new("/proc/model.keras")] {
        let (done, message) = save(path);
        assert!(!done && message.contains(path.to_str().unwrap()), "{message}");
    }
    assert_eq!(fs::read_to_string(&locked).unwrap(), "mine");
    // A file that may not be written to in a folder that may is replaced, as `mv` does; it stays so.
    assert!(save(&read_only).0);
    load_model(&read_only).unwrap();
    assert_eq!(read_only.metadata().unwrap().mode() & 0o777, 0o444);
    mode(&place.at("locked"), 0o755);
}

#[test]
fn a_folder_of_other_things_becomes_a_model_and_keeps_them() {
    let place = Place::new();
    let folder = place.at("model");
    fs::create_dir_all(folder.join("assets/mine")).unwrap();
    fs::write(folder.join("assets/mine/a.txt"), "a").unwrap();
    fs::write(folder.join("notes.txt"), "notes").unwrap();
    for round in 0..2 {
        let mut options = SaveOptions { zipped: false, ..SaveOptions::default() };
        place.model.save_with(&folder, &mut options).unwrap();
        load_model(&folder).unwrap();
        assert_eq!(fs::read_to_string(folder.join("notes.txt")).unwrap(), "notes", "{round}");
        assert!(leftovers(&folder).is_empty() && leftovers(place.folder.path()).is_empty());
    }
}

#[test]
fn every_form_of_a_model_has_the_same_bytes_twice() {
    let place = Place::new();
    let save = |name: &str| {
        let zipped = name.contains('.');
        let shards = SaveWeightsOptions {
            max_shard_bytes: name.ends_with(".json").then_some(4_096),
            ..SaveWeightsOptions::default()
        };
        match name.contains(".weights.") {
            true => place.model.save_weights_with(place.at(name), &mut { shards }),
            false => {
                let mut options = SaveOptions { zipped, ..SaveOptions::default() };
                place.model.save_with(place.at(name), &mut options)
            }
        }
        .unwrap();
        let bytes = |name: &str| fs::read(place.at(name)).unwrap();
        match name {
            "m" => ["config.json", "metadata.json", "model.weights.h5"]
                .iter()
                .flat_map(|member| bytes(&format!("m/{member}")))
                .collect(),
            _ => bytes(name),
        }
    };
    for name in ["m.keras", "m", "m.h5", "m.weights.h5"] {
        assert!(save(name) == save(name), "{name}");
    }
    save("m.weights.json");
    let first = open_weights(&place.at("m.weights.json"), &Limits::default()).unwrap().groups();
    save("m.weights.json");
    let second = open_weights(&place.at("m.weights.json"), &Limits::default()).unwrap().groups();
    assert_eq!(first, second);
}

#[test]
fn an_archive_that_is_not_complete_is_not_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.keras");
    let weight = Tensor::zeros(Spec::new([1_000_000], DType::Float32));
    let contents = Contents {
        metadata: json!({"keras_version": "3.15.1"}),
        config: json!({"a": 1}),
        groups: vec![GroupPlan {
            path: "layers/dense/vars".into(),
            name: None,
            datasets: vec![("0".into(), std::sync::Arc::new(weight))],
        }],
        assets: Vec::new(),
    };
    let mut seen = Vec::new();
    let mut look = |_: u64, _: u64| seen.push(path.exists());
    write_archive(&path, &contents, &WriteOptions::default(), &mut look).unwrap();
    assert!(!seen.is_empty() && !seen.contains(&true));
    assert_eq!(Archive::open(&path, &Limits::default()).unwrap().members().len(), 3);
}
