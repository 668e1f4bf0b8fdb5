//! The session, which everything else is about: how it is created, who sees what of it, and what
//! ends with what.

pub mod audience;
pub mod channels;
mod create;
mod devices;
pub mod lifecycle;
mod notice;
pub mod op_succession;
pub mod visibility;

#[cfg(test)]
mod tests;

pub use create::insert as insert_session;
pub use devices::{insert as insert_client, require_live};
pub use notice::notice;
pub use visibility::Visibility;
