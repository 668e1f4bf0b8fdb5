// The chat's state and what one does with it. The page's parts join in `parts`.

import { command, get, hooks, randomLabel } from "./api.js"
import { $, setText } from "./dom.js"
import { model } from "./model.js"
import { isNick, sentence } from "./text.js"
import { replyLines } from "./words.js"

const DRAW_EVERY = 40
const PAGE = 100
// Of more at once, only the number is read out.
const SPOKEN = 3
const BREATH = 400
const SETTLE = 1_000

export let view = null
// Each may have `show(view)`, `opened()` and `draw()`.
export const parts = []

let timer = null
// The channel to open when our JOIN comes.
let wanted = ""
export let client = null
let connected = false
// Whether what came meanwhile is still coming in.
export let behind = false
let settling = null
// Where the log stood at the last connection.
let head = 0
export let over = false

hooks.signedOut = ({ reason }) => signedOut(reason)
addEventListener("hashchange", () => open(addressed() ?? view))

export function begin(snapshot) {
	client = snapshot.client.id
	model.adopt(snapshot)
}

export function first() {
	const other = new URLSearchParams(location.search).get("with") ?? ""
	return addressed() ?? (isNick(other) ? model.direct(other) : home())
}

export function signedOut(reason) {
	if (over) return
	over = true
	sessionStorage.clear()
	// In the entry of the history: a logout tells the browser to clear the storage, at a moment of its own.
	history.replaceState({ reason, nick: model.nick }, "", location.pathname)
	location.reload()
}

export function open(next) {
	const previous = view
	if (next !== previous) {
		if (previous) previous.newFrom = null
		view = next
		wanted = ""
		markNew(next)
		if (!next.loaded) load(next).then(() => markNew(next))
		parts.forEach((part) => part.show?.(next))
		draw()
	}
	parts.forEach((part) => part.opened?.())
}

function markNew(opened) {
	opened.newFrom = opened.count ? opened.read : null
	changed()
}

export const home = () => model.channels()[0] ?? model.browse

const addressed = () => model.channels().find(({ name }) => new URL(name, location).hash === location.hash)

export const canTalk = ({ kind }) => kind === "channel" || kind === "direct"

export function changed() {
	if (over) return
	timer ??= setTimeout(draw, DRAW_EVERY)
}

function draw() {
	clearTimeout(timer)
	timer = null
	parts.forEach((part) => part.draw?.())
}

export const complain = (text) => setText($("#error"), text)
export const explain = ({ message }) => complain(message)

const unspoken = []

// For whoever hears the page rather than sees it.
export function speak(text) {
	if (unspoken.push(text) > 1) return
	setTimeout(() => {
		const texts = unspoken.splice(0)
		$("#spoken").replaceChildren(texts.length > SPOKEN ? `${texts.length} new messages` : texts.join("\n"))
	}, BREATH)
}

export function setConnected(now) {
	connected = now
	behind ||= !now
	clearTimeout(settling)
	settle()
}

// A while after the last that was missed.
export function settle(id = 0) {
	if (!connected || !behind || id > head) return
	clearTimeout(settling)
	settling = setTimeout(() => {
		behind = false
		changed()
	}, SETTLE)
}

// Never speaks as somebody else: meanwhile the browser may have got another session.
export async function check() {
	const snapshot = await get("/session", 1)
	head = snapshot.cursor
	if (snapshot.client.id === client) return
	over = true
	sessionStorage.clear()
	location.reload()
	await new Promise(() => {})
}

export async function send(verb, params, label = randomLabel()) {
	if (!connected) await check()
	try {
		return await command(verb, params, label)
	} catch (error) {
		if (error.code) error.message = sentence(error.message)
		throw error
	}
}

let last = {}

export async function run(verb, params) {
	const here = view
	// Repeated after a lost answer, it has the same label and no second effect. No password is kept for that.
	const said = verb !== "PASS" && JSON.stringify([verb, params])
	if (!said || said !== last.said) last = { said, label: randomLabel() }
	const { replies } = await send(verb, params, last.label)
	last = {}
	showReplies(replies, here, verb)
}

export async function join(name, key) {
	const known = model.channel(name)
	if (known) return open(known)
	wanted = name.split(",").at(-1)
	try {
		await run("JOIN", key ? [name, key] : [name])
	} catch (error) {
		wanted = ""
		throw error
	}
}

export function joined(channel) {
	if (channel === model.channel(wanted)) open(channel)
}

export function showReplies(replies, where, verb) {
	for (const text of replyLines(replies, verb)) line(text, { kind: "reply" }, where)
}

export function say(text, more) {
	for (const where of new Set([model.server, view])) line(text, { kind: "server", ...more }, where)
}

export function line(text, more, where = view) {
	if (where === model.browse) where = view
	where.addLocal({ text, ...more })
	if (where === view) speak(text)
	else if (where === model.server) where.count += 1
	changed()
}

// Only a hint hangs on it, so it may fail.
export const refreshSession = () => get("/session").then(({ session }) => {
	model.session.has_password = session.has_password
	changed()
}, () => {})

export async function loadAll(views) {
	for (const view of views) if (!view.loaded) await load(view)
}

export function load(view) {
	view.loading ??= fetchPage(view).finally(() => {
		view.loading = null
		changed()
	})
	return view.loading
}

async function fetchPage(view) {
	const before = view.loaded && view.before ? `&before=${view.before}` : ""
	try {
		const of = view.session ? `session=${view.session}` : `target=${encodeURIComponent(view.name)}`
		const { messages } = await get(`/history?${of}&limit=${PAGE}${before}`)
		messages.forEach((message) => view.add(message))
		view.before = messages[0]?.id ?? view.before
		view.more = messages.length > 0
	} catch (error) {
		if (error.temporary) return
		view.more = false
	}
	view.loaded = true
}

