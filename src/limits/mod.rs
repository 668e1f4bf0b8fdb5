//! Limits that do not depend on what they protect: who waits for whom when something is scarce.

pub mod fair;
