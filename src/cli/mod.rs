//! The command line tool, on the library's public functions.
//!
//! Exit codes: 0 for success, 2 with one line on standard error when a file is refused (and for
//! wrong usage), 1 for everything else, a difference found by `compare` included.

mod adapters;
mod arrays;
mod audit;
mod bench;
mod callbacks;
mod compare;
mod completions;
mod conformance;
mod convert;
mod device;
mod difference;
mod evaluate;
mod failure;
mod fit;
mod inspect;
mod inspect_report;
mod loading;
mod model_file;
mod plan;
mod predict;
mod profile;
mod progress;
mod standard;
mod summary;
mod text;
mod tune;

use std::io::{self, BufWriter, Write};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use failure::{Failure, Outcome};

/// Load, run and save Keras 3 models on any GPU.
///
/// A device is a real GPU, a software adapter or the host. `--device`, or else the environment
/// variable KERAUNOS_DEVICE, names one; without either a real GPU is taken, and the host where
/// there is none.
#[derive(Parser)]
#[command(name = "keraunos", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    #[command(flatten)]
    loading: loading::LoadArgs,
}

#[derive(Subcommand)]
enum Command {
    Predict(predict::Args),
    Fit(Box<fit::Args>),
    Evaluate(evaluate::Args),
    Inspect(inspect::Args),
    Summary(summary::Args),
    Convert(convert::Args),
    Compare(compare::Args),
    Plan(plan::Args),
    Bench(bench::Args),
    Profile(profile::Args),
    Tune(tune::Args),
    Conformance(conformance::Args),
    Adapters(adapters::Args),
    Completions(completions::Args),
}

/// What is shown unless RUST_LOG asks for something else: warnings about what a user asked for. A file
/// that is refused is one line, and it is ours.
const SHOWN: &str = "off,keraunos::trainers=warn,keraunos::callbacks=warn,keraunos::models=warn,\
                     keraunos::skipped=warn";

fn log_to_stderr() {
    let mut log =
        env_logger::Builder::from_env(env_logger::Env::default().default_filter_or(SHOWN));
    if std::env::var_os("RUST_LOG").is_none() {
        log.format(|out, record| writeln!(out, "warning: {}", record.args()));
    }
    log.init();
}

/// Runs the command that the arguments of this process name.
pub fn run() -> ExitCode {
    log_to_stderr();
    let cli = Cli::parse();
    let mut out = BufWriter::new(io::stdout().lock());
    let loading = cli.loading.apply().map_err(Failure::from);
    let outcome = loading.and_then(|()| cli.command.run(&mut out));
    // What was found before a failure is shown before its reason.
    let flushed = out.flush().map_err(Failure::Output);
    match outcome.and_then(|code| flushed.map(|()| code)) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

impl Command {
    fn run(&self, out: &mut dyn Write) -> Outcome {
        match self {
            Command::Predict(args) => args.run(),
            Command::Fit(args) => args.run(out),
            Command::Evaluate(args) => args.run(out),
            Command::Inspect(args) => args.run(out),
            Command::Summary(args) => args.run(out),
            Command::Convert(args) => args.run(),
            Command::Compare(args) => args.run(out),
            Command::Plan(args) => args.run(out),
            Command::Bench(args) => args.run(out),
            Command::Profile(args) => args.run(out),
            Command::Tune(args) => args.run(out),
            Command::Conformance(args) => args.run(out),
            Command::Adapters(args) => args.run(out),
            Command::Completions(args) => args.run(out),
        }
    }
}
