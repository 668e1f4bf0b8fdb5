//! A client as it is shown.

use serde::Serialize;
use utoipa::ToSchema;

use super::{address::ClientAddress, caller::Caller, ids::ClientId, timestamp::Timestamp};

/// A client as its siblings see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClientView {
    /// The client's id.
    #[schema(value_type = i64)]
    pub id: ClientId,
    /// The client's name, which its session chose or which was made of User-Agent.
    pub name: String,
    /// When it was let in.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last sent a request, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// The end of its lifetime, used or not.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Shown to the session's devices that came by a cookie, and to no key and no app. Unknown of a
    /// client that was let in before this was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<ClientAddress>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl ClientView {
    /// Leaves out what a caller is not shown: where devices come from is for those who came by a
    /// cookie.
    pub fn show_to(&mut self, caller: Caller) {
        if caller.grant.is_some() {
            self.address = None;
        }
    }
}
