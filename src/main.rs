//! The command line tool: all of it is in [`keraunos::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    keraunos::cli::run()
}
