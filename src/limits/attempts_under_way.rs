//! The attempts whose outcome is not known yet.

use std::{collections::HashMap, sync::Arc};

use tokio::sync::Notify;

/// The attempts under way, by the index of their map and their key.
pub type AttemptsUnderWay = HashMap<(usize, String), UnderWay>;

/// The attempts with one key.
pub struct UnderWay {
    /// The number of attempts under way.
    pub attempts: usize,
    /// Wakes the attempts that wait for the outcome of one of these. Each of them has a clone.
    pub settled: Arc<Notify>,
}
