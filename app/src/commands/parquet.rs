//! Labels as a Parquet file: columns as in the JSON lines, `at` as a timestamp.

use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use parquet::column::writer::ColumnWriter;
use parquet::data_type::{ByteArray, ByteArrayType, DoubleType, Int64Type};
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;

use super::labels::Exported;

const SCHEMA: &str = "message label {
    REQUIRED BYTE_ARRAY text (UTF8);
    REQUIRED BYTE_ARRAY label (UTF8);
    OPTIONAL BYTE_ARRAY sentiment (UTF8);
    REQUIRED BYTE_ARRAY predicted (UTF8);
    REQUIRED DOUBLE confidence;
    REQUIRED BYTE_ARRAY model_version (UTF8);
    REQUIRED BYTE_ARRAY route (UTF8);
    REQUIRED BYTE_ARRAY source (UTF8);
    REQUIRED BYTE_ARRAY channel (UTF8);
    REQUIRED INT64 at (TIMESTAMP(MILLIS,true));
}";

/// A column: how a row fills it.
enum Column {
    Text(fn(&Exported) -> &str),
    Optional(fn(&Exported) -> Option<&str>),
    Number(fn(&Exported) -> f64),
    Moment(fn(&Exported) -> i64),
}

/// In the order of the schema.
const COLUMNS: [Column; 10] = [
    Column::Text(|row| &row.text),
    Column::Text(|row| &row.label),
    Column::Optional(|row| row.sentiment),
    Column::Text(|row| &row.predicted),
    Column::Number(|row| row.confidence),
    Column::Text(|row| &row.model_version),
    Column::Text(|row| row.route),
    Column::Text(|row| row.source),
    Column::Text(|row| row.channel),
    Column::Moment(|row| row.at_ms),
];

/// Writes `rows` to `out`.
pub(super) fn write(out: &Path, rows: &[Exported]) -> anyhow::Result<()> {
    let file =
        std::fs::File::create(out).with_context(|| format!("cannot write {}", out.display()))?;
    let schema = Arc::new(parse_message_type(SCHEMA)?);
    let properties = Arc::new(WriterProperties::builder().build());
    let mut writer = SerializedFileWriter::new(file, schema, properties)?;
    let mut group = writer.next_row_group()?;
    let mut columns = COLUMNS.iter();
    while let Some(mut to) = group.next_column()? {
        let column = columns.next().context("a column of the schema has no source")?;
        match (column, to.untyped()) {
            (Column::Text(of), ColumnWriter::ByteArrayColumnWriter(_)) => {
                let values: Vec<ByteArray> = rows.iter().map(|row| of(row).into()).collect();
                to.typed::<ByteArrayType>().write_batch(&values, None, None)?;
            }
            (Column::Optional(of), ColumnWriter::ByteArrayColumnWriter(_)) => {
                let present: Vec<i16> = rows.iter().map(|row| of(row).is_some().into()).collect();
                let values: Vec<ByteArray> =
                    rows.iter().filter_map(|row| Some(of(row)?.into())).collect();
                to.typed::<ByteArrayType>().write_batch(&values, Some(&present), None)?;
            }
            (Column::Number(of), ColumnWriter::DoubleColumnWriter(_)) => {
                let values: Vec<f64> = rows.iter().map(of).collect();
                to.typed::<DoubleType>().write_batch(&values, None, None)?;
            }
            (Column::Moment(of), ColumnWriter::Int64ColumnWriter(_)) => {
                let values: Vec<i64> = rows.iter().map(of).collect();
                to.typed::<Int64Type>().write_batch(&values, None, None)?;
            }
            _ => anyhow::bail!("a column of the schema has another type than its source"),
        }
        to.close()?;
    }
    group.close()?;
    writer.into_inner()?.sync_all()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use parquet::file::reader::{FileReader, SerializedFileReader};
    use parquet::record::RowAccessor;

    use super::*;

    #[test]
    fn a_reader_finds_what_was_written() {
        let row = |text: &str, sentiment| Exported {
            text: text.to_owned(),
            label: "pix".to_owned(),
            sentiment,
            predicted: "planos".to_owned(),
            confidence: 0.5,
            model_version: "m-1".to_owned(),
            route: "auto",
            source: "check",
            channel: "whatsapp",
            at: String::new(),
            at_ms: 7,
        };
        let dir = tempfile::tempdir().unwrap();
        let out = dir.path().join("labels.parquet");
        write(&out, &[row("não é isso", None), row("b", Some("neutro"))]).unwrap();
        let reader = SerializedFileReader::new(std::fs::File::open(&out).unwrap()).unwrap();
        let rows: Vec<_> = reader.get_row_iter(None).unwrap().map(Result::unwrap).collect();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].get_string(0).unwrap(), "não é isso");
        assert!(rows[0].get_string(2).is_err(), "absent");
        assert_eq!(rows[1].get_string(2).unwrap(), "neutro");
        assert!((rows[1].get_double(4).unwrap() - 0.5).abs() < f64::EPSILON);
        assert_eq!(rows[1].get_timestamp_millis(9).unwrap(), 7);
    }
}
