// The session as this page knows it: snapshot plus events. No DOM, no requests.

import { parseModes } from "./modes.js";
import { fold, isChannel, same } from "./text.js";
import { Timeline } from "./timeline.js";

export const SERVER = "rejoin.server";

function newView(kind, name) {
	return {
		kind,
		name,
		timeline: new Timeline(),
		read: 0,
		newFrom: null,
		pending: [],
		draft: "",
		/** Lines of this page's own that nobody has seen. */
		missed: 0,
		loaded: false,
	};
}

export class Model {
	views = new Map();
	server = newView("server", "Server");
	browse = newView("browse", "Join a channel");
	/** Direct messages from before the snapshot, until the history tells whose they are. */
	#earlier = [];
	/** Nicks this session had, by folded name: the id of the event that changed it. */
	#former = new Map();

	get nick() {
		return this.session.nick;
	}

	isMe(nick) {
		return same(nick, this.nick);
	}

	/** Whether an event is by this session, under whichever nick it had then. */
	isMine({ id, source }) {
		return this.isMe(source) || id < this.#former.get(fold(source));
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
		this.server.loaded = this.browse.loaded = true;
		this.server.timeline.more = false;
	}

	adopt(snapshot) {
		this.session = snapshot.session;
		this.cursor = snapshot.cursor;
		const there = new Set(snapshot.channels.map(({ name }) => fold(name)));
		for (const view of this.channels()) if (!there.has(fold(view.name))) this.close(view);
		for (const channel of snapshot.channels) this.adoptChannel(snapshot, channel.name);
		for (const { nick, read } of snapshot.directs) this.direct(nick).read = read;
	}

	adoptChannel(snapshot, name) {
		const channel = snapshot.channels.find((one) => same(one.name, name));
		if (!channel) return false;
		const known = this.view(name);
		const view = known?.kind === "channel" ? known : this.#put(newView("channel", channel.name));
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
				return applies ? [] : [this.server];
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

	#conversation(event, channel) {
		const { id, source, params: [target] } = event;
		if (source === SERVER) return [this.server];
		if (isChannel(target)) return channel ? [channel] : [];
		if (id <= this.cursor) {
			// Its nicks are those of its time: by now they may be other people's.
			this.#earlier.push(event);
			return [];
		}
		const other = this.isMe(source) ? target : source;
		if (!this.view(other)) this.direct(other).read = id - 1;
		return [this.view(other)];
	}

	/** Once all histories are loaded: what is in none of them was exchanged with somebody who has left. */
	fileEarlier() {
		const directs = this.directs();
		for (const event of this.#earlier.splice(0)) {
			const known = directs.some(({ timeline: { ids, more, firstId } }) => ids.has(event.id) || (more && event.id < firstId));
			if (known) continue;
			const name = `${this.isMine(event) ? event.params[0] : event.source} (left)`;
			if (!this.view(name)) this.#left(newView("direct", name)).read = event.id - 1;
			this.view(name).timeline.add(event);
		}
	}

	/** Keeps a conversation with nobody: its nick is free, or somebody else's. */
	#left(view) {
		view.loaded = true;
		view.timeline.more = false;
		return this.#put(view);
	}

	#renamed(event, from, to) {
		const before = !same(from, to) && this.view(to);
		if (before && event.id > this.cursor) {
			this.close(before);
			do before.name += " (left)"; while (this.view(before.name));
			this.#left(before);
		}
		if (this.isMe(from) || this.isMe(to)) this.#former.set(fold(from), event.id);
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
