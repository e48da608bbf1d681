//! JSON made of values: `to_json(x)`, `json_build_object(k, v, …)` and `json_build_array(x, …)`, and the parts that
//! `json_agg` and `json_object_agg` are made of. What is JSON already stays as it is; other texts become strings.

use std::sync::{Arc, LazyLock};

use arrow::json::writer::{EncoderOptions, NullableEncoder, make_encoder};
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::{Result, exec_err, internal_err, plan_err};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, TypeSignature, Volatility,
};
use datafusion_functions_json::json_field_metadata;

pub(super) fn functions() -> [ScalarUDF; 7] {
    [Work::Value, Work::Object, Work::Array, Work::Pair, Work::Items, Work::Pairs, Work::Json].map(|work| {
        let signature = match work {
            Work::Object | Work::Array => {
                Signature::one_of(vec![TypeSignature::Nullary, TypeSignature::VariadicAny], Volatility::Immutable)
            }
            _ => Signature::variadic_any(Volatility::Immutable),
        };
        ScalarUDF::from(Build { work, signature }).with_aliases(work.aliases().iter().copied())
    })
}

/// A value as JSON.
pub(super) fn to_json() -> ScalarUDF {
    ScalarUDF::from(Build { work: Work::Value, signature: Signature::variadic_any(Volatility::Immutable) })
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Work {
    Value,
    Object,
    Array,
    /// `"key":value`
    Pair,
    /// An array of a list of JSON.
    Items,
    /// An object of a list of pairs.
    Pairs,
    /// A text that is JSON.
    Json,
}

impl Work {
    fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Value => &["to_jsonb", "row_to_json", "array_to_json"],
            Self::Object => &["jsonb_build_object"],
            Self::Array => &["jsonb_build_array"],
            Self::Pair | Self::Items | Self::Pairs | Self::Json => &[],
        }
    }
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Build {
    work: Work,
    signature: Signature,
}

impl ScalarUDFImpl for Build {
    fn name(&self) -> &str {
        match self.work {
            Work::Value => "to_json",
            Work::Object => "json_build_object",
            Work::Array => "json_build_array",
            Work::Pair => "tracewell_json_pair",
            Work::Items => "tracewell_json_items",
            Work::Pairs => "tracewell_json_pairs",
            Work::Json => "tracewell_json",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let name = self.name();
        match self.work {
            Work::Object if types.len() % 2 == 1 => plan_err!("{name} takes keys and values in turn"),
            Work::Pair if types.len() != 2 => plan_err!("json_object_agg takes a key and a value"),
            Work::Value | Work::Items | Work::Pairs | Work::Json if types.len() != 1 => {
                plan_err!("{name} takes one value")
            }
            _ => Ok(DataType::Utf8View),
        }
    }

    fn return_field_from_args(&self, arguments: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = arguments.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let field = Field::new(self.name(), self.return_type(&types)?, true);
        Ok(Arc::new(if self.work == Work::Pair { field } else { field.with_metadata(json_field_metadata()) }))
    }

    fn invoke_with_args(&self, arguments: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = arguments.number_rows;
        let values = arguments.args.iter().map(|value| value.to_array(rows)).collect::<Result<Vec<_>>>()?;
        let texts = match self.work {
            Work::Items => gathered(&values, b'[', b']')?,
            Work::Pairs => gathered(&values, b'{', b'}')?,
            Work::Json => json(&values)?,
            _ => self.built(&values, &arguments.arg_fields, rows)?,
        };
        Ok(ColumnarValue::Array(Arc::new(texts)))
    }
}

impl Build {
    fn built(&self, values: &[ArrayRef], fields: &[FieldRef], rows: usize) -> Result<StringViewArray> {
        let columns = values.iter().zip(fields).map(|(values, field)| Column::of(values, field));
        let mut columns = columns.collect::<Result<Vec<_>>>()?;
        let keys = match self.work {
            Work::Object | Work::Pair => values.iter().step_by(2).map(texts_of).collect::<Result<Vec<_>>>()?,
            _ => Vec::new(),
        };
        texts(rows, |row, text| {
            match self.work {
                Work::Array => {
                    text.push(b'[');
                    for (position, column) in columns.iter_mut().enumerate() {
                        separate(position, text);
                        column.write(row, text);
                    }
                    text.push(b']');
                }
                Work::Object | Work::Pair => {
                    let braces = self.work == Work::Object;
                    text.extend(braces.then_some(b'{'));
                    for (position, (keys, value)) in keys.iter().zip(columns.iter_mut().skip(1).step_by(2)).enumerate()
                    {
                        separate(position, text);
                        write_key(keys, row, text)?;
                        text.push(b':');
                        value.write(row, text);
                    }
                    text.extend(braces.then_some(b'}'));
                }
                _ => {
                    let Some(column) = columns.first_mut().filter(|column| !column.is_null(row)) else {
                        return Ok(false);
                    };
                    column.write(row, text);
                }
            }
            Ok(true)
        })
    }
}

static OPTIONS: LazyLock<EncoderOptions> = LazyLock::new(|| EncoderOptions::default().with_explicit_nulls(true));

/// The values of an argument.
struct Column<'a> {
    /// As texts, where they are JSON already.
    json: Option<StringViewArray>,
    encoder: NullableEncoder<'a>,
}

impl<'a> Column<'a> {
    fn of(values: &'a ArrayRef, field: &'a FieldRef) -> Result<Self> {
        let extension = field.metadata().get("ARROW:extension:name").map(String::as_str);
        let is_text = matches!(field.data_type(), DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        let json = (is_text && extension == Some("arrow.json")).then(|| texts_of(values)).transpose()?;
        Ok(Self { json, encoder: make_encoder(field, values.as_ref(), &OPTIONS)? })
    }

    fn is_null(&self, row: usize) -> bool {
        self.encoder.is_null(row)
    }

    fn write(&mut self, row: usize, text: &mut Vec<u8>) {
        match &self.json {
            _ if self.is_null(row) => text.extend(b"null"),
            Some(json) => text.extend(json.value(row).as_bytes()),
            None => self.encoder.encode(row, text),
        }
    }
}

fn write_key(keys: &StringViewArray, row: usize, text: &mut Vec<u8>) -> Result<()> {
    if keys.is_null(row) {
        return exec_err!("the key of a JSON object is NULL");
    }
    serde_json::to_writer(text, keys.value(row)).map_err(|error| DataFusionError::External(Box::new(error)))
}

fn texts_of(values: &ArrayRef) -> Result<StringViewArray> {
    Ok(cast(values, &DataType::Utf8View)?.as_string_view().clone())
}

fn separate(position: usize, text: &mut Vec<u8>) {
    if position > 0 {
        text.push(b',');
    }
}

/// A text for each row for which `write` says that there is one.
fn texts(rows: usize, mut write: impl FnMut(usize, &mut Vec<u8>) -> Result<bool>) -> Result<StringViewArray> {
    let (mut texts, mut text) = (StringViewBuilder::new(), Vec::new());
    for row in 0..rows {
        text.clear();
        if write(row, &mut text)? {
            let text = str::from_utf8(&text).map_err(|error| DataFusionError::External(Box::new(error)))?;
            texts.append_value(text);
        } else {
            texts.append_null();
        }
    }
    Ok(texts.finish())
}

/// Lists of JSON between brackets; NULL where there is no list.
fn gathered(lists: &[ArrayRef], open: u8, close: u8) -> Result<StringViewArray> {
    let Some(lists) = lists.first().and_then(|lists| lists.as_list_opt::<i32>()) else {
        return internal_err!("JSON is gathered from a list");
    };
    texts(lists.len(), |row, text| {
        if lists.is_null(row) {
            return Ok(false);
        }
        text.push(open);
        for (position, item) in texts_of(&lists.value(row))?.iter().enumerate() {
            separate(position, text);
            text.extend(item.unwrap_or("null").as_bytes());
        }
        text.push(close);
        Ok(true)
    })
}

/// The texts, all of which are JSON.
fn json(values: &[ArrayRef]) -> Result<StringViewArray> {
    let Some(values) = values.first() else { return internal_err!("JSON is read from a text") };
    let texts = texts_of(values)?;
    for text in texts.iter().flatten() {
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return exec_err!("a text is no JSON: {}", text.chars().take(100).collect::<String>());
        }
    }
    Ok(texts)
}
