//! Real Chromium, driven through ChromeDriver.

mod devtools;
mod driver;
mod page;
mod pool;

pub use page::{ACKNOWLEDGING_AT_ONCE, Page};
pub use pool::{Browsers, Profile, Window, at_both_widths};
