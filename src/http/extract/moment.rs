//! Extractor of the time of a request.

use axum::{extract::FromRequestParts, http::request::Parts};

use crate::{
    error::{Error, Result},
    http::state::ServerState,
    model::Moment,
};

/// All extractors of one request get the same moment: the first one takes it from the clock.
impl FromRequestParts<ServerState> for Moment {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, server: &ServerState) -> Result<Self> {
        Ok(*parts
            .extensions
            .get_or_insert_with(|| server.clock.moment()))
    }
}
