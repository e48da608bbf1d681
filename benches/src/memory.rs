//! What a virtual machine charges for memory.
//!
//! A host may take back pages that its guest does not use, and then the first touch of a page costs many times what
//! clearing it does; the kernel charges that to whoever touches it. The report says what a GiB costs here, and
//! `--warm` keeps pages ready by using and giving back memory in another process all the time.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;

/// The hidden subcommand that [`touch`] is run by.
pub(crate) const SUBCOMMAND: &str = "touch-memory";
/// The host takes pages back after some two seconds.
const EVERY: Duration = Duration::from_millis(1_000);

/// Touches `mebibytes` of memory and prints how many seconds that took.
pub(crate) fn touch(mebibytes: usize) {
    const PAGE: usize = 4096;
    let start = Instant::now();
    let mut memory = vec![0_u8; mebibytes << 20];
    memory.iter_mut().step_by(PAGE).for_each(|byte| *byte = 1);
    std::hint::black_box(&memory);
    println!("{}", start.elapsed().as_secs_f64());
}

fn spawn(mebibytes: usize) -> anyhow::Result<Child> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let mut command = Command::new(own);
    command.args([SUBCOMMAND, &mebibytes.to_string()]).stdin(Stdio::null()).stdout(Stdio::piped());
    command.spawn().context("cannot start this program again")
}

/// Seconds that the first touch of a GiB takes now.
pub(crate) fn first_touch() -> anyhow::Result<f64> {
    let output = spawn(1024)?.wait_with_output()?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("touching memory failed")
}

/// Keeps pages ready until it is dropped.
pub(crate) struct Warm {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Warm {
    /// Starts, and waits until the first pages are ready.
    pub(crate) fn keep() -> anyhow::Result<Self> {
        spawn(3 * 1024)?.wait()?;
        let stop = Arc::new(AtomicBool::new(false));
        let thread = std::thread::spawn({
            let stop = Arc::clone(&stop);
            move || {
                while !stop.load(Ordering::Relaxed) {
                    std::thread::sleep(EVERY);
                    let _ = spawn(1_536).and_then(|mut child| Ok(child.wait()?));
                }
            }
        });
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Warm {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let _ = self.thread.take().map(JoinHandle::join);
    }
}
