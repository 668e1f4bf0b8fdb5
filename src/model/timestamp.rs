//! Times of day.

use std::{fmt, time::Duration};

use serde::{Serialize, Serializer};
use time::OffsetDateTime;

/// A time in milliseconds since the Unix epoch. It is written as RFC 3339 in UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The time `duration` later.
    pub fn plus(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }

    /// The time `duration` earlier.
    pub fn minus(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(millis(duration)))
    }

    /// The duration from `earlier` to this time. Zero if this time is earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0).try_into().unwrap_or(0))
    }

    /// Whole seconds since the Unix epoch, as IRC's numerics have them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Rfc3339::of(*self).as_str())
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(Rfc3339::of(*self).as_str())
    }
}

/// A time as text. Every event and every answer has times, so the digits are written one by one,
/// which is the fastest way.
struct Rfc3339([u8; 24]);

impl Rfc3339 {
    fn of(Timestamp(millis): Timestamp) -> Self {
        let time = OffsetDateTime::from_unix_timestamp(millis.div_euclid(1000))
            .unwrap_or(OffsetDateTime::UNIX_EPOCH);
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let mut write = |end: usize, mut number: u32| {
            let mut at = end;
            while number > 0 {
                at -= 1;
                text[at] = b'0' + (number % 10) as u8;
                number /= 10;
            }
        };
        write(4, time.year().unsigned_abs());
        write(7, u8::from(time.month()).into());
        write(10, time.day().into());
        write(13, time.hour().into());
        write(16, time.minute().into());
        write(19, time.second().into());
        write(23, millis.rem_euclid(1000) as u32);
        Self(text)
    }

    fn as_str(&self) -> &str {
        // The text is ASCII.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_rfc_3339_in_utc_with_milliseconds() {
        assert_eq!(
            Timestamp(1_795_230_245_678).to_string(),
            "2026-11-21T03:04:05.678Z"
        );
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00.000Z");
    }
}
