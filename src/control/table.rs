//! Tables of rows with named columns: aligned for people, or JSON for programs.

use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize, Serializer};
use serde_json::Value;

use crate::model::text::with_hidden_escaped;

/// The name of a column, and the function that gives its value in a row.
pub type Column<T> = (&'static str, fn(&T) -> Value);

/// A table. Each row has as many values as there are names.
#[derive(Debug, Serialize, Deserialize)]
pub struct Table {
    names: Vec<String>,
    rows: Vec<Vec<Value>>,
}

impl Table {
    /// A table with a row for each of these things.
    pub fn of<T>(things: &[T], columns: &[Column<T>]) -> Self {
        let row = |thing| columns.iter().map(|(_, value)| value(thing)).collect();
        let names = columns.iter().map(|(name, _)| (*name).to_owned()).collect();
        Self {
            names,
            rows: things.iter().map(row).collect(),
        }
    }

    /// Adds the rows of a later page of the same table.
    pub fn append(&mut self, mut later: Self) {
        self.rows.append(&mut later.rows);
    }

    /// The rows as JSON, one object a line.
    pub fn json(&self) -> String {
        let objects = self.rows.iter().map(|row| Object(&self.names, row));
        objects
            .map(|object| serde_json::to_string(&object).unwrap_or_default() + "\n")
            .collect()
    }
}

/// A row as a JSON object, with the columns in their order.
struct Object<'t>(&'t [String], &'t [Value]);

impl Serialize for Object<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().zip(self.1))
    }
}

/// Writes the names and then one line for each row. Each column is as wide as its widest cell, and
/// two spaces separate columns. A table without rows is empty.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.rows.is_empty() {
            return Ok(());
        }
        let head = self
            .names
            .iter()
            .map(|name| name.to_uppercase())
            .collect::<Vec<_>>();
        let rows = self.rows.iter().map(|row| row.iter().map(cell).collect());
        let lines = std::iter::once(head)
            .chain(rows)
            .collect::<Vec<Vec<String>>>();
        let width = |column: usize| {
            lines
                .iter()
                .map(|line| line[column].chars().count())
                .max()
                .unwrap_or_default()
        };
        let widths = (0..self.names.len()).map(width).collect::<Vec<_>>();
        for line in &lines {
            let padded =
                line.iter()
                    .zip(&widths)
                    .fold(String::new(), |mut padded, (cell, width)| {
                        let _ = write!(padded, "{cell:width$}  ");
                        padded
                    });
            writeln!(f, "{}", padded.trim_end())?;
        }
        Ok(())
    }
}

/// A value as people read it. A missing value is a dash.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".into(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.into(),
        Value::String(text) => with_hidden_escaped(text).into_owned(),
        Value::Array(values) if values.is_empty() => "-".into(),
        Value::Array(values) => values.iter().map(cell).collect::<Vec<_>>().join(","),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn columns_are_aligned_and_json_keeps_their_order() {
        let table = |rows: &[Value]| {
            Table::of(
                rows,
                &[
                    ("nick", |row| row[0].clone()),
                    ("away", |row| row[1].clone()),
                    ("on", |row| row[2].clone()),
                ],
            )
        };
        let mut both = table(&[json!(["zoë", null, ["#a", "#b"]])]);
        both.append(table(&[json!(["al", true, []])]));
        assert_eq!(
            both.to_string(),
            "NICK  AWAY  ON\nzoë   -     #a,#b\nal    yes   -\n"
        );
        let (zoë, al) = (
            r##"{"nick":"zoë","away":null,"on":["#a","#b"]}"##,
            r#"{"nick":"al","away":true,"on":[]}"#,
        );
        assert_eq!(both.json(), format!("{zoë}\n{al}\n"));
        assert_eq!(table(&[]).to_string(), "");
    }
}
