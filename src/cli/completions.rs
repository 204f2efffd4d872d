//! `keraunos completions`.

use std::io::Write;
use std::process::ExitCode;

use clap::CommandFactory;
use clap_complete::Shell;

use crate::cli::Cli;
use crate::cli::failure::Outcome;

/// Print a completion script for a shell
#[derive(clap::Args)]
pub struct Args {
    shell: Shell,
}

impl Args {
    pub fn run(&self, mut out: &mut dyn Write) -> Outcome {
        clap_complete::generate(self.shell, &mut Cli::command(), "keraunos", &mut out);
        Ok(ExitCode::SUCCESS)
    }
}
