//! Labels: what makes a command safe to send again.

use super::act::Answer;
use crate::{
    error::{Error, Result},
    irc::{Command, Message},
    model::{Caller, Timestamp},
    secret::sha256,
    store::{Read, Write, label},
};

/// A label, and what it stands for.
#[derive(Clone)]
pub struct Label {
    pub text: String,
    pub command: [u8; 32],
}

impl Label {
    /// Of PASS nothing is kept but the verb.
    pub fn of(message: &Message, command: &Command) -> Option<Self> {
        let mut whole = message.command.to_ascii_uppercase();
        if !matches!(command, Command::Pass { .. }) {
            for param in &message.params {
                // NUL is in no param, so it keeps them apart.
                whole.push('\0');
                whole.push_str(param);
            }
        }
        Some(Self { text: message.label.clone()?, command: sha256(whole.as_bytes()) })
    }

    /// The first answer to a label, if there is a label and it was answered before.
    pub fn answered(label: Option<&Self>, tx: &Read, caller: Caller) -> Result<Option<Answer>> {
        let Some(label) = label else { return Ok(None) };
        let answer = label::find(tx, caller.client, &label.text, &label.command)?;
        answer.map(|json| serde_json::from_str(&json).map_err(Error::internal)).transpose()
    }

    pub fn keep(&self, tx: &Write, caller: Caller, answer: &Answer, now: Timestamp) -> Result<()> {
        let json = serde_json::to_string(answer).map_err(Error::internal)?;
        label::keep(tx, caller.client, &self.text, &self.command, &json, now)
    }
}
