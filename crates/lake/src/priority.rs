//! Threads that leave the processor to those who answer requests.

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// About nice 5: a third of the share of a thread that does not step back, where both want the processor.
const BEHIND: u8 = 35;

/// Puts the calling thread behind others of this process wherever they compete: encoding, maintenance and queries
/// can wait for milliseconds, an acknowledgement should not.
pub fn step_back() {
    let Ok(behind) = ThreadPriorityValue::try_from(BEHIND) else { return };
    if let Err(error) = set_current_thread_priority(ThreadPriority::Crossplatform(behind)) {
        tracing::debug!(?error, "the system keeps the thread's priority");
    }
}
