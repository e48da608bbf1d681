//! The thread that turns rows into files.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Sender, channel};

use tokio::sync::oneshot;
use tracewell_lake::step_back;

type Job = Box<dyn FnOnce() + Send>;

/// Works for all shards, one job at a time: two would take twice the memory, and more cores from those who answer
/// requests. The thread ends with the last clone.
#[derive(Clone, Debug)]
pub(crate) struct Encoder {
    jobs: Sender<Job>,
}

impl Encoder {
    pub(crate) fn start() -> std::io::Result<Self> {
        let (jobs, inbox) = channel::<Job>();
        std::thread::Builder::new().name("encode".into()).spawn(move || {
            step_back();
            inbox.into_iter().for_each(|job| job());
        })?;
        Ok(Self { jobs })
    }

    /// Does `work` when all work before is done.
    pub(crate) async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let (reply, answer) = oneshot::channel();
        let job = move || {
            // Whoever went away meanwhile needs no file.
            let _ = reply.send(catch_unwind(AssertUnwindSafe(work)));
        };
        self.jobs.send(Box::new(job)).expect("the thread ends after its last sender");
        answer.await.expect("every job answers").unwrap_or_else(|panic| resume_unwind(panic))
    }
}
