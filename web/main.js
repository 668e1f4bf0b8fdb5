// Starts the chat: its parts, its delivery, and what an event sets off.

import { get } from "./api.js"
import * as chat from "./chat.js"
import "./browse.js"
import { attentive } from "./messages.js"
import "./composer.js"
import "./frame.js"
import { deliver, handled } from "./delivery.js"
import { $, setText } from "./dom.js"
import { countable, model, SERVER } from "./model.js"
import { notify } from "./notices.js"
import { kickReason } from "./words.js"

const STATES = { connected: "Connected", reconnecting: "Reconnecting…", offline: "You are offline" }

const { signal } = chat
let queue = Promise.resolve()

export function start(snapshot) {
	$(".chat").hidden = false
	chat.begin(snapshot)
	deliver(snapshot.acknowledged, onMessage, onState)
}

// One after the other, even where one has to wait for a snapshot, however long.
function onMessage(event) {
	queue = queue.then(() => signal.aborted || handle(event)).catch(console.error).then(() => handled(event.id ?? 0))
}

function onState(state) {
	setText($("#connection"), STATES[state])
	$("#connection").dataset.state = state
	chat.setConnected(state === "connected")
	if (state !== "connected") return
	loadEverything().then(() => {
		if (model.directs().every(({ loaded }) => loaded)) model.fileEarlier()
		chat.changed()
	})
}

const loadEverything = () => chat.loadAll([...model.views.values()])

async function handle(event) {
	const { id, source, command, params } = event
	if (command === "WARN") return gap(params)
	const live = id > model.cursor
	const mine = model.isMe(source)
	const joined = live && mine && command === "JOIN"
	if (joined && !model.channel(params[0])) {
		if (!model.adoptChannel(await snapshot(), params[0])) return
		chat.loadAll([model.view(params[0])])
	}
	chat.arrived(event)
	for (const view of model.receive(event)) {
		view.add(event)
		if (view !== chat.view) view.trim()
		else if (countable(event)) markNew(view, mine)
		if (live && countable(event)) notify(event, view)
	}
	if (joined) chat.joined(model.channel(params[0]))
	goneHome()
	if (live) aside(event)
}

function aside({ source, command, params }) {
	if (source === SERVER && command === "NOTICE") {
		if (chat.view.kind !== "server") chat.line(params[1], { kind: "server" })
		// It may tell of a change to the session that has no event of its own.
		chat.refreshSession()
	} else if (command === "INVITE") {
		const run = () => chat.join(params[1]).catch(chat.explain)
		say(`${source} invites you to ${params[1]}. `, { name: "Join", run })
	} else if (command === "KICK" && model.isMe(params[1])) {
		say(`You were removed from ${params[0]} by ${source}${kickReason(source, params[2])}`)
	}
}

function say(text, action) {
	for (const view of new Set([model.server, chat.view])) chat.line(text, { kind: "server", action }, view)
}

// The "New" line, for whoever is not looking now.
function markNew(view, mine) {
	if (mine) view.newFrom = null
	else if (!attentive()) view.newFrom ??= view.read
}

async function gap([, , , last]) {
	model.adopt(await snapshot())
	for (const view of [...model.views.values(), model.server]) {
		if (view.kind === "direct") view.loaded = false
		view.addLocal({ id: Number(last), kind: "gap", text: "Some messages were removed before this device could receive them." })
	}
	goneHome()
	loadEverything()
}

// The view on the screen may just have been left, here or on another device.
function goneHome() {
	const { kind, name } = chat.view
	if (kind === "channel" && model.view(name) !== chat.view) chat.open(model.view(name) ?? chat.home())
	chat.changed()
}

// Without it the state would be wrong, so it is asked for until it comes.
const snapshot = () => get("/session", Infinity)
