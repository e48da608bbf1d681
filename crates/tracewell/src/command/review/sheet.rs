//! A queue as a sheet: a row an item, with cells to fill in.

use std::path::Path;

use anyhow::{Context, bail};
use tracewell_blocks::spreadsheet;
use tracewell_ledger::reviews::{Judgement, examples};
use tracewell_regression::example::Document;
use tracewell_regression::privacy::placeholders;
use tracewell_regression::review::{CELLS, Item, Queue};
use tracewell_regression::{Answer, Example};

use super::super::answer::expected;
use super::super::dataset::{answered, said};
use super::super::masking::{Masking, mask};
use super::super::source::Source;

/// A row that was filled in.
pub(super) struct Row {
    pub(super) item: String,
    pub(super) judgement: Judgement,
}

/// Writes what waits for a reviewer.
pub(super) async fn write(source: &Source, queue: &Queue, reviewer: &str, masking: &Masking) -> anyhow::Result<()> {
    let mut masker = masking.masker()?;
    let mut examples = examples(source, queue).await?;
    let waits = |item: &&Item| !item.is_done(queue.reviewers) && !item.said.contains_key(reviewer);
    let questions = queue.questions.iter().map(|question| spreadsheet::cell(&question.name).into_owned());
    let mut writer = csv::Writer::from_writer(std::io::stdout().lock());
    writer.write_record(CELLS.map(str::to_owned).into_iter().chain(questions))?;
    for item in queue.items.values().filter(waits) {
        let Some(example) = examples.remove(&item.id) else { continue };
        let example = match &mut masker {
            Some(masker) => mask(masker, example)?,
            None => example,
        };
        let text = |answer: &Option<Answer>| answer.as_ref().map(answered).unwrap_or_default();
        let asked = example.question().unwrap_or_default();
        let messages = example.messages.iter().map(|message| format!("{}: {}", message.role, said(message)));
        let documents = example.documents.iter().map(Document::shown);
        let cells = [
            item.id.clone(),
            asked,
            messages.collect::<Vec<_>>().join("\n\n"),
            documents.collect::<Vec<_>>().join("\n\n"),
            text(&example.output),
            text(&example.expected),
        ];
        let empty = CELLS.len() - cells.len() + queue.questions.len();
        writer.write_record(
            cells
                .into_iter()
                .map(|cell| spreadsheet::cell(&cell).into_owned())
                .chain(std::iter::repeat_n(String::new(), empty)),
        )?;
    }
    writer.flush()?;
    eprintln!("{}", masking.told(masker.as_ref())?);
    Ok(())
}

/// The rows with an outcome, and their lines.
pub(super) fn read(path: &Path, queue: &Queue) -> anyhow::Result<Vec<(u64, anyhow::Result<Row>)>> {
    let mut reader = csv::ReaderBuilder::new()
        .flexible(true)
        .from_path(path)
        .with_context(|| format!("cannot read `{}`", path.display()))?;
    let heads = reader.headers()?.clone();
    let mut rows = Vec::new();
    for record in reader.records() {
        let record = match record {
            Ok(record) => record,
            // A line that is no text keeps no other from being read.
            Err(error) => {
                rows.push((error.position().map_or(0, csv::Position::line), Err(error.into())));
                continue;
            }
        };
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |name: &str| {
            let at = heads.iter().position(|head| spreadsheet::text_of(head) == name)?;
            record.get(at).map(str::trim).filter(|cell| !cell.is_empty())
        };
        if let Some(outcome) = cell("outcome") {
            rows.push((line, row(queue, outcome, &cell)));
        }
    }
    Ok(rows)
}

/// Placeholders of a masked sheet that stand for something of the example's: kept, they would replace it.
pub(super) fn unmasked(judgement: &Judgement, example: &Example) -> anyhow::Result<()> {
    let written = serde_json::to_string(&judgement.expected)?;
    let known = serde_json::to_string(example)?;
    match placeholders(&written).find(|placeholder| !known.contains(placeholder)) {
        Some(placeholder) => bail!(
            "`expected` holds `{placeholder}`, which stands for what was masked; write what it stands for, export the sheet \
             with --unmasked, or import it with --masked to keep it so"
        ),
        None => Ok(()),
    }
}

fn row<'a>(queue: &Queue, outcome: &str, cell: &dyn Fn(&str) -> Option<&'a str>) -> anyhow::Result<Row> {
    let item = cell("item").context("the row names no item")?;
    let given = queue.questions.iter().filter_map(|question| Some((question.name.as_str(), cell(&question.name)?)));
    let judgement = Judgement {
        outcome: super::outcome(outcome).map_err(anyhow::Error::msg)?,
        answers: queue.read_answers(given).map_err(anyhow::Error::msg)?,
        expected: expected(
            cell("expected").map(spreadsheet::text_of).map(str::to_owned),
            cell("expected_tool_calls").map(spreadsheet::text_of),
        )
        .map_err(anyhow::Error::msg)?,
        note: cell("note").map(str::to_owned),
    };
    Ok(Row { item: item.to_owned(), judgement })
}
