//! CPU and memory of a process, from `/proc`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::Context;
use serde::Serialize;

/// `sysconf(_SC_CLK_TCK)`, which is 100 wherever Linux runs today.
const TICKS_PER_SECOND: f64 = 100.0;
/// How often the watch looks.
const EVERY: Duration = Duration::from_millis(50);

/// What a process used while it was watched.
#[derive(Clone, Debug)]
pub(crate) struct Used {
    /// From the start of the watch to the end of the process.
    pub(crate) wall: Duration,
    /// User and system, of all threads.
    pub(crate) cpu_seconds: f64,
    /// The part of it spent in the kernel.
    pub(crate) system_seconds: f64,
    /// `VmHWM`.
    pub(crate) peak_bytes: u64,
    pub(crate) groups: Vec<GroupCpu>,
}

/// CPU of the threads that share a name.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct GroupCpu {
    pub(crate) threads: String,
    pub(crate) count: usize,
    pub(crate) cpu_seconds: f64,
}

/// Looks at a process until it has ended.
pub(crate) struct Watch(JoinHandle<anyhow::Result<Used>>);

impl Watch {
    pub(crate) fn start(pid: u32) -> anyhow::Result<Self> {
        let before = Times::of(&format!("/proc/{pid}/stat")).context("cannot read /proc: Linux is needed")?;
        Ok(Self(std::thread::spawn(move || watch(pid, &before))))
    }

    /// Waits for the end of the process, which must not have been waited for by its parent.
    pub(crate) fn until_the_end(self) -> anyhow::Result<Used> {
        self.0.join().map_err(|_| anyhow::anyhow!("the watch of the server failed"))?
    }
}

fn watch(pid: u32, before: &Times) -> anyhow::Result<Used> {
    let start = Instant::now();
    let mut threads = Threads::new(pid);
    let mut peak_bytes = 0;
    threads.look();
    let mut seen = threads.totals();
    seen.values_mut().for_each(|seconds| *seconds = -*seconds);
    loop {
        let now = Times::of(&format!("/proc/{pid}/stat")).context("the server was waited for too early")?;
        // A process that has ended keeps its times until its parent asks.
        if now.state == 'Z' {
            let used = Used {
                wall: start.elapsed(),
                cpu_seconds: now.total() - before.total(),
                system_seconds: now.system - before.system,
                peak_bytes,
                groups: threads.groups(&seen, now.total() - before.total()),
            };
            return Ok(used);
        }
        peak_bytes = peak_bytes.max(peak(pid));
        threads.look();
        std::thread::sleep(EVERY);
    }
}

fn peak(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()).unwrap_or(0) * 1024
}

#[derive(Clone, Debug)]
struct Times {
    name: String,
    state: char,
    user: f64,
    system: f64,
}

impl Times {
    fn of(path: &str) -> Option<Self> {
        Self::parse(&fs::read_to_string(path).ok()?)
    }

    fn parse(stat: &str) -> Option<Self> {
        let (head, rest) = stat.rsplit_once(')')?;
        let (_, name) = head.split_once('(')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let seconds = |at: usize| Some(fields.get(at)?.parse::<f64>().ok()? / TICKS_PER_SECOND);
        let state = fields.first()?.chars().next()?;
        Some(Self { name: name.to_owned(), state, user: seconds(11)?, system: seconds(12)? })
    }

    fn total(&self) -> f64 {
        self.user + self.system
    }
}

/// The threads of a process as they were last seen; those that have ended are kept.
struct Threads {
    pid: u32,
    last: BTreeMap<u32, Times>,
    /// Tokio's worker threads: they have the name of its blocking threads, but are the first to be started.
    workers: usize,
}

impl Threads {
    fn new(pid: u32) -> Self {
        let workers = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self { pid, last: BTreeMap::new(), workers }
    }

    fn look(&mut self) {
        let Ok(entries) = fs::read_dir(format!("/proc/{}/task", self.pid)) else { return };
        for entry in entries.flatten() {
            if let Some(thread) = entry.file_name().to_str().and_then(|name| name.parse().ok())
                && let Some(times) = Times::of(&format!("/proc/{}/task/{thread}/stat", self.pid))
            {
                self.last.insert(thread, times);
            }
        }
    }

    fn totals(&self) -> HashMap<u32, f64> {
        self.last.iter().map(|(thread, times)| (*thread, times.total())).collect()
    }

    /// CPU by group, largest first; `offsets` are added, and what is missing to `total` was used by threads between
    /// two looks.
    fn groups(&self, offsets: &HashMap<u32, f64>, total: f64) -> Vec<GroupCpu> {
        let mut groups: HashMap<String, (usize, f64)> = HashMap::new();
        let mut runtime = 0;
        for (thread, times) in &self.last {
            let mut name = group(&times.name);
            if name == "tokio" {
                runtime += 1;
                name = if runtime <= self.workers { "tokio workers" } else { "tokio blocking" }.to_owned();
            }
            let entry = groups.entry(name).or_default();
            entry.0 += 1;
            entry.1 += times.total() + offsets.get(thread).copied().unwrap_or(0.0);
        }
        let mut groups: Vec<_> = groups
            .into_iter()
            .map(|(threads, (count, cpu_seconds))| GroupCpu { threads, count, cpu_seconds })
            .collect();
        let rest = total - groups.iter().map(|group| group.cpu_seconds).sum::<f64>();
        if rest >= 0.01 {
            groups.push(GroupCpu { threads: "not seen".into(), count: 0, cpu_seconds: rest });
        }
        groups.sort_by(|a, b| b.cpu_seconds.total_cmp(&a.cpu_seconds));
        groups
    }
}

/// `shard-3` is of the group `shard`.
fn group(name: &str) -> String {
    if name.starts_with("tokio-rt") || name.starts_with("tokio-runtime") {
        return "tokio".into();
    }
    name.trim_end_matches(|c: char| c.is_ascii_digit()).trim_end_matches(['-', '_', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stat_is_read_whatever_the_name() {
        let times = Times::parse("7 (a) b) S 1 7 7 0 -1 4194560 500 0 0 0 250 50 0 0 20 0 9 0 100 1 1")
            .expect("it is well formed");
        assert_eq!((times.name.as_str(), times.state, times.user, times.system), ("a) b", 'S', 2.5, 0.5));
        assert_eq!(group("shard-12"), "shard");
        assert_eq!(group("tokio-rt-worker"), "tokio");
    }
}
