//! What every version of Keras writes, keraunos reads; what keraunos writes for it, it reads again.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use keraunos::saving::saving_lib::SaveWeightsOptions;
use keraunos::saving::{Archive, Json, Limits};
use keraunos::{CustomObjects, Error, Model, SaveOptions, Tensor, load_model};

use super::{MODELS, common, folder, is_right, state, versions};

const NEWEST: &str = "3.15.1";
/// What is compared, in the order of the table's columns.
const COMPARED: [&str; 4] = ["config", "weights", "optimizer", "predictions"];
/// Bytes of a shard: less than the models, more than any of their variables. Before 3.12 it holds all
/// variables of an object.
const SHARD: u64 = 536;
const SHARD_OF_OBJECTS: u64 = 2_000;

/// The forms as files are called here, and as the table calls them.
const FORMS: [(&str, &str); 9] = [
    ("model.keras", "`.keras`"),
    ("newest.keras", "`.keras`, from a file of 3.15.1"),
    ("folder", "a folder"),
    ("state.weights.h5", "`.weights.h5`"),
    ("shards.weights.json", "`.weights.json` with shards"),
    ("model.h5", "`.h5`, a whole model"),
    ("layers.h5", "`.h5`, weights by layers"),
    ("config.json", "`config.json` alone"),
    ("npz.keras", "`model.weights.npz`"),
];

/// The same file as the second form, but read by the newest version.
const READ_BY_NEWEST: &str = "`.keras`, for this version, read by 3.15.1";

/// What a Keras says of the forms of a model: what differs, by what was compared.
type Verdicts = BTreeMap<String, BTreeMap<String, BTreeMap<String, Option<String>>>>;

/// The folder of the versions: the one that was named, or one that pip fills.
fn installed(python: &Path) -> PathBuf {
    if let Some(named) = std::env::var_os("KERAUNOS_KERAS_VERSIONS") {
        return named.into();
    }
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/keras/versions");
    fs::create_dir_all(&all).unwrap();
    for version in versions().iter().filter(|version| !all.join(version).exists()) {
        let partial = tempfile::tempdir_in(&all).unwrap();
        let mut pip = Command::new(python);
        pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps"]);
        pip.arg("--target").arg(partial.path()).arg(format!("keras=={version}"));
        assert!(
            pip.status().unwrap().success(),
            "Keras {version} could not be installed; KERAUNOS_KERAS_VERSIONS names a folder that has \
             the versions where there is no package index"
        );
        fs::rename(partial.keep(), all.join(version)).unwrap();
    }
    all
}

/// A version of Keras at work.
struct Keras {
    version: String,
    process: Child,
    lines: BufReader<ChildStdout>,
    place: tempfile::TempDir,
}

impl Keras {
    /// Starts to write all forms.
    fn start(python: &Path, installed: &Path, version: &str) -> Keras {
        let place = tempfile::tempdir().unwrap();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/keras/forms_of_version.py");
        let mut command = Command::new(python);
        command.args(["-W", "ignore"]).arg(script).arg(folder().join(version));
        command.args([place.path().join("theirs"), place.path().join("ours")]);
        // NumPy computes such small models at once, where JAX compiles; 3.0 wants PyTorch beside it.
        let backend = if version.starts_with("3.0.") { "jax" } else { "numpy" };
        command.env("PYTHONPATH", installed.join(version)).env("KERAS_BACKEND", backend);
        let said = fs::File::create(place.path().join("stderr")).unwrap();
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(said);
        let mut process = command.spawn().expect("Python starts");
        let lines = BufReader::new(process.stdout.take().unwrap());
        Keras { version: version.into(), process, lines, place }
    }

    /// The verdicts behind a word at the start of a line.
    fn hear(&mut self, word: &str) -> Verdicts {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if let Some(verdicts) = line.strip_prefix(word) {
                return serde_json::from_str(verdicts).unwrap();
            }
            line.clear();
        }
        let said = fs::read_to_string(self.place.path().join("stderr")).unwrap();
        panic!("Keras {} ended before it said {word}: {said}", self.version);
    }

    fn judge(&mut self) -> Verdicts {
        writeln!(self.process.stdin.as_ref().unwrap(), "written").unwrap();
        let verdicts = self.hear("JUDGED");
        assert!(self.process.wait().unwrap().success());
        verdicts
    }

    fn sample(&self, name: &str) -> PathBuf {
        folder().join(&self.version).join(format!("{name}.keras"))
    }

    fn ours(&self, name: &str) -> PathBuf {
        self.place.path().join("ours").join(name)
    }
}

/// The bytes of all weights, and of the optimizer's state.
fn numbers(model: &Model) -> [Vec<Vec<u8>>; 2] {
    let weights = model.variables().into_iter().map(|(_, variable)| {
        Tensor::from_source(variable.source().as_ref()).unwrap().bytes().to_vec()
    });
    let saved = tempfile::NamedTempFile::with_suffix(".keras").unwrap();
    model.save(saved.path()).unwrap();
    [weights.collect(), state(saved.path())]
}

/// Whether a form that Keras wrote is read as the sample: its weights, its optimizer, its predictions.
fn is_read(form: &str, path: &Path, sample: &Path, name: &str) -> Result<bool, Error> {
    let expected = numbers(&load_model(sample)?);
    let model = match form {
        "config.json" => {
            let text = fs::read_to_string(path).unwrap();
            let mut model = Model::from_json(&text, &CustomObjects::new())?;
            model.load_weights(sample)?;
            return Ok(numbers(&model)[0] == expected[0] && is_right(&model, name));
        }
        "state.weights.h5" | "shards.weights.json" | "layers.h5" => {
            let mut model = load_model(sample)?;
            for (_, variable) in model.variables() {
                variable.assign(Tensor::zeros(variable.spec().clone())).unwrap();
            }
            model.load_weights(path)?;
            model
        }
        _ => load_model(path)?,
    };
    Ok(numbers(&model) == expected && is_right(&model, name))
}

/// Writes every form that a version has for it.
fn write_forms(keras: &Keras, name: &str) {
    let folder = keras.ours(name);
    fs::create_dir_all(&folder).unwrap();
    let model = load_model(keras.sample(name)).unwrap();
    write_model(&model, &keras.version, &folder.join("model.keras"), true);
    let config = Archive::open(&folder.join("model.keras"), &Limits::default()).unwrap().config();
    fs::write(folder.join("config.json"), to_text(&config.unwrap())).unwrap();
    let [newest, version] = [NEWEST, &keras.version].map(|v| v.parse().unwrap());
    if newest != version {
        let model = load_model(super::folder().join(NEWEST).join(format!("{name}.keras"))).unwrap();
        write_model(&model, &keras.version, &folder.join("newest.keras"), true);
    }
    if version >= "3.4".parse().unwrap() {
        write_model(&model, &keras.version, &folder.join("folder"), false);
    }
    let weights = |file: &str, max_shard_bytes| {
        let keras_version = Some(version);
        let mut options =
            SaveWeightsOptions { keras_version, max_shard_bytes, ..SaveWeightsOptions::default() };
        model.save_weights_with(folder.join(file), &mut options).unwrap();
    };
    weights("state.weights.h5", None);
    if version >= "3.10".parse().unwrap() {
        let splits = version >= "3.12".parse().unwrap();
        weights("shards.weights.json", Some(if splits { SHARD } else { SHARD_OF_OBJECTS }));
    }
    let mut options = SaveOptions { keras_version: Some(version), ..SaveOptions::default() };
    match model.save_with(folder.join("model.h5"), &mut options) {
        Ok(()) => _ = fs::copy(folder.join("model.h5"), folder.join("layers.h5")).unwrap(),
        // Keras writes operations into this form, but does not load them again.
        Err(error) => assert!(matches!(error.root(), Error::Unsupported(_)), "{error}"),
    }
}

fn to_text(config: &Json) -> String {
    keraunos::saving::json::to_python(config)
}

fn write_model(model: &Model, version: &str, path: &Path, zipped: bool) {
    let keras_version = Some(version.parse().unwrap());
    let mut options = SaveOptions { keras_version, zipped, ..SaveOptions::default() };
    model.save_with(path, &mut options).unwrap();
}

/// What both sides say of one version.
struct Judged {
    version: String,
    /// Keras, of the files that it wrote itself.
    theirs: Verdicts,
    /// Keras, of the files that keraunos wrote.
    ours: Verdicts,
    /// What keraunos has read of Keras's files, as form and model.
    read: BTreeSet<(String, &'static str)>,
}

/// A version from its start to its verdicts, with files of others beside its own.
fn judge(python: &Path, installed: &Path, version: &str, others: &[(String, PathBuf)]) -> Judged {
    let mut keras = Keras::start(python, installed, version);
    let theirs = keras.hear("WRITTEN");
    let mut read = BTreeSet::new();
    for name in MODELS {
        for (form, verdict) in &theirs[name] {
            let path = keras.place.path().join("theirs").join(name).join(form);
            match is_read(form, &path, &keras.sample(name), name) {
                Ok(true) => _ = read.insert((form.clone(), name)),
                Ok(false) => {
                    panic!("{name} as {form} by Keras {version} is read as something else")
                }
                // What Keras itself does not load may be refused.
                Err(e) => assert!(verdict.contains_key("load"), "{version} {name} {form}: {e}"),
            }
        }
        write_forms(&keras, name);
        for (of, folder) in others {
            let file = folder.join(format!("{name}-{of}.keras"));
            fs::copy(file, keras.ours(name).join(format!("for-{of}.keras"))).unwrap();
        }
    }
    let ours = keras.judge();
    Judged { version: version.into(), theirs, ours, read }
}

impl Judged {
    /// The cells of a form, if one of the two writes it; what is wrong is added to `wrong`.
    fn cells(&self, form: &str, wrong: &mut Vec<String>) -> Option<Vec<String>> {
        let written: Vec<&str> =
            MODELS.into_iter().filter(|name| self.ours[*name].contains_key(form)).collect();
        let theirs = MODELS.iter().filter(|name| self.theirs[**name].contains_key(form)).count();
        if theirs == 0 && written.is_empty() {
            return None;
        }
        let read = MODELS.iter().filter(|name| self.read.contains(&(form.into(), **name))).count();
        let read = match (theirs, read) {
            (0, _) => String::new(),
            (_, 0) => "refused, as by Keras".into(),
            (all, read) if all == read => format!("{read} models"),
            (all, read) => format!("{read} models, {} refused as by Keras", all - read),
        };
        let mut cells = vec![read, count(written.len())];
        for what in COMPARED {
            let found = written.iter().map(|name| self.compared(name, form, what, wrong));
            cells.push(tally(&found.flatten().collect::<Vec<_>>()));
        }
        Some(cells)
    }

    /// Whether one thing is equal; false where it is not in Keras's own file either, `None` where
    /// there is nothing to compare.
    fn compared(
        &self,
        name: &str,
        form: &str,
        what: &str,
        wrong: &mut Vec<String>,
    ) -> Option<bool> {
        // What is written for older versions has the older structure of inputs.
        if form.starts_with("for-") && what == "config" {
            return None;
        }
        let in_file = |verdicts: &Verdicts| {
            let verdict = verdicts[name].get(form)?;
            verdict.get(what).or(verdict.get("load")).cloned()
        };
        let problem = in_file(&self.ours)?;
        let Some(problem) = problem else { return Some(true) };
        let is_own = in_file(&self.theirs).flatten().is_some();
        if !is_own {
            wrong.push(format!("Keras {}, {name} as {form}: {what}: {problem}", self.version));
        }
        Some(false)
    }
}

fn count(models: usize) -> String {
    if models == 0 { String::new() } else { format!("{models} models") }
}

fn tally(equal: &[bool]) -> String {
    let yes = equal.iter().filter(|equal| **equal).count();
    match (yes, equal.len() - yes) {
        (0, 0) => String::new(),
        (yes, 0) => format!("{yes} equal"),
        (0, _) => "as its own".into(),
        (yes, no) => format!("{yes} equal, {no} as its own"),
    }
}

/// A line of the table: what the versions from the first to the last have in common.
struct Line {
    form: String,
    first: String,
    last: String,
    cells: Vec<String>,
}

fn add(lines: &mut Vec<Line>, form: &str, version: &str, cells: Vec<String>) {
    match lines.last_mut() {
        Some(line) if line.form == form && line.cells == cells => line.last = version.into(),
        _ => lines.push(Line {
            form: form.into(),
            first: version.into(),
            last: version.into(),
            cells,
        }),
    }
}

fn table(lines: &[Line]) -> String {
    let mut table = String::from(
        "//! | form | Keras | written by it, read here | written here for it | config read by it | \
         weights | optimizer | predictions |\n//! | --- | --- | --- | --- | --- | --- | --- | --- |\n",
    );
    for Line { form, first, last, cells } in lines {
        let versions = if first == last { first.clone() } else { format!("{first} to {last}") };
        writeln!(table, "//! | {form} | {versions} | {} |", cells.join(" | ")).unwrap();
    }
    table
}

/// All versions; the newest one last, which also judges what was written for the others.
fn judge_all(python: &Path) -> Vec<Judged> {
    let installed = installed(python);
    let all = versions();
    let (newest, older) = all.split_last().unwrap();
    let place = tempfile::tempdir().unwrap();
    let sample = |name: &str| folder().join(newest).join(format!("{name}.keras"));
    for (name, version) in MODELS.iter().flat_map(|name| older.iter().map(move |v| (name, v))) {
        let path = place.path().join(format!("{name}-{version}.keras"));
        write_model(&load_model(sample(name)).unwrap(), version, &path, true);
    }
    let others: Vec<(String, PathBuf)> =
        older.iter().map(|version| (version.clone(), place.path().into())).collect();
    let run = |version: &String| {
        let others = if version == newest { others.as_slice() } else { &[] };
        judge(python, &installed, version, others)
    };
    // Two at a time: each is one process that computes for most of the time.
    let mut judged = Vec::new();
    for pair in all.chunks(2) {
        std::thread::scope(|scope| {
            let runs: Vec<_> = pair.iter().map(|version| scope.spawn(|| run(version))).collect();
            judged.extend(runs.into_iter().map(|run| run.join().unwrap()));
        });
    }
    judged
}

/// Every form, by every version: the table of the manual.
#[test]
fn every_version_and_keraunos_read_each_other() {
    let Some(python) = common::python() else { return };
    let judged = judge_all(&python);
    let (mut lines, mut wrong) = (Vec::new(), Vec::new());
    for (form, label) in FORMS {
        for version in &judged {
            if let Some(cells) = version.cells(form, &mut wrong) {
                add(&mut lines, label, &version.version, cells);
            }
        }
    }
    let newest = judged.last().unwrap();
    for version in &judged {
        if let Some(cells) = newest.cells(&format!("for-{}.keras", version.version), &mut wrong) {
            add(&mut lines, READ_BY_NEWEST, &version.version, cells);
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    check_manual(&table(&lines));
}

fn check_manual(table: &str) {
    const START: &str = "//! <!-- versions:start -->\n";
    const END: &str = "//! <!-- versions:end -->";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/manual/formats.rs");
    let manual = fs::read_to_string(&path).unwrap();
    let start = manual.find(START).expect("the start mark") + START.len();
    let end = manual.find(END).expect("the end mark");
    if std::env::var_os("KERAUNOS_BLESS").is_some() {
        let new = format!("{}{table}{}", &manual[..start], &manual[end..]);
        fs::write(&path, new).unwrap();
        return;
    }
    assert_eq!(&manual[start..end], table, "the table is stale: run with KERAUNOS_BLESS=1");
}
