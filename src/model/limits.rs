//! The limits of texts and names, and the name of the server.

/// The source of replies, and of notices that the server itself sends. The dot keeps it from ever
/// being a nick.
pub const SERVER_NAME: &str = "rejoin.server";

/// Bytes of text in a PRIVMSG or NOTICE.
pub const TEXT_LIMIT: usize = 4096;
/// Lines of text in a PRIVMSG or NOTICE.
pub const LINES_LIMIT: usize = 100;
/// Bytes of a topic, and of the reason of an AWAY, KICK, PART or QUIT.
pub const REASON_LIMIT: usize = 1024;
/// Characters of a nick.
pub const NICK_LIMIT: usize = 32;
/// Bytes of a channel's name, with its `#`.
pub const CHANNEL_LIMIT: usize = 64;
/// Characters of a label.
pub const LABEL_LIMIT: usize = 64;
/// Characters of a client's name, and of an app's.
pub const CLIENT_NAME_LIMIT: usize = 64;
