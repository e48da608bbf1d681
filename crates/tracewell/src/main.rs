//! The `tracewell` binary: command line, configuration, wiring.

use std::process::ExitCode;

use clap::Parser;

/// As the standard library's, which panics when nobody reads standard error any more, as behind `2>&1 | head`.
macro_rules! eprintln {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let _ = writeln!(std::io::stderr(), $($words)*);
    }};
}

mod alerts;
mod capture;
mod clock;
mod command;
mod config;
mod delivery;
mod demo;
mod evaluate;
mod output;
mod prices;
mod repl;
mod reports;
mod webhook;

// Many threads allocate small columns at once: glibc's allocator contends there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_freed_memory();
    // Two providers are linked in (delta-rs brings its own), so rustls has to be told which one to use.
    rustls::crypto::ring::default_provider().install_default().expect("nothing has installed a provider before main");
    let command = match command::Cli::try_parse() {
        Ok(command) => command,
        Err(error) => return command::misused(&error),
    };
    match output::until_broken(command::run(command)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if let Some(command::Ended(code)) = error.downcast_ref() {
                return ExitCode::from(*code);
            }
            eprintln!("tracewell: {}", tracewell_blocks::tidy(&output::told(&error)));
            ExitCode::FAILURE
        }
    }
}

/// Memory that was freed goes back to the system after half a minute, not at once: a collector under load needs it again,
/// and fresh pages cost it more than reading spans does (a third more bytes per CPU second, measured with agent runs).
/// The environment's `MIMALLOC_PURGE_DELAY` has precedence.
#[allow(unsafe_code, reason = "the allocator's options are set through its C interface")]
fn keep_freed_memory() {
    /// `mi_option_purge_delay` in mimalloc's `mi_option_e`.
    const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
    const MILLISECONDS: std::ffi::c_long = 30_000;
    // SAFETY: it writes one number into the allocator's own table, and no other thread runs yet.
    unsafe { libmimalloc_sys::mi_option_set_default(PURGE_DELAY, MILLISECONDS) };
}
