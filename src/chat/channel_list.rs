//! The public list of channels: read once for everybody and shown in pages.
//!
//! The list is at most a second old. If it is quick to read, it is read again as soon as something
//! on it has changed, but reading it then takes at most a tenth of the time.

use std::{
    cmp::Reverse,
    sync::{
        Arc,
        atomic::{
            AtomicBool,
            Ordering::{Acquire, Release},
        },
    },
    time::{Duration, Instant},
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    error::{Error, Result},
    irc::mode::Shown,
    model::CHANNEL_LIMIT,
    session::Core,
    store::{Effect, Read, channel, queue::PAGE_BYTES, texts},
};

/// How old the list may be.
const FRESH: Duration = Duration::from_secs(1);
/// The pause after a reading, as a multiple of the time that the reading took.
const PAUSE: u32 = 10;
/// The longest pause that a caller waits for to see a change. If the pause is longer, the previous
/// list is shown.
const WAIT: Duration = Duration::from_millis(50);
/// How many channels the list holds, the largest ones. If there are more, the list says so.
const LISTED: usize = 10_000;
/// Bytes of a channel in a page, apart from its name and topic, roughly.
const FIELDS: usize = 40;
/// The longest position in the list, in bytes: a number, a comma and a name.
const PLACE: usize = 20 + CHANNEL_LIMIT;

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
pub enum From {
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
    /// Where the next page begins, for [`From::parse`]. `None` on the last page.
    pub next: Option<String>,
}

/// The last list that was read, kept until it is too old.
#[derive(Default)]
pub struct Latest {
    /// Never held over an await.
    last: Mutex<Option<Reading>>,
    /// Whether something on the list may have changed since.
    changed: AtomicBool,
    /// Held by the task that reads the list.
    reading: tokio::sync::Mutex<()>,
}

struct Reading {
    list: Arc<ChannelList>,
    done: Instant,
    took: Duration,
}

impl From {
    /// Parses the caller's `after`: a channel name, or the `next` of a page in the order of size.
    /// It fails with `malformed_request` if the text is too long.
    pub fn parse(after: &str) -> Result<Self> {
        if after.len() > PLACE {
            return Err(Error::malformed(format!(
                "`after` must have at most {PLACE} bytes"
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

impl Latest {
    /// The public list, at most a second old. It fails if the store cannot be read.
    pub async fn list(self: &Arc<Self>, core: &Arc<Core>) -> Result<Arc<ChannelList>> {
        if let Some(list) = self.fresh(Instant::now()) {
            return Ok(list);
        }
        // A task of the server reads the list. If the caller hangs up, the next one need not start
        // again. All callers wait with the server's priority, not with that of the network that
        // came first.
        let (latest, core) = (self.clone(), core.clone());
        let read = tokio::spawn(async move {
            let _reading = latest.reading.lock().await;
            if let Some(list) = latest.fresh(Instant::now()) {
                return Ok(list);
            }
            tokio::time::sleep(latest.pause()).await;
            let started = Instant::now();
            latest.changed.store(false, Release);
            let list = Arc::new(core.store.read(ChannelList::read).await?);
            let reading = Reading {
                list: list.clone(),
                done: Instant::now(),
                took: started.elapsed(),
            };
            *latest.last() = Some(reading);
            Ok(list)
        });
        read.await.map_err(Error::internal)?
    }

    /// Notes whether a commit has changed something on the list.
    pub fn apply(&self, effects: &[Effect]) {
        let shown = |effect: &Effect| match effect {
            Effect::Joined { .. } | Effect::Left { .. } => true,
            Effect::Logged { event, .. } => ["TOPIC", "MODE"].contains(&event.command.as_str()),
            _ => false,
        };
        if effects.iter().any(shown) {
            self.changed.store(true, Release);
        }
    }

    /// The last list, if it need not be read again.
    fn fresh(&self, at: Instant) -> Option<Arc<ChannelList>> {
        let last = self.last();
        let fresh = |reading: &&Reading| {
            let young = at.duration_since(reading.done) + reading.took < FRESH;
            young && (reading.took * PAUSE > WAIT || !self.changed.load(Acquire))
        };
        last.as_ref()
            .filter(fresh)
            .map(|reading| reading.list.clone())
    }

    /// How long it takes until the list may be read again.
    fn pause(&self) -> Duration {
        let last = self.last();
        last.as_ref().map_or(Duration::ZERO, |last| {
            (last.took * PAUSE)
                .min(FRESH)
                .saturating_sub(last.done.elapsed())
        })
    }

    fn last(&self) -> MutexGuard<'_, Option<Reading>> {
        self.last.lock()
    }
}

impl ChannelList {
    fn read(tx: &Read) -> Result<Self> {
        let mut found = channel::largest(tx, LISTED + 1)?;
        let truncated = found.len() > LISTED;
        found.truncate(LISTED);
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
        channels.sort_by(|one, other| one.place().cmp(&other.place()));
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
    pub fn page(&self, from: &From, limit: usize, matching: &str) -> ListPage<'_> {
        match from {
            From::Largest => {
                self.take(self.channels.iter(), limit, matching, Listed::after_in_size)
            }
            From::Smaller(members, name) => {
                let start = self
                    .channels
                    .partition_point(|one| one.place() <= (Reverse(*members), name.as_str()));
                self.take(
                    self.channels[start..].iter(),
                    limit,
                    matching,
                    Listed::after_in_size,
                )
            }
            From::Name(name) => {
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
            bytes += channel.name.len() + FIELDS;
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
    fn place(&self) -> (Reverse<i64>, &str) {
        (Reverse(self.members.unwrap_or(0)), &self.folded)
    }

    /// The position after it in the order of size. It cannot be taken for a name, because no
    /// channel name begins with a number.
    fn after_in_size(&self) -> String {
        format!("{},{}", self.members.unwrap_or(0), self.folded)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChannelId, SessionId};

    fn list(channels: &[(&str, Option<i64>)]) -> ChannelList {
        let listed = |(name, members): &(&str, Option<i64>)| Listed {
            name: name.to_string(),
            folded: name.to_ascii_lowercase(),
            members: *members,
            topic: None,
        };
        ChannelList::new(channels.iter().map(listed).collect(), false)
    }

    /// The names on all pages, page by page.
    fn walk(list: &ChannelList, mut from: From, limit: usize, matching: &str) -> Vec<Vec<String>> {
        let mut pages = Vec::new();
        loop {
            let page = list.page(&from, limit, matching);
            pages.push(
                page.channels
                    .iter()
                    .map(|channel| channel.name.clone())
                    .collect(),
            );
            let Some(next) = page.next else { return pages };
            from = From::parse(&next).unwrap();
        }
    }

    #[test]
    fn a_walk_meets_every_channel_once_in_either_order() {
        let list = list(&[
            ("#b", Some(2)),
            ("#A", Some(1)),
            ("#c", Some(7)),
            ("#key", None),
            ("#d", Some(2)),
        ]);
        assert_eq!(
            walk(&list, From::Largest, 2, ""),
            [vec!["#c", "#b"], vec!["#d", "#A"], vec!["#key"]]
        );
        assert_eq!(
            walk(&list, From::Largest, 5, ""),
            [["#c", "#b", "#d", "#A", "#key"]]
        );
        let by_name = |after: &str| walk(&list, From::parse(after).unwrap(), 2, "");
        assert_eq!(
            by_name(""),
            [vec!["#A", "#b"], vec!["#c", "#d"], vec!["#key"]]
        );
        assert_eq!(by_name("#B"), [vec!["#c", "#d"], vec!["#key"]]);
        assert_eq!(
            by_name("#bb"),
            [vec!["#c", "#d"], vec!["#key"]],
            "behind one that there is not"
        );
        assert_eq!(by_name("#x"), [Vec::<String>::new()]);
        assert_eq!(walk(&list, From::Largest, 1, "A"), [["#A"]]);
        assert_eq!(
            walk(&list, From::Name(String::new()), 1, "#"),
            [["#A"], ["#b"], ["#c"], ["#d"], ["#key"]]
        );
    }

    #[test]
    fn a_list_is_read_anew_after_a_second_or_where_that_is_cheap_after_a_change() {
        let latest = Latest::default();
        let now = Instant::now();
        let read = |took| {
            let list = ChannelList::new(Vec::new(), false);
            *latest.last() = Some(Reading {
                list: Arc::new(list),
                done: now + took,
                took,
            });
        };
        let fresh = |after| latest.fresh(now + after).is_some();
        for (took, shows_changes) in [
            (Duration::from_millis(1), true),
            (Duration::from_millis(20), false),
        ] {
            latest.changed.store(false, Release);
            read(took);
            assert!(
                fresh(took) && fresh(Duration::from_millis(999)) && !fresh(Duration::from_secs(1))
            );
            latest.apply(&[Effect::Left {
                session: SessionId(1),
                channel: ChannelId(1),
            }]);
            assert_eq!(fresh(took), !shows_changes);
            assert!(latest.pause() <= took * PAUSE);
        }
        read(Duration::from_mins(1));
        assert!(latest.pause() <= FRESH);
    }

    #[test]
    fn a_page_ends_where_it_is_long_enough() {
        let mut long = list(&[("#a", Some(2)), ("#b", Some(1)), ("#c", Some(1))]);
        long.channels[0].topic = Some("\u{1}".repeat(PAGE_BYTES / 6));
        assert_eq!(
            walk(&long, From::Largest, 500, ""),
            [vec!["#a"], vec!["#b", "#c"]]
        );
    }
}
