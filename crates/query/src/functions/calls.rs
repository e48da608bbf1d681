//! `tracewell_call(span) OVER (PARTITION BY tenant)`: the part that a span has in a model call.
//!
//! A window function, because which spans are one call shows only beside all others of the tenant. Its argument is a
//! struct with a member for each field of [`Row`]; it answers with a struct, NULL for rows that have no part.

use std::sync::Arc;

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, Int64Builder, StringViewArray, StringViewBuilder, StructArray,
};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, Int64Type};
use datafusion::common::{Result, exec_err};
use datafusion::logical_expr::function::{PartitionEvaluatorArgs, WindowUDFFieldArgs};
use datafusion::logical_expr::{LimitEffect, PartitionEvaluator, Signature, Volatility, WindowUDF, WindowUDFImpl};
use datafusion::physical_expr::PhysicalExpr;

use crate::calls::{Facts, Family, Part, Prompt, Role, Row, Usage, Workflow, parts};

pub(super) fn function() -> WindowUDF {
    WindowUDF::from(Call(Signature::any(1, Volatility::Immutable)))
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Call(Signature);

/// The members of the answer: text, then counts.
const TEXTS: [&str; 13] = [
    "role",
    "call_trace_id",
    "call_span_id",
    "wrapper_span_id",
    "conversation_id",
    "user_id",
    "team",
    "agent_name",
    "workflow_name",
    "workflow_version",
    "prompt_name",
    "prompt_version",
    "prompt_label",
];
const COUNTS: [&str; 8] = [
    "rank",
    "usage_rank",
    "rows",
    "input_tokens",
    "output_tokens",
    "wrapper_input_tokens",
    "wrapper_output_tokens",
    "trial",
];

fn fields() -> Fields {
    let texts = TEXTS.iter().map(|name| Field::new(*name, DataType::Utf8View, true));
    let counts = COUNTS.iter().map(|name| Field::new(*name, DataType::Int64, true));
    texts.chain(counts).collect()
}

impl WindowUDFImpl for Call {
    fn name(&self) -> &str {
        "tracewell_call"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn partition_evaluator(&self, _arguments: PartitionEvaluatorArgs<'_>) -> Result<Box<dyn PartitionEvaluator>> {
        Ok(Box::new(Evaluator))
    }

    fn field(&self, arguments: WindowUDFFieldArgs<'_>) -> Result<FieldRef> {
        Ok(Arc::new(Field::new(arguments.name(), DataType::Struct(fields()), true)))
    }

    fn limit_effect(&self, _arguments: &[Arc<dyn PhysicalExpr>]) -> LimitEffect {
        LimitEffect::Unknown
    }
}

#[derive(Debug)]
struct Evaluator;

impl PartitionEvaluator for Evaluator {
    fn evaluate_all(&mut self, values: &[ArrayRef], rows: usize) -> Result<ArrayRef> {
        let Some(spans) = values.first().and_then(|values| values.as_struct_opt()) else {
            return exec_err!("tracewell_call takes a struct");
        };
        let columns = Columns::of(spans)?;
        let spans: Vec<Row<'_>> = (0..rows).map(|row| columns.row(row)).collect();
        Ok(answer(&parts(&spans)))
    }
}

/// The members of the argument.
struct Columns {
    texts: Vec<StringViewArray>,
    counts: Vec<Int64Array>,
    flags: Vec<BooleanArray>,
}

impl Columns {
    const TEXTS: [&str; 21] = [
        "trace_id",
        "span_id",
        "parent_span_id",
        "name",
        "kind",
        "scope_name",
        "service",
        "request_model",
        "response_model",
        "response_id",
        "content_hash",
        "conversation_id",
        "user_id",
        "team",
        "agent_name",
        "workflow_name",
        "workflow_version",
        "prompt_name",
        "prompt_version",
        "prompt_label",
        "message",
    ];
    const COUNTS: [&str; 5] = ["start", "end", "input_tokens", "output_tokens", "usage_parts"];
    const FLAGS: [&str; 6] = ["pending", "has_content", "doubtful", "record", "tail", "trial"];

    fn of(spans: &StructArray) -> Result<Self> {
        let member = |name: &str, data_type: &DataType| match spans.column_by_name(name) {
            Some(column) => Ok(cast(column, data_type)?),
            None => exec_err!("the struct given to tracewell_call has no member `{name}`"),
        };
        let text = |name: &&str| Ok(member(name, &DataType::Utf8View)?.as_string_view().clone());
        let count = |name: &&str| Ok(member(name, &DataType::Int64)?.as_primitive::<Int64Type>().clone());
        let flag = |name: &&str| Ok(member(name, &DataType::Boolean)?.as_boolean().clone());
        Ok(Self {
            texts: Self::TEXTS.iter().map(text).collect::<Result<_>>()?,
            counts: Self::COUNTS.iter().map(count).collect::<Result<_>>()?,
            flags: Self::FLAGS.iter().map(flag).collect::<Result<_>>()?,
        })
    }

    fn row(&self, row: usize) -> Row<'_> {
        let text = |at: usize| self.texts[at].is_valid(row).then(|| self.texts[at].value(row));
        let count = |at: usize| self.counts[at].is_valid(row).then(|| self.counts[at].value(row));
        let flag = |at: usize| self.flags[at].is_valid(row) && self.flags[at].value(row);
        let (input, output) = (count(2), count(3));
        Row {
            trace: text(0).unwrap_or_default(),
            id: text(1),
            parent: text(2),
            start: count(0).unwrap_or_default(),
            end: count(1).unwrap_or_default(),
            name: text(3).unwrap_or_default(),
            family: text(4).and_then(Family::of),
            pending: flag(0),
            record: flag(3),
            tail: flag(4),
            message: text(20),
            scope: text(5).unwrap_or_default(),
            service: text(6).unwrap_or_default(),
            asked: text(7),
            answered: text(8),
            response: text(9),
            instructions: text(10),
            usage: (input.is_some() || output.is_some()).then(|| Usage {
                input,
                output,
                parts: count(4).unwrap_or_default(),
                doubtful: flag(2),
            }),
            has_content: flag(1),
            trial: flag(5),
            facts: Facts {
                conversation: text(11),
                user: text(12),
                team: text(13),
                agent: text(14),
                workflow: text(15).map(|name| Workflow { name, version: text(16) }),
                prompt: text(17).or(text(18)).or(text(19)).map(|_| Prompt {
                    name: text(17),
                    version: text(18),
                    label: text(19),
                }),
            },
        }
    }
}

fn answer(parts: &[Option<Part<'_>>]) -> ArrayRef {
    let mut texts: Vec<StringViewBuilder> = TEXTS.iter().map(|_| StringViewBuilder::new()).collect();
    let mut counts: Vec<Int64Builder> = COUNTS.iter().map(|_| Int64Builder::new()).collect();
    for part in parts {
        let (of_text, of_counts) =
            part.map_or(([None; TEXTS.len()], [None; COUNTS.len()]), |part| (words(&part), numbers(&part)));
        texts.iter_mut().zip(of_text).for_each(|(column, value)| column.append_option(value));
        counts.iter_mut().zip(of_counts).for_each(|(column, value)| column.append_option(value));
    }
    let texts = texts.into_iter().map(|mut column| Arc::new(column.finish()) as ArrayRef);
    let counts = counts.into_iter().map(|mut column| Arc::new(column.finish()) as ArrayRef);
    let valid: NullBuffer = parts.iter().map(Option::is_some).collect::<Vec<_>>().into();
    Arc::new(StructArray::new(fields(), texts.chain(counts).collect(), Some(valid)))
}

fn words<'a>(part: &Part<'a>) -> [Option<&'a str>; TEXTS.len()] {
    let role = match part.role {
        Role::Call => "call",
        Role::Duplicate => "duplicate",
        Role::Wrapper => "wrapper",
    };
    let (facts, workflow, prompt) = (&part.facts, part.facts.workflow, part.facts.prompt);
    [
        Some(role),
        Some(part.call.0),
        Some(part.call.1),
        part.wrapper.map(|wrapper| wrapper.id),
        facts.conversation,
        facts.user,
        facts.team,
        facts.agent,
        workflow.map(|workflow| workflow.name),
        workflow.and_then(|workflow| workflow.version),
        prompt.and_then(|prompt| prompt.name),
        prompt.and_then(|prompt| prompt.version),
        prompt.and_then(|prompt| prompt.label),
    ]
}

fn numbers(part: &Part<'_>) -> [Option<i64>; COUNTS.len()] {
    let usage = part.usage.unwrap_or_default();
    let wrapper = part.wrapper.and_then(|wrapper| wrapper.usage).unwrap_or_default();
    let count = |count: usize| i64::try_from(count).ok();
    [
        count(part.rank),
        count(part.usage_rank),
        count(part.rows),
        usage.input,
        usage.output,
        wrapper.input,
        wrapper.output,
        Some(i64::from(part.trial)),
    ]
}
