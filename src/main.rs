use std::process::ExitCode;

fn main() -> ExitCode {
    keraunos::cli::run()
}
