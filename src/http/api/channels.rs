//! The public list of channels.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::{
    chat::{Chat, channel_list::PageStart},
    error::{Error, Result},
    http::{
        api::channel_list_cache::{ChannelListCache, Page},
        errors::problem::{Malformed, PublicProblems, StoreProblems},
        extract::body::{QueryParams, number},
        server::response_permits::RetainedBytes,
    },
    model::CHANNEL_LIMIT,
};

/// The query of the channel list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// The `next` of the previous page. A channel name instead gives the channels after that name,
    /// in the order of their names.
    after: Option<String>,
    /// The most channels in the answer, 1 to 500.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500)]
    limit: Option<String>,
    /// Only channels whose name contains this text, ignoring ASCII case.
    #[serde(rename = "match")]
    matching: Option<String>,
}

/// The public list of channels, at most a second old. The largest channels come first, unless
/// `after` is a name.
#[utoipa::path(get, security(()), path = "/api/v1/channels", tag = "chat", params(ListParams),
    responses((status = 200, description = "A page of the list", body = Page), PublicProblems, StoreProblems, Malformed))]
pub async fn list(
    State(chat): State<Arc<Chat>>,
    State(cache): State<Arc<ChannelListCache>>,
    QueryParams(params): QueryParams<ListParams>,
) -> Result<Response> {
    let from = params
        .after
        .as_deref()
        .map_or(Ok(PageStart::Largest), PageStart::parse)?;
    let limit = number("limit", params.limit.as_deref(), 1..=500, 100)?;
    let matching = params.matching.unwrap_or_default();
    if matching.len() > CHANNEL_LIMIT {
        return Err(Error::malformed(format!(
            "`match` must have at most {CHANNEL_LIMIT} bytes"
        )));
    }
    let list = chat.channel_list().await?;
    let (page, kept) = cache.of(&list, (from, limit as usize, matching));
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kept.then_some(Extension(RetainedBytes)), kind, page).into_response())
}
