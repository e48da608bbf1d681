//! The entries of a file of prices, each key with its line; numbers stay the text they were written as.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{PriceFile, Refusal};

/// One price of a file: its keys with what they say and in which line.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) file: String,
    pub(super) line: usize,
    pub(super) values: BTreeMap<String, (String, usize)>,
}

pub(super) fn entries(file: &PriceFile) -> Result<Vec<Entry>, Refusal> {
    let read = match file.name.rsplit_once('.') {
        Some((_, "toml")) => toml(file),
        Some((_, "csv")) => csv(file),
        _ => Err((1, "the name ends neither in .toml nor in .csv".to_owned())),
    };
    read.map_err(|(line, reason)| Refusal { file: file.name.clone(), line, reason })
}

type Refused = (usize, String);

fn toml(file: &PriceFile) -> Result<Vec<Entry>, Refused> {
    let line = |at: usize| 1 + file.text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    let document = DeTable::parse(&file.text)
        .map_err(|error| (line(error.span().map_or(0, |span| span.start)), error.message().to_owned()))?;
    let (mut defaults, mut entries) = (BTreeMap::new(), Vec::new());
    for (key, value) in document.get_ref() {
        let at = line(key.span().start);
        match (key.get_ref().as_ref(), value.get_ref()) {
            ("currency" | "unit", value) => {
                defaults.insert(key.get_ref().to_string(), (text(value).ok_or_else(|| not_plain(at, key))?, at));
            }
            ("price", DeValue::Array(prices)) => {
                for price in prices {
                    let at = line(price.span().start);
                    let table = price.get_ref().as_table().ok_or((at, "a price is not a table".to_owned()))?;
                    let mut values = BTreeMap::new();
                    for (key, value) in table {
                        let at = line(key.span().start);
                        let value = text(value.get_ref()).ok_or_else(|| not_plain(at, key))?;
                        values.insert(key.get_ref().to_string(), (value, at));
                    }
                    entries.push(Entry { file: file.name.clone(), line: at, values });
                }
            }
            (key, _) => return Err((at, format!("unknown key `{key}`: `currency`, `unit` or `[[price]]`"))),
        }
    }
    for entry in &mut entries {
        for (key, value) in &defaults {
            entry.values.entry(key.clone()).or_insert_with(|| value.clone());
        }
    }
    Ok(entries)
}

fn not_plain(line: usize, key: &Spanned<std::borrow::Cow<'_, str>>) -> Refused {
    (line, format!("`{}` is neither text, number, date nor boolean", key.get_ref()))
}

fn text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) if number.radix() == 10 => Some(number.as_str().to_owned()),
        DeValue::Float(number) => Some(number.as_str().to_owned()),
        DeValue::Boolean(value) => Some(value.to_string()),
        DeValue::Datetime(moment) => Some(moment.to_string()),
        _ => None,
    }
}

fn csv(file: &PriceFile) -> Result<Vec<Entry>, Refused> {
    let failed = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        (line as usize, error.to_string())
    };
    let mut reader =
        csv::ReaderBuilder::new().trim(csv::Trim::All).comment(Some(b'#')).from_reader(file.text.as_bytes());
    let columns = reader.headers().map_err(failed)?.clone();
    // As spreadsheets write it where the comma is that of decimals.
    if columns.len() == 1 && columns[0].contains([';', '\t']) {
        return Err((1, "columns are separated by commas, and decimals have a point".to_owned()));
    }
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(failed)?;
        let line = record.position().map_or(1, csv::Position::line) as usize;
        let mut values = BTreeMap::new();
        for (column, cell) in columns.iter().zip(&record).filter(|(_, cell)| !cell.is_empty()) {
            if values.insert(column.to_owned(), (cell.to_owned(), line)).is_some() {
                return Err((1, format!("two columns `{column}`")));
            }
        }
        entries.push(Entry { file: file.name.clone(), line, values });
    }
    Ok(entries)
}
