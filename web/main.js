// Starts the chat: its parts, its delivery, and what an event sets off.

import { get } from "./api.js"
import * as chat from "./chat.js"
import "./browse.js"
import { attentive } from "./messages.js"
import "./composer.js"
import "./frame.js"
import { deliver, handled } from "./delivery.js"
import { $, changesPassword, looking, openPanel, setText } from "./dom.js"
import { countable, model, SERVER } from "./model.js"
import { notify } from "./notices.js"
import * as unsent from "./unsent.js"
import { plain } from "./text.js"
import { kickReason } from "./words.js"

const STATES = { connected: "Connected", reconnecting: "Reconnecting…", offline: "You are offline" }

// At most so far back in the log.
const HELD = 5_000

let queue = Promise.resolve()
let filing = null
let newest = 0
// What was told up to there is not told again after a reload.
let told = Number(sessionStorage.getItem("told"))

export function start(snapshot) {
	$(".chat").hidden = false
	chat.parts.push({ draw: acknowledge })
	chat.begin(snapshot)
	model.server.read = told
	unsent.restore()
	// The address is the view's, once there is one.
	const changing = changesPassword()
	chat.open(chat.first())
	if (changing) openPanel("password").catch(chat.explain)
	deliver(snapshot.acknowledged, onMessage, onState)
}

// One after the other, however long one waits for a snapshot.
function onMessage(event) {
	queue = queue.then(() => handle(event)).catch(console.error).then(() => {
		newest = event.id ?? newest
		acknowledge()
		chat.loadAll([chat.view])
	})
}

// What the server told, or somebody who may leave, comes again after a reload until it is seen.
function acknowledge() {
	const unseen = [model.server, ...model.directs()].flatMap(({ items, read }) =>
		items.find((item) => item.id > read && countable(item) && !model.isMine(item))?.id ?? [])
	const held = [...unseen, ...model.earlier.map(({ id }) => id)]
	handled(Math.max(Math.min(newest, ...held.map((id) => id - 1)), newest - HELD))
}

function onState(state) {
	const shown = $("#connection")
	shown.dataset.state = state
	shown.title = STATES[state]
	setText($("span", shown), STATES[state])
	chat.setConnected(state === "connected")
	if (state !== "connected") return
	unsent.resume()
	// Who wrote and was not read yet may leave, and then there is no history.
	chat.loadAll([chat.view, ...model.directs().filter(({ count }) => count)])
	fileEarlier()
}

// Whose the direct messages from before the snapshot are, the histories tell.
function fileEarlier() {
	const [first] = model.earlier
	if (first) filing ??= loadBack(first.id).then(() => {
		filing = null
		model.fileEarlier()
		chat.changed()
	})
}

async function loadBack(id) {
	for (const view of model.directs()) while (view.more && !(view.before <= id)) await chat.load(view)
}

async function handle(event) {
	const { id, source, command, params } = event
	if (command === "WARN") return gap(params)
	const [of, mark, ended] = params
	if (command === "MARKREAD") return void markRead(ended ? model.byId(Number(ended)) : model.view(of), Number(mark))
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
	if (id > told && aside(event) && looking()) sessionStorage.setItem("told", told = id)
}

function tell(event, view) {
	notify(event, view)
	if (view === chat.view && !model.isMine(event)) chat.speak(`${event.source}: ${plain(event.params[1])}`)
}

// What is told beside the conversations; whether it was.
function aside({ id, time, source, command, params }) {
	const [whom, what, why] = params
	if (command === "NOTICE" && source === SERVER) {
		if (chat.view.kind !== "server") chat.line(what, { kind: "server", time })
		if (looking()) model.readTo(model.server, id)
		chat.refreshSession()
		$("#devices")?.dispatchEvent(new Event("told"))
	} else if (command === "INVITE" && model.isMe(whom)) {
		const action = { name: "Join", run: () => chat.join(what).catch(chat.explain) }
		chat.say(`${source} invites you to ${what}. `, { time, action })
	} else if (command === "KICK" && model.isMe(what)) {
		chat.say(`You were removed from ${whom} by ${source}${kickReason(source, why)}`, { time })
	} else return false
	return true
}

// The "New" line, before the first that came while nobody looked.
function markNew(view, mine) {
	if (mine && attentive()) view.newFrom = null
	else if (!mine && view.count === 1 && !attentive()) view.newFrom = view.read
}

// How much is behind another device's mark, only the history tells.
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
