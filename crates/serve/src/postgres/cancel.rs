//! Requests to stop a query, which come over a connection of their own.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

use parking_lot::Mutex;
use ring::error::Unspecified;
use ring::rand::{SecureRandom, SystemRandom};
use tokio_util::sync::CancellationToken;

type Running = Arc<Mutex<CancellationToken>>;
/// By number of the process: the secret, and what runs.
type All = Arc<Mutex<HashMap<i32, ([u8; 4], Running)>>>;

/// What runs on which connection.
#[derive(Debug, Default)]
pub(super) struct Cancels(All);

/// A connection's entry, until it is dropped.
#[derive(Debug)]
pub(super) struct Registration {
    process: i32,
    secret: [u8; 4],
    running: Running,
    all: All,
}

impl Cancels {
    /// Enters a connection under a key that cannot be guessed.
    pub(super) fn register(&self) -> Result<Registration, Unspecified> {
        let random = SystemRandom::new();
        let running = Running::default();
        loop {
            let (mut process, mut secret) = ([0; 4], [0; 4]);
            random.fill(&mut process)?;
            random.fill(&mut secret)?;
            let process = i32::from_be_bytes(process) & i32::MAX;
            if let Entry::Vacant(place) = self.0.lock().entry(process) {
                place.insert((secret, Arc::clone(&running)));
                return Ok(Registration { process, secret, running, all: Arc::clone(&self.0) });
            }
        }
    }

    /// Stops what runs under a key. A wrong key does nothing, and nobody is told.
    pub(super) fn cancel(&self, process: i32, secret: &[u8]) {
        let all = self.0.lock();
        if let Some((expected, running)) = all.get(&process)
            && expected == secret
        {
            running.lock().cancel();
        }
    }
}

impl Registration {
    /// What a client needs to ask for a stop.
    pub(super) fn key(&self) -> (i32, [u8; 4]) {
        (self.process, self.secret)
    }

    /// Begins a piece of work; it stops when the token is cancelled. Requests that came before are forgotten.
    pub(super) fn begin(&self) -> CancellationToken {
        let token = CancellationToken::new();
        *self.running.lock() = token.clone();
        token
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        self.all.lock().remove(&self.process);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_right_key_stops_only_what_runs() {
        let cancels = Cancels::default();
        let registration = cancels.register().expect("there are random numbers");
        let (process, secret) = registration.key();
        cancels.cancel(process, &secret);
        let work = registration.begin();
        cancels.cancel(process, &[secret[0] ^ 1, secret[1], secret[2], secret[3]]);
        cancels.cancel(process ^ 1, &secret);
        assert!(!work.is_cancelled());
        cancels.cancel(process, &secret);
        assert!(work.is_cancelled());
        drop(registration);
        assert!(cancels.0.lock().is_empty());
    }
}
