//! What is gathered in memory of clients' use before it is written down, and as whose use that of
//! an API key's bot counts.

use std::sync::{
    Arc, Mutex, MutexGuard, OnceLock,
    atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering::Relaxed},
};

use crate::{
    model::{Area, ClientId, EndReason, Timestamp},
    store::Admission,
};

/// The bits of no network.
const UNKNOWN: u64 = u64::MAX;

/// A client's use. Its tokens share it, and it outlives a renewed secret, because a request that
/// came with the old one may still note it.
#[derive(Debug)]
pub struct Usage {
    pub client: ClientId,
    pub cursor: AtomicI64,
    pub seen_at: AtomicI64,
    /// The bits of the network it was last used from.
    area: AtomicU64,
    pub begun: AtomicBool,
    /// Whether cursor, network or time of use are ahead of the store's.
    pub ahead: AtomicBool,
    pub ended: OnceLock<EndReason>,
}

impl Usage {
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

    /// From where it was last used, if that is known.
    pub fn area(&self) -> Option<Area> {
        let bits = self.area.load(Relaxed);
        (bits != UNKNOWN).then(|| Area::from_bits(bits))
    }

    /// Notes from where it is used.
    pub fn used_from(&self, area: Area) {
        if self.area.load(Relaxed) != area.to_bits() {
            self.area.store(area.to_bits(), Relaxed);
            self.ahead.store(true, Relaxed);
        }
    }

    pub fn touch(&self, now: Timestamp) {
        if self.seen_at.fetch_max(now.0, Relaxed) < now.0 {
            self.ahead.store(true, Relaxed);
        }
    }
}

/// The live devices of a session.
#[derive(Debug, Default)]
pub struct Devices {
    /// Never held over an await; as many as a session may have.
    live: Mutex<Vec<Arc<Usage>>>,
}

impl Devices {
    pub fn add(&self, device: Arc<Usage>) {
        self.lock().push(device);
    }

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
        self.live.lock().unwrap_or_else(|e| e.into_inner())
    }
}

/// As whose use an API key's counts: the device that made the key, and once that has left, the one
/// that was used last. So a session whose bot is busy does not idle out as long as it has any
/// device.
#[derive(Debug)]
pub struct Sponsor {
    maker: Option<Arc<Usage>>,
    devices: Arc<Devices>,
}

impl Sponsor {
    pub fn new(maker: Option<Arc<Usage>>, devices: Arc<Devices>) -> Self {
        Self { maker, devices }
    }

    pub fn device(&self) -> Option<Arc<Usage>> {
        let maker = self
            .maker
            .as_ref()
            .filter(|maker| maker.ended.get().is_none());
        maker.cloned().or_else(|| self.devices.last_used())
    }
}
