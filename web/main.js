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
import * as unsent from "./unsent.js"
import { plain } from "./text.js"
import { kickReason } from "./words.js"

const STATES = { connected: "Connected", reconnecting: "Reconnecting…", offline: "You are offline" }

// So many events at most.
const HELD = 5_000

let queue = Promise.resolve()
let filing = null
let newest = 0

export function start(snapshot) {
	$(".chat").hidden = false
	chat.parts.push({ draw: acknowledge })
	chat.begin(snapshot)
	unsent.restore()
	chat.open(chat.first())
	deliver(snapshot.acknowledged, onMessage, onState)
}

// One after the other, however long one waits for a snapshot.
function onMessage(event) {
	queue = queue.then(() => handle(event)).catch(console.error).then(() => {
		newest = event.id ?? newest
		acknowledge()
		chat.settle()
	})
}

// What the server told, or somebody who may leave, comes again after a reload until it is seen.
function acknowledge() {
	const unseen = [model.server, ...model.directs()].flatMap(({ items, read }) =>
		items.find((item) => item.id > read && countable(item) && !model.isMine(item))?.id ?? [])
	handled(Math.max(Math.min(newest, ...unseen.map((id) => id - 1)), newest - HELD))
}

function onState(state) {
	const shown = $("#connection")
	shown.dataset.state = state
	shown.title = STATES[state]
	setText($("span", shown), STATES[state])
	chat.setConnected(state === "connected")
	if (state !== "connected") return
	unsent.resume()
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
	if (command === "MARKREAD") return void markRead(model.view(params[0]), Number(params[1]))
	const live = id > model.cursor
	const mine = model.isMe(source)
	const joined = live && mine && command === "JOIN"
	if (joined && !model.channel(params[0]) && !model.adoptChannel(await snapshot(), params[0])) return
	unsent.arrived(event)
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
	else aside(event)
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
	if (command === "INVITE" && model.isMe(params[0])) {
		const run = () => chat.join(params[1]).catch(chat.explain)
		chat.say(`${source} invites you to ${params[1]}. `, { name: "Join", run })
	} else if (command === "KICK" && model.isMe(params[1])) {
		chat.say(`You were removed from ${params[0]} by ${source}${kickReason(source, params[2])}`)
	}
}

// The "New" line, before the first that came while nobody looked.
function markNew(view, mine) {
	if (mine) view.newFrom = null
	else if (view.count === 1 && !attentive()) view.newFrom = view.read
}

// Of what is not loaded, only the history tells how much is behind a mark that another device made.
async function markRead(view, id) {
	if (!view || id <= view.read) return
	if (!view.loaded) await chat.load(view)
	model.readTo(view, id)
	chat.changed()
}

async function gap([, , , last]) {
	model.adopt(await snapshot())
	for (const view of [...model.all, model.server]) {
		if (view.kind === "direct") view.loaded = false
		view.addLocal({ id: Number(last), kind: "gap", text: "Some messages were removed before this device could receive them." })
	}
	goneHome()
	chat.loadAll([chat.view])
}

// The view on the screen may just have been left. Who was writing there goes on writing to nobody.
function goneHome() {
	const { kind, name } = chat.view
	if (kind === "channel" && model.view(name) !== chat.view) chat.open(model.view(name) ?? (chat.view.draft ? model.browse : chat.home()))
	chat.changed()
}

// Without it the state would be wrong, so it is asked for until it comes.
const snapshot = () => get("/session", Infinity)
