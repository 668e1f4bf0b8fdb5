//! The verbs, in families: what their commands say, their rows in the table of verbs, their parsers
//! and the numerics of their replies.
//!
//! A family has one file here and one of the same name in `chat::commands`, which carries it out. A
//! new verb of a family is a change in these two files. `tests/all/new_verb` adds one.

/// JOIN, PART, TOPIC, KICK, INVITE.
pub mod channel;
/// ACK, PING, QUIT.
pub mod client;
/// NAMES, LIST, WHO, WHOIS.
pub mod lookup;
/// PRIVMSG, NOTICE, SILENCE, MARKREAD.
pub mod message;
/// MODE.
pub mod mode;
/// NICK, AWAY.
pub mod nick_and_away;
/// PASS.
pub mod password;
