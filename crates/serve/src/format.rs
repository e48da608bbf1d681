//! Rows as bytes, a batch at a time: what `POST /v1/sql` sends and `tracewell sql` prints.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::ipc::writer::StreamWriter;
use arrow::json::writer::{JsonArray, JsonFormat, LineDelimited, WriterBuilder};
use parquet::arrow::ArrowWriter;

mod apart;
mod flat;
mod squeeze;

pub use squeeze::{Squeeze, Squeezed};

/// How rows are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// An array of objects.
    Json,
    /// An object a line.
    Ndjson,
    /// With a header line; nested values as JSON.
    Csv,
    /// An Arrow IPC stream.
    Arrow,
    /// A Parquet file.
    Parquet,
}

impl Format {
    /// All of them, the one that programs of ours ask for first.
    pub const ALL: [Self; 5] = [Self::Arrow, Self::Json, Self::Ndjson, Self::Csv, Self::Parquet];

    /// Its media type.
    #[must_use]
    pub const fn media(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Ndjson => "application/x-ndjson",
            Self::Csv => "text/csv",
            Self::Arrow => "application/vnd.apache.arrow.stream",
            Self::Parquet => "application/vnd.apache.parquet",
        }
    }

    /// Starts an answer of rows of `schema`.
    ///
    /// # Errors
    /// When the format cannot hold a type of the schema.
    pub fn encoder(self, schema: &SchemaRef) -> Result<Box<dyn Encoder>, ArrowError> {
        Ok(match self {
            Self::Json => Box::new(Objects::<JsonArray>::new()),
            Self::Ndjson => Box::new(Objects::<LineDelimited>::new()),
            Self::Csv => Box::new(Lines::new(schema)?),
            Self::Arrow => Box::new(ArrowStream(StreamWriter::try_new(Vec::new(), schema)?)),
            Self::Parquet => Box::new(ParquetFile::new(schema)?),
        })
    }
}

/// Turns batches into the bytes of one answer.
pub trait Encoder: Send + 'static {
    /// The bytes that are ready once `batch` was taken in; perhaps none.
    ///
    /// # Errors
    /// When the format cannot hold a value.
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError>;

    /// The bytes that end the answer.
    ///
    /// # Errors
    /// As [`Encoder::batch`].
    fn end(&mut self) -> Result<Vec<u8>, ArrowError>;
}

struct ArrowStream(StreamWriter<Vec<u8>>);

impl Encoder for ArrowStream {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        self.0.write(batch)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        self.0.finish()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

struct Objects<F: JsonFormat>(arrow::json::writer::Writer<Vec<u8>, F>);

impl<F: JsonFormat> Objects<F> {
    fn new() -> Self {
        Self(WriterBuilder::new().with_explicit_nulls(true).build(Vec::new()))
    }
}

impl<F: JsonFormat + Send + 'static> Encoder for Objects<F> {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let batch = apart::apart(batch)?;
        self.0.write(&batch)?;
        Ok(std::mem::take(self.0.get_mut()))
    }

    fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        self.0.finish()?;
        Ok(std::mem::take(self.0.get_mut()))
    }
}

/// CSV as RFC 4180 has it.
struct Lines {
    /// The header line, until it is sent.
    header: Vec<u8>,
}

impl Lines {
    fn new(schema: &SchemaRef) -> Result<Self, ArrowError> {
        let mut header = Vec::new();
        let mut writer = arrow::csv::WriterBuilder::new().with_header(true).build(&mut header);
        writer.write(&flat::flat(&RecordBatch::new_empty(Arc::clone(schema)))?)?;
        drop(writer);
        Ok(Self { header })
    }
}

impl Encoder for Lines {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        let mut bytes = std::mem::take(&mut self.header);
        let mut writer = arrow::csv::WriterBuilder::new().with_header(false).build(&mut bytes);
        writer.write(&flat::flat(batch)?)?;
        drop(writer);
        Ok(bytes)
    }

    fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        Ok(std::mem::take(&mut self.header))
    }
}

/// A Parquet file goes out a row group at a time: its footer comes last.
struct ParquetFile {
    writer: Option<ArrowWriter<Ready>>,
    ready: Ready,
}

/// Bytes that are written and not yet sent.
#[derive(Clone, Default)]
struct Ready(Arc<Mutex<Vec<u8>>>);

impl Ready {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Write for Ready {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A row group is closed at this size, so that a large answer is not held whole.
const ROW_GROUP_BYTES: usize = 32 << 20;

impl ParquetFile {
    fn new(schema: &SchemaRef) -> Result<Self, ArrowError> {
        let ready = Ready::default();
        let writer = ArrowWriter::try_new(ready.clone(), Arc::clone(schema), None)?;
        Ok(Self { writer: Some(writer), ready })
    }
}

impl Encoder for ParquetFile {
    fn batch(&mut self, batch: &RecordBatch) -> Result<Vec<u8>, ArrowError> {
        if let Some(writer) = &mut self.writer {
            writer.write(batch)?;
            if writer.in_progress_size() > ROW_GROUP_BYTES {
                writer.flush()?;
            }
        }
        Ok(self.ready.take())
    }

    fn end(&mut self) -> Result<Vec<u8>, ArrowError> {
        if let Some(writer) = self.writer.take() {
            writer.close()?;
        }
        Ok(self.ready.take())
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{ArrayRef, Int64Array, ListArray, StringArray};
    use arrow::datatypes::{DataType, Field, Int32Type, Schema};

    use super::*;

    fn rows() -> RecordBatch {
        let lists = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None]);
        RecordBatch::try_from_iter([
            ("n", Arc::new(Int64Array::from(vec![Some(1), None])) as _),
            ("words", Arc::new(StringArray::from(vec!["a,\"b\"", "c"])) as _),
            ("list", Arc::new(lists) as _),
        ])
        .expect("columns of one length")
    }

    fn encoded(format: Format, batches: &[RecordBatch]) -> Vec<u8> {
        let mut encoder = format.encoder(&rows().schema()).expect("it starts");
        let mut bytes = Vec::new();
        for batch in batches {
            bytes.extend(encoder.batch(batch).expect("it takes a batch"));
        }
        bytes.extend(encoder.end().expect("it ends"));
        bytes
    }

    fn text(format: Format, batches: &[RecordBatch]) -> String {
        String::from_utf8(encoded(format, batches)).expect("text")
    }

    #[test]
    fn text_formats_write_nulls_and_nested_values() {
        assert_eq!(text(Format::Csv, &[rows()]), "n,words,list\n1,\"a,\"\"b\"\"\",\"[1,null]\"\n,c,\n");
        assert_eq!(
            text(Format::Ndjson, &[rows()]),
            "{\"n\":1,\"words\":\"a,\\\"b\\\"\",\"list\":[1,null]}\n{\"n\":null,\"words\":\"c\",\"list\":null}\n"
        );
        let objects: serde_json::Value = serde_json::from_str(&text(Format::Json, &[rows(), rows()])).expect("JSON");
        assert_eq!(objects.as_array().map(Vec::len), Some(4));
    }

    #[test]
    fn columns_of_one_name_are_members_of_their_own() {
        let fields = ["a", "a", "a_2", "a"].map(|name| Field::new(name, DataType::Int64, false));
        let columns = [1, 2, 3, 4].map(|number| -> ArrayRef { Arc::new(Int64Array::from(vec![number])) });
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields.to_vec())), columns.to_vec()).expect("a batch");
        let mut encoder = Format::Ndjson.encoder(&batch.schema()).expect("it starts");
        let line = encoder.batch(&batch).expect("it takes a batch");
        assert_eq!(String::from_utf8(line).expect("text"), "{\"a\":1,\"a_3\":2,\"a_2\":3,\"a_4\":4}\n");
    }

    #[test]
    fn an_answer_without_rows_is_whole() {
        assert_eq!(text(Format::Csv, &[]), "n,words,list\n");
        assert_eq!(text(Format::Json, &[]), "[]");
        assert_eq!(text(Format::Ndjson, &[]), "");
    }

    #[test]
    fn binary_formats_are_read_back() {
        let arrow = encoded(Format::Arrow, &[rows(), rows()]);
        let read = arrow::ipc::reader::StreamReader::try_new(arrow.as_slice(), None).expect("a stream");
        assert_eq!(read.collect::<Result<Vec<_>, _>>().expect("batches"), [rows(), rows()]);
        let parquet = bytes::Bytes::from(encoded(Format::Parquet, &[rows(), rows()]));
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReader::try_new(parquet, 9).expect("a file");
        assert_eq!(reader.map(|batch| batch.map_or(0, |batch| batch.num_rows())).sum::<usize>(), 4);
    }
}
