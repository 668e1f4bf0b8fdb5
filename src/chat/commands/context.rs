//! What every command has at hand while it runs in its transaction: who acts, when, and the answer
//! that grows.

use std::fmt::Display;

use crate::{
    chat::commands::answer::Answer,
    error::{Error, Result},
    irc::{Reply, command::TargetResults},
    model::{Caller, ChannelName, EventId, Nick, TargetId, Timestamp},
    session::{Limits, Visibility, audience},
    store::{
        Write,
        channel::Channel,
        grant,
        log::{self, NewEvent, Origin, Recipient},
        membership::{self, Member},
        session::{self, Session},
    },
};

/// A command being carried out.
pub struct CommandContext<'a> {
    pub tx: &'a Write<'a>,
    pub caller: Caller,
    /// What the caller sees: whatever the command is about is found by this.
    pub visibility: Visibility<'a>,
    pub session: Session,
    pub label: Option<&'a str>,
    /// The name of the app through whose grant it comes.
    app: Option<String>,
    pub now: Timestamp,
    pub limits: &'a Limits,
    pub answer: Answer,
}

impl<'a> CommandContext<'a> {
    pub fn new(
        tx: &'a Write<'a>,
        caller: Caller,
        label: Option<&'a str>,
        now: Timestamp,
        limits: &'a Limits,
    ) -> Result<Self> {
        let session = session::get(tx, caller.session)?;
        let app = caller
            .grant
            .map(|grant| grant::app_name(tx, grant))
            .transpose()?;
        let visibility = Visibility::of(tx, caller)?;
        Ok(Self {
            tx,
            caller,
            visibility,
            session,
            label,
            app,
            now,
            limits,
            answer: Answer::default(),
        })
    }

    pub fn nick(&self) -> &Nick {
        &self.session.nick
    }

    /// The name of the app through whose grant it comes.
    pub fn app(&self) -> Option<&str> {
        self.app.as_deref()
    }

    /// Makes an event of this session's, told to `targets`.
    pub fn emit(
        &mut self,
        command: &'static str,
        params: &[&dyn Display],
        targets: &[TargetId],
    ) -> Result<EventId> {
        let id = log::append(self.tx, self.draft(command, params), targets)?;
        self.answer.ids.push(id);
        Ok(id)
    }

    /// Makes a message of this session's, told to `targets`.
    pub fn emit_message(
        &mut self,
        command: &'static str,
        to: Recipient,
        params: &[&dyn Display],
        targets: &[TargetId],
    ) -> Result<EventId> {
        let draft = NewEvent {
            message: Some((self.caller.session, to)),
            ..self.draft(command, params)
        };
        let id = log::append(self.tx, draft, targets)?;
        self.answer.ids.push(id);
        Ok(id)
    }

    pub fn draft(&self, command: &'static str, params: &[&dyn Display]) -> NewEvent<'_> {
        NewEvent {
            time: self.now,
            source: self.session.nick.as_str(),
            command,
            params: params.iter().map(|p| p.to_string()).collect(),
            origin: self.origin(),
            app: self.app.clone(),
            message: None,
        }
    }

    fn origin(&self) -> Origin {
        Some((self.caller.client, self.label.map(str::to_owned)))
    }

    pub fn reply(&mut self, numeric: &str, params: &[&dyn Display]) {
        self.answer
            .replies
            .push(Reply::numeric(numeric, &self.session.nick, params));
    }

    /// The session's channels and the session itself. A confined caller does nothing that is to be
    /// known outside.
    pub fn around(&self) -> Result<Vec<TargetId>> {
        self.visibility.require_unrestricted()?;
        audience::around(self.tx, self.caller.session)
    }

    /// Does `act` to each target that can be done; refused ones are error numerics among the
    /// replies, and if there is nothing else, the first is the command's refusal.
    pub fn for_each_target<T>(
        &mut self,
        verb: &'static str,
        items: TargetResults<T>,
        mut act: impl FnMut(&mut Self, T) -> Result<()>,
    ) -> Result<()> {
        let mut first_refusal = None;
        let mut done = 0;
        for item in items {
            match item.and_then(|item| act(self, item)) {
                Ok(()) => done += 1,
                Err(error) => self.refuse(verb, error, &mut first_refusal)?,
            }
        }
        first_refusal.filter(|_| done == 0).map_or(Ok(()), Err)
    }

    /// Takes the refusal of one part of a command as an error numeric; a failure of ours fails the
    /// whole.
    pub fn refuse(
        &mut self,
        verb: &'static str,
        error: Error,
        first: &mut Option<Error>,
    ) -> Result<()> {
        if error.is_failure() {
            return Err(error);
        }
        self.answer
            .replies
            .push(Reply::error(&error, verb, &self.session.nick));
        first.get_or_insert(error);
        Ok(())
    }

    /// A channel the session is on, and its standing there.
    pub fn own_channel(&self, name: &ChannelName) -> Result<(Channel, Member)> {
        let channel = self.visibility.channel(name)?;
        let member = membership::get(self.tx, channel.id, self.caller.session)?;
        let member = member.ok_or_else(|| Error::not_on_channel(&channel.name))?;
        Ok((channel, member))
    }
}
