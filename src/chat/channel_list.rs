//! The public list of channels, which is shown in pages. [`latest`] says when it is read.

pub mod latest;

use std::cmp::Reverse;

use crate::{
    error::{Error, Result},
    irc::mode::Shown,
    model::CHANNEL_LIMIT,
    store::{Read, channel, queue::PAGE_BYTES, texts},
};

/// How many channels the list holds, the largest ones. If there are more, the list says so.
const MAX_CHANNELS: usize = 10_000;
/// Bytes of a channel in a page, apart from its name and topic, roughly.
const CHANNEL_OVERHEAD_BYTES: usize = 40;
/// The longest position in the list, in bytes: a number, a comma and a name.
const MAX_POSITION_BYTES: usize = 20 + CHANNEL_LIMIT;

/// The list as it was at one moment.
#[derive(Debug)]
pub struct ChannelList {
    /// The largest first. Channels that hide their number of members come last.
    channels: Vec<Listed>,
    /// Indexes into `channels`, in the order of the names.
    by_name: Vec<usize>,
    /// Whether there are channels that the list does not hold.
    pub truncated: bool,
}

/// A channel as outsiders see it.
#[derive(Debug)]
pub struct Listed {
    /// Its name, as it was created.
    pub name: String,
    folded: String,
    /// How many members it has, if outsiders may know.
    pub members: Option<i64>,
    /// Its topic, if it has one and outsiders may see it.
    pub topic: Option<String>,
}

/// Where a page begins.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum PageStart {
    /// At the largest channel.
    Largest,
    /// In the order of size, after a channel with this many members and this folded name.
    Smaller(i64, String),
    /// In the order of names, after this folded name.
    Name(String),
}

/// A page of the list.
pub struct ListPage<'l> {
    /// The channels of the page, in order.
    pub channels: Vec<&'l Listed>,
    /// Where the next page begins, for [`PageStart::parse`]. `None` on the last page.
    pub next: Option<String>,
}

impl PageStart {
    /// Parses the caller's `after`: a channel name, or the `next` of a page in the order of size.
    /// It fails with `malformed_request` if the text is too long.
    pub fn parse(after: &str) -> Result<Self> {
        if after.len() > MAX_POSITION_BYTES {
            return Err(Error::malformed(format!(
                "`after` must have at most {MAX_POSITION_BYTES} bytes"
            )));
        }
        let smaller = after
            .split_once(',')
            .and_then(|(members, name)| Some((members.parse().ok()?, name)));
        Ok(match smaller {
            Some((members, name)) => Self::Smaller(members, name.to_ascii_lowercase()),
            None => Self::Name(after.to_ascii_lowercase()),
        })
    }
}

impl ChannelList {
    fn read(tx: &Read) -> Result<Self> {
        let mut found = channel::largest(tx, MAX_CHANNELS + 1)?;
        let truncated = found.len() > MAX_CHANNELS;
        found.truncate(MAX_CHANNELS);
        let mut channels = Vec::new();
        for (channel, members) in found {
            let (members, topic) = match channel.modes.shown_outside() {
                Shown::Nothing => continue,
                Shown::Name => (None, None),
                Shown::Everything => (Some(members), channel.topic.map(|topic| topic.text)),
            };
            channels.push(Listed {
                folded: channel.name.folded(),
                name: channel.name.to_string(),
                members,
                topic,
            });
        }
        Ok(Self::new(channels, truncated))
    }

    fn new(mut channels: Vec<Listed>, truncated: bool) -> Self {
        channels.sort_by(|one, other| one.position().cmp(&other.position()));
        let mut by_name: Vec<usize> = (0..channels.len()).collect();
        by_name.sort_by(|one, other| channels[*one].folded.cmp(&channels[*other].folded));
        Self {
            channels,
            by_name,
            truncated,
        }
    }

    /// A page from `from` on of the channels whose names contain `matching`, ignoring ASCII case.
    /// It has at most `limit` channels and at most about [`PAGE_BYTES`].
    pub fn page(&self, from: &PageStart, limit: usize, matching: &str) -> ListPage<'_> {
        match from {
            PageStart::Largest => self.take(
                self.channels.iter(),
                limit,
                matching,
                Listed::page_start_after,
            ),
            PageStart::Smaller(members, name) => {
                let start = self
                    .channels
                    .partition_point(|one| one.position() <= (Reverse(*members), name.as_str()));
                self.take(
                    self.channels[start..].iter(),
                    limit,
                    matching,
                    Listed::page_start_after,
                )
            }
            PageStart::Name(name) => {
                let start = self
                    .by_name
                    .partition_point(|n| self.channels[*n].folded <= *name);
                let channels = self.by_name[start..].iter().map(|n| &self.channels[*n]);
                self.take(channels, limit, matching, |last| last.name.clone())
            }
        }
    }

    fn take<'l>(
        &'l self,
        channels: impl Iterator<Item = &'l Listed>,
        limit: usize,
        matching: &str,
        next: impl Fn(&Listed) -> String,
    ) -> ListPage<'l> {
        let matching = matching.to_ascii_lowercase();
        let mut channels = channels
            .filter(|channel| channel.folded.contains(&matching))
            .peekable();
        let (mut taken, mut bytes) = (Vec::new(), 0);
        while taken.len() < limit
            && bytes < PAGE_BYTES
            && let Some(channel) = channels.next()
        {
            bytes += texts::rendered_length(channel.topic.as_deref().unwrap_or_default());
            bytes += channel.name.len() + CHANNEL_OVERHEAD_BYTES;
            taken.push(channel);
        }
        let next = channels.peek().and(taken.last()).map(|last| next(last));
        ListPage {
            channels: taken,
            next,
        }
    }
}

impl Listed {
    /// Its position in the order of size, the largest first.
    fn position(&self) -> (Reverse<i64>, &str) {
        (Reverse(self.members.unwrap_or(0)), &self.folded)
    }

    /// The position after it in the order of size. It cannot be taken for a name, because no
    /// channel name begins with a number.
    fn page_start_after(&self) -> String {
        format!("{},{}", self.members.unwrap_or(0), self.folded)
    }
}

#[cfg(test)]
mod tests;
