//! `tracewell_cost(call)`, `tracewell_cost_parts(call)` and `tracewell_price(call)`: what a model call costs, in whole
//! and by kind of use, and where that price comes from.
//!
//! `call` is a struct with members named as columns of `llm_calls`: those of [`TEXTS`] and [`COUNTS`], of which any may
//! be left out, and `start_unix_nano`.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Builder, Int64Array, Int64Builder, StringViewArray, StringViewBuilder,
    StructArray, UInt32Array,
};
use datafusion::arrow::compute::{cast, take};
use datafusion::arrow::datatypes::{DataType, Field, Fields, Int64Type};
use datafusion::common::utils::take_function_args;
use datafusion::common::{Result, exec_err, plan_err};
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility};
use tracewell_pricing::pricer::{CountReading, NamedBy};
use tracewell_pricing::{Amount, Kind, Plan, Pricer, Provenance, Quote, Route, UnixNanos, Unpriced, Usage};

use crate::prices::Prices;

/// What the functions are called.
pub(crate) const NAMES: [&str; 3] = ["tracewell_cost", "tracewell_cost_parts", "tracewell_price"];

/// The functions, which price by `prices`.
pub(super) fn functions(prices: &Arc<Prices>) -> [ScalarUDF; 3] {
    [Answer::Cost, Answer::Parts, Answer::Price].map(|answer| {
        let signature = Signature::any(1, Volatility::Immutable);
        ScalarUDF::from(Price { answer, signature, prices: Arc::clone(prices) })
    })
}

/// The members of a call that its price hangs on besides its time and its counts.
const TEXTS: [&str; 6] = ["provider", "response_model", "request_model", "tenant", "environment", "service_tier"];
pub(super) const TIME: &str = "start_unix_nano";
const COUNTS: [&str; 10] = [
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "reasoning_tokens",
    "audio_input_tokens",
    "audio_output_tokens",
    "image_input_tokens",
];
/// The members of a price that are text.
const SAID: [&str; 10] = [
    "rule",
    "source",
    "catalogue",
    "catalogue_version",
    "currency",
    "tier",
    "model_reading",
    "count_reading",
    "prices_version",
    "unpriced_reason",
];
const CONTEXT_OVER: &str = "context_over";
/// The currency of `tracewell_cost`.
const DOLLAR: &str = "USD";

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Answer {
    Cost,
    Parts,
    Price,
}

#[derive(Debug)]
struct Price {
    answer: Answer,
    signature: Signature,
    prices: Arc<Prices>,
}

impl PartialEq for Price {
    fn eq(&self, other: &Self) -> bool {
        self.answer == other.answer && Arc::ptr_eq(&self.prices, &other.prices)
    }
}

impl Eq for Price {}

impl std::hash::Hash for Price {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        (self.answer, Arc::as_ptr(&self.prices)).hash(state);
    }
}

impl ScalarUDFImpl for Price {
    fn name(&self) -> &str {
        match self.answer {
            Answer::Cost => NAMES[0],
            Answer::Parts => NAMES[1],
            Answer::Price => NAMES[2],
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let [DataType::Struct(members)] = arguments else {
            return plan_err!("{} takes a struct", self.name());
        };
        let known = |name: &str| name == TIME || TEXTS.contains(&name) || COUNTS.contains(&name);
        if let Some(unknown) = members.iter().find(|member| !known(member.name())) {
            return plan_err!("{} knows no member `{}`", self.name(), unknown.name());
        }
        if members.find(TIME).is_none() {
            return plan_err!("{} needs the member `{TIME}`: prices have dates", self.name());
        }
        Ok(match self.answer {
            Answer::Cost => amount_type(),
            Answer::Parts => DataType::Struct(part_fields()),
            Answer::Price => DataType::Struct(price_fields()),
        })
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [calls] = take_function_args(self.name(), &arguments.args)?;
        let calls = calls.to_array(arguments.number_rows)?;
        let Some(calls) = calls.as_struct_opt() else { return exec_err!("{} takes a struct", self.name()) };
        let calls = Calls::of(calls)?;
        let pricer = self.prices.pricer();
        Ok(ColumnarValue::Array(match self.answer {
            Answer::Cost => costs(&calls, pricer)?,
            Answer::Parts => parts(&calls, pricer)?,
            Answer::Price => origins(&calls, &self.prices)?,
        }))
    }
}

pub(super) fn amount_type() -> DataType {
    DataType::Decimal128(38, Amount::SCALE as i8)
}

fn part_fields() -> Fields {
    let name = |kind: Kind| kind.name().trim_end_matches("_tokens").to_owned();
    Kind::ALL.iter().map(|kind| Field::new(name(*kind), amount_type(), true)).collect()
}

fn price_fields() -> Fields {
    let said = SAID.iter().map(|name| Field::new(*name, DataType::Utf8View, true));
    said.chain([Field::new(CONTEXT_OVER, DataType::Int64, true)]).collect()
}

fn amounts() -> Decimal128Builder {
    Decimal128Builder::new().with_data_type(amount_type())
}

/// What `calls`, whose members are named as those of a call, cost by `prices`.
pub(super) fn costs_of(calls: &StructArray, prices: &Prices) -> Result<ArrayRef> {
    costs(&Calls::of(calls)?, prices.pricer())
}

/// In US dollars; NULL in other currencies, which nothing here converts.
fn costs(calls: &Calls, pricer: &Pricer) -> Result<ArrayRef> {
    let mut costs = Decimal128Builder::with_capacity(calls.rows).with_data_type(amount_type());
    each(calls, pricer, |call| {
        let total = call.at.and_then(|at| call.plan.total(at, &call.usage).ok());
        let dollars = total.filter(|(_, from)| from.currency == DOLLAR);
        costs.append_option(dollars.map(|(total, _)| total.units()));
    });
    Ok(Arc::new(costs.finish()))
}

fn parts(calls: &Calls, pricer: &Pricer) -> Result<ArrayRef> {
    let mut columns = Kind::ALL.map(|_| amounts());
    each(calls, pricer, |call| {
        let quote = call.quote().ok();
        for (column, kind) in columns.iter_mut().zip(Kind::ALL) {
            column.append_option(quote.map(|quote| quote.charge.part(kind).units()));
        }
    });
    let columns = columns.iter_mut().map(|column| Arc::new(column.finish()) as ArrayRef);
    Ok(Arc::new(StructArray::new(part_fields(), columns.collect(), None)))
}

/// Calls are many and origins few: each is told once.
fn origins(calls: &Calls, prices: &Prices) -> Result<ArrayRef> {
    let mut said = SAID.map(|_| StringViewBuilder::new());
    let mut numbers = HashMap::new();
    let mut last = None;
    let mut number_of = Vec::with_capacity(calls.rows);
    let mut over = Int64Builder::with_capacity(calls.rows);
    each(calls, prices.pricer(), |call| {
        let quote = call.quote();
        over.append_option(quote.ok().map(|quote| quote.charge.context_over));
        let counts = quote.map(|quote| (quote.step, call.plan.reading(&quote, &call.usage)));
        let (sort, next) = ((*call.key, counts), numbers.len() as u32);
        let number = match last {
            // Neighbours are mostly of one sort.
            Some((number, like)) if like == sort => number,
            _ => *numbers.entry(sort).or_insert_with(|| {
                let mut texts = match quote {
                    Ok(quote) => origin(call.plan.provenance(&quote), call.plan.reading(&quote, &call.usage)),
                    Err(reason) => without_price(reason),
                };
                texts[SAID.len() - 2] = Some(prices.version().to_owned());
                said.iter_mut().zip(texts).for_each(|(column, text)| column.append_option(text));
                next
            }),
        };
        last = Some((number, sort));
        number_of.push(number);
    });
    let number_of = UInt32Array::from(number_of);
    let said = said.iter_mut().map(|column| take(&column.finish(), &number_of, None));
    let mut columns = said.collect::<Result<Vec<_>, _>>()?;
    columns.push(Arc::new(over.finish()));
    Ok(Arc::new(StructArray::new(price_fields(), columns, None)))
}

/// The texts of [`SAID`] for a call with a price, without the version of the prices.
fn origin(from: &Provenance, counts: CountReading) -> [Option<String>; SAID.len()] {
    let tier = from.service_tier.as_deref().unwrap_or("standard");
    let tier = if from.batch == Some(true) { format!("{tier}, batch") } else { tier.to_owned() };
    let model = match from.model {
        NamedBy::Response => format!("response model {}", from.reading),
        NamedBy::Request => format!("request model {}", from.reading),
    };
    let counts = counts.to_string();
    let other = (from.currency != DOLLAR).then(|| format!("other_currency: {}", from.currency));
    [
        Some(from.rule.clone()),
        Some(from.source.name().to_owned()),
        Some(from.catalogue.clone()),
        Some(from.version.clone()),
        Some(from.currency.clone()),
        Some(tier),
        Some(model),
        Some(counts).filter(|counts| !counts.is_empty()),
        None,
        other,
    ]
}

/// The same for a call without one.
fn without_price(reason: NoPrice) -> [Option<String>; SAID.len()] {
    let mut texts = [const { None }; SAID.len()];
    texts[SAID.len() - 1] = Some(reason.map_or_else(|| "no_time".to_owned(), |reason| reason.to_string()));
    texts
}

/// Why a call has no price; `None` where it has no time.
type NoPrice = Option<Unpriced>;

/// A call with the rules for calls of its sort.
struct Call<'p> {
    key: &'p Key,
    plan: &'p Plan,
    at: Option<UnixNanos>,
    usage: Usage,
}

impl Call<'_> {
    fn quote(&self) -> Result<Quote, NoPrice> {
        self.plan.price(self.at.ok_or(None)?, &self.usage).map_err(Some)
    }
}

/// Calls `then` with each call.
fn each(calls: &Calls, pricer: &Pricer, mut then: impl FnMut(Call<'_>)) {
    if calls.rows == 0 {
        return;
    }
    // Neighbours are mostly of few sorts.
    let mut plans = vec![(calls.key(0), pricer.plan(&calls.route(0))); PLANS];
    for row in 0..calls.rows {
        let key = calls.key(row);
        let place = &mut plans[place(calls.varying.iter().map(|text| key[*text]))];
        if calls.varying.iter().any(|text| place.0[*text] != key[*text]) {
            *place = (key, pricer.plan(&calls.route(row)));
        }
        then(Call { key: &place.0, plan: &place.1, at: calls.time(row), usage: calls.usage(row) });
    }
}

/// Plans of one batch at hand; those of more sorts of calls are asked for again.
const PLANS: usize = 64;

/// The views of a call's texts: within one batch, the same views are the same texts. Those that are the same in all of
/// it are left out.
type Key = [u128; TEXTS.len()];

fn place(views: impl Iterator<Item = u128>) -> usize {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |hash: u64, view: u128| (hash ^ view as u64 ^ (view >> 64) as u64).wrapping_mul(MIX).rotate_left(29);
    views.fold(0, mix) as usize % PLANS
}

fn varies(texts: &StringViewArray) -> bool {
    match texts.null_count() {
        0 => texts.views().windows(2).any(|two| two[0] != two[1]),
        nulls => nulls < texts.len(),
    }
}

/// The members of the argument.
struct Calls {
    rows: usize,
    texts: [StringViewArray; TEXTS.len()],
    /// Places of the texts that are not the same in all rows.
    varying: Vec<usize>,
    start: Int64Array,
    /// Those that any row has.
    counts: [Option<Int64Array>; COUNTS.len()],
}

impl Calls {
    fn of(calls: &StructArray) -> Result<Self> {
        let rows = calls.len();
        let text = |name: &str| -> Result<StringViewArray> {
            Ok(match calls.column_by_name(name) {
                Some(column) => cast(column, &DataType::Utf8View)?.as_string_view().clone(),
                None => StringViewArray::new_null(rows),
            })
        };
        let count = |name: &str| -> Result<Int64Array> {
            Ok(match calls.column_by_name(name) {
                Some(column) => cast(column, &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
                None => Int64Array::new_null(rows),
            })
        };
        let [a, b, c, d, e, f] = TEXTS;
        let texts = [text(a)?, text(b)?, text(c)?, text(d)?, text(e)?, text(f)?];
        let mut counts = [const { None }; COUNTS.len()];
        for (column, name) in counts.iter_mut().zip(COUNTS) {
            *column = Some(count(name)?).filter(|counts| counts.null_count() < rows);
        }
        let varying = (0..TEXTS.len()).filter(|text| varies(&texts[*text])).collect();
        Ok(Self { rows, texts, varying, start: count(TIME)?, counts })
    }

    fn key(&self, row: usize) -> Key {
        let mut key = [u128::MAX; TEXTS.len()];
        for text in &self.varying {
            if self.texts[*text].is_valid(row) {
                key[*text] = self.texts[*text].views()[row];
            }
        }
        key
    }

    fn route(&self, row: usize) -> Route<'_> {
        let text = |at: usize| self.texts[at].is_valid(row).then(|| self.texts[at].value(row));
        Route {
            provider: text(0),
            response_model: text(1),
            request_model: text(2),
            tenant: text(3),
            environment: text(4),
            service_tier: text(5),
            batch: false,
        }
    }

    fn time(&self, row: usize) -> Option<UnixNanos> {
        self.start.is_valid(row).then(|| self.start.value(row))
    }

    fn usage(&self, row: usize) -> Usage {
        let count = |at: usize| {
            let counts = self.counts[at].as_ref()?;
            counts.is_valid(row).then(|| counts.value(row))
        };
        Usage {
            input_tokens: count(0),
            output_tokens: count(1),
            cache_read_tokens: count(2),
            cache_write_tokens: count(3),
            cache_write_5m_tokens: count(4),
            cache_write_1h_tokens: count(5),
            reasoning_tokens: count(6),
            audio_input_tokens: count(7),
            audio_output_tokens: count(8),
            image_input_tokens: count(9),
            image_output_tokens: None,
            requests: None,
        }
    }
}
