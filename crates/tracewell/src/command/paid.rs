//! Calls of models that cost money: many at the same time, tried again where that helps, within a ceiling.

use std::sync::Mutex;
use std::time::Duration;

use clap::Args;
use futures::StreamExt;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracewell_blocks::tidy;
use tracewell_pricing::Amount;
use tracewell_query::prices::Prices;
use tracewell_regression::Answer;
use tracewell_regression::candidate::{Endpoint, Request};
use tracewell_regression::privacy::{Masker, Policy};

use super::masking::MaskSent;

mod call;
mod kept;
mod spending;

pub(crate) use call::{Caller, Failed, Outcome};
pub(crate) use kept::{FOLDER, Kept};
use spending::Spending;

/// How models are called, and for how much.
#[derive(Debug, Args)]
pub(crate) struct Paid {
    /// Calls at the same time
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=1000))]
    concurrency: u16,
    /// How often a call is tried again that the endpoint could not take
    #[arg(long, value_name = "N", default_value_t = 5)]
    retries: u32,
    /// How long a call may take
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = humantime::parse_duration)]
    timeout: Duration,
    /// Begin no call that is likely to bring the cost above this, in US dollars, with what earlier commands of the same
    /// replay or by the same judge cost; a call is taken to cost what the dearest before it did
    #[arg(long, value_name = "USD")]
    max_cost: Option<Amount>,
    #[command(flatten)]
    sent: MaskSent,
}

/// A call to make.
pub(crate) struct Work<T> {
    pub(crate) about: T,
    pub(crate) request: Request,
    /// Tells tries of this call from other calls.
    pub(crate) idempotency: String,
}

/// What calls came to.
#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) answered: usize,
    pub(crate) failed: usize,
    pub(crate) left: usize,
    reasons: Vec<String>,
}

impl Tally {
    /// Whether nothing is left to be done.
    pub(crate) fn is_complete(&self) -> bool {
        self.failed + self.left == 0
    }

    /// Says why calls failed.
    pub(crate) fn tell(&self) {
        for reason in &self.reasons {
            eprintln!("tracewell: {}", tidy(reason));
        }
    }

    fn fail(&mut self, failed: &Failed) {
        self.failed += 1;
        let reason = failed.to_string();
        if !self.reasons.contains(&reason) && self.reasons.len() < 5 {
            self.reasons.push(reason);
        }
    }
}

/// What many calls have in common.
pub(crate) struct Till<'a> {
    paid: &'a Paid,
    prices: &'a Prices,
    spending: Mutex<Spending>,
    /// What masks what is sent, if anything does.
    masker: Option<Mutex<Masker>>,
}

impl Paid {
    /// What calls an endpoint.
    pub(crate) fn caller(&self, endpoint: &Endpoint) -> anyhow::Result<Caller> {
        Caller::new(endpoint, self.timeout, self.retries)
    }

    /// Where nothing was spent yet.
    pub(crate) fn till<'a>(&'a self, prices: &'a Prices) -> anyhow::Result<Till<'a>> {
        let masker = self.sent.masker()?.map(Mutex::new);
        Ok(Till { paid: self, prices, spending: Mutex::new(Spending::new(self.max_cost)), masker })
    }

    /// By which policy what is sent is masked; `None` where it is not.
    pub(crate) fn policy(&self) -> anyhow::Result<Option<Policy>> {
        self.sent.policy()
    }
}

impl Till<'_> {
    /// A request as it is sent: masked, where that was asked for. `place` is for the report.
    pub(crate) fn sent(&self, request: Request, place: &str) -> serde_json::Result<Request> {
        let Some(masker) = &self.masker else { return Ok(request) };
        let Request { model, messages, tools, parameters, response_format } = request;
        let mut said = json!([messages, tools, parameters, response_format]);
        lock(masker).mask_json(&mut said, place);
        let (messages, tools, parameters, response_format) = serde_json::from_value(said)?;
        Ok(Request { model, messages, tools, parameters, response_format })
    }

    /// What was answered, with what was masked in the request.
    pub(crate) fn restored(&self, mut outcome: Outcome) -> Outcome {
        if let Some(masker) = &self.masker {
            let masker = lock(masker);
            let Answer { text, tool_calls } = &mut outcome.response.answer;
            text.iter_mut().for_each(|text| *text = masker.restore(text));
            tool_calls.iter_mut().for_each(|call| masker.restore_json(&mut call.arguments));
        }
        outcome
    }

    /// Says what was masked, where that was asked for.
    pub(crate) fn tell_masked(&self) -> anyhow::Result<()> {
        if let Some(masker) = &self.masker {
            eprintln!("{}", self.paid.sent.told(&lock(masker))?);
        }
        Ok(())
    }

    /// Makes calls. `keep` takes when each was begun, what came of it and what it cost, and says whether that can be
    /// used.
    ///
    /// # Errors
    /// When something cannot be kept: then no other call is begun.
    pub(crate) async fn call_all<T>(
        &self,
        caller: &Caller,
        work: Vec<Work<T>>,
        keep: impl AsyncFn(&Work<T>, i64, Result<Outcome, Failed>, Option<Amount>) -> anyhow::Result<Result<(), Failed>>,
    ) -> anyhow::Result<Tally> {
        let style =
            ProgressStyle::with_template("{bar:30} {pos}/{len} {elapsed} {msg}").expect("the template is valid");
        let bar = ProgressBar::new(work.len() as u64).with_style(style);
        let tally = Mutex::new(Tally::default());
        let stopped = CancellationToken::new();
        let by_hand = tokio::spawn({
            let stopped = stopped.clone();
            async move {
                if tokio::signal::ctrl_c().await.is_ok() {
                    stopped.cancel();
                }
            }
        });
        let one = async |work: Work<T>| -> anyhow::Result<()> {
            let estimate = lock(&self.spending).begin();
            let (false, Some(estimate)) = (stopped.is_cancelled(), estimate) else {
                lock(&tally).left += 1;
                return Ok(());
            };
            let began = crate::clock::now();
            let outcome = caller.call(&work.request, &work.idempotency, &stopped).await;
            if matches!(outcome, Err(Failed::Stopped)) {
                lock(&self.spending).end(estimate, None);
                lock(&tally).left += 1;
                return Ok(());
            }
            let answered = outcome.as_ref().ok();
            let cost = answered.map(|answered| spending::cost(self.prices, caller.kind, &work.request, answered));
            lock(&self.spending).end(estimate, cost);
            match keep(&work, began, outcome, cost.flatten()).await? {
                Ok(()) => lock(&tally).answered += 1,
                Err(failed) => {
                    if failed.is_final() {
                        stopped.cancel();
                    }
                    lock(&tally).fail(&failed);
                }
            }
            bar.inc(1);
            bar.set_message(self.spent());
            Ok(())
        };
        let mut work = work.into_iter();
        // With a ceiling, what a call costs has to be known before many are begun.
        if self.paid.max_cost.is_some()
            && let Some(first) = work.next()
        {
            one(first).await?;
        }
        let mut calls = futures::stream::iter(work).map(one).buffer_unordered(usize::from(self.paid.concurrency));
        let mut outcome = Ok(());
        while let Some(ended) = calls.next().await {
            if let Err(error) = ended {
                // Nothing more is begun; what is under way is waited for.
                stopped.cancel();
                outcome = outcome.and(Err(error));
            }
        }
        drop(calls);
        by_hand.abort();
        bar.finish_and_clear();
        outcome?;
        Ok(tally.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner))
    }

    /// Takes note of calls that were paid for earlier.
    pub(crate) fn paid_before(&self, costs: &[Option<Amount>]) {
        costs.iter().for_each(|cost| lock(&self.spending).paid_before(*cost));
    }

    /// What was spent up to now.
    pub(crate) fn spent(&self) -> String {
        lock(&self.spending).to_string()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
