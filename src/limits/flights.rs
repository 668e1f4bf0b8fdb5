//! The attempts whose outcome is not known yet.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Notify;

/// The attempts under way, by map and key.
pub type Flights = HashMap<(usize, String), Flight>;

/// The attempts of one key.
pub struct Flight {
    /// How many are under way.
    pub attempts: usize,
    /// Wakes those that wait for the outcome of one of them; each of these has a clone.
    pub settled: Arc<Notify>,
}
