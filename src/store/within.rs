//! The names of the channels to which a caller is confined, as one parameter of a statement.

use std::{borrow::Cow, collections::BTreeSet};

use super::engine::value::{ToColumn, Value};

/// Folded names of channels. A row's name is one of them if
/// `replace(?1, ',' || folded_name || ',', '') <> ?1`.
pub struct Within(String);

impl Within {
    /// A comma stands before and behind each name. No name contains one.
    pub fn of(names: &BTreeSet<String>) -> Self {
        Self(
            names
                .iter()
                .fold(",".to_owned(), |all, name| all + name + ","),
        )
    }
}

impl ToColumn for Within {
    fn to_column(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(&self.0))
    }
}
