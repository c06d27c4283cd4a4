//! Values of ours in columns of SQLite, and back.

use rusqlite::types::Type;
use rusqlite::{Params, Row, Statement};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// One value of a closed list, in the word that receipts have for it.
pub(crate) fn word<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        // A value that is no word: it is not read back either.
        _ => String::new(),
    }
}

/// The value that a word stands for.
pub(crate) fn value<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<T> {
    let word: String = row.get(column)?;
    serde_json::from_value(serde_json::Value::String(word))
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into()))
}

/// The same, of a column that may be empty.
pub(crate) fn optional<T: DeserializeOwned>(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)?.data_type() {
        Type::Null => Ok(None),
        _ => value(row, column).map(Some),
    }
}

/// SQLite's integers have a sign; ours have none.
pub(crate) fn number(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    Ok(u64::try_from(row.get::<_, i64>(column)?).unwrap_or_default())
}

/// SQLite's integers have a sign.
pub(crate) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Rows of the ledger, and how many of those asked for are damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<T> {
    /// What could be read.
    pub rows: Vec<T>,
    /// Rows that could not.
    pub unreadable: usize,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { rows: Vec::new(), unreadable: 0 }
    }
}

/// Reads rows; one whose values make no sense any more is counted, and hides no other.
pub(crate) fn listed<T>(
    statement: &mut Statement<'_>,
    asked: impl Params,
    read: fn(&Row<'_>) -> rusqlite::Result<T>,
) -> rusqlite::Result<Listed<T>> {
    let mut listed = Listed::default();
    let mut rows = statement.query(asked)?;
    while let Some(row) = rows.next()? {
        match read(row) {
            Ok(value) => listed.rows.push(value),
            Err(error) if error.sqlite_error().is_none() => listed.unreadable += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(listed)
}
