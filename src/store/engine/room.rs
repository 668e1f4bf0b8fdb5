//! The room on the disk, and who may still write when there is none: the writer asks before each
//! job and after each failure.
//!
//! While the disk is full, what only adds something is refused. What ends something, or serves
//! somebody who reads, uses the reserve; what lets somebody in uses it as far as enough is left to
//! end everything. The disk counts as full until the reserve is whole again, or until as much is
//! free within the database: retention, and the ends of sessions, free pages there and no room on
//! the disk.

use std::{
    collections::HashMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use rusqlite::Connection;

use super::reserve::{self, Reserve};
use crate::store::account::{Account, Priority};
use crate::{error::Error, model::Network};

/// Of the reserve, what is left to what ends something.
const FOR_ENDINGS: u64 = 4 << 20;
/// Bytes that what lets somebody in may add for one network (of IPv6, a /48) while the disk is
/// full.
const ENTRIES_OF_ONE: u64 = 1 << 20;
/// Networks that are told apart for that. All together are held to what is left for endings in any
/// case.
const NETWORKS: usize = 4096;
/// Free bytes within the database that are as good as a whole reserve, and how few are as bad as
/// none.
const FREE: u64 = reserve::SIZE;
const HARDLY_FREE: u64 = reserve::SIZE / 2;
/// Between two looks whether there is room again.
const LOOK: Duration = Duration::from_secs(1);

/// What others may know of it.
#[derive(Debug, Default)]
pub struct RoomView {
    full: AtomicBool,
    reserve: AtomicU64,
}

impl RoomView {
    /// Whether what only adds something is refused.
    pub fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// Bytes of the reserve that are left.
    pub fn reserve(&self) -> u64 {
        self.reserve.load(Relaxed)
    }
}

pub struct Room {
    reserve: Reserve,
    full: bool,
    /// Whether it was told that no reserve can be made.
    complained: bool,
    looked: Option<Instant>,
    /// What was added for each network by what let somebody in, since the disk is full.
    entered: HashMap<Network, u64>,
    view: Arc<RoomView>,
}

impl Room {
    /// The room for a database. Nothing is reserved yet.
    pub fn of(database: &Path) -> Self {
        let mut room = Self {
            reserve: Reserve::of(database),
            full: false,
            complained: false,
            looked: None,
            entered: HashMap::new(),
            view: Arc::default(),
        };
        room.show();
        room
    }

    pub fn view(&self) -> Arc<RoomView> {
        self.view.clone()
    }

    /// Whether what only adds something is refused.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// Why a job is not to be run now, if so.
    pub fn refusal(&self, account: &Account) -> Option<Error> {
        let refused = match account.priority {
            Priority::Essential => false,
            Priority::Entry => {
                self.reserve.size() <= FOR_ENDINGS || self.has_entered_enough(account.network())
            }
            Priority::Record | Priority::Ordinary => true,
        };
        (self.full && refused).then(Error::disk_full)
    }

    fn has_entered_enough(&self, network: Option<Network>) -> bool {
        let entered = network.and_then(|network| self.entered.get(&network.widest()));
        entered.is_some_and(|bytes| *bytes >= ENTRIES_OF_ONE)
    }

    /// Notes what a job has added that let somebody in.
    pub fn note(&mut self, account: &Account) {
        let (true, Priority::Entry, Some(network)) =
            (self.full, account.priority, account.network())
        else {
            return;
        };
        let network = network.widest();
        if self.entered.len() < NETWORKS || self.entered.contains_key(&network) {
            *self.entered.entry(network).or_default() += account.added;
        }
    }

    /// Called when the machine failed a job: makes room for it, if want of room is the reason and
    /// there is some for its like. Whether the job is to be tried again.
    pub fn make(&mut self, priority: Priority) -> bool {
        // Where there is room, it failed for another reason.
        if !matches!(self.reserve.has_room_beside(), Ok(false)) {
            return false;
        }
        let turned = !self.full;
        if turned {
            self.fill_up("the disk is full");
        }
        let left = match priority {
            Priority::Essential => 0,
            Priority::Entry => FOR_ENDINGS,
            // Now that the disk counts as full, it is refused for that.
            Priority::Record | Priority::Ordinary => return turned,
        };
        let gives = self.reserve.size() > left;
        if gives {
            self.reserve.give_up();
            self.show();
        }
        turned || gives
    }

    /// Looks whether there is room, once in a while. The first look reserves it.
    pub fn review(&mut self, connection: &Connection) {
        if (self.full || self.is_short()) && self.looked.is_none_or(|at| at.elapsed() >= LOOK) {
            self.look(connection);
        }
    }

    fn look(&mut self, connection: &Connection) {
        self.looked = Some(Instant::now());
        // A disk that was full has more than a little room before it counts as one that is not.
        let beside = if self.full {
            reserve::ENOUGH
        } else {
            reserve::STEP
        };
        match self.reserve.take(beside) {
            Ok(true) if self.full => {
                self.empty("the disk has room again, and the reserve is whole")
            }
            Ok(true) => {}
            // What may add something leaves to the endings what is theirs.
            Ok(false)
                if self.full && self.reserve.size() >= FOR_ENDINGS && free(connection) >= FREE =>
            {
                self.empty("the disk is full, but the database has room within itself again");
            }
            Ok(false)
                if !self.full
                    && (self.reserve.size() < FOR_ENDINGS || free(connection) < HARDLY_FREE) =>
            {
                self.fill_up("the disk has no room for the reserve");
            }
            Ok(false) => {}
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, "no reserve can be made for the day when the disk is full");
            }
            Err(_) => {}
        }
        self.show();
    }

    /// Whether it has less than the whole reserve.
    fn is_short(&self) -> bool {
        self.reserve.size() < reserve::SIZE
    }

    fn fill_up(&mut self, why: &str) {
        self.full = true;
        self.show();
        tracing::error!(
            reserve = self.reserve.size(),
            "{why}: what adds something is refused (503 storage_failed) until there is room again; reading, logging in, \
             leaving and revoking go on with the reserve"
        );
    }

    fn empty(&mut self, why: &str) {
        self.full = false;
        self.entered.clear();
        self.show();
        tracing::info!(
            reserve = self.reserve.size(),
            "{why}: everything can be written again"
        );
    }

    fn show(&mut self) {
        self.view.full.store(self.full, Relaxed);
        self.view.reserve.store(self.reserve.size(), Relaxed);
    }
}

/// Bytes of the database's pages that are free. Where that cannot be read, none.
fn free(connection: &Connection) -> u64 {
    let pragma = |name: &str| {
        connection
            .pragma_query_value(None, name, |row| row.get::<_, u32>(0))
            .unwrap_or(0)
    };
    u64::from(pragma("freelist_count")) * u64::from(pragma("page_size"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Room on a full disk, with so many steps of the reserve left.
    fn full(steps: u64) -> (tempfile::TempDir, Room) {
        let dir = tempfile::tempdir().unwrap();
        let mut room = Room::of(&dir.path().join("r.db"));
        assert!(room.reserve.take(0).unwrap());
        while room.reserve.size() > steps * reserve::STEP {
            room.reserve.give_up();
        }
        room.full = true;
        (dir, room)
    }

    fn of(priority: Priority, network: &str, added: u64) -> Account {
        let mut account = Account::of_task(Arc::default(), priority);
        (account.requester, account.added) = (Some(network.parse().unwrap()), added);
        account
    }

    fn is_refused(room: &Room, priority: Priority, network: &str) -> bool {
        room.refusal(&of(priority, network, 0)).is_some()
    }

    #[test]
    fn a_full_disk_refuses_by_priority_and_leaves_a_part_of_the_reserve_to_endings() {
        use Priority::*;
        for (steps, let_in) in [(16, true), (5, true), (4, false), (1, false), (0, false)] {
            let (_dir, mut room) = full(steps);
            let refused = |room: &Room| {
                [Essential, Entry, Record, Ordinary].map(|one| is_refused(room, one, "192.0.2.1"))
            };
            assert_eq!(refused(&room), [false, !let_in, true, true], "{steps}");
            room.full = false;
            assert_eq!(refused(&room), [false; 4]);
        }
    }

    #[test]
    fn those_who_come_in_from_one_network_leave_the_reserve_to_others() {
        let (_dir, mut room) = full(16);
        let half = of(Priority::Entry, "2001:db8:1:1::1", ENTRIES_OF_ONE / 2);
        room.note(&half);
        assert!(!is_refused(&room, Priority::Entry, "2001:db8:1:1::1"));
        room.note(&half);
        for (network, refused) in [
            ("2001:db8:1:1::1", true),
            ("2001:db8:1:2::1", true),
            ("2001:db8:2::1", false),
        ] {
            assert_eq!(
                is_refused(&room, Priority::Entry, network),
                refused,
                "{network}"
            );
            assert!(!is_refused(&room, Priority::Essential, network));
        }
        room.empty("the disk has room again");
        room.full = true;
        assert!(!is_refused(&room, Priority::Entry, "2001:db8:1:1::1"));
    }

    #[test]
    fn where_there_is_room_the_reserve_is_not_given_up() {
        let (_dir, mut room) = full(16);
        for priority in [Priority::Essential, Priority::Entry, Priority::Ordinary] {
            assert!(!room.make(priority));
        }
        assert_eq!(room.reserve.size(), reserve::SIZE);
    }
}
