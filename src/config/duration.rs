//! How durations are written on the command line.

use std::time::Duration;

/// Parses a duration such as `90s`, `15m`, `12h` or `30d`, from 1 second to 100 years.
pub fn duration(text: &str) -> Result<Duration, String> {
    let bad = || "give a number and one of s, m, h, d, such as 30d".to_owned();
    let unit = text.chars().last().ok_or_else(bad)?;
    let count: u64 = text[..text.len() - unit.len_utf8()]
        .parse()
        .map_err(|_| bad())?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3600,
        'd' => 86400,
        _ => return Err(bad()),
    };
    let total = count
        .checked_mul(seconds)
        .filter(|total| (1..=100 * 365 * 86400).contains(total));
    total
        .map(Duration::from_secs)
        .ok_or_else(|| "give at least 1s and at most 100 years".to_owned())
}
