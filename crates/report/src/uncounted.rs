//! What is charged by what calls do not count: pages, images, hours, searches.

use tracewell_pricing::pricer::CountReading;

use crate::figures::{Both, Totals};
use crate::words::counted;

/// The condition that a call has a price that also charges for what calls do not count.
pub(crate) fn without_fees() -> String {
    format!("cost_usd IS NOT NULL AND count_reading LIKE '%{}%'", CountReading::FEES_LEFT_OUT)
}

/// That fees are in no amount, where there are any.
pub(crate) fn fees_left_out(priced: i64, without: i64, query: usize) -> Option<String> {
    let told = format!(
        "Of {} {} have a price that also charges for what calls do not count, such as searches: such fees are in no \
         amount. [query {query}]",
        counted(priced, "priced call", "priced calls"),
        tracewell_blocks::count(without),
    );
    (without > 0).then_some(told)
}

/// The condition that a call has no price because nothing counts what it is charged for.
pub(crate) const UNCOUNTED: &str = "unpriced_reason LIKE 'uncounted_part%'";

/// What is missing in the amounts because nothing counts it.
pub(crate) fn uncounted(totals: &Both<Totals>) -> Vec<String> {
    let Totals { priced_calls, calls_without_fees, uncounted_calls, .. } = totals.now;
    let query = totals.query;
    let without_price = (uncounted_calls > 0).then(|| {
        format!(
            "{} no price because the model charges by what calls do not count, such as pages, images or hours. \
             [query {query}]",
            counted(uncounted_calls, "call has", "calls have"),
        )
    });
    without_price.into_iter().chain(fees_left_out(priced_calls, calls_without_fees, query)).collect()
}
