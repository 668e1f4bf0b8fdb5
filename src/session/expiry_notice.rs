//! The notice that a session gets a week before the lifetime of one of its devices ends, whether
//! the device is used or not. Each device and lifetime causes one notice, sent to all devices of
//! the session. It says what to do.

use std::time::Duration;

use super::{core::Core, notice::notice};
use crate::{
    error::Result,
    model::Moment,
    store::{
        Priority, client,
        client_lifetime::{self, Ending},
        session::{self, Session},
    },
};

/// How long before the end the notice is sent.
const AHEAD: Duration = Duration::from_hours(7 * 24);
/// Devices that one transaction handles. Other writers get their turn between transactions.
const BATCH: usize = 256;

impl Core {
    /// Sends the notices for devices whose lifetime ends within a week.
    pub(super) async fn warn(&self, Moment { now, due }: Moment) -> Result<()> {
        let until = due.plus(AHEAD);
        while !self
            .store
            .read(move |tx| client_lifetime::ending(tx, until, 1))
            .await?
            .is_empty()
        {
            let warned = self
                .store
                .write_as(Priority::Record, move |tx| {
                    for ending in client_lifetime::ending(tx, until, BATCH)? {
                        let session = session::get(tx, ending.session)?;
                        let alone = client::devices_of(tx, ending.session)?.len() == 1;
                        notice(tx, &session, warning(&session, &ending, alone), None, now)?;
                        client_lifetime::note_warned(tx, ending.client)?;
                    }
                    Ok(())
                })
                .await;
            match warned {
                // The disk is full. They are told when there is room again.
                Err(error) if error.is_want_of_room() => break,
                warned => warned?,
            }
        }
        Ok(())
    }
}

fn warning(
    session: &Session,
    Ending {
        name,
        expires_at,
        by_cookie,
        ..
    }: &Ending,
    alone: bool,
) -> String {
    let end = expires_at.to_string();
    let end = end[..16].replace('T', " ");
    let last = if alone {
        " It is the last device of this session, so the session ends with it."
    } else {
        ""
    };
    let remedy = match (by_cookie, &session.password_hash) {
        (false, _) => "To keep it, let the app in again before then.",
        (true, Some(_)) => {
            "To keep it, log in on it again before then, with your nick and password."
        }
        (true, None) => "To keep it, set a password and log in on it again before then.",
    };
    format!("{name} will be logged out on {end} UTC, when its lifetime ends.{last} {remedy}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ClientId, HashedPassword, Nick, SessionId, Timestamp};

    #[test]
    fn a_warning_says_when_and_what_to_do() {
        let session = |password: Option<&str>| Session {
            id: SessionId(1),
            nick: Nick::parse("alice").unwrap(),
            away: None,
            created_at: Timestamp(0),
            password_hash: password.map(|phc| HashedPassword::from_phc(phc.into())),
        };
        let ending = |by_cookie| Ending {
            session: SessionId(1),
            client: ClientId(2),
            name: "laptop".into(),
            expires_at: Timestamp(1_795_230_245_678),
            by_cookie,
        };
        let text = warning(&session(None), &ending(true), true);
        assert!(
            text.starts_with("laptop will be logged out on 2026-11-21 03:04 UTC"),
            "{text}"
        );
        assert!(
            text.contains("last device") && text.contains("set a password"),
            "{text}"
        );
        let text = warning(&session(Some("x")), &ending(true), false);
        assert!(
            !text.contains("last device") && text.contains("log in on it again"),
            "{text}"
        );
        let text = warning(&session(None), &ending(false), false);
        assert!(text.contains("let the app in again"), "{text}");
    }
}
