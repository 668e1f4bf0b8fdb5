//! The public list of channels.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, Weak},
};

use axum::{
    Extension,
    body::Bytes,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    chat::channel_list::{ChannelList, From},
    error::{Error, Result},
    http::{
        Shared,
        errors::problem::{Malformed, PublicProblems, StoreProblems},
        extract::body::{Params, number},
        server::response_permits::Kept,
    },
    model::CHANNEL_LIMIT,
};

/// Pages that are kept as they were rendered, and their bytes in all. More are rendered for each
/// caller.
const PAGES: usize = 256;
const BYTES: usize = 4 * 1024 * 1024;

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ListParams {
    /// The `next` of the page before; or a name, and the channels behind it come in the order of
    /// their names.
    after: Option<String>,
    /// Channels at most, 1 to 500.
    #[param(value_type = Option<u64>, minimum = 1, maximum = 500)]
    limit: Option<String>,
    /// Only channels whose name has this in it, in whatever ASCII case.
    #[serde(rename = "match")]
    matching: Option<String>,
}

/// A page of the list.
#[derive(Serialize, ToSchema)]
struct Page<'l> {
    channels: Vec<PublicChannel<'l>>,
    /// What `after` is for the next page; null: there is none.
    next: Option<String>,
    /// Whether there are channels that are not in the list; it has the 10,000 largest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// A channel as anyone may see it.
#[derive(Serialize, ToSchema)]
struct PublicChannel<'l> {
    name: &'l str,
    /// How many are on it; absent if the channel does not tell outsiders.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    members: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    topic: Option<&'l str>,
}

/// The pages of the latest list that were asked for, each rendered once: however many read them,
/// however slowly, they share the bytes.
#[derive(Default)]
pub struct Pages(Mutex<Rendered>);

#[derive(Default)]
struct Rendered {
    of: Weak<ChannelList>,
    pages: HashMap<Asked, Bytes>,
    bytes: usize,
}

type Asked = (From, usize, String);

/// The public list of channels, at most a second old. The largest come first, unless `after` is a
/// name.
#[utoipa::path(get, security(()), path = "/api/v1/channels", tag = "chat", params(ListParams),
    responses((status = 200, description = "A page of the list", body = Page), PublicProblems, StoreProblems, Malformed))]
pub async fn list(
    State(app): State<Shared>,
    Params(params): Params<ListParams>,
) -> Result<Response> {
    let from = params
        .after
        .as_deref()
        .map_or(Ok(From::Largest), From::parse)?;
    let limit = number("limit", params.limit.as_deref(), 1..=500, 100)?;
    let matching = params.matching.unwrap_or_default();
    if matching.len() > CHANNEL_LIMIT {
        return Err(Error::malformed(format!(
            "match has at most {CHANNEL_LIMIT} bytes"
        )));
    }
    let list = app.chat.channel_list().await?;
    let (page, kept) = app.pages.of(&list, (from, limit as usize, matching));
    let kind = [(header::CONTENT_TYPE, "application/json")];
    Ok((kept.then_some(Extension(Kept)), kind, page).into_response())
}

impl Pages {
    /// A page, and whether it is kept.
    fn of(&self, list: &Arc<ChannelList>, asked: Asked) -> (Bytes, bool) {
        // Held while a page is rendered, never over an await: who asks for the same meanwhile
        // shares it.
        let mut rendered = self.0.lock().unwrap_or_else(|e| e.into_inner());
        if !rendered.of.ptr_eq(&Arc::downgrade(list)) {
            *rendered = Rendered {
                of: Arc::downgrade(list),
                ..Rendered::default()
            };
        }
        if let Some(page) = rendered.pages.get(&asked) {
            return (page.clone(), true);
        }
        let page = render(list, &asked);
        let kept = rendered.pages.len() < PAGES && rendered.bytes + page.len() <= BYTES;
        if kept {
            rendered.bytes += page.len();
            rendered.pages.insert(asked, page.clone());
        }
        (page, kept)
    }
}

fn render(list: &ChannelList, (from, limit, matching): &Asked) -> Bytes {
    let page = list.page(from, *limit, matching);
    let channels = page.channels.iter().map(|channel| PublicChannel {
        name: &channel.name,
        members: channel.members,
        topic: channel.topic.as_deref(),
    });
    let page = Page {
        channels: channels.collect(),
        next: page.next,
        truncated: list.truncated,
    };
    // Nothing in it can fail to be written.
    serde_json::to_vec(&page).unwrap_or_default().into()
}
