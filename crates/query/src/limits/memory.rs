//! The memory of queries: what all have together, and what one of them may have of it.
//!
//! What can spill shares the memory of its query evenly, and spills beyond its share. What cannot may fill that of its
//! query, and no more: there is room left for the queries of others.
//!
//! Sorts that have spilled merge some batches at a time, which DataFusion counts in rows, however long these are. So a
//! query with little memory works with few rows at a time, and on few threads.

use std::fmt;
use std::num::NonZero;
use std::sync::Arc;

use datafusion::common::Result;
use datafusion::execution::memory_pool::{
    FairSpillPool, MemoryConsumer, MemoryLimit, MemoryPool, MemoryReservation, TrackConsumersPool,
};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::prelude::SessionContext;

/// Consumers that are named where there is too little.
const TOLD: NonZero<usize> = NonZero::new(3).expect("three is not zero");

/// Memory of a query for each row of a batch: with the usual memory a batch has as many rows as it may.
const ROW_BYTES: usize = 192 << 10;
const FEWEST_ROWS: usize = 128;
/// Memory of a query for each partition of its plan, all of which sort at once.
const PARTITION_BYTES: usize = 128 << 20;
/// The part of the memory that each sort keeps for merging.
const MERGES: usize = 64;

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

/// Has plans of `context` work in steps that fit into `bytes`.
pub(crate) fn fit(context: &SessionContext, bytes: usize) {
    let state = context.state_ref();
    let mut state = state.write();
    let config = std::mem::take(state.config_mut());
    let partitions = config.target_partitions().min((bytes / PARTITION_BYTES).max(1));
    let rows = config.batch_size().min((bytes / ROW_BYTES).max(FEWEST_ROWS));
    let merges = config.options().execution.sort_spill_reservation_bytes.min(bytes / MERGES);
    *state.config_mut() =
        config.with_target_partitions(partitions).with_batch_size(rows).with_sort_spill_reservation_bytes(merges);
}

/// The bytes that there are in `environment`; none where it has no limit.
pub(crate) fn limit(environment: &RuntimeEnv) -> Option<usize> {
    match environment.memory_pool.memory_limit() {
        MemoryLimit::Finite(bytes) => Some(bytes),
        _ => None,
    }
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
    use datafusion::prelude::SessionConfig;

    use super::*;

    #[test]
    fn a_query_with_little_memory_works_in_small_steps() {
        let steps = |bytes| {
            let config = SessionConfig::new().with_target_partitions(4);
            let context = SessionContext::new_with_config(config);
            fit(&context, bytes);
            let config = context.copied_config();
            let merges = config.options().execution.sort_spill_reservation_bytes;
            (config.target_partitions(), config.batch_size(), merges)
        };
        assert_eq!(steps(3 << 29), (4, 8192, 10 << 20));
        assert_eq!(steps(384 << 20), (3, 2048, 6 << 20));
        assert_eq!(steps(1 << 20), (1, 128, 16 << 10));
    }

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
