//! The `tracewell` binary: command line, configuration, wiring.

use std::process::ExitCode;

use clap::Parser;

mod command;
mod config;
mod demo;
mod output;
mod repl;

// Many threads allocate small columns at once: glibc's allocator contends there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Two providers are linked in (delta-rs brings its own), so rustls has to be told which one to use.
    rustls::crypto::ring::default_provider().install_default().expect("nothing has installed a provider before main");
    let command = command::Cli::parse();
    match output::until_broken(command::run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("tracewell: {error:#}");
            ExitCode::FAILURE
        }
    }
}
