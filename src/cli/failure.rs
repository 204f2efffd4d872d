//! Why a command ends early, and its exit code.

use std::io;
use std::process::ExitCode;

use crate::base::Error;
use crate::cli::text;

/// Exit code for a file that is refused.
const REFUSED: u8 = 2;

/// What a command gives: its exit code, or why it ended early.
pub type Outcome = Result<ExitCode, Failure>;

/// Why a command ended early.
pub enum Failure {
    Error(Error),
    /// Standard output does not take more.
    Output(io::Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        Failure::Error(error)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Output(error)
    }
}

impl Failure {
    /// Says it in one line and gives the exit code.
    pub fn report(&self) -> ExitCode {
        match self {
            // The reader of a pipe has seen enough: `keraunos inspect MODEL | head`.
            Failure::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                ExitCode::SUCCESS
            }
            Failure::Output(error) => {
                text::error(&format!("standard output: {error}"));
                ExitCode::FAILURE
            }
            Failure::Error(error) => {
                text::error(&error.to_string());
                if error.is_refusal() { ExitCode::from(REFUSED) } else { ExitCode::FAILURE }
            }
        }
    }
}
