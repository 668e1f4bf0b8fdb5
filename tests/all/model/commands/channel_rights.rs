//! MODE, KICK, INVITE, SILENCE, AWAY and MARKREAD in the model.

use super::*;

impl Model {
    pub(super) fn mode(&mut self, me: Key, name: &str, changes: &[Change]) -> Answer {
        if !self.own(me, name)?.members[&me].op {
            return Err(Code::ChanopNeeded);
        }
        let (mut effects, mut refusals) = (Vec::new(), Vec::new());
        for change in changes {
            match self.change(&folded(name), change) {
                Ok(effect) => effects.extend(effect),
                Err(code) => refusals.push(code),
            }
        }
        if effects.is_empty() {
            return refusals.first().map_or(Ok(Vec::new()), |code| Err(*code));
        }
        let (mut letters, mut arguments, mut sign) = (String::new(), Vec::new(), None);
        for (on, letter, argument) in effects {
            if sign != Some(on) {
                letters.push(if on { '+' } else { '-' });
                sign = Some(on);
            }
            letters.push(letter);
            arguments.extend(argument);
        }
        let channel = &self.channels[&folded(name)];
        let (name, hears) = (channel.name.clone(), channel.hears());
        self.happens(
            me,
            "MODE",
            [name, letters].into_iter().chain(arguments),
            hears,
        );
        Ok(refusals
            .iter()
            .map(|code| code.numeric().unwrap_or("FAIL"))
            .collect())
    }

    /// Applies one change, and returns it as the event shows it. `None` if it changes nothing.
    pub(super) fn change(
        &mut self,
        name: &str,
        change: &Change,
    ) -> Result<Option<(bool, char, Option<String>)>, Code> {
        let (on, letter, argument) = change.written();
        let told = Some((on, letter, argument.clone()));
        if let Change::Op(n, _) | Change::Voice(n, _) = change {
            let key = self.find(nick(*n)).ok_or(Code::NoSuchNick)?;
            let nick = self.sessions[&key].nick.clone();
            let members = &mut self.channels.get_mut(name).unwrap().members;
            let ops = members.values().filter(|standing| standing.op).count();
            let standing = members.get_mut(&key).ok_or(Code::UserNotInChannel)?;
            if letter == 'o' && !on && standing.op && ops == 1 {
                return Err(Code::ChanopNeeded);
            }
            let is = if letter == 'o' {
                &mut standing.op
            } else {
                &mut standing.voice
            };
            return Ok((std::mem::replace(is, on) != on).then_some((on, letter, Some(nick))));
        }
        let holder = if let Change::Ban(n, _) = change {
            self.find(nick(*n))
        } else {
            None
        };
        let channel = self.channels.get_mut(name).unwrap();
        Ok(match change {
            Change::Flag(..) if on => channel.flags.insert(letter).then_some((on, letter, None)),
            Change::Flag(..) => channel.flags.remove(&letter).then_some((on, letter, None)),
            Change::Key(None) => channel
                .key
                .take()
                .map(|_| (on, letter, Some("*".to_owned()))),
            Change::Key(_) => {
                told.filter(|_| channel.key.replace(argument.clone().unwrap()) != argument)
            }
            Change::Limit(None) => channel.limit.take().map(|_| (on, letter, None)),
            Change::Limit(Some(n)) => {
                told.filter(|_| channel.limit.replace(u32::from(*n)) != Some(u32::from(*n)))
            }
            Change::Ban(n, true) => told.filter(|_| insert(&mut channel.bans, nick(*n), holder)),
            Change::Ban(n, false) => {
                told.filter(|_| channel.bans.remove(&folded(nick(*n))).is_some())
            }
            Change::Op(..) | Change::Voice(..) => unreachable!(),
        })
    }

    pub(super) fn kick(&mut self, me: Key, name: &str, nicks: &[&'static str]) -> Answer {
        if !self.own(me, name)?.members[&me].op {
            return Err(Code::ChanopNeeded);
        }
        let by = self.sessions[&me].nick.clone();
        let name = self.channels[&folded(name)].name.clone();
        self.each(nicks, |model, nick| {
            let victim = model.find(nick).ok_or(Code::NoSuchNick)?;
            // After a session has kicked every member, itself too, the channel is gone.
            let channel = model
                .channels
                .get(&folded(&name))
                .filter(|channel| channel.members.contains_key(&victim));
            let hears = channel.ok_or(Code::UserNotInChannel)?.hears();
            let nick = model.sessions[&victim].nick.clone();
            model.happens(me, "KICK", [&name, &nick, &by], hears);
            model.depart(&folded(&name), victim);
            Ok(Vec::new())
        })
    }

    pub(super) fn invite(&mut self, me: Key, nick: &str, name: &str) -> Answer {
        let guest = self.find(nick).ok_or(Code::NoSuchNick)?;
        let channel = self.own(me, name)?;
        if channel.flags.contains(&'i') && !channel.members[&me].op {
            return Err(Code::ChanopNeeded);
        }
        if channel.members.contains_key(&guest) {
            return Err(Code::UserOnChannel);
        }
        let name = channel.name.clone();
        let silenced = self.silences(guest, me);
        let invited = &mut self.channels.get_mut(&folded(&name)).unwrap().invited;
        // An invitation that its guest does not know of counts as none when another session
        // invites.
        if !invited
            .get(&guest)
            .is_some_and(|unknown| !unknown || silenced)
        {
            invited.insert(guest, silenced);
            let nick = self.sessions[&guest].nick.clone();
            let hears = if silenced { vec![me] } else { vec![me, guest] };
            self.happens(me, "INVITE", [nick, name], hears.into_iter().collect());
        }
        Ok(if self.sessions[&guest].away.is_some() {
            vec!["341", "301"]
        } else {
            vec!["341"]
        })
    }

    pub(super) fn silence(&mut self, me: Key, nick: &str, on: bool) -> Answer {
        let holder = self.find(nick);
        let silenced = &mut self.sessions.get_mut(&me).unwrap().silenced;
        let changed = if on {
            insert(silenced, nick, holder)
        } else {
            silenced.remove(&folded(nick)).is_some()
        };
        if changed {
            let sign = if on { '+' } else { '-' };
            self.happens(
                me,
                "SILENCE",
                [format!("{sign}{nick}!*@*")],
                BTreeSet::from([me]),
            );
        }
        Ok(Vec::new())
    }

    pub(super) fn away(&mut self, me: Key, text: Option<&str>) -> Vec<&'static str> {
        if self.sessions[&me].away.as_deref() != text {
            self.happens(me, "AWAY", text, self.everyone(me));
            self.sessions.get_mut(&me).unwrap().away = text.map(str::to_owned);
        }
        vec![if text.is_some() { "306" } else { "305" }]
    }

    pub(super) fn mark_read(&mut self, me: Key, target: &str, id: i64) -> Answer {
        if id > self.head {
            return Err(Code::InvalidCursor);
        }
        let (name, marks, mark) = if target.starts_with('#') {
            let channel = self.own(me, target)?;
            (channel.name.clone(), &mut channel.read, me)
        } else {
            let other = self.find(target).ok_or(Code::NoSuchNick)?;
            let name = self.sessions[&other].nick.clone();
            (name, &mut self.sessions.get_mut(&me).unwrap().read, other)
        };
        if id > marks.get(&mark).copied().unwrap_or(0) {
            marks.insert(mark, id);
            self.happens(me, "MARKREAD", [name, id.to_string()], BTreeSet::from([me]));
        }
        Ok(vec!["MARKREAD"])
    }

    /// A channel that the session is on.
    pub(super) fn own(&mut self, me: Key, name: &str) -> Result<&mut Channel, Code> {
        let channel = self
            .channels
            .get_mut(&folded(name))
            .ok_or(Code::NoSuchChannel)?;
        if channel.members.contains_key(&me) {
            Ok(channel)
        } else {
            Err(Code::NotOnChannel)
        }
    }
}
