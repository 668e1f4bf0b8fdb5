//! The fields of a query or a form, by name. Each appears at most once, except those of check
//! boxes.
//!
//! They are read by hand, because the extractors of axum and axum-extra replace invalid UTF-8 by
//! U+FFFD. The contract requires a refusal.

use std::collections::HashSet;

use axum::extract::{FromRequest, Request};

use crate::{
    error::{Error, Result},
    http::{
        extract::{body, grammar},
        state::ServerState,
    },
};

/// The fields in their order. `None` stands for a text that is not UTF-8.
pub struct FormFields(Vec<(Option<String>, Option<String>)>);

impl FormFields {
    /// The fields of a query. Each is checked by itself, so that an app can be told of an error by
    /// a redirect as long as the fields that name the app and its redirect URI are valid.
    pub fn of_query(query: Option<&str>) -> Self {
        Self::each(query.unwrap_or_default().as_bytes())
    }

    /// The fields of a form. All of them must be UTF-8.
    fn parse(encoded: &[u8]) -> Result<Self> {
        let fields = Self::each(encoded);
        fields.require_utf_8().map(|()| fields)
    }

    fn each(encoded: &[u8]) -> Self {
        Self(grammar::form_pairs(encoded).collect())
    }

    /// Refuses fields that are not UTF-8. Fails with `malformed_request`.
    pub fn require_utf_8(&self) -> Result<()> {
        match self
            .0
            .iter()
            .all(|(name, value)| name.is_some() && value.is_some())
        {
            true => Ok(()),
            false => Err(grammar::not_utf_8()),
        }
    }

    /// All fields as a query, without `?`.
    pub fn to_query(&self) -> String {
        let pairs = self
            .0
            .iter()
            .filter_map(|(name, value)| name.as_ref().zip(value.as_ref()));
        form_urlencoded::Serializer::new(String::new())
            .extend_pairs(pairs)
            .finish()
    }

    /// All values of a field, without those that are not UTF-8.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.values(name).flatten().collect()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        self.0
            .iter()
            .filter(move |(own, _)| own.as_deref() == Some(name))
            .map(|(_, value)| value.as_deref())
    }

    /// A field that may appear once (RFC 6749 §3.1). `None` if it is missing or empty. Fails with
    /// `malformed_request` if it is repeated or not UTF-8.
    pub fn only(&self, name: &str) -> Result<Option<&str>> {
        match self.values(name).collect::<Vec<_>>()[..] {
            [] | [Some("")] => Ok(None),
            // It could not be sent back unchanged.
            [None] => Err(Error::malformed(format!(
                "the parameter {name} is not UTF-8"
            ))),
            [value] => Ok(value),
            // It is unclear which one is meant.
            _ => Err(Error::malformed(format!(
                "the parameter {name} appears more than once"
            ))),
        }
    }

    /// Refuses repeated fields, except these. Fails with `malformed_request`.
    pub fn refuse_repeated(&self, may_be: &[&str]) -> Result<()> {
        let mut seen = HashSet::new();
        let named = self.0.iter().filter_map(|(name, _)| name.as_deref());
        match { named }.all(|name| may_be.contains(&name) || seen.insert(name)) {
            true => Ok(()),
            false => Err(Error::malformed("a parameter appears more than once")),
        }
    }

    /// A field that must appear once and have a value. Fails with `malformed_request`.
    pub fn required(&self, name: &str) -> Result<&str> {
        self.only(name)?
            .ok_or_else(|| Error::malformed(format!("the parameter {name} is missing")))
    }
}

impl FromRequest<ServerState> for FormFields {
    type Rejection = Error;

    async fn from_request(request: Request, server: &ServerState) -> Result<Self> {
        Self::parse(&body::form(request, server).await?)
    }
}
