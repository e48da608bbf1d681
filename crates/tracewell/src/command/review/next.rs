//! The items of a queue, one after the other.

use tracewell_ledger::Ledger;
use tracewell_regression::dataset::Signed;

use super::super::source::{Asked, Source};
use super::judge::judge;
use super::terminal::{Reply, ask};

/// Asks about what waits for a reviewer in a queue; answers whether they want to go on with others. What they skip they are
/// not asked about again this time.
pub(super) async fn run(asked: &Asked, ledger: &Ledger<Source>, queue: &str, signed: &Signed) -> anyhow::Result<bool> {
    let (mut judged, mut skipped) = (0, Vec::new());
    let goes_on = loop {
        let Some((of, item, example)) = ledger.open_next(queue, &signed.author, &skipped).await? else { break true };
        match ask(&of, &item, &example)? {
            Reply::Judged(judgement) => {
                judge(asked, ledger, queue, &item.id, signed, &judgement).await?;
                judged += 1;
            }
            reply => {
                ledger.hand(queue, &item.id, &signed.author, None).await?;
                if matches!(reply, Reply::Ended) {
                    break false;
                }
                skipped.push(item.id);
            }
        }
    };
    let rest = match (goes_on, skipped.len()) {
        (false, _) => String::new(),
        (true, 0) => format!("; nothing more waits for {}", signed.author),
        (true, count) => format!("; {count} skipped"),
    };
    eprintln!("`{queue}`: {judged} judged{rest}");
    Ok(goes_on)
}
