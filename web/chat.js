// The chat's state and what one does with it. The page's parts join in `parts`.

import { command, get, hooks, randomLabel, sleep } from "./api.js"
import { $, setText } from "./dom.js"
import { model } from "./model.js"
import { isChannel, isNick, sentence } from "./text.js"
import { replyLines } from "./words.js"

const DRAW_EVERY = 40
const TRIES = 5
const PAGE = 50
const DAY = 86_400_000
// Of more lines at once than these, only their number is read out.
const SPOKEN = 3
const BREATH = 400

export let view = null
// Each may have `show(view, previous)`, `opened()` and `draw()`.
export const parts = []

let timer = null
// The channel to open when this session's JOIN comes.
let wanted = ""
let client = null
let connected = false
let over = false

hooks.signedOut = ({ reason }) => signedOut(reason)
addEventListener("hashchange", () => open(addressed() ?? view))
addEventListener("beforeunload", (event) => {
	if (!over && pending().length) event.preventDefault()
})

export function begin(snapshot) {
	client = snapshot.client.id
	model.adopt(snapshot)
	restorePending()
	const other = new URLSearchParams(location.search).get("with") ?? ""
	open(addressed() ?? (isNick(other) ? model.direct(other) : home()))
}

// The page begins anew, and tells why.
export function signedOut(reason) {
	if (over) return
	over = true
	sessionStorage.clear()
	sessionStorage.setItem("over", JSON.stringify([reason, model.nick]))
	history.replaceState(null, "", location.pathname)
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
		const { kind, name } = next
		history.replaceState(null, "", { channel: location.pathname + name, direct: `?with=${encodeURIComponent(name)}` }[kind] ?? location.pathname)
		parts.forEach((part) => part.show?.(next, previous))
		draw()
	}
	parts.forEach((part) => part.opened?.())
}

function markNew(opened) {
	opened.newFrom = opened.count ? opened.read : null
	changed()
}

// For this tab and client alone; what is empty is not there.
export function keep(name, text) {
	if (text) sessionStorage.setItem(`${client} ${name}`, text)
	else sessionStorage.removeItem(`${client} ${name}`)
}

export const kept = (name) => sessionStorage.getItem(`${client} ${name}`) ?? ""

export const home = () => model.channels()[0] ?? model.browse

const addressed = () => model.channels().find(({ name }) => new URL(name, location).hash === location.hash)

export const canTalk = ({ kind }) => kind === "channel" || kind === "direct"

export function changed() {
	if (over) return
	storePending()
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

// Never speaks as somebody else: meanwhile the browser may have got another session.
export async function check() {
	const snapshot = await get("/session", 1)
	if (snapshot.client.id === client) return
	over = true
	sessionStorage.clear()
	location.reload()
	await new Promise(() => {})
}

async function send(verb, params, label = randomLabel()) {
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
	// Repeated after its answer was lost, it has the same label, and so no second effect. A password is not kept for that.
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

const pending = () => [...model.views.values()].flatMap((view) => view.pending)

// What has not arrived outlives a reload.
function storePending() {
	const items = pending()
	keep("pending", items.length && JSON.stringify(items))
}

function restorePending() {
	for (const item of JSON.parse(kept("pending") || "[]")) {
		const [name, text] = item.params
		const view = model.view(name) ?? (isChannel(name) ? null : model.direct(name))
		// After a day the server may have forgotten its label.
		if (item.state !== "refused") item.state = Date.now() - new Date(item.time) < DAY ? "lost" : "refused"
		if (view) view.pending.push(item)
		else line(`Not sent to ${name}: ${text}`, { kind: "server" }, model.server)
	}
}

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

async function transmit(where, item) {
	for (let tries = 1; where.pending.includes(item); tries += 1) {
		try {
			const { ids, replies } = await send(item.command, item.params, item.label)
			item.ids = ids
			// The event may have come before this answer.
			const views = [...model.views.values()]
			if (ids.every((id) => id <= model.cursor || views.some((one) => one.ids.has(id)))) discard(where, item)
			return showReplies(replies, where)
		} catch (error) {
			item.error = error.message
			const lost = error.status === 0
			const again = error.temporary && !lost && tries < TRIES
			item.state = again ? "waiting" : lost ? "lost" : "refused"
			changed()
			if (again) await sleep(error.retryAfter * 1000)
			else return failed(where, item)
		}
	}
}

function failed(where, { state, error }) {
	if (state === "refused" && where === view) complain(error)
	else speak(`Not sent to ${where.name}. ${error}`)
}
