//! The benchmark of parts that need no server: pricing, the search for near duplicates, the decision of a gate.

use anyhow::Context;

mod gate;
mod near_duplicates;
mod pricing;

/// Measures each part in this process.
pub(crate) fn run() -> anyhow::Result<()> {
    pricing::run();
    gate::run()?;
    near_duplicates::run();
    let status = std::fs::read_to_string("/proc/self/status").context("cannot read /proc: Linux is needed")?;
    println!(
        "memory at most: {}",
        status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap_or_default().trim()
    );
    Ok(())
}
