//! The memory of queries: what all have together, and what one of them may have of it.
//!
//! What can spill shares the memory of its query evenly, and spills beyond its share. What cannot may fill that of its
//! query, and no more: there is room left for the queries of others.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};

/// Consumers that are named where there is too little.
const TOLD: NonZero<usize> = NonZero::new(3).expect("three is not zero");

/// What one query may have.
#[derive(Debug)]
struct OfQuery {
    own: TrackConsumersPool<FairSpillPool>,
    /// The same, as a part of what all have.
    of_all: MemoryReservation,
}

/// `all`, where a query may have `bytes` of its memory.
///
/// # Errors
/// When the environment cannot be built.
pub(crate) fn of_query(all: &RuntimeEnv, bytes: usize) -> Result<Arc<RuntimeEnv>> {
    let pool = OfQuery {
        own: TrackConsumersPool::new(FairSpillPool::new(bytes), TOLD),
        of_all: MemoryConsumer::new("a query").register(&all.memory_pool),
    };
    RuntimeEnvBuilder::from_runtime_env(all).with_memory_pool(Arc::new(pool)).build_arc()
}

impl fmt::Display for OfQuery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.own, f)
    }
}

impl MemoryPool for OfQuery {
    fn name(&self) -> &str {
        self.own.name()
    }

    fn register(&self, consumer: &MemoryConsumer) {
        self.own.register(consumer);
    }

    fn unregister(&self, consumer: &MemoryConsumer) {
        self.own.unregister(consumer);
    }

    fn grow(&self, reservation: &MemoryReservation, additional: usize) {
        self.own.grow(reservation, additional);
        self.of_all.grow(additional);
    }

    fn shrink(&self, reservation: &MemoryReservation, shrink: usize) {
        self.own.shrink(reservation, shrink);
        self.of_all.shrink(shrink);
    }

    fn try_grow(&self, reservation: &MemoryReservation, additional: usize) -> Result<()> {
        self.own.try_grow(reservation, additional)?;
        self.of_all.try_grow(additional).inspect_err(|_| self.own.shrink(reservation, additional))
    }

    fn reserved(&self) -> usize {
        self.own.reserved()
    }

    fn memory_limit(&self) -> MemoryLimit {
        self.own.memory_limit()
    }
}

#[cfg(test)]
mod tests {
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    #[test]
    fn one_query_leaves_room_for_others_and_gives_back_what_it_had() {
        let all = RuntimeEnvBuilder::new().with_memory_pool(Arc::new(GreedyMemoryPool::new(100))).build().unwrap();
        let (one, other) = (of_query(&all, 75).unwrap(), of_query(&all, 75).unwrap());
        let build = MemoryConsumer::new("a table of hashes").register(&one.memory_pool);
        build.try_grow(75).expect("that is its own");
        build.try_grow(1).expect_err("no more than its own");
        let small = MemoryConsumer::new("a sort").with_can_spill(true).register(&other.memory_pool);
        small.try_grow(25).expect("there is room left");
        small.try_grow(1).expect_err("no more than all have");
        assert_eq!((one.memory_pool.reserved(), all.memory_pool.reserved()), (75, 100));
        drop(build);
        small.try_grow(50).expect("what was given back");
        drop(small);
        assert_eq!(all.memory_pool.reserved(), 0);
    }
}
