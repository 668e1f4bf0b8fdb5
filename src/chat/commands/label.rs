//! Labels: a client may send a labelled command again and gets the first answer, as long as that is
//! kept: 24 hours, and of a client the newest 256 and 1 MiB. Refusals are not kept, and neither
//! are the long answers of queries: to ask again does no harm.

use crate::{
    chat::{commands::answer::Answer, commands::answer::Excerpt},
    error::{Error, Result},
    irc::{Reply, Request},
    model::{Caller, EventId, SERVER_NAME, Timestamp},
    secret::sha256,
    store::{Read, Write, label, texts},
};

/// Bytes of a query's answer that may be stored.
const MAX_STORED_BYTES: usize = 16 * 1024;

/// A label, and the command it stands for.
#[derive(Clone)]
pub struct Label {
    /// The label as the client sent it.
    pub text: String,
    /// The SHA-256 of the command.
    pub command: [u8; 32],
}

impl Label {
    /// The label of a request, if it has one.
    pub fn of(request: &Request) -> Option<Self> {
        Some(Self {
            text: request.label.clone()?,
            command: sha256(request.canonical.as_bytes()),
        })
    }

    /// The stored answer to a label, if there is a label and it was answered before. It fails with
    /// `label_reused` if the label stands for another command.
    pub fn answered(label: Option<&Self>, tx: &Read, caller: Caller) -> Result<Option<Answer>> {
        let Some(label) = label else { return Ok(None) };
        let answer = label::find(tx, caller.client, &label.text, &label.command)?;
        answer.map(|column| read(&column)).transpose()
    }

    /// The `label_reused` error.
    pub fn reused() -> Error {
        label::reused()
    }

    /// Whether a query's answer is short enough to be stored.
    pub fn has_room_for(answer: &Answer) -> Result<bool> {
        Ok(write(answer)?.len() <= MAX_STORED_BYTES)
    }

    /// Stores the answer to this label.
    pub fn keep(&self, tx: &Write, caller: Caller, answer: &Answer, now: Timestamp) -> Result<()> {
        label::keep(
            tx,
            caller.client,
            &self.text,
            &self.command,
            &write(answer)?,
            now,
        )
    }
}

/// An answer in its stored form: first one text with the ids, and behind them the channels that
/// still have to be shown as `index:name`; then for each reply its command, its number of params,
/// and the params.
fn write(answer: &Answer) -> Result<String> {
    let ids = answer.ids.iter().map(|id| id.to_string());
    let excerpts = answer
        .excerpts
        .iter()
        .map(|Excerpt { before, channel }| format!("{before}:{channel}"));
    let head = ids.chain(excerpts).collect::<Vec<_>>().join(" ");
    let counts = answer
        .replies
        .iter()
        .map(|reply| reply.params.len().to_string())
        .collect::<Vec<_>>();
    let replies = answer
        .replies
        .iter()
        .zip(&counts)
        .flat_map(|(reply, count)| {
            [&reply.command, count]
                .into_iter()
                .chain(&reply.params)
                .map(String::as_str)
        });
    texts::join(std::iter::once(head.as_str()).chain(replies))
}

fn read(column: &str) -> Result<Answer> {
    let broken = || Error::internal("the stored answer of a labelled command cannot be read");
    let mut texts = texts::split(column);
    let mut answer = Answer::default();
    // Channel names contain no space.
    for word in texts.next().ok_or_else(broken)?.split_terminator(' ') {
        match word.split_once(':') {
            Some((before, name)) => {
                let (before, channel) = (before.parse().map_err(|_| broken())?, name.to_owned());
                answer.excerpts.push(Excerpt { before, channel });
            }
            None => answer
                .ids
                .push(word.parse().map(EventId).map_err(|_| broken())?),
        }
    }
    while let Some(command) = texts.next() {
        let count: usize = texts
            .next()
            .and_then(|count| count.parse().ok())
            .ok_or_else(broken)?;
        let params = texts
            .by_ref()
            .take(count)
            .map(str::to_owned)
            .collect::<Vec<_>>();
        answer.replies.push(Reply {
            source: SERVER_NAME.into(),
            command: command.into(),
            params,
        });
    }
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_comes_back_as_it_was() {
        let reply = |params: &[&str]| Reply {
            source: SERVER_NAME.into(),
            command: "353".into(),
            params: params.iter().map(|text| text.to_string()).collect(),
        };
        let excerpt = |before, name: &str| Excerpt {
            before,
            channel: name.into(),
        };
        for ids in [vec![], vec![EventId(7)], vec![EventId(7), EventId(1 << 60)]] {
            for excerpts in [vec![], vec![excerpt(0, "#a"), excerpt(12, "#1:2:\u{e9}")]] {
                for replies in [
                    vec![],
                    vec![reply(&[])],
                    vec![reply(&["a", "", "b\u{1}"]), reply(&[""]), reply(&["7"])],
                ] {
                    let answer = Answer {
                        replies,
                        ids: ids.clone(),
                        added: 0,
                        excerpts: excerpts.clone(),
                    };
                    assert_eq!(read(&write(&answer).unwrap()).unwrap(), answer);
                }
            }
        }
    }
}
