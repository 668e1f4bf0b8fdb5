//! The words of the project as types: ids, names, times, events. This module is pure. Texts are
//! parsed here, once. A parser that refuses a text returns [`Invalid`].

mod address;
mod arrival;
mod caller;
mod channel_name;
mod client_view;
mod clock;
mod display_name;
mod end_reason;
mod event;
mod ids;
mod invalid;
mod limits;
mod moment;
mod nick;
mod number;
mod origin;
mod password;
mod redirect;
mod scope;
mod snapshot;
mod target;
#[cfg(test)]
mod test_names;
pub mod text;
mod timestamp;
mod unread;
mod words;

pub use address::{AddressFamily, Area, ClientAddress, Network, NetworkWidth};
pub use arrival::Arrival;
pub use caller::{Authority, Caller, Granted};
pub use channel_name::ChannelName;
pub use client_view::ClientView;
pub use clock::Clock;
pub use display_name::{checked_name, required_name};
pub use end_reason::EndReason;
pub use event::{Event, Page};
pub use ids::{AppId, ChannelId, ClientId, EventId, GrantId, RevocationId, SessionId, TargetId};
pub use invalid::Invalid;
pub use limits::{
    CHANNEL_LIMIT, CLIENT_NAME_LIMIT, LABEL_LIMIT, LINES_LIMIT, NICK_LIMIT, REASON_LIMIT,
    SERVER_NAME, TEXT_LIMIT,
};
pub use moment::Moment;
pub use nick::Nick;
pub use number::whole_number;
pub use origin::{HostPort, Origin, is_percent_encoded};
pub use password::{HashedPassword, PASSWORD_LENGTH, Password};
pub use redirect::RedirectUri;
pub use scope::{Requirement, Scope, Scopes};
pub use snapshot::{ChannelView, DirectView, MemberView, SessionView, Snapshot, TopicView};
pub use target::Target;
pub use timestamp::Timestamp;
pub use unread::Unread;
pub use words::Words;
