// The session as this page knows it: snapshot plus events. No DOM, no requests.

import { parseModes } from "./modes.js";
import { fold, isChannel, same } from "./text.js";
import { Timeline } from "./timeline.js";

export const SERVER = "rejoin.server";

/** One thing to look at: a "channel", a "direct" message, the "server", the list to "browse". */
function newView(kind, name) {
	return {
		kind,
		name,
		timeline: new Timeline(),
		/** The session's read mark, shared by its devices. */
		read: 0,
		/** The "New" line stands after this id, if any. */
		newFrom: null,
		/** Own messages whose event has not come back yet. */
		pending: [],
		draft: "",
		/** Whether the latest history is in the timeline. */
		loaded: false,
	};
}

export class Model {
	/** Channels and direct messages by folded name. */
	views = new Map();
	server = newView("server", "Server");
	browse = newView("browse", "Join a channel");

	get nick() {
		return this.session.nick;
	}

	isMe(nick) {
		return same(nick, this.nick);
	}

	view(name) {
		return this.views.get(fold(name));
	}

	channels() {
		return this.#sorted("channel");
	}

	directs() {
		return this.#sorted("direct");
	}

	constructor() {
		// Nothing of these two is on the server.
		this.server.loaded = this.browse.loaded = true;
		this.server.timeline.more = false;
	}

	/** Takes over a snapshot. Events up to its cursor are shown from now on, not applied. */
	adopt(snapshot) {
		this.session = snapshot.session;
		this.cursor = snapshot.cursor;
		const there = new Set(snapshot.channels.map(({ name }) => fold(name)));
		for (const view of this.channels()) if (!there.has(fold(view.name))) this.close(view);
		for (const channel of snapshot.channels) this.adoptChannel(snapshot, channel.name);
		for (const { nick, read } of snapshot.directs) this.direct(nick).read = read;
	}

	/** Takes one channel from a snapshot; false if it is not in there. */
	adoptChannel(snapshot, name) {
		const channel = snapshot.channels.find((one) => same(one.name, name));
		if (!channel) return false;
		const view = this.view(name) ?? this.#put(newView("channel", channel.name));
		view.since = snapshot.cursor;
		view.topic = channel.topic;
		view.modes = new Set(channel.modes.split(" ")[0].slice(1));
		view.members = new Map(channel.members.map((member) => [fold(member.nick), member]));
		view.read = Math.max(view.read, channel.read);
		return true;
	}

	direct(nick) {
		return this.view(nick) ?? this.#put(newView("direct", nick));
	}

	close(view) {
		this.views.delete(fold(view.name));
	}

	/** Applies an event to the state and returns the views that show it. */
	receive(event) {
		const { id, source, command, params } = event;
		const [target = ""] = params;
		const channel = isChannel(target) && this.view(target);
		const applies = channel ? id > channel.since : id > this.cursor;
		switch (command) {
			case "PRIVMSG":
			case "NOTICE":
				return this.#conversation(event, channel);
			case "MARKREAD": {
				const view = this.view(target);
				if (view) view.read = Math.max(view.read, Number(params[1]));
				return [];
			}
			case "NICK":
				return this.#renamed(event, source, target);
			case "QUIT":
				return this.#withMember(event, source, (view) => view.members?.delete(fold(source)));
			case "AWAY":
				if (applies && this.isMe(source)) this.session.away = target;
				return this.#withMember(event, source, (view) => {
					const member = view.members?.get(fold(source));
					if (member) member.away = target !== "";
				}).filter((view) => view.kind === "direct");
			case "INVITE":
				return [this.server];
		}
		if (!channel) return isChannel(target) ? [] : [this.server];
		if (applies) this.#changeChannel(channel, event);
		return [channel];
	}

	#changeChannel(view, { source, command, params, time }) {
		switch (command) {
			case "JOIN":
				view.members.set(fold(source), { nick: source, op: false, voice: false, away: false });
				break;
			case "PART":
			case "KICK": {
				const gone = command === "PART" ? source : params[1];
				view.members.delete(fold(gone));
				if (this.isMe(gone)) this.close(view);
				break;
			}
			case "TOPIC":
				view.topic = params[1] ? { text: params[1], set_by: source, set_at: time } : null;
				break;
			case "MODE":
				for (const { sign, letter, argument } of parseModes(params.slice(1))) {
					const on = sign === "+";
					const member = view.members.get(fold(argument));
					if (letter === "o" && member) member.op = on;
					else if (letter === "v" && member) member.voice = on;
					else if (!"ovb".includes(letter)) view.modes[on ? "add" : "delete"](letter);
				}
		}
	}

	/** Where a message is shown: its channel, or the exchange with whoever the other one is. */
	#conversation(event, channel) {
		const { id, source, params: [target] } = event;
		if (source === SERVER) return [this.server];
		if (isChannel(target)) return channel ? [channel] : [];
		// Older than the snapshot, a message may carry a nick this session had before.
		const mine = this.isMe(source) || (!this.isMe(target) && !this.view(source) && this.view(target));
		const other = mine ? target : source;
		if (!this.view(other)) this.direct(other).read = id - 1;
		return [this.view(other)];
	}

	#renamed(event, from, to) {
		const shown = this.#withMember(event, from, (view) => {
			if (view.kind === "direct") {
				this.close(view);
				view.name = to;
				return this.#put(view);
			}
			const member = view.members.get(fold(from));
			view.members.delete(fold(from));
			view.members.set(fold(to), { ...member, nick: to });
		});
		if (event.id > this.cursor && this.isMe(from)) this.session.nick = to;
		return shown;
	}

	/** Changes every channel `nick` is on, and the exchange with it; returns those views. */
	#withMember({ id }, nick, change) {
		const views = [...this.views.values()].filter((view) => view.kind === "channel"
			? id > view.since && view.members.has(fold(nick))
			: id > this.cursor && same(view.name, nick));
		views.forEach(change);
		return views;
	}

	#put(view) {
		this.views.set(fold(view.name), view);
		return view;
	}

	#sorted(kind) {
		return [...this.views.values()].filter((view) => view.kind === kind)
			.sort((a, b) => a.name.localeCompare(b.name));
	}
}
