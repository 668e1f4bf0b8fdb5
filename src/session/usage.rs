//! Clients' use, gathered in memory before it is stored, and the device to which an API key's use
//! is credited.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    model::{Area, ClientId, EndReason, Timestamp},
    store::Admission,
};

/// Marks an unknown network. No network has these bits.
const UNKNOWN: u64 = u64::MAX;

/// A client's use. All its tokens share it. It outlives a renewed secret, because a request that
/// came with the old secret may still note use.
#[derive(Debug)]
pub struct Usage {
    /// The client.
    pub client: ClientId,
    /// The position in the log up to which it has acknowledged its queue: an event's id.
    pub cursor: AtomicI64,
    /// When it was last used, as a [`Timestamp`].
    pub seen_at: AtomicI64,
    /// The bits of the network it was last used from, or [`UNKNOWN`].
    area: AtomicU64,
    /// Whether its queue has begun.
    pub begun: AtomicBool,
    /// Whether its cursor, network or time of use is ahead of the store's.
    pub ahead: AtomicBool,
    /// Why it has ended, once it has.
    pub ended: OnceLock<EndReason>,
}

impl Usage {
    /// The use of a client that was just admitted or loaded.
    pub fn of(admission: &Admission) -> Self {
        Self {
            client: admission.caller.client,
            cursor: AtomicI64::new(admission.cursor.0),
            seen_at: AtomicI64::new(admission.seen_at.0),
            area: AtomicU64::new(admission.area.map_or(UNKNOWN, Area::to_bits)),
            begun: AtomicBool::new(admission.begun),
            ahead: AtomicBool::new(false),
            ended: OnceLock::new(),
        }
    }

    /// The network it was last used from, if that is known.
    pub fn area(&self) -> Option<Area> {
        let bits = self.area.load(Relaxed);
        (bits != UNKNOWN).then(|| Area::from_bits(bits))
    }

    /// Notes the network it is used from.
    pub fn used_from(&self, area: Area) {
        if self.area.load(Relaxed) != area.to_bits() {
            self.area.store(area.to_bits(), Relaxed);
            self.ahead.store(true, Relaxed);
        }
    }

    /// Notes that it is used at `now`.
    pub fn touch(&self, now: Timestamp) {
        if self.seen_at.fetch_max(now.0, Relaxed) < now.0 {
            self.ahead.store(true, Relaxed);
        }
    }
}

/// The live devices of a session.
#[derive(Debug, Default)]
pub struct Devices {
    /// Never held over an await. It holds as many devices as a session may have.
    live: Mutex<Vec<Arc<Usage>>>,
}

impl Devices {
    /// Adds a device.
    pub fn add(&self, device: Arc<Usage>) {
        self.lock().push(device);
    }

    /// Removes a device.
    pub fn remove(&self, client: ClientId) {
        self.lock().retain(|device| device.client != client);
    }

    fn last_used(&self) -> Option<Arc<Usage>> {
        self.lock()
            .iter()
            .max_by_key(|device| (device.seen_at.load(Relaxed), device.client))
            .cloned()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Usage>>> {
        self.live.lock()
    }
}

/// The device to which an API key's use is credited: the device that created the key, or once that
/// has left, the session's most recently used device. A session whose bot is busy therefore does
/// not expire while it has any device.
#[derive(Debug)]
pub struct Sponsor {
    /// The device that created the key. `None`: it has left.
    creator: Option<Arc<Usage>>,
    devices: Arc<Devices>,
}

impl Sponsor {
    /// The sponsor of a key that `creator` created, in the session with these devices.
    pub fn new(creator: Option<Arc<Usage>>, devices: Arc<Devices>) -> Self {
        Self { creator, devices }
    }

    /// The device to which use is credited now.
    pub fn device(&self) -> Option<Arc<Usage>> {
        let creator = self
            .creator
            .as_ref()
            .filter(|creator| creator.ended.get().is_none());
        creator.cloned().or_else(|| self.devices.last_used())
    }
}
