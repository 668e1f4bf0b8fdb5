//! Values as columns and parameters hold them, whatever the engine.

use std::{borrow::Cow, fmt, net::IpAddr, time::Duration};

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub enum Value<'a> {
    /// NULL.
    Null,
    /// An integer, which includes ids and times.
    Integer(i64),
    /// A flag.
    Bool(bool),
    /// A text.
    Text(Cow<'a, str>),
    /// Bytes, such as a hash.
    Blob(&'a [u8]),
}

/// A column of a row. It lasts as long as the row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum ValueRef<'a> {
    /// NULL.
    Null,
    /// An integer, or a flag as 0 or 1.
    Integer(i64),
    /// A text.
    Text(&'a str),
    /// Bytes.
    Blob(&'a [u8]),
}

/// A column of a row, by its name or, where that counts, by its position.
#[derive(Clone, Copy, Debug)]
pub enum Column<'a> {
    /// Its name.
    Name(&'a str),
    /// Its position, from 0 on.
    Position(usize),
}

impl<'a> From<&'a str> for Column<'a> {
    fn from(name: &'a str) -> Self {
        Self::Name(name)
    }
}

impl From<usize> for Column<'_> {
    fn from(position: usize) -> Self {
        Self::Position(position)
    }
}

/// A type that can be a parameter.
pub trait ToColumn {
    /// The parameter.
    fn to_column(&self) -> Value<'_>;
}

/// A type that can be read from a column.
pub trait FromColumn: Sized {
    /// Reads the column. Fails if it holds a value of another kind.
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch>;
}

/// A column holds something else than its reader expects. The text says what the reader expects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mismatch(pub &'static str);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "it does not hold {}", self.0)
    }
}

impl<'a> ValueRef<'a> {
    /// The integer. Fails if it is anything else.
    pub fn integer(self) -> Result<i64, Mismatch> {
        match self {
            Self::Integer(integer) => Ok(integer),
            _ => Err(Mismatch("an integer")),
        }
    }

    /// The text. Fails if it is anything else.
    pub fn text(self) -> Result<&'a str, Mismatch> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(Mismatch("a text")),
        }
    }

    /// The bytes. Fails if it is anything else.
    pub fn blob(self) -> Result<&'a [u8], Mismatch> {
        match self {
            Self::Blob(bytes) => Ok(bytes),
            _ => Err(Mismatch("bytes")),
        }
    }
}

/// The parameters of a statement, in the order of their numbers: `params![id, name]`.
macro_rules! params {
    ($($value:expr),* $(,)?) => {
        &[$($crate::store::engine::value::ToColumn::to_column(&$value)),*]
    };
}
pub(crate) use params;

impl<T: ToColumn + ?Sized> ToColumn for &T {
    fn to_column(&self) -> Value<'_> {
        (**self).to_column()
    }
}

impl<T: ToColumn> ToColumn for Option<T> {
    fn to_column(&self) -> Value<'_> {
        self.as_ref().map_or(Value::Null, T::to_column)
    }
}

impl<T: FromColumn> FromColumn for Option<T> {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        match value {
            ValueRef::Null => Ok(None),
            value => T::from_column(value).map(Some),
        }
    }
}

impl ToColumn for i64 {
    fn to_column(&self) -> Value<'_> {
        Value::Integer(*self)
    }
}

impl FromColumn for i64 {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        value.integer()
    }
}

impl ToColumn for u32 {
    fn to_column(&self) -> Value<'_> {
        Value::Integer(i64::from(*self))
    }
}

impl FromColumn for u32 {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        let number = value.integer()?;
        number
            .try_into()
            .map_err(|_| Mismatch("a number of 32 bits"))
    }
}

/// A count, such as the length of a page.
impl ToColumn for usize {
    fn to_column(&self) -> Value<'_> {
        Value::Integer(i64::try_from(*self).unwrap_or(i64::MAX))
    }
}

impl FromColumn for usize {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        let count = value.integer()?;
        count.try_into().map_err(|_| Mismatch("a count"))
    }
}

impl ToColumn for bool {
    fn to_column(&self) -> Value<'_> {
        Value::Bool(*self)
    }
}

impl FromColumn for bool {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        value.integer().map(|flag| flag != 0)
    }
}

impl ToColumn for str {
    fn to_column(&self) -> Value<'_> {
        Value::Text(Cow::Borrowed(self))
    }
}

impl ToColumn for String {
    fn to_column(&self) -> Value<'_> {
        self.as_str().to_column()
    }
}

impl FromColumn for String {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        value.text().map(str::to_owned)
    }
}

impl<const N: usize> ToColumn for [u8; N] {
    fn to_column(&self) -> Value<'_> {
        Value::Blob(self)
    }
}

impl<const N: usize> FromColumn for [u8; N] {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        let bytes = value.blob()?;
        bytes
            .try_into()
            .map_err(|_| Mismatch("the right number of bytes"))
    }
}

/// An address, as text.
impl ToColumn for IpAddr {
    fn to_column(&self) -> Value<'_> {
        Value::Text(Cow::Owned(self.to_string()))
    }
}

/// A duration, in milliseconds.
impl ToColumn for Duration {
    fn to_column(&self) -> Value<'_> {
        Value::Integer(i64::try_from(self.as_millis()).unwrap_or(i64::MAX))
    }
}

impl FromColumn for Duration {
    fn from_column(value: ValueRef<'_>) -> Result<Self, Mismatch> {
        let milliseconds = value.integer()?;
        Ok(Self::from_millis(milliseconds.unsigned_abs()))
    }
}
