//! The queues of clients, and unread messages.

use super::*;

impl Model {
    pub fn set_password(&mut self, key: Key) {
        self.notice(key);
        self.sessions.get_mut(&key).unwrap().password = true;
    }

    /// Sends a notice to the session's clients. The model does not know its text.
    pub fn notice(&mut self, key: Key) {
        self.happens(
            key,
            "NOTICE",
            [self.sessions[&key].nick.clone()],
            BTreeSet::from([key]),
        );
        self.fresh.last_mut().unwrap().source = SERVER_NAME.to_owned();
    }

    /// The first snapshot of a client sets the beginning of its queue. If the client has read
    /// before, its queue already began when the client was created.
    pub fn snapshot(&mut self, client: usize) {
        let (head, client) = (self.head, &mut self.clients[client]);
        if !std::mem::replace(&mut client.begun, true) {
            client.start = head;
            client.acknowledged = client.acknowledged.max(head);
        }
    }

    /// Acknowledges everything up to `id`.
    pub fn acknowledge(&mut self, client: usize, id: i64) -> Result<(), Code> {
        if id > self.head {
            return Err(Code::InvalidCursor);
        }
        let acknowledged = &mut self.clients[client].acknowledged;
        *acknowledged = id.max(*acknowledged);
        Ok(())
    }

    /// The events of a client's queue after `after`.
    pub fn queue(&self, client: usize, after: i64) -> impl Iterator<Item = &Event> {
        let Client { session, start, .. } = self.clients[client];
        self.log
            .iter()
            .filter(move |event| event.id > after.max(start) && event.hears.contains(&session))
    }

    /// The unread messages after `read` on a channel, given by its folded name, since the session
    /// joined it, and whether one of them names the session.
    pub fn unread_on(&self, me: Key, channel: &str, read: i64) -> Unread {
        let there = |event: &&Event| {
            event
                .params
                .first()
                .is_some_and(|name| folded(name) == channel)
        };
        let stay = self
            .log
            .iter()
            .rev()
            .filter(there)
            .take_while(|event| event.command != "JOIN" || event.by != me);
        let unread = Vec::from_iter(
            stay.filter(|event| event.is_said() && event.by != me && event.id > read),
        );
        (
            unread.len(),
            unread.iter().any(|event| self.names(me, event)),
        )
    }

    /// Whether the session's current nick is a word of the message.
    pub(super) fn names(&self, me: Key, event: &Event) -> bool {
        let nick = folded(&self.sessions[&me].nick);
        folded(&event.params[1]).split(' ').any(|word| word == nick)
    }

    /// The unread direct messages from another session after `read`, and whether one of them names
    /// the session.
    pub fn unread_from(&self, me: Key, other: Key, read: i64) -> Unread {
        let told =
            |event: &&Event| event.is_said() && event.by == other && event.hears.contains(&me);
        let unread = self
            .log
            .iter()
            .filter(told)
            .filter(|event| event.id > read && !event.params[0].starts_with('#'));
        let unread = Vec::from_iter(unread.filter(|_| other != me));
        (
            unread.len(),
            unread.iter().any(|event| self.names(me, event)),
        )
    }

    /// A session's conversations in the order of the snapshot: those that it wrote in come first,
    /// then those with unread messages, then the newest.
    pub fn conversations(&self, me: Key) -> Vec<(String, bool, i64, Unread)> {
        let others = self
            .sessions
            .iter()
            .map(|(key, session)| (*key, (&session.nick, false)));
        let others = others.chain(self.ended.iter().map(|(key, nick)| (*key, (nick, true))));
        let conversations = others.filter_map(|(other, (nick, ended))| {
            let direct = |event: &&Event| {
                let between = [(me, Some(other)), (other, Some(me))];
                event.hears.contains(&me) && between.contains(&(event.by, event.with))
            };
            let last = self.log.iter().rfind(direct)?.id;
            let wrote = self.log.iter().filter(direct).any(|event| event.by == me);
            let read = self.sessions[&me].read.get(&other).copied().unwrap_or(0);
            let unread = self.unread_from(me, other, read);
            Some((
                (wrote, unread.0 > 0, last),
                (nick.clone(), ended, read, unread),
            ))
        });
        conversations
            .collect::<BTreeMap<_, _>>()
            .into_values()
            .rev()
            .collect()
    }

    /// The sessions that are told of a session's nick changes and end: those that share a channel
    /// with it, and those that it has written to, unless it silences them.
    pub fn acquainted(&self, key: Key) -> BTreeSet<Key> {
        let written = self
            .log
            .iter()
            .filter(|event| event.by == key)
            .filter_map(|event| event.with);
        let contacts = written
            .filter(|other| self.sessions.contains_key(other) && !self.silences(key, *other));
        self.everyone(key).into_iter().chain(contacts).collect()
    }

    /// The sessions that see what a session does: itself, and all that share a channel with it.
    pub fn everyone(&self, key: Key) -> BTreeSet<Key> {
        let shared = self
            .channels
            .values()
            .filter(|channel| channel.members.contains_key(&key));
        shared
            .flat_map(|channel| channel.members.keys().copied())
            .chain([key])
            .collect()
    }

    pub fn happens<P: Into<String>>(
        &mut self,
        key: Key,
        command: &'static str,
        params: impl IntoIterator<Item = P>,
        hears: BTreeSet<Key>,
    ) {
        let source = self.sessions[&key].nick.clone();
        let params = params.into_iter().map(P::into).collect();
        self.fresh.push(Event {
            id: 0,
            source,
            command,
            params,
            by: key,
            hears,
            with: None,
            consequence: false,
            label: None,
        });
    }

    /// Gives the events of the last step the ids that the server told.
    pub fn number(&mut self, ids: &[i64], label: Option<(usize, String)>) {
        let mut ids = ids.iter();
        for event in self.fresh.drain(..) {
            // The QUIT of a session has no label.
            let label = label
                .clone()
                .filter(|_| event.command != "QUIT" && !event.consequence);
            self.head = if event.consequence {
                self.head + 1
            } else {
                *ids.next().unwrap()
            };
            self.log.push(Event {
                id: self.head,
                label,
                ..event
            });
        }
    }

    /// The number of events of the last step whose ids are in its answer.
    pub fn answered(&self) -> usize {
        self.fresh.iter().filter(|event| !event.consequence).count()
    }
}
