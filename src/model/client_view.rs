//! A client as the API shows it.

use serde::Serialize;
use utoipa::ToSchema;

use super::{
    address::ClientAddress, caller::Authority, caller::Caller, ids::ClientId, timestamp::Timestamp,
};

/// A client as the other clients of its session see it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ClientView {
    /// The client's id.
    #[schema(value_type = i64)]
    pub id: ClientId,
    /// The client's name. The session chose it, or it was derived from the User-Agent header.
    pub name: String,
    /// When the client joined the session.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When the client last sent a request, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen_at: Timestamp,
    /// The end of the client's lifetime, even if it is used.
    #[schema(value_type = String, format = DateTime)]
    pub expires_at: Timestamp,
    /// Where the client came from. Only devices with a cookie see this; API keys and apps do not.
    /// Missing for clients that joined before the server recorded it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<ClientAddress>,
    /// Whether this is the client that makes the request.
    pub current: bool,
}

impl ClientView {
    /// Removes what the caller may not see. Only a caller with a cookie may see where devices come
    /// from.
    pub fn show_to(&mut self, caller: Caller) {
        if caller.authority != Authority::Cookie {
            self.address = None;
        }
    }
}
