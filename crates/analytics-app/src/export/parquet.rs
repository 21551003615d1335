//! Parquet, by the column writers of the crate `parquet` alone.

use std::io::Write;
use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical};
use parquet::column::writer::{ColumnWriter, ColumnWriterImpl};
use parquet::data_type::{ByteArray, DataType};
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::types::Type;

use super::Row;
use super::columns::{Column, ColumnKind, Value};

/// Writes rows as Parquet with these pairs in its metadata; every column may be null.
pub(super) fn write(
    columns: &[Column],
    rows: &[Row],
    metadata: &[(&str, String)],
    out: impl Write + Send,
) -> Result<(), ParquetError> {
    let fields = columns.iter().map(|column| field(column).map(Arc::new)).collect::<Result<Vec<_>, _>>()?;
    let schema = Type::group_type_builder("features").with_fields(fields).build()?;
    let pairs = metadata.iter().map(|(key, value)| KeyValue::new((*key).to_owned(), value.clone())).collect();
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_key_value_metadata(Some(pairs))
        .build();
    let mut writer = SerializedFileWriter::new(out, Arc::new(schema), Arc::new(properties))?;
    for chunk in rows.chunks(ROW_GROUP) {
        let mut group = writer.next_row_group()?;
        for column in columns {
            let Some(mut out) = group.next_column()? else { break };
            match out.untyped() {
                ColumnWriter::BoolColumnWriter(out) => fill(out, column, chunk, |value| match value {
                    Value::Flag(flag) => Some(flag),
                    Value::Missing | Value::Text(_) | Value::Whole(_) | Value::Real(_) | Value::Time(_) => {
                        None
                    }
                })?,
                ColumnWriter::Int64ColumnWriter(out) => fill(out, column, chunk, |value| match value {
                    Value::Whole(number) | Value::Time(number) => Some(number),
                    Value::Missing | Value::Text(_) | Value::Flag(_) | Value::Real(_) => None,
                })?,
                ColumnWriter::DoubleColumnWriter(out) => fill(out, column, chunk, |value| match value {
                    Value::Real(number) => Some(number),
                    Value::Missing | Value::Text(_) | Value::Flag(_) | Value::Whole(_) | Value::Time(_) => {
                        None
                    }
                })?,
                ColumnWriter::ByteArrayColumnWriter(out) => fill(out, column, chunk, |value| match value {
                    Value::Text(text) => Some(ByteArray::from(text.into_owned().into_bytes())),
                    Value::Missing | Value::Flag(_) | Value::Whole(_) | Value::Real(_) | Value::Time(_) => {
                        None
                    }
                })?,
                ColumnWriter::Int32ColumnWriter(_)
                | ColumnWriter::Int96ColumnWriter(_)
                | ColumnWriter::FloatColumnWriter(_)
                | ColumnWriter::FixedLenByteArrayColumnWriter(_) => {}
            }
            out.close()?;
        }
        group.close()?;
    }
    writer.close()?;
    Ok(())
}

/// Writes one column of one group of rows: which values are there, and those.
fn fill<T: DataType>(
    out: &mut ColumnWriterImpl<'_, T>,
    column: &Column,
    rows: &[Row],
    read: impl Fn(Value<'_>) -> Option<T::T>,
) -> Result<(), ParquetError> {
    let (mut values, mut there) = (Vec::with_capacity(rows.len()), Vec::with_capacity(rows.len()));
    for row in rows {
        let value = read(column.value(row));
        there.push(i16::from(value.is_some()));
        values.extend(value);
    }
    out.write_batch(&values, Some(&there), None)?;
    Ok(())
}

fn field(column: &Column) -> Result<Type, ParquetError> {
    let (physical, logical) = match column.kind {
        ColumnKind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        ColumnKind::Flag => (Physical::BOOLEAN, None),
        ColumnKind::Whole => (Physical::INT64, None),
        ColumnKind::Real => (Physical::DOUBLE, None),
        ColumnKind::Time => {
            let utc = LogicalType::timestamp(true, TimeUnit::MICROS);
            (Physical::INT64, Some(utc))
        }
    };
    Type::primitive_type_builder(column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
}

/// So many rows of a hundred features are about 50 MB.
const ROW_GROUP: usize = 65_536;
