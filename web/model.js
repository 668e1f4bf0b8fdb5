// The session as this page knows it: snapshot plus events. No DOM, no requests.

import { fold, isChannel, mentions, same } from "./text.js"
import { parseModes } from "./words.js"

export const countable = ({ local, command }) => !local && (command === "PRIVMSG" || command === "NOTICE")

export const SERVER = "rejoin.server"

// Beyond so many items, the older half goes until it is scrolled to.
const KEEP = 800

// A channel, an exchange, or a page of this client's own: what it shows, in order, each event once.
class View {
	items = []
	ids = new Set()
	// Whether the server has older ones, as far as is known.
	more = true
	loaded = false
	read = 0
	// Past this id is what came while nobody looked.
	newFrom = null
	draft = ""
	pending = []
	// Of what is unread.
	count = 0
	mention = false

	constructor(kind, name, more = {}) {
		Object.assign(this, { kind, name }, more)
	}

	get firstId() {
		return this.items.find((item) => !item.local)?.id
	}

	add(event) {
		if (this.ids.has(event.id) || (event.command === "AWAY" && this.kind === "channel")) return
		this.ids.add(event.id)
		this.#insert(event)
	}

	addLocal(line) {
		this.#insert({ local: true, id: this.items.at(-1)?.id ?? model.cursor, time: new Date().toISOString(), ...line })
	}

	trim() {
		if (this.items.length <= KEEP) return
		for (const { id } of this.items.splice(0, KEEP / 2)) this.ids.delete(id)
		this.more = true
		this.before = this.firstId
		this.place = null
	}

	#insert(item) {
		// A line of the page's own stands behind the event it has the id of.
		const at = this.items.findLastIndex(({ id }) => id < item.id || (item.local && id === item.id)) + 1
		this.items.splice(at, 0, item)
	}
}

const WHOLE = { loaded: true, more: false, since: 0 }

class Model {
	views = new Map()
	server = new View("server", "Server messages", WHOLE)
	browse = new View("browse", "Join a channel", WHOLE)
	// Direct messages from before the snapshot, until the history tells whose they are.
	earlier = []

	get all() {
		return [...this.views.values()]
	}

	get nick() {
		return this.session.nick
	}

	isMe(nick) {
		return same(nick, this.nick)
	}

	isMine({ mine, source }) {
		return mine ?? this.isMe(source)
	}

	isForMe(item, { kind }) {
		return !this.isMine(item) && (kind !== "channel" || mentions(item.params[1], this.nick))
	}

	show(event, view) {
		view.add(event)
		if (!countable(event) || this.isMine(event) || event.id <= Math.max(view.read, view.since ?? this.cursor)) return
		view.count += 1
		view.mention ||= this.isForMe(event, view)
	}

	readTo(view, id) {
		view.read = Math.max(view.read, id)
		const unread = view.items.filter((item) => item.id > view.read && countable(item) && !this.isMine(item))
		view.count = unread.length
		view.mention = unread.some((item) => this.isForMe(item, view))
	}

	view(name) {
		return this.views.get(fold(name))
	}

	channel(name) {
		const view = this.view(name)
		return view?.kind === "channel" ? view : undefined
	}

	channels() {
		return this.#sorted("channel")
	}

	directs() {
		return this.#sorted("direct")
	}

	adopt(snapshot) {
		this.session = snapshot.session
		this.cursor = snapshot.cursor
		for (const view of this.channels()) if (!snapshot.channels.some(({ name }) => same(name, view.name))) this.close(view)
		for (const { name } of snapshot.channels) this.adoptChannel(snapshot, name)
		for (const { nick, session, ended, ...read } of snapshot.directs)
			this.#adoptRead(Object.assign(ended ? this.#past(nick, session) : this.direct(nick), { session }), read)
	}

	adoptChannel({ channels, cursor }, name) {
		const found = channels.find((one) => same(one.name, name))
		if (!found) return false
		const { topic, modes, members } = found
		const view = this.channel(name) ?? this.#put(new View("channel", found.name))
		Object.assign(view, {
			topic,
			since: cursor,
			modes: new Set(modes.split(" ")[0].slice(1)),
			members: new Map(members.map((member) => [fold(member.nick), member])),
		})
		this.#adoptRead(view, found)
		return true
	}

	// One may have read further here than was told yet.
	#adoptRead(view, { read, unread }) {
		if (read < view.read) this.readTo(view, view.read)
		else Object.assign(view, { read }, unread)
		// A direct message is for the reader, whether or not it names them.
		if (view.kind === "direct") view.mention = view.count > 0
	}

	direct(nick) {
		return this.view(nick) ?? this.#put(new View("direct", nick))
	}

	byId(session) {
		return this.directs().find((view) => view.session === session)
	}

	#past(nick, session) {
		let name = nick
		do name += " (left)"; while (this.view(name))
		return this.byId(session) ?? this.#put(new View("direct", name))
	}

	close(view) {
		this.views.delete(fold(view.name))
	}

	// Takes an event in; gives back the views that show it.
	receive(event) {
		const { id, source, command, params } = event
		const [target = ""] = params
		if (id > this.cursor) event.mine = this.isMe(source)
		const channel = isChannel(target) && this.view(target)
		const applies = id > (channel ? channel.since : this.cursor)
		switch (command) {
			case "PRIVMSG":
			case "NOTICE":
				return this.#conversation(event, channel)
			case "NICK":
				return this.#renamed(event, source, target)
			case "QUIT":
				return this.#withMember(event, source, (view) => {
					if (view.kind === "direct") this.#setAside(view)
					else view.members.delete(fold(source))
				})
			case "AWAY":
				if (applies && this.isMe(source)) this.session.away = target
				return this.#withMember(event, source, (view) => {
					const member = view.members?.get(fold(source))
					if (member) member.away = target !== ""
				}).filter((view) => view.kind === "direct")
			case "INVITE":
				return []
		}
		if (!channel) return isChannel(target) ? [] : [this.server]
		if (applies) this.#changeChannel(channel, event)
		return [channel]
	}

	#changeChannel(view, { source, command, params, time }) {
		switch (command) {
			case "JOIN":
				view.members.set(fold(source), { nick: source, op: false, voice: false, away: false })
				break
			case "PART":
			case "KICK": {
				const gone = command === "PART" ? source : params[1]
				view.members.delete(fold(gone))
				if (this.isMe(gone)) this.close(view)
				break
			}
			case "TOPIC":
				view.topic = params[1] ? { text: params[1], set_by: source, set_at: time } : null
				break
			case "MODE":
				for (const { sign, letter, argument } of parseModes(params.slice(1))) {
					const on = sign === "+"
					const member = view.members.get(fold(argument))
					if (letter === "o" && member) member.op = on
					else if (letter === "v" && member) member.voice = on
					else if (!"ovb".includes(letter)) view.modes[on ? "add" : "delete"](letter)
				}
		}
	}

	#conversation(event, channel) {
		const { id, source, params: [target] } = event
		if (source === SERVER) return [this.server]
		if (isChannel(target)) return channel ? [channel] : []
		if (id <= this.cursor) {
			// Its nicks are those of its time: by now they may be other people's.
			this.earlier.push(event)
			return []
		}
		const other = this.isMe(source) ? target : source
		if (!this.view(other)) this.direct(other).read = id - 1
		return [this.view(other)]
	}

	// What is in no history was exchanged with somebody who has left.
	fileEarlier() {
		const directs = this.directs()
		for (const event of this.earlier.splice(0)) {
			if (directs.some(({ ids }) => ids.has(event.id))) continue
			const name = `${this.isMine(event) ? event.params[0] : event.source} (left)`
			const view = this.view(name) ?? this.#put(new View("direct", name, { ...WHOLE, read: event.id - 1 }))
			this.show(event, view)
		}
	}

	#renamed(event, from, to) {
		const { id } = event
		const before = !same(from, to) && this.view(to)
		if (before && id > this.cursor) this.#setAside(before)
		const shown = this.#withMember(event, from, (view) => {
			if (view.kind === "direct") {
				this.close(view)
				view.name = to
				return this.#put(view)
			}
			const member = view.members.get(fold(from))
			view.members.delete(fold(from))
			view.members.set(fold(to), { ...member, nick: to })
		})
		if (id > this.cursor && this.isMe(from)) this.session.nick = to
		return shown
	}

	// A conversation with nobody: its nick is somebody else's, or may soon be.
	#setAside(view) {
		this.close(view)
		do view.name += " (left)"; while (this.view(view.name))
		this.#put(Object.assign(view, WHOLE))
	}

	#withMember({ id }, nick, change) {
		const views = this.all.filter((view) => view.kind === "channel"
			? id > view.since && view.members.has(fold(nick))
			: id > this.cursor && same(view.name, nick))
		views.forEach(change)
		return views
	}

	#put(view) {
		this.views.set(fold(view.name), view)
		return view
	}

	#sorted(kind) {
		return this.all.filter((view) => view.kind === kind)
			.sort((a, b) => a.name.localeCompare(b.name))
	}
}

export const model = new Model()
