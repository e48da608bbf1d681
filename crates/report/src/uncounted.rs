//! What is charged by what calls do not count: pages, images, hours, searches.

use serde::Deserialize;
use tracewell_pricing::pricer::CountReading;

use crate::ask::{Questions, RowSource};
use crate::error::ReportError;
use crate::request::Request;
use crate::sql::TRAFFIC;
use crate::words::counted;

/// The condition that a call has a price that also charges for what calls do not count. What has no cost has a reason:
/// to ask for that, beside how counts were read, takes no second look at the call.
pub(crate) fn without_fees() -> String {
    format!("unpriced_reason IS NULL AND count_reading LIKE '%{}%'", CountReading::FEES_LEFT_OUT)
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

#[derive(Default, Deserialize)]
#[serde(default)]
struct Counts {
    priced_calls: i64,
    calls_without_fees: i64,
    uncounted_calls: i64,
}

/// What is missing in the amounts because nothing counts it.
pub(crate) async fn uncounted<A: RowSource>(
    questions: &mut Questions<'_, A>,
    request: &Request,
) -> Result<Vec<String>, ReportError> {
    let sql = format!(
        "SELECT
    count(*) FILTER (WHERE unpriced_reason IS NULL) AS priced_calls,
    count(*) FILTER (WHERE {without_fees}) AS calls_without_fees,
    count(*) FILTER (WHERE starts_with(unpriced_reason, 'uncounted_part')) AS uncounted_calls
FROM span_costs
WHERE {window}
    AND {TRAFFIC}",
        without_fees = without_fees(),
        window = request.window().condition("start_time"),
    );
    let title = "Calls that are charged for what they do not count";
    let answer = questions.ask::<Counts>(title, sql).await?;
    let query = answer.number;
    let Counts { priced_calls, calls_without_fees, uncounted_calls } = answer.one(title)?;
    let without_price = (uncounted_calls > 0).then(|| {
        format!(
            "{} no price because the model charges by what calls do not count, such as pages, images or hours. \
             [query {query}]",
            counted(uncounted_calls, "call has", "calls have"),
        )
    });
    Ok(without_price.into_iter().chain(fees_left_out(priced_calls, calls_without_fees, query)).collect())
}
