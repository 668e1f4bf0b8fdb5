// @ts-check
// What an event changes in the session as this page knows it.

import { fold, isChannel, same } from "./names.js";
import { parseModes } from "./modes.js";
import { SERVER } from "./session-state.js";

/** @import { Conversation } from "./conversation.js" */
/** @import { SessionState } from "./session-state.js" */
/** @import { ChatEvent, Member } from "./types.js" */

/**
 * Applies an event, and returns the conversations that show it.
 * @param {SessionState} session
 * @param {ChatEvent} event
 * @returns {Conversation[]}
 */
export function applyEvent(session, event) {
  const { id, source, command, params } = event;
  const [target = ""] = params;
  if (id > session.cursor) {
    event.mine = session.isMe(source);
  }
  switch (command) {
    case "PRIVMSG":
    case "NOTICE":
      return receiveMessage(session, event);
    case "NICK":
      return rename(session, event, source, target);
    case "QUIT":
      return quit(session, event);
    case "AWAY":
      return setAway(session, event);
    case "INVITE":
      return [];
  }
  if (!isChannel(target)) {
    return [session.server];
  }
  const channel = session.channel(target);
  if (!channel) {
    return [];
  }
  if (id > (channel.since ?? 0)) {
    changeChannel(session, channel, event);
  }
  return [channel];
}

/**
 * @param {SessionState} session
 * @param {ChatEvent} event
 * @returns {Conversation[]}
 */
function receiveMessage(session, event) {
  const { id, source, params } = event;
  const [target] = params;
  if (source === SERVER) {
    return [session.server];
  }
  if (isChannel(target)) {
    const channel = session.channel(target);
    return channel ? [channel] : [];
  }
  if (id <= session.cursor) {
    // Its nicks are from the time of the event. They may belong to other sessions now.
    session.earlier.push(event);
    return [];
  }
  const other = session.isMe(source) ? target : source;
  const known = session.find(other);
  const direct = known ?? session.direct(other);
  if (!known) {
    direct.read = id - 1;
  }
  return [direct];
}

/**
 * @param {SessionState} session
 * @param {ChatEvent} event
 * @param {string} from
 * @param {string} to
 */
function rename(session, event, from, to) {
  const { id } = event;
  const before = same(from, to) ? undefined : session.find(to);
  if (before && id > session.cursor) {
    session.setAside(before);
  }
  const shown = session.involving(id, from);
  for (const conversation of shown) {
    if (conversation.members) {
      renameMember(conversation.members, from, to);
    } else {
      session.close(conversation);
      conversation.name = to;
      session.put(conversation);
    }
  }
  if (id > session.cursor && session.isMe(from)) {
    session.nick = to;
  }
  return shown;
}

/**
 * @param {SessionState} session
 * @param {ChatEvent} event
 */
function quit(session, { id, source }) {
  const shown = session.involving(id, source);
  for (const conversation of shown) {
    if (conversation.members) {
      conversation.members.delete(fold(source));
    } else {
      session.setAside(conversation);
    }
  }
  return shown;
}

/**
 * @param {SessionState} session
 * @param {ChatEvent} event
 */
function setAway(session, { id, source, params: [text = ""] }) {
  if (id > session.cursor && session.isMe(source)) {
    session.away = text;
  }
  const involved = session.involving(id, source);
  for (const { members } of involved) {
    const member = members?.get(fold(source));
    if (member) {
      member.away = text !== "";
    }
  }
  return involved.filter(({ kind }) => kind === "direct");
}

/**
 * @param {SessionState} session
 * @param {Conversation} channel
 * @param {ChatEvent} event
 */
function changeChannel(session, channel, { source, command, params, time }) {
  const members = channel.members ?? new Map();
  switch (command) {
    case "JOIN":
      members.set(fold(source), {
        nick: source,
        op: false,
        voice: false,
        away: false,
      });
      break;
    case "PART":
    case "KICK": {
      const nick = command === "PART" ? source : params[1];
      members.delete(fold(nick));
      if (session.isMe(nick)) {
        session.close(channel);
      }
      break;
    }
    case "TOPIC":
      channel.topic = params[1]
        ? { text: params[1], set_by: source, set_at: time }
        : null;
      break;
    case "MODE":
      changeModes(channel.modes, members, params.slice(1));
  }
}

/**
 * @param {Map<string, Member>} members
 * @param {string} from
 * @param {string} to
 */
function renameMember(members, from, to) {
  const member = members.get(fold(from));
  members.delete(fold(from));
  if (member) {
    members.set(fold(to), { ...member, nick: to });
  }
}

/**
 * @param {Set<string>} modes
 * @param {Map<string, Member>} members
 * @param {string[]} params
 */
function changeModes(modes, members, params) {
  for (const { sign, letter, argument } of parseModes(params)) {
    const on = sign === "+";
    const member = members.get(fold(argument));
    if (letter === "o" && member) {
      member.op = on;
    } else if (letter === "v" && member) {
      member.voice = on;
    } else if (!"ovb".includes(letter)) {
      if (on) {
        modes.add(letter);
      } else {
        modes.delete(letter);
      }
    }
  }
}
