// Starts the chat: its parts, its delivery, and what an event sets off.

import { get } from "./api.js"
import * as chat from "./chat.js"
import "./browse.js"
import { attentive } from "./messages.js"
import "./composer.js"
import "./frame.js"
import { deliver, handled } from "./delivery.js"
import { $, looking, setText } from "./dom.js"
import { countable, model, SERVER } from "./model.js"
import { notify } from "./notices.js"
import { plain } from "./text.js"
import { kickReason } from "./words.js"

const STATES = { connected: "Connected", reconnecting: "Reconnecting…", offline: "You are offline" }

let queue = Promise.resolve()
let filing = null
let newest = 0

export function start(snapshot) {
	$(".chat").hidden = false
	chat.parts.push({ draw: acknowledge })
	chat.begin(snapshot)
	deliver(snapshot.acknowledged, onMessage, onState)
}

// One after the other, however long one waits for a snapshot.
function onMessage(event) {
	queue = queue.then(() => handle(event)).catch(console.error).then(() => {
		newest = event.id ?? newest
		acknowledge()
	})
}

// What the server told and nobody saw is to come again after a reload.
function acknowledge() {
	const unseen = model.server.items.find((item) => countable(item) && item.id > model.server.read)
	handled(unseen ? unseen.id - 1 : newest)
}

function onState(state) {
	setText($("#connection span"), STATES[state])
	$("#connection").title = STATES[state]
	$("#connection").dataset.state = state
	chat.setConnected(state === "connected")
	if (state !== "connected") return
	chat.loadAll([chat.view])
	fileEarlier()
}

// Whose the direct messages from before the snapshot are, the histories tell.
function fileEarlier() {
	if (!model.earlier.length) return
	filing ??= chat.loadAll(model.directs()).then(() => {
		filing = null
		if (model.directs().every(({ loaded }) => loaded)) model.fileEarlier()
		chat.changed()
	})
}

async function handle(event) {
	const { id, source, command, params } = event
	if (command === "WARN") return gap(params)
	const live = id > model.cursor
	const mine = model.isMe(source)
	const joined = live && mine && command === "JOIN"
	if (joined && !model.channel(params[0]) && !model.adoptChannel(await snapshot(), params[0])) return
	chat.arrived(event)
	for (const view of model.receive(event)) {
		model.show(event, view)
		if (view !== chat.view) view.trim()
		else if (countable(event)) markNew(view, mine)
		if (live && countable(event)) tell(event, view)
	}
	fileEarlier()
	if (joined) chat.joined(model.channel(params[0]))
	goneHome()
	if (command === "NOTICE" && source === SERVER) serverSays(event)
	else if (live) aside(event)
}

function tell(event, view) {
	notify(event, view)
	if (view === chat.view && !model.isMine(event)) chat.speak(`${event.source}: ${plain(event.params[1])}`)
}

function serverSays({ id, params }) {
	if (chat.view.kind !== "server") {
		chat.line(params[1], { kind: "server" })
		if (looking()) model.readTo(model.server, id)
	}
	// Such a change of the session has no other event.
	chat.refreshSession()
	$("#devices")?.dispatchEvent(new Event("told"))
}

function aside({ source, command, params }) {
	if (command === "INVITE") {
		const run = () => chat.join(params[1]).catch(chat.explain)
		say(`${source} invites you to ${params[1]}. `, { name: "Join", run })
	} else if (command === "KICK" && model.isMe(params[1])) {
		say(`You were removed from ${params[0]} by ${source}${kickReason(source, params[2])}`)
	}
}

function say(text, action) {
	for (const view of new Set([model.server, chat.view])) chat.line(text, { kind: "server", action }, view)
}

// The "New" line, before the first that came while nobody looked.
function markNew(view, mine) {
	if (mine) view.newFrom = null
	else if (view.count === 1 && !attentive()) view.newFrom = view.read
}

async function gap([, , , last]) {
	model.adopt(await snapshot())
	for (const view of [...model.views.values(), model.server]) {
		if (view.kind === "direct") view.loaded = false
		view.addLocal({ id: Number(last), kind: "gap", text: "Some messages were removed before this device could receive them." })
	}
	goneHome()
	chat.loadAll([chat.view])
}

// The view on the screen may just have been left, here or on another device.
function goneHome() {
	const { kind, name } = chat.view
	if (kind === "channel" && model.view(name) !== chat.view) chat.open(model.view(name) ?? chat.home())
	chat.changed()
}

// Without it the state would be wrong, so it is asked for until it comes.
const snapshot = () => get("/session", Infinity)
