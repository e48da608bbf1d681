//! What traces share, and which of them it ties.

use super::TOLERANCE_NS;

/// Something that a trace's row may share with one of another trace.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sign {
    pub(super) trace: usize,
    /// A hash of what it is; two that are equal by chance tie two traces too many.
    pub(super) what: u64,
    /// A hash of who tells of it, where no two that one instrumentation saw are one.
    pub(super) seen_by: Option<u64>,
    pub(super) start: i64,
    pub(super) end: i64,
    /// It ties; others tie only to one that does.
    pub(super) is_open: bool,
}

/// The times of calls, by trace and start, each with the last end of those before it in its trace and its own.
///
/// A call within another may be one with it, and one with a third that is beside the outer alone.
pub(super) struct Around(Vec<(usize, i64, i64)>);

impl Around {
    pub(super) fn of(mut calls: Vec<(usize, i64, i64)>) -> Self {
        calls.sort_unstable();
        for same in calls.chunk_by_mut(|a, b| a.0 == b.0) {
            let mut last = i64::MIN;
            for (_, _, end) in same {
                last = last.max(*end);
                *end = last;
            }
        }
        Self(calls)
    }

    /// From the start of the first call of its trace that meets `sign` to the end of the last.
    pub(super) fn widen(&self, sign: &Sign) -> (i64, i64) {
        let begin = self.0.partition_point(|call| call.0 < sign.trace);
        let of_trace = &self.0[begin..];
        let of_trace = &of_trace[..of_trace.partition_point(|call| call.0 == sign.trace)];
        let (from, to) = (sign.start.saturating_sub(TOLERANCE_NS), sign.end.saturating_add(TOLERANCE_NS));
        let first = of_trace.get(of_trace.partition_point(|(_, _, last)| *last < from));
        let last = of_trace[..of_trace.partition_point(|(_, start, _)| *start <= to)].last();
        let start = first.map_or(sign.start, |(_, start, _)| sign.start.min(*start));
        (start, last.map_or(sign.end, |(_, _, end)| sign.end.max(*end)))
    }
}

/// Which traces are tied: each names one of its group before it, or itself.
pub(super) struct Tied {
    before: Vec<usize>,
}

impl Tied {
    pub(super) fn new(traces: usize) -> Self {
        Self { before: (0..traces).collect() }
    }

    /// Ties traces that have equal signs at one time.
    pub(super) fn tie(&mut self, mut signs: Vec<Sign>) {
        signs.sort_unstable_by_key(|sign| (sign.what, sign.start));
        for mut equal in signs.chunk_by(|a, b| a.what == b.what) {
            while let Some(first) = equal.first() {
                let mut end = first.start.max(first.end);
                let meets = |sign: &&Sign| {
                    let meets = sign.start <= end.saturating_add(TOLERANCE_NS);
                    end = end.max(sign.end);
                    meets
                };
                let (together, later) = equal.split_at(equal.iter().take_while(meets).count());
                let may_be_one = together.iter().any(|sign| sign.seen_by.is_none() || sign.seen_by != first.seen_by);
                if may_be_one && together.iter().any(|sign| sign.is_open) {
                    together.iter().for_each(|sign| self.join(first.trace, sign.trace));
                }
                equal = later;
            }
        }
    }

    fn join(&mut self, one: usize, other: usize) {
        let (one, other) = (self.first(one), self.first(other));
        self.before[one.max(other)] = one.min(other);
    }

    /// The first of a trace's group.
    pub(super) fn first(&mut self, mut trace: usize) -> usize {
        while self.before[trace] != trace {
            self.before[trace] = self.before[self.before[trace]];
            trace = self.before[trace];
        }
        trace
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000_000;

    fn sign(trace: usize, what: u64, seen_by: Option<u64>, start: i64, end: i64) -> Sign {
        Sign { trace, what, seen_by, start: start * SECOND, end: end * SECOND, is_open: true }
    }

    /// The first of the group of each of four traces.
    fn tied(signs: Vec<Sign>) -> [usize; 4] {
        let mut tied = Tied::new(4);
        tied.tie(signs);
        std::array::from_fn(|trace| tied.first(trace))
    }

    #[test]
    fn traces_are_tied_by_what_two_instrumentations_saw_at_one_time() {
        let (one, other) = (Some(1), Some(2));
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 7, other, 12, 15)]), [0, 1, 2, 1]);
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 7, one, 12, 15)]), [0, 1, 2, 3]);
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 8, other, 12, 15)]), [0, 1, 2, 3]);
        assert_eq!(tied(vec![sign(1, 7, one, 10, 20), sign(3, 7, other, 25, 26)]), [0, 1, 2, 3]);
        // What ends before it begins is told at its beginning.
        assert_eq!(tied(vec![sign(1, 7, one, 10, -20), sign(3, 7, other, 11, 11)]), [0, 1, 2, 1]);
        // A long one still goes on when a third begins.
        let long = vec![sign(3, 7, other, 40, 41), sign(0, 7, one, 10, 60), sign(1, 7, one, 12, 13)];
        assert_eq!(tied(long), [0, 0, 2, 0]);
    }

    #[test]
    fn equal_input_of_calls_that_all_name_their_response_says_nothing() {
        let closed = |trace, seen_by| Sign { is_open: false, ..sign(trace, 7, Some(seen_by), 10, 20) };
        assert_eq!(tied(vec![closed(1, 1), closed(3, 2)]), [0, 1, 2, 3]);
        assert_eq!(tied(vec![closed(1, 1), closed(3, 2), sign(2, 7, Some(1), 20, 20)]), [0, 1, 1, 1]);
    }

    #[test]
    fn a_call_is_beside_what_the_calls_around_it_are_beside() {
        let around = Around::of(
            vec![(3, 50, 60), (2, 0, 90), (3, 0, 60), (3, 70, 80), (3, 200, 210)]
                .into_iter()
                .map(|(trace, start, end)| (trace, start * SECOND, end * SECOND))
                .collect(),
        );
        let widened = |start, end| {
            let (start, end) = around.widen(&sign(3, 7, Some(1), start, end));
            (start / SECOND, end / SECOND)
        };
        assert_eq!(widened(50, 60), (0, 60));
        assert_eq!(widened(70, 80), (70, 80));
        assert_eq!(widened(200, 210), (200, 210));
        assert_eq!(widened(59, 71), (0, 80));
    }

    #[test]
    fn what_anyone_may_tell_ties_whoever_tells_it_and_groups_grow_together() {
        let signs =
            vec![sign(2, 7, None, 0, 0), sign(3, 7, None, 0, 0), sign(0, 8, Some(1), 5, 6), sign(2, 8, Some(2), 7, 7)];
        assert_eq!(tied(signs), [0, 1, 0, 0]);
    }
}
