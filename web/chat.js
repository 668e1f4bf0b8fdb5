// The chat's state and what one does with it. The page's parts join in `parts` and are told of what changes.

import { command, get, hooks, randomLabel, sleep } from "./api.js"
import { showStart } from "./app.js"
import { $, setText } from "./dom.js"
import { model, PAGE } from "./model.js"
import { isNick, sentence } from "./text.js"
import { replyLines } from "./words.js"

const DRAW_EVERY = 40
const AT_ONCE = 3
const TRIES = 5

export let view = null
// Each may have `show(view, previous)`, `opened()` and `draw()`.
export const parts = []

const end = new AbortController()
export const { signal } = end

let timer = null
// The channel to open when this session's JOIN comes.
let wanted = ""
let client = null
let connected = false

hooks.signedOut = ({ reason }) => signedOut(reason)
addEventListener("hashchange", () => open(addressed() ?? view), { signal })

export function begin(snapshot) {
	client = snapshot.client.id
	model.adopt(snapshot)
	const other = new URLSearchParams(location.search).get("with") ?? ""
	open(addressed() ?? (isNick(other) ? model.direct(other) : home()))
}

export function open(next) {
	const previous = view
	if (next !== previous) {
		if (previous) previous.newFrom = null
		view = next
		view.missed = 0
		wanted = ""
		markNew(next)
		if (!next.loaded) load(next).then(() => markNew(next))
		const { kind, name } = next
		history.replaceState(null, "", { channel: location.pathname + name, direct: `?with=${encodeURIComponent(name)}` }[kind] ?? location.pathname)
		parts.forEach((part) => part.show?.(next, previous))
		draw()
	}
	parts.forEach((part) => part.opened?.())
}

function markNew(opened) {
	opened.newFrom = model.unread(opened).count ? opened.read : null
	changed()
}

export const home = () => model.channels()[0] ?? model.browse

const addressed = () => model.channels().find(({ name }) => new URL(name, location).hash === location.hash)

export const canTalk = ({ kind }) => kind === "channel" || kind === "direct"

export function changed() {
	timer ??= setTimeout(draw, DRAW_EVERY)
}

function draw() {
	clearTimeout(timer)
	timer = null
	if (!signal.aborted) parts.forEach((part) => part.draw?.())
}

export const complain = (text) => setText($("#error"), text)
export const explain = ({ message }) => complain(message)

// Never speaks as somebody else: while this page was cut off, the browser may have got another session.
export async function check() {
	const snapshot = await get("/session", 1)
	if (snapshot.client.id === client) return
	end.abort()
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

export async function run(verb, params) {
	const here = view
	const { replies } = await send(verb, params)
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

export function line(text, more, where = view) {
	if (where === model.browse) where = view
	where.addLocal({ text, ...more })
	if (where === model.server && where !== view) where.missed += 1
	changed()
}

// Only a hint hangs on it, so it may fail.
export const refreshSession = () => get("/session").then(({ session }) => {
	model.session.has_password = session.has_password
	changed()
}, () => {})

export function signedOut(reason) {
	if (signal.aborted) return
	end.abort()
	hooks.signedOut = null
	document.querySelectorAll("dialog").forEach((dialog) => dialog.remove())
	history.replaceState(null, "", location.pathname)
	showStart(reason, model.nick)
}

// The latest page of each view that lacks it, a few at a time: unread counts need them.
export async function loadAll(views) {
	const waiting = views.filter((view) => !view.loaded)
	const worker = async () => {
		for (let view; (view = waiting.shift()); changed()) await load(view)
	}
	await Promise.all(Array.from({ length: AT_ONCE }, worker))
}

export function load(view) {
	view.loading ??= fetchPage(view).finally(() => (view.loading = null))
	return view.loading
}

async function fetchPage(view) {
	const first = view.loaded && view.firstId
	const before = first ? `&before=${first}` : ""
	try {
		const { messages } = await get(`/history?target=${encodeURIComponent(view.name)}&limit=${PAGE}${before}`)
		messages.forEach((message) => view.add(message))
		view.more = messages.length > 0
	} catch (error) {
		if (error.status !== 404 && error.status !== 403) return
		view.more = false
	}
	view.loaded = true
}

// One after the other: two requests at once could overtake each other.
let queue = Promise.resolve()

addEventListener("beforeunload", (event) => {
	if ([...model.views.values()].some(({ pending }) => pending.length)) event.preventDefault()
}, { signal })

export function post(view, text) {
	const params = [view.name, text]
	const item = { label: randomLabel(), command: "PRIVMSG", params, source: model.nick, time: new Date().toISOString() }
	view.pending.push(item)
	retry(view, item)
}

export function retry(view, item) {
	item.state = "sending"
	changed()
	queue = queue.then(() => transmit(view, item))
}

export function discard(view, item) {
	view.pending = view.pending.filter((one) => one !== item)
	changed()
}

export function arrived({ id, label }) {
	for (const view of model.views.values()) {
		view.pending = view.pending.filter((item) => item.label !== label && !item.ids?.includes(id))
	}
}

export function setConnected(now) {
	connected = now
	if (!now) return
	for (const view of model.views.values()) {
		for (const item of view.pending) if (item.state === "lost") retry(view, item)
	}
}

async function transmit(view, item) {
	for (let tries = 1; view.pending.includes(item); tries += 1) {
		try {
			const { ids, replies } = await send(item.command, item.params, item.label)
			item.ids = ids
			// The event may have come before this answer.
			const views = [...model.views.values()]
			if (ids.every((id) => views.some((one) => one.ids.has(id)))) discard(view, item)
			return showReplies(replies, view)
		} catch (error) {
			item.error = error.message
			const lost = error.status === 0
			const again = error.temporary && !lost && tries < TRIES
			item.state = again ? "waiting" : lost ? "lost" : "refused"
			if (item.state === "refused") complain(error.message)
			changed()
			if (!again) return
			await sleep(error.retryAfter * 1000)
		}
	}
}
