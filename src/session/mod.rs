//! The session: how it is created and rejoined, who calls, who sees what, and what ends with what.

pub mod access_token;
pub mod admin;
mod app_access;
pub mod audience;
mod authenticate;
mod caller_map;
pub mod channels;
mod core;
mod create;
mod devices;
mod expiry_notice;
mod key_rotation;
pub mod lifecycle;
mod limits;
mod live_check;
mod live_client;
mod login;
mod maintenance;
mod notice;
pub mod op_succession;
pub mod password;
mod password_guesses;
pub mod refusal_log;
mod refusals;
pub mod remaining_access;
pub mod restore;
mod server_keys;
mod usage;
pub mod visibility;

#[cfg(test)]
mod tests;

pub use self::core::Core;
pub(crate) use self::core::write_in_slot;
pub use app_access::{admit_granted, announce_app, require_room_for_client, tell_of_theft};
pub use authenticate::{invalid_token, unauthenticated};
pub use create::{AdmittedClient, insert as insert_session};
pub use devices::{insert as insert_client, no_such_client};
pub use limits::Limits;
pub use live_check::require_live;
pub use live_client::LiveClient;
pub use login::{Login, already_in_session};
pub use notice::notice;
pub use visibility::Visibility;
