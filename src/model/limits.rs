//! The limits of texts and names, and the server's name.

/// The source of replies and of the server's own notices. Because of the dot it can never be a
/// nick.
pub const SERVER_NAME: &str = "rejoin.server";

/// The most bytes of text in a PRIVMSG or NOTICE.
pub const TEXT_LIMIT: usize = 4096;
/// The most lines of text in a PRIVMSG or NOTICE.
pub const LINES_LIMIT: usize = 100;
/// The most bytes of a topic, and of the text of an AWAY, KICK, PART or QUIT.
pub const REASON_LIMIT: usize = 1024;
/// The most characters of a nick.
pub const NICK_LIMIT: usize = 32;
/// The most bytes of a channel's name, with its `#`.
pub const CHANNEL_LIMIT: usize = 64;
/// The most characters of a label.
pub const LABEL_LIMIT: usize = 64;
/// The most characters of the name of a client or an app.
pub const CLIENT_NAME_LIMIT: usize = 64;
