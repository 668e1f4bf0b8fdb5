//! The pages of the public channel list, each rendered once for all who read it.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use axum::body::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use crate::chat::channel_list::{ChannelList, From};

/// Pages that are kept as they were rendered, and their bytes in all. More are rendered for each
/// caller.
const PAGES: usize = 256;
const BYTES: usize = 4 * 1024 * 1024;

/// A page of the list.
#[derive(Serialize, ToSchema)]
pub struct Page<'l> {
    channels: Vec<PublicChannel<'l>>,
    /// What `after` is for the next page; null: there is none.
    next: Option<String>,
    /// Whether there are channels that are not in the list; it has the 10,000 largest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// A channel as anyone may see it.
#[derive(Serialize, ToSchema)]
pub struct PublicChannel<'l> {
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
pub struct ChannelListCache(Mutex<Rendered>);

#[derive(Default)]
struct Rendered {
    of: Weak<ChannelList>,
    pages: HashMap<Asked, Bytes>,
    bytes: usize,
}

/// What a page is asked for by: where it begins, its length, and the text that names must contain.
pub type Asked = (From, usize, String);

impl ChannelListCache {
    /// A page, and whether it is kept.
    pub fn of(&self, list: &Arc<ChannelList>, asked: Asked) -> (Bytes, bool) {
        // Held while a page is rendered, never over an await: who asks for the same meanwhile
        // shares it.
        let mut rendered = self.0.lock();
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
