//! The fields of a query or a form, by name. Each comes once or not at all, but for those of boxes that can be ticked.

use std::collections::HashSet;

use axum::extract::{FromRequest, Request};

use super::{Shared, body};
use crate::error::{Error, Result};

/// What was sent, in its order.
pub struct Fields(Vec<(String, String)>);

impl Fields {
    pub fn of_query(query: Option<&str>) -> Self {
        Self::parse(query.unwrap_or_default().as_bytes())
    }

    fn parse(encoded: &[u8]) -> Self {
        Self(form_urlencoded::parse(encoded).into_owned().collect())
    }

    /// All of them, as a query.
    pub fn to_query(&self) -> String {
        form_urlencoded::Serializer::new(String::new()).extend_pairs(&self.0).finish()
    }

    pub fn all(&self, name: &str) -> Vec<&str> {
        self.0.iter().filter(|(own, _)| own == name).map(|(_, value)| value.as_str()).collect()
    }

    /// A field that is there once or not at all (RFC 6749 §3.1); without a value it counts as left out.
    pub fn only(&self, name: &str) -> Result<Option<&str>> {
        match self.all(name)[..] {
            [] | [""] => Ok(None),
            // What was no UTF-8 could not be sent back as it came.
            [value] if value.contains(char::REPLACEMENT_CHARACTER) => {
                Err(Error::malformed(format!("the parameter {name} is not UTF-8")))
            }
            [value] => Ok(Some(value)),
            // It would be anybody's guess which one is meant.
            _ => Err(Error::malformed(format!("the parameter {name} is there more than once"))),
        }
    }

    /// Refuses what is there more than once, but for what may be.
    pub fn refuse_repeated(&self, may_be: &[&str]) -> Result<()> {
        let mut seen = HashSet::new();
        match self.0.iter().all(|(name, _)| may_be.contains(&name.as_str()) || seen.insert(name)) {
            true => Ok(()),
            false => Err(Error::malformed("a parameter is there more than once")),
        }
    }

    pub fn required(&self, name: &str) -> Result<&str> {
        self.only(name)?.ok_or_else(|| Error::malformed(format!("the parameter {name} is missing")))
    }
}

impl FromRequest<Shared> for Fields {
    type Rejection = Error;

    async fn from_request(request: Request, app: &Shared) -> Result<Self> {
        body::form(request, app).await.map(|encoded| Self::parse(&encoded))
    }
}
