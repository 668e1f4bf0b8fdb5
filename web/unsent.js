// What one has written and nobody has got yet: drafts, and messages on their way.

import { randomLabel, sleep } from "./api.js"
import * as chat from "./chat.js"
import { model } from "./model.js"
import { isNick } from "./text.js"

const TRIES = 5
const DAY = 86_400_000

// One after the other: two requests at once could overtake each other.
let queue = Promise.resolve()
let known = []

addEventListener("beforeunload", (event) => {
	if (!chat.over && known.some(({ pending }) => pending.length)) event.preventDefault()
})

// It outlives a reload, and a view that is closed.
function store() {
	const views = [...model.all, model.browse, model.server]
	for (const view of known.filter((view) => !views.includes(view))) {
		const texts = [...view.pending.map(({ params }) => params[1]), view.draft]
		view.pending = []
		for (const text of texts) if (text && !text.startsWith("/")) chat.say(`Perhaps not sent to ${view.name}: ${text}`)
	}
	known = views.filter(({ draft, pending }) => draft || pending.length)
	if (!known.length) return sessionStorage.removeItem(chat.client)
	try {
		sessionStorage.setItem(chat.client, JSON.stringify(known.map(({ name, draft, pending }) => ({ name, draft, pending }))))
	} catch {
		// It is more than a browser keeps.
	}
}

export function restore() {
	for (const { name, draft, pending } of JSON.parse(sessionStorage.getItem(chat.client) ?? "[]")) {
		const own = [model.browse, model.server].find((view) => view.name === name)
		const view = own ?? model.view(name) ?? (isNick(name) ? model.direct(name) : { name })
		for (const item of pending) if (item.state !== "refused") item.state = "lost"
		known.push(Object.assign(view, { draft, pending }))
	}
	chat.parts.push({ draw: store })
}

export function post(view, text) {
	const params = [view.name, text]
	const item = { label: randomLabel(), command: "PRIVMSG", params, source: model.nick, time: new Date().toISOString() }
	view.pending.push(item)
	retry(view, item)
}

// What was lost before it goes first.
export function retry(view, item) {
	for (const one of view.pending) {
		if (one !== item && one.state !== "lost") continue
		one.state = "sending"
		queue = queue.then(() => transmit(view, one))
	}
	chat.changed()
}

export function discard(view, item) {
	view.pending = view.pending.filter((one) => one !== item)
	chat.changed()
}

export function arrived({ id, label }) {
	for (const view of model.all) {
		view.pending = view.pending.filter((item) => item.label !== label && !item.ids?.includes(id))
	}
}

// By itself only to channels, as a nick may be somebody else's by now, and while the label is surely known.
export function resume() {
	for (const view of model.channels()) {
		const lost = view.pending.find(({ state }) => state === "lost")
		if (lost && Date.now() - new Date(lost.time) < DAY) retry(view, lost)
	}
}

async function transmit(view, item) {
	const { label } = item
	for (let tries = 1; view.pending.includes(item); tries += 1) {
		try {
			const { ids, replies } = await chat.send("PRIVMSG", [view.name, item.params[1]], label)
			item.ids = ids
			// The event may have come before this answer.
			const views = model.all
			if (ids.every((id) => id <= model.cursor || views.some((one) => one.ids.has(id)))) discard(view, item)
			return chat.showReplies(replies, view)
		} catch (error) {
			item.error = error.message
			const lost = error.status === 0
			const again = error.temporary && !lost && tries < TRIES
			item.state = again ? "waiting" : lost ? "lost" : "refused"
			chat.changed()
			if (again) await sleep(error.retryAfter * 1000)
			else return failed(view, item)
		}
	}
}

function failed(view, { state, error }) {
	if (state === "refused" && view === chat.view) chat.complain(error)
	else chat.speak(`Not sent to ${view.name}. ${error}`)
}
