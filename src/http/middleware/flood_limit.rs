//! The flood limit. Everything that the clients and API keys of a session send counts together, by
//! commands and by stored bytes.

use std::time::Duration;

use crate::{
    config::FloodLimit,
    error::Result,
    irc::Request,
    limits::{Rate, Throttle},
    model::SessionId,
};

/// The bytes that a session may add: 64 KiB at once, and 4 KiB per second.
const BYTES: Rate = Rate {
    burst: 64 * 1024,
    every: Duration::from_nanos(1_000_000_000 / 4096),
};
/// An estimate of the bytes that an event takes besides its text.
const EVENT: u64 = 256;
/// The most targets that a command may have and still count once.
const TARGETS: usize = 4;

/// The flood limits of all sessions.
pub struct FloodLimits {
    /// The commands of each session.
    pub commands: Throttle<SessionId>,
    /// The bytes that each session has added to the disk.
    pub bytes: Throttle<SessionId>,
}

impl FloodLimits {
    /// Limits at the configured rate of commands. Without a rate there is no limit.
    pub fn new(FloodLimit(commands): FloodLimit) -> Self {
        Self {
            commands: Throttle::new(commands),
            bytes: Throttle::new(commands.map(|_| BYTES)),
        }
    }
}

/// The price of a command.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// The number of commands that it counts as.
    pub commands: usize,
    /// The bytes that it may add to the disk.
    pub bytes: u64,
}

impl Cost {
    /// A command counts once for each line of its text, and again as often for every four further
    /// targets.
    pub fn of(request: &Result<Request>, lines: usize) -> Self {
        // A text that is not a request is refused, and counts as one command.
        let (targets, (events, text)) = request.as_ref().map_or((1, (0, 0)), |request| {
            (request.command.targets(), request.command.size())
        });
        Self {
            commands: lines * targets.div_ceil(TARGETS).max(1),
            bytes: events as u64 * (EVENT + text as u64),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::irc::Message;

    fn cost(message: Message) -> usize {
        let lines = message.lines();
        Cost::of(&Request::parse(message), lines).commands
    }

    fn commands(line: &str) -> usize {
        cost(Message::parse_line(line).unwrap())
    }

    /// `a,b,c…` with this many names.
    fn list(names: usize, prefix: &str) -> String {
        (0..names)
            .map(|n| format!("{prefix}{n}"))
            .collect::<Vec<_>>()
            .join(",")
    }

    #[test]
    fn a_command_counts_by_its_targets() {
        for (targets, counted) in [(1, 1), (4, 1), (5, 2), (8, 2), (9, 3), (20, 5)] {
            let (channels, nicks) = (list(targets, "#c"), list(targets, "n"));
            for line in [
                format!("JOIN {channels}"),
                format!("PART {channels}"),
                format!("PRIVMSG {channels} :x"),
                format!("NOTICE {nicks} :x"),
                format!("NAMES {channels}"),
                format!("LIST {channels}"),
                format!("KICK #c {nicks}"),
            ] {
                assert_eq!(commands(&line), counted, "{line}");
            }
        }
        let masks = |count: usize| {
            format!(
                "MODE #c +{} {}",
                "b".repeat(count),
                list(count, "m").replace(',', " ")
            )
        };
        assert_eq!((commands(&masks(4)), commands(&masks(13))), (1, 4));
        assert_eq!(
            commands(&format!("MODE #c {}", "+n-n".repeat(100))),
            50,
            "so do mode changes without a parameter"
        );
        for line in [
            "MODE #c",
            "MODE #c b",
            "NAMES",
            "LIST",
            "WHO *",
            "PING x",
            "AWAY",
            "INVITE bob #c",
            "NO SUCH",
        ] {
            assert_eq!(commands(line), 1, "{line}");
        }
        // A command with too many targets is refused, and counts once.
        assert_eq!(commands(&format!("JOIN {}", list(21, "#c"))), 1);
    }

    #[test]
    fn each_line_counts_for_each_group_of_targets() {
        let text = |targets, lines: usize| {
            let params = vec![list(targets, "#c"), vec!["x"; lines].join("\n")];
            cost(Message::new(None, "PRIVMSG".into(), params).unwrap())
        };
        assert_eq!(
            [text(1, 3), text(4, 3), text(5, 3), text(20, 100)],
            [3, 3, 6, 500]
        );
    }
}
