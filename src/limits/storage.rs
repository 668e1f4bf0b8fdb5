//! How much each network adds to the disk within a rolling day, and how much of that each session
//! adds.

use std::{fmt, time::Duration};

use parking_lot::{Mutex, MutexGuard};

use super::windows::Windows;
use crate::{
    error::{Code, Error},
    model::{Clock, Network, NetworkWidth, SessionId, Timestamp},
};

/// A session that is younger than this is a newcomer.
const NEWCOMER: Duration = Duration::from_hours(24);
/// All new sessions of a network together may add one part in this many of what the network may
/// add.
const NEWCOMERS_PART: u64 = 2;
/// Each session may add one part in this many.
const SESSION_PART: u64 = 10;

/// What adds to the disk. Without a session, it counts as a newcomer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Author {
    /// The network.
    pub network: Network,
    /// The session for which it adds something, and the time when that was created.
    pub session: Option<(SessionId, Timestamp)>,
}

/// A key that is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Key {
    Network(Network),
    /// All newcomers of a network together.
    Newcomers(Network),
    Session(SessionId),
}

impl Key {
    /// The index of the key's map. Each kind of key has a map of its own, and networks have one for
    /// each width, so that no kind makes the keys of another be forgotten.
    fn map(self) -> usize {
        match self {
            Self::Network(network) => network.width() as usize,
            Self::Newcomers(network) => NetworkWidth::ALL.len() + network.width() as usize,
            Self::Session(_) => 2 * NetworkWidth::ALL.len(),
        }
    }
}

const MAPS: usize = 2 * NetworkWidth::ALL.len() + 1;

/// A record of a charge, by which it can be given back.
#[derive(Debug)]
pub struct Receipt {
    keys: Vec<Key>,
    bytes: u64,
    slot: u64,
}

/// The refusal of a charge: the author must wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The seconds until the same charge passes, unless others come first.
    pub seconds: u64,
}

impl From<Refused> for Error {
    fn from(Refused { seconds }: Refused) -> Self {
        let detail = "your session or your network has stored as much as it may in one day; \
                      reading, logging in and leaving still work";
        Self::retry(Code::StorageLimit, seconds, detail)
    }
}

/// The counts, in the memory of this process.
pub struct Storage {
    /// The bytes that a narrowest network may add within a day.
    limit: u64,
    clock: Clock,
    /// Never held over an await.
    windows: Mutex<Vec<Windows<Key>>>,
}

impl fmt::Debug for Storage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Storage")
            .field("limit", &self.limit)
            .finish_non_exhaustive()
    }
}

impl Storage {
    /// Empty counts, by which a narrowest network may add `limit` bytes within a day.
    pub fn new(limit: u64, clock: Clock) -> Self {
        Self {
            limit,
            clock,
            windows: Mutex::new(
                std::iter::repeat_with(Windows::default)
                    .take(MAPS)
                    .collect(),
            ),
        }
    }

    /// Charges an author for the bytes that it adds. Fails if that exceeds a limit. An essential
    /// charge never fails. If there is no room for it, it is charged to the session alone, so that
    /// it takes no room from others.
    pub fn charge(&self, author: Author, bytes: u64, essential: bool) -> Result<Receipt, Refused> {
        let (mut keys, now) = (self.keys(author), self.clock.steady());
        let mut windows = self.lock();
        let wait = |(key, limit): &(Key, u64)| windows[key.map()].wait(*key, *limit, bytes, now);
        match keys.iter().filter_map(wait).max() {
            Some(seconds) if !essential => return Err(Refused { seconds }),
            Some(_) => keys.retain(|(key, _)| matches!(key, Key::Session(_))),
            None => {}
        }
        let mut slot = 0;
        let keys = keys.into_iter().map(|(key, _)| key).collect::<Vec<_>>();
        for key in &keys {
            slot = windows[key.map()].take(*key, bytes, now);
        }
        Ok(Receipt { keys, bytes, slot })
    }

    /// Gives back a charge for something that was not stored.
    pub fn refund(&self, Receipt { keys, bytes, slot }: Receipt) {
        let mut windows = self.lock();
        for key in keys {
            windows[key.map()].give_back(key, bytes, slot);
        }
    }

    /// The keys that count an author, and the limit of each in bytes.
    fn keys(&self, Author { network, session }: Author) -> Vec<(Key, u64)> {
        let is_old = |(_, created_at): (SessionId, Timestamp)| {
            created_at.plus(NEWCOMER) <= self.clock.moment().now
        };
        let newcomer = !session.is_some_and(is_old);
        let mut keys = Vec::with_capacity(MAPS);
        for network in network.and_wider() {
            let limit = self.limit.saturating_mul(network.width().factor().into());
            keys.push((Key::Network(network), limit));
            if newcomer {
                keys.push((Key::Newcomers(network), limit / NEWCOMERS_PART));
            }
        }
        keys.extend(session.map(|(session, _)| (Key::Session(session), self.limit / SESSION_PART)));
        keys
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Windows<Key>>> {
        self.windows.lock()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering::Relaxed},
    };

    use super::*;

    /// Storage with a limit of 1,000 bytes, and a function that advances its clock by seconds.
    fn storage() -> (Storage, impl Fn(i64)) {
        let passed = Arc::new(AtomicI64::new(0));
        let (now, steady) = (passed.clone(), passed.clone());
        let clock = Clock::new(
            move || Timestamp(1_000_000_000 + now.load(Relaxed) * 1000),
            move || Duration::from_secs(steady.load(Relaxed).try_into().unwrap()),
        );
        (Storage::new(1000, clock), move |seconds| {
            passed.fetch_add(seconds, Relaxed);
        })
    }

    fn network(text: &str) -> Network {
        Network::of(text.parse().unwrap())
    }

    fn author(address: &str, session: i64, old: bool) -> Author {
        let created_at = if old { 0 } else { 1_000_000_000 };
        Author {
            network: network(address),
            session: Some((SessionId(session), Timestamp(created_at))),
        }
    }

    /// How much an author can add, ten bytes at a time.
    fn fills(storage: &Storage, author: Author) -> u64 {
        let mut filled = 0;
        while storage.charge(author, 10, false).is_ok() {
            filled += 10;
        }
        filled
    }

    #[test]
    fn a_session_may_add_a_tenth_newcomers_half_and_a_network_all() {
        let (storage, _) = storage();
        let newcomers = (1..=9).map(|session| fills(&storage, author("192.0.2.1", session, false)));
        assert_eq!(
            newcomers.collect::<Vec<_>>(),
            [100, 100, 100, 100, 100, 0, 0, 0, 0]
        );
        let nobody = Author {
            network: network("192.0.2.1"),
            session: None,
        };
        assert!(storage.charge(nobody, 10, false).is_err());
        let old = (11..=19).map(|session| fills(&storage, author("192.0.2.1", session, true)));
        assert_eq!(
            old.collect::<Vec<_>>(),
            [100, 100, 100, 100, 100, 0, 0, 0, 0]
        );
        assert_eq!(
            fills(&storage, author("192.0.2.2", 1, false)),
            0,
            "a session's tenth is the same from everywhere"
        );
        assert_eq!(
            fills(&storage, author("192.0.2.2", 20, false)),
            100,
            "another network has its own"
        );
    }

    #[test]
    fn an_essential_charge_is_never_refused_and_counts_if_there_is_room() {
        let (storage, _) = storage();
        for _ in 0..10 {
            storage
                .charge(author("192.0.2.1", 1, false), 50, true)
                .unwrap();
        }
        assert!(
            storage
                .charge(author("192.0.2.1", 1, false), 1, false)
                .is_err(),
            "its tenth is used up"
        );
        assert_eq!(
            fills(&storage, author("192.0.2.1", 2, false)),
            100,
            "and nothing else"
        );
        for session in 3..20 {
            storage
                .charge(author("192.0.2.1", session, false), 100, true)
                .unwrap();
        }
        assert!(
            storage
                .charge(author("192.0.2.1", 20, false), 1, false)
                .is_err(),
            "newcomers have used up their half"
        );
        let old = (21..29).map(|session| fills(&storage, author("192.0.2.1", session, true)));
        assert_eq!(
            old.collect::<Vec<_>>(),
            [100, 100, 100, 100, 100, 0, 0, 0],
            "and none of the others' part"
        );
    }

    #[test]
    fn a_day_later_there_is_room_again_and_the_reported_wait_is_true() {
        let (storage, pass) = storage();
        let alice = author("192.0.2.1", 1, true);
        fills(&storage, alice);
        let Refused { seconds } = storage.charge(alice, 10, false).unwrap_err();
        pass(seconds as i64 - 1);
        storage.charge(alice, 10, false).unwrap_err();
        pass(1);
        storage.charge(alice, 10, false).unwrap();
    }

    #[test]
    fn bytes_that_are_given_back_do_not_count() {
        let (storage, _) = storage();
        let alice = author("192.0.2.1", 1, false);
        let receipt = storage.charge(alice, 100, false).unwrap();
        storage.charge(alice, 1, false).unwrap_err();
        storage.refund(receipt);
        assert_eq!(fills(&storage, alice), 100);
    }

    #[test]
    fn wider_networks_have_wider_limits() {
        let (storage, _) = storage();
        let mut session = 0;
        let mut fill = |prefix: &str, networks: std::ops::Range<u32>| {
            networks
                .map(|n| {
                    (0..12)
                        .map(|_| {
                            session += 1;
                            fills(
                                &storage,
                                author(&format!("{prefix}{n:x}::1"), session, true),
                            )
                        })
                        .sum::<u64>()
                })
                .sum::<u64>()
        };
        assert_eq!(fill("2001:db8:1:", 0..1), 1000, "of a /64");
        assert_eq!(fill("2001:db8:1:", 1..0x100), 2000, "3,000 of a /56");
        assert_eq!(fill("2001:db8:1:", 0x100..0x400), 7000, "10,000 of a /48");
        assert_eq!(fill("2001:db8:2:", 0..1), 1000);
    }
}
