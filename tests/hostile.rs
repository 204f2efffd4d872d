//! Hostile and odd files, each through the whole of a load and a prediction on the host: a model
//! that predicts what Keras recorded, or an error; never a panic, never long.

mod common;

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::time::{Duration, Instant};

use common::hostile::{Case, cases, unpack};
use common::{computing_time, peak_memory};
use keraunos::saving::npz::read_npz;
use keraunos::{Device, Error, PredictOptions, Tensor, load_model};

/// Computing time of one case, at most.
const TIME: Duration = Duration::from_secs(2);
/// Bytes of an error message, at most.
const MESSAGE: usize = 1_000;
/// Bytes of memory that the whole run may take, files and recordings included.
const MEMORY: u64 = 512 << 20;

/// Inputs and outputs of an honest model.
type Recording = (Vec<Tensor>, Vec<Tensor>);

fn recording(path: &Path) -> Recording {
    let arrays = read_npz(path).unwrap();
    let pick = |prefix: char| {
        let named = |i: usize| arrays.iter().find(|(name, _)| *name == format!("{prefix}{i}"));
        (0..).map_while(named).map(|(_, tensor)| tensor.clone()).collect()
    };
    (pick('x'), pick('y'))
}

/// What the model of a file gives for inputs.
fn predict(path: &Path, inputs: &[Tensor]) -> Result<Vec<Tensor>, Error> {
    load_model(path)?.predict_with(inputs, &mut PredictOptions::on(Device::Host))
}

/// Whether all outputs are Keras's within the tolerance of the set.
fn equal(found: &[Tensor], expected: &[Tensor]) -> bool {
    let close = |(f, e): (f64, f64)| {
        f == e || (f.is_nan() && e.is_nan()) || (f - e).abs() <= 1e-5 + 1e-4 * e.abs()
    };
    found.len() == expected.len()
        && found
            .iter()
            .zip(expected)
            .all(|(f, e)| f.shape() == e.shape() && f.iter_f64().zip(e.iter_f64()).all(close))
}

/// What is wrong with an outcome, if anything is.
fn misjudged(
    case: &Case,
    outcome: &Result<Vec<Tensor>, Error>,
    expected: &[Tensor],
) -> Option<String> {
    let same = outcome.as_ref().is_ok_and(|found| equal(found, expected));
    let right = match case.verdict.as_str() {
        "reject" => outcome.is_err(),
        "accept-equal" => same,
        "reject-or-equal" => outcome.is_err() || same,
        "survive" => true,
        other => panic!("unknown verdict {other}"),
    };
    let shown = match outcome {
        Ok(_) if same => "it predicts as Keras does".to_owned(),
        Ok(_) => "it predicts something else".to_owned(),
        Err(error) => error.to_string(),
    };
    if !right {
        return Some(shown);
    }
    let error = outcome.as_ref().err()?;
    let own_fault = !error.is_refusal();
    let plain = shown.len() <= MESSAGE && !shown.contains(char::is_control);
    (own_fault || !plain).then(|| format!("an error that does not blame the file: {shown}"))
}

#[test]
fn every_case_gets_its_verdict() {
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path();
    unpack(set);
    let cases = cases(set);
    assert!(cases.len() > 500, "{} cases", cases.len());
    let only = std::env::var("KERAUNOS_ONLY").unwrap_or_default();
    let mut recordings: HashMap<&str, Recording> = HashMap::new();
    let mut wrong = Vec::new();
    for case in cases.iter().filter(|case| case.id.starts_with(&only)) {
        let read = || recording(&set.join("refs").join(format!("{}.npz", case.base)));
        let (inputs, expected) = recordings.entry(&case.base).or_insert_with(read);
        let (start, since) = (Instant::now(), computing_time());
        let run = AssertUnwindSafe(|| predict(&set.join(&case.file), inputs));
        let outcome = catch_unwind(run);
        let computed = computing_time().zip(since).map(|(now, then)| now - then);
        let took = computed.unwrap_or_else(|| start.elapsed());
        let fault = match &outcome {
            Err(_) => Some("a panic".to_owned()),
            Ok(_) if took > TIME => Some(format!("it took {took:?}")),
            Ok(outcome) => misjudged(case, outcome, expected),
        };
        if let Some(fault) = fault {
            wrong.push(format!("{} ({}): {fault}", case.id, case.verdict));
        }
        if std::env::var_os("KERAUNOS_VERBOSE").is_some() {
            let shown = outcome.as_ref().map(|o| o.as_ref().map(Vec::len));
            println!("{} ({}) {took:?}: {shown:?}", case.id, case.verdict);
        }
    }
    if let Some(peak) = peak_memory() {
        assert!(peak <= MEMORY, "the run took {} MiB at its peak", peak >> 20);
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}

/// Loads what is small, honest and hostile, in eight threads at once, each in an order of its own.
#[test]
fn threads_do_not_disturb_each_other() {
    const THREADS: usize = 8;
    const BYTES: u64 = 64 << 10;
    let folder = tempfile::tempdir().unwrap();
    let set = folder.path();
    unpack(set);
    let is_small = |case: &Case| {
        let bytes = std::fs::metadata(set.join(&case.file)).unwrap().len();
        bytes < BYTES && !case.id.contains("bomb") && !case.id.contains("many")
    };
    let cases: Vec<Case> = cases(set).into_iter().filter(is_small).step_by(5).collect();
    assert!(cases.len() > 60, "{} cases", cases.len());
    let load = &|first: usize| {
        let mut wrong = Vec::new();
        for i in 0..cases.len() {
            let case = &cases[(first * cases.len() / THREADS + i) % cases.len()];
            let (inputs, expected) =
                recording(&set.join("refs").join(format!("{}.npz", case.base)));
            let outcome = predict(&set.join(&case.file), &inputs);
            let fault = misjudged(case, &outcome, &expected);
            wrong.extend(fault.map(|fault| format!("{}: {fault}", case.id)));
        }
        wrong
    };
    let wrong: Vec<String> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|first| scope.spawn(move || load(first))).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
