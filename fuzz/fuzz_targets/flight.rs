//! See `tracewell_fuzz::TARGETS`.
#![no_main]

use std::sync::Once;

static HOOK: Once = Once::new();

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    // libFuzzer's hook ends the process at any panic, and those of Arrow's reader are caught.
    HOOK.call_once(|| drop(std::panic::take_hook()));
    tracewell_fuzz::run("flight", data);
});
