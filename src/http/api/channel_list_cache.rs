//! The pages of the public channel list. Each is rendered once for all callers.

use std::{
    collections::HashMap,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

use axum::body::Bytes;
use serde::Serialize;
use utoipa::ToSchema;

use crate::chat::channel_list::{ChannelList, PageStart};

/// The most rendered pages that are kept. Any further page is rendered for its caller alone.
const PAGES: usize = 256;
/// The most bytes of all kept pages together. A page beyond that is rendered for its caller alone.
const BYTES: usize = 4 * 1024 * 1024;

/// A page of the list.
#[derive(Serialize, ToSchema)]
pub struct Page<'l> {
    channels: Vec<PublicChannel<'l>>,
    /// The value of `after` for the next page. `null` if this is the last page.
    next: Option<String>,
    /// Whether some channels are missing, because the list has only the 10,000 largest.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

/// A channel as everybody may see it.
#[derive(Serialize, ToSchema)]
pub struct PublicChannel<'l> {
    name: &'l str,
    /// The number of members. Absent if the channel hides it from other sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    members: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    topic: Option<&'l str>,
}

/// The requested pages of the latest list. All readers of a page share its rendered bytes, however
/// many and however slow they are.
#[derive(Default)]
pub struct ChannelListCache(Mutex<Rendered>);

#[derive(Default)]
struct Rendered {
    of: Weak<ChannelList>,
    pages: HashMap<Asked, Bytes>,
    bytes: usize,
}

/// The key of a page: where it begins, its length, and the text that names must contain.
pub type Asked = (PageStart, usize, String);

impl ChannelListCache {
    /// A rendered page, and whether it is kept.
    pub fn of(&self, list: &Arc<ChannelList>, asked: Asked) -> (Bytes, bool) {
        // The lock is held while a page is rendered, and never over an await. Callers that ask for
        // the same page meanwhile share it.
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
    // Serializing this type cannot fail.
    serde_json::to_vec(&page).unwrap_or_default().into()
}
