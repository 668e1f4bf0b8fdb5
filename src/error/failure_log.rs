//! Limits the lines that a lasting failure writes to the log.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// The log of one kind of failure. While a disk is full, strangers can cause a failure with every
/// request. At most [`LINES`] lines are therefore written in [`INTERVAL`]. The next line says how
/// many were left out.
pub struct FailureLog(Mutex<Written>);

struct Written {
    since: Option<Instant>,
    lines: u32,
    left_out: u64,
}

/// Failures of the server itself.
pub static INTERNAL: FailureLog = FailureLog::new();
/// Failures of the storage.
pub static STORAGE: FailureLog = FailureLog::new();
/// The most lines in an interval.
const LINES: u32 = 10;
/// The length of an interval.
const INTERVAL: Duration = Duration::from_secs(10);

impl FailureLog {
    /// A log without any lines.
    pub const fn new() -> Self {
        Self(Mutex::new(Written {
            since: None,
            lines: 0,
            left_out: 0,
        }))
    }

    /// Counts a line. Returns how many lines were left out before it, or `None` if it must be left
    /// out too.
    pub fn next_line(&self) -> Option<u64> {
        let mut written = self.0.lock();
        if written
            .since
            .is_none_or(|since| since.elapsed() >= INTERVAL)
        {
            (written.since, written.lines) = (Some(Instant::now()), 0);
        }
        if written.lines == LINES {
            written.left_out += 1;
            return None;
        }
        written.lines += 1;
        Some(std::mem::take(&mut written.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_that_lasts_makes_a_bounded_number_of_lines() {
        let lines = FailureLog::new();
        let told = (0..1000).filter(|_| lines.next_line().is_some()).count();
        assert_eq!(told, LINES as usize);
        lines.0.lock().since = Instant::now().checked_sub(INTERVAL);
        assert_eq!(lines.next_line(), Some(990));
        assert_eq!(lines.next_line(), Some(0));
    }
}
