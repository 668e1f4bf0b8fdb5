//! The room on the disk, and which jobs may still write when there is none. The writer asks before
//! each job and after each failure.
//!
//! While the disk is full, jobs that only add something are refused. Jobs that end something or
//! serve readers use the reserve. Jobs that let a caller in ([`Priority::Entry`]) use it too, as
//! long as enough is left to end everything. The disk counts as full until the reserve is whole
//! again, or until as many bytes are free within the database. Retention and ended sessions free
//! pages within the database, and do not free room on the disk.

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
use crate::{
    error::Error,
    model::Network,
    store::write_cost::{Priority, WriteCost},
};

/// The bytes of the reserve that are left to jobs that end something.
const FOR_ENDINGS: u64 = 4 << 20;
/// The bytes that jobs of new sessions and logins may add for one network (for IPv6, a /48) while
/// the disk is full.
const ENTRIES_OF_ONE: u64 = 1 << 20;
/// The most networks that are counted separately for that. All together cannot use the part of the
/// reserve that is left for endings.
const NETWORKS: usize = 4096;
/// The free bytes within the database that count as much as a whole reserve.
const FREE: u64 = reserve::SIZE;
/// If the reserve cannot be whole and fewer bytes than this are free within the database, the disk
/// counts as full.
const HARDLY_FREE: u64 = reserve::SIZE / 2;
/// The time between two checks whether there is room again.
const LOOK: Duration = Duration::from_secs(1);

/// The state of the room, for other threads to read.
#[derive(Debug, Default)]
pub struct RoomView {
    full: AtomicBool,
    reserve: AtomicU64,
}

impl RoomView {
    /// Whether jobs that only add something are refused.
    pub fn is_full(&self) -> bool {
        self.full.load(Relaxed)
    }

    /// The bytes of the reserve that are left.
    pub fn reserve(&self) -> u64 {
        self.reserve.load(Relaxed)
    }
}

/// The room on the disk of a database, as the writer keeps track of it.
pub struct Room {
    reserve: Reserve,
    full: bool,
    /// Whether it was logged that no reserve can be made.
    complained: bool,
    looked: Option<Instant>,
    /// The bytes that entries have added for each network since the disk is full.
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

    /// Its state, for other threads to read.
    pub fn view(&self) -> Arc<RoomView> {
        self.view.clone()
    }

    /// Whether jobs that only add something are refused.
    pub fn is_full(&self) -> bool {
        self.full
    }

    /// The error with which a job must be refused now (`storage_failed`), if it must.
    pub fn refusal(&self, cost: &WriteCost) -> Option<Error> {
        let refused = match cost.priority {
            Priority::Essential => false,
            Priority::Entry => {
                self.reserve.size() <= FOR_ENDINGS || self.has_entered_enough(cost.network())
            }
            Priority::Record | Priority::Ordinary => true,
        };
        (self.full && refused).then(Error::disk_full)
    }

    fn has_entered_enough(&self, network: Option<Network>) -> bool {
        let entered = network.and_then(|network| self.entered.get(&network.widest()));
        entered.is_some_and(|bytes| *bytes >= ENTRIES_OF_ONE)
    }

    /// Counts the bytes that an entry has added.
    pub fn note(&mut self, cost: &WriteCost) {
        let (true, Priority::Entry, Some(network)) = (self.full, cost.priority, cost.network())
        else {
            return;
        };
        let network = network.widest();
        if self.entered.len() < NETWORKS || self.entered.contains_key(&network) {
            *self.entered.entry(network).or_default() += cost.added;
        }
    }

    /// Called when a job failed because the disk could not be written. If the disk is full, it
    /// makes room for the job from the reserve, as far as the job's priority allows. Returns
    /// whether to try the job again.
    pub fn make_room(&mut self, priority: Priority) -> bool {
        // If there is room, the job failed for another reason.
        if !matches!(self.reserve.has_room_beside(), Ok(false)) {
            return false;
        }
        let turned = !self.full;
        if turned {
            self.mark_full("the disk is full");
        }
        let left = match priority {
            Priority::Essential => 0,
            Priority::Entry => FOR_ENDINGS,
            // The disk counts as full now, so the job is refused for that.
            Priority::Record | Priority::Ordinary => return turned,
        };
        let gives = self.reserve.size() > left;
        if gives {
            self.reserve.give_up();
            self.show();
        }
        turned || gives
    }

    /// Checks whether there is room, once in a while. The first check makes the reserve.
    pub fn review(&mut self, connection: &Connection) {
        if (self.full || self.is_short()) && self.looked.is_none_or(|at| at.elapsed() >= LOOK) {
            self.look(connection);
        }
    }

    fn look(&mut self, connection: &Connection) {
        self.looked = Some(Instant::now());
        // A full disk must have more than a little room before it stops counting as full.
        let beside = if self.full {
            reserve::ENOUGH
        } else {
            reserve::STEP
        };
        match self.reserve.take(beside) {
            Ok(true) if self.full => {
                self.mark_not_full("the disk has room again, and the reserve is complete")
            }
            Ok(true) => {}
            // Jobs that add something must leave the part for endings untouched.
            Ok(false)
                if self.full && self.reserve.size() >= FOR_ENDINGS && free(connection) >= FREE =>
            {
                self.mark_not_full(
                    "the disk is full, but the database file has free space inside again",
                );
            }
            Ok(false)
                if !self.full
                    && (self.reserve.size() < FOR_ENDINGS || free(connection) < HARDLY_FREE) =>
            {
                self.mark_full("the disk has no room for the reserve");
            }
            Ok(false) => {}
            Err(error) if !self.complained => {
                self.complained = true;
                tracing::warn!(%error, "cannot create the reserve for a full disk: if the disk \
                    fills up, logging in, leaving and revoking will fail too");
            }
            Err(_) => {}
        }
        self.show();
    }

    /// Whether the reserve is not whole.
    fn is_short(&self) -> bool {
        self.reserve.size() < reserve::SIZE
    }

    fn mark_full(&mut self, why: &str) {
        self.full = true;
        self.show();
        tracing::error!(
            reserve = self.reserve.size(),
            "{why}: requests that add data are refused (503 storage_failed) until there is room \
             again; reading, logging in, leaving and revoking still work, with the reserve"
        );
    }

    fn mark_not_full(&mut self, why: &str) {
        self.full = false;
        self.entered.clear();
        self.show();
        tracing::info!(
            reserve = self.reserve.size(),
            "{why}: all requests are accepted again"
        );
    }

    fn show(&mut self) {
        self.view.full.store(self.full, Relaxed);
        self.view.reserve.store(self.reserve.size(), Relaxed);
    }
}

/// The bytes of the database's free pages; 0 if that cannot be read.
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

    /// The room on a full disk, with this many steps of the reserve left.
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

    fn of(priority: Priority, network: &str, added: u64) -> WriteCost {
        let mut cost = WriteCost::of_task(Arc::default(), priority);
        (cost.requester, cost.added) = (Some(network.parse().unwrap()), added);
        cost
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
    fn new_sessions_of_one_network_leave_the_reserve_to_others() {
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
        room.mark_not_full("the disk has room again");
        room.full = true;
        assert!(!is_refused(&room, Priority::Entry, "2001:db8:1:1::1"));
    }

    #[test]
    fn the_reserve_stays_while_there_is_room() {
        let (_dir, mut room) = full(16);
        for priority in [Priority::Essential, Priority::Entry, Priority::Ordinary] {
            assert!(!room.make_room(priority));
        }
        assert_eq!(room.reserve.size(), reserve::SIZE);
    }
}
