//! The fields of a query or a form, by name. Each comes once or not at all, but for those of boxes
//! that can be ticked.
//!
//! They are read by hand: the extractors of axum and axum-extra put U+FFFD in the place of what is not
//! UTF-8, where the contract wants a refusal.

use std::collections::HashSet;

use axum::extract::{FromRequest, Request};

use crate::{
    error::{Error, Result},
    http::{
        extract::{body, grammar},
        state::ServerState,
    },
};

/// What was sent, in its order. `None` stands for what is no UTF-8.
pub struct FormFields(Vec<(Option<String>, Option<String>)>);

impl FormFields {
    /// Those of a query, of which each is judged by itself: an app hears of what is wrong by a
    /// redirect, as long as the fields that say which app it is, and where to, are right.
    pub fn of_query(query: Option<&str>) -> Self {
        Self::each(query.unwrap_or_default().as_bytes())
    }

    /// Those of a form of which all is text.
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
            false => Err(Error::malformed("a parameter is not UTF-8")),
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

    /// Every value of a field. Values that are not UTF-8 are left out.
    pub fn all(&self, name: &str) -> Vec<&str> {
        self.values(name).flatten().collect()
    }

    fn values(&self, name: &str) -> impl Iterator<Item = Option<&str>> {
        self.0
            .iter()
            .filter(move |(own, _)| own.as_deref() == Some(name))
            .map(|(_, value)| value.as_deref())
    }

    /// A field that is there once or not at all (RFC 6749 §3.1); without a value it counts as left
    /// out.
    pub fn only(&self, name: &str) -> Result<Option<&str>> {
        match self.values(name).collect::<Vec<_>>()[..] {
            [] | [Some("")] => Ok(None),
            // It could not be sent back as it came.
            [None] => Err(Error::malformed(format!(
                "the parameter {name} is not UTF-8"
            ))),
            [value] => Ok(value),
            // It is unclear which one is meant.
            _ => Err(Error::malformed(format!(
                "the parameter {name} is there more than once"
            ))),
        }
    }

    /// Refuses fields that are there more than once, except these. Fails with `malformed_request`.
    pub fn refuse_repeated(&self, may_be: &[&str]) -> Result<()> {
        let mut seen = HashSet::new();
        let named = self.0.iter().filter_map(|(name, _)| name.as_deref());
        match { named }.all(|name| may_be.contains(&name) || seen.insert(name)) {
            true => Ok(()),
            false => Err(Error::malformed("a parameter is there more than once")),
        }
    }

    /// A field that must be there, once and with a value. Fails with `malformed_request`.
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
