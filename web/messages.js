// The message list: its place, older messages, and what has been read.

import { command } from "./api.js"
import * as chat from "./chat.js"
import { $, h, looking, setText } from "./dom.js"
import { countable, model } from "./model.js"
import * as unsent from "./unsent.js"
import { actionIn, clock, dayName, hue, initial, plain, same, sameDay } from "./text.js"
import { describe, isComing, summary } from "./words.js"

// Brackets belong to it in pairs, and a sentence's end does not.
const LINK = /\bhttps?:\/\/(\([^\s()]*\)|[^\s<>"“”()])*(\([^\s()]*\)|[^\s<>"“”().,;:!?'*_~\]])/gi
const TOGETHER = 5 * 60_000
const NEAR_END = 60
const FAR = 400
const NEAR_START = 300
const SETTLE = 800
const AGAIN = 5_000

const list = $("#messages")
const rows = $(".rows", list)
const pendingRows = $(".pending-rows", list)
const jump = $("#jump")

let view = null
let drawn = {}
let drawnPending = null
let markDrawn = false
let pinned = true
let shape = ""
// Before which event older ones were asked for, and the "New" line that was gone to.
let asked = null
let gone = null
let fresh = true

list.onscroll = () => {
	const { clientWidth, clientHeight } = list
	const before = shape
	shape = `${clientWidth} ${clientHeight}`
	asked = null
	// A list that shrinks has not left its end.
	if (pinned && shape !== before) toEnd()
	scrolled()
}
jump.onclick = toEnd
new ResizeObserver(() => pinned && toEnd()).observe(list)
addEventListener("focus", attend)
document.addEventListener("visibilitychange", attend)
chat.parts.push({ show, draw })

export const attentive = () => looking() && !chat.behind && chat.view === view && pinned && !fresh

function attend() {
	if (attentive()) read(view)
}

function show(next) {
	if (view) view.place = pinned ? null : list.scrollTop
	const listed = next !== model.browse
	list.hidden = !listed
	jump.hidden = true
	view = listed ? next : null
	fresh = pinned = true
	asked = gone = null
	drawn = {}
	drawnPending = null
}

function draw() {
	if (!view) return
	if (attentive()) view.trim()
	const { items, newFrom, loaded } = view
	const appendable = drawn.items && drawn.newFrom === newFrom && drawn.loaded === loaded
		&& drawn.items.every((item, i) => item === items[i])
	if (appendable) append(items.slice(drawn.items.length), drawn.items.at(-1))
	else redraw(items)
	drawn = { items: [...items], newFrom, loaded }
	drawPending()
	setText($(".beginning", list), opening())
	setText(jump, view.count ? `↓ ${view.count} new` : "↓ Newest messages")
	place()
	attend()
}

function append(items, previous) {
	for (const item of items) {
		const made = rowsFor(item, previous)
		if (!markDrawn && item.id > (view.newFrom ?? Infinity) && countable(item) && !model.isMine(item)) {
			markDrawn = true
			made.splice(-1, 0, h("div.new", "New since you left"))
		}
		if (made.length === 1 && isComing(item) && isComing(previous)) foldInto(rows.lastElementChild, previous, item, made[0])
		else rows.append(...made)
		previous = item
	}
}

function redraw(items) {
	const { scrollTop } = list
	const fromEnd = list.scrollHeight - scrollTop
	const sameStart = drawn.items?.[0] === items[0]
	markDrawn = false
	rows.replaceChildren()
	append(items)
	if (!pinned) list.scrollTop = sameStart ? scrollTop : list.scrollHeight - fromEnd
}

function drawPending() {
	const { pending } = view
	const state = pending.map(({ label, state }) => label + state).join()
	if (state === drawnPending) return
	drawnPending = state
	const focused = pendingRows.contains(document.activeElement)
	pendingRows.replaceChildren(...pending.map((item, i) => pendingRow(item, pending[i - 1] ?? view.items.at(-1))))
	if (focused) list.focus()
}

function place() {
	const { loaded, loading, more, newFrom, firstId, items, count, before } = view
	const first = fresh && loaded
	if (first && more && newFrom !== null && newFrom < firstId && items.length < FAR && (loading || before !== asked)) {
		asked = before
		toEnd()
		return chat.load(view)
	}
	if (loaded) fresh = false
	// What came while nobody looked is read from its beginning.
	const mark = (first || (pinned && count && newFrom !== gone && !attentive())) && $(".new", rows)
	if (first && view.place != null) list.scrollTop = view.place
	else if (mark && list.scrollHeight - mark.offsetTop > list.clientHeight) {
		list.scrollTop = mark.offsetTop - NEAR_END
		gone = newFrom
	} else {
		if (pinned) toEnd()
		return fill()
	}
	scrolled()
}

export function toEnd() {
	list.scrollTop = list.scrollHeight
	pinned = true
	jump.hidden = true
}

function scrolled() {
	pinned = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END
	jump.hidden = pinned
	if (pinned) attend()
	fill()
}

// What failed is asked for again when one scrolls.
function fill() {
	if (!view?.loaded || !view.more || view.before === asked || list.scrollTop > NEAR_START) return
	asked = view.before
	chat.load(view)
}

function opening() {
	return view.more ? "Loading messages…" : `What you have seen of ${view.name} begins here.`
}

function read(view) {
	const last = view.items.findLast(countable)?.id ?? 0
	if (last <= view.read && !view.count) return
	model.readTo(view, last)
	chat.changed()
	if (last && view.kind !== "server" && (view.session || !view.name.includes(" "))) tellSoon(view, SETTLE)
}

function tellSoon(view, delay) {
	view.telling ??= setTimeout(() => {
		view.telling = null
		command("MARKREAD", [view.name.split(" ")[0], String(view.read)], undefined, view.session)
			.catch(({ temporary }) => temporary && tellSoon(view, AGAIN))
	}, delay)
}

function rowsFor(item, previous) {
	const newDay = !previous || !sameDay(previous.time, item.time)
	const row = countable(item) ? messageRow(item, newDay ? null : previous) : eventRow(item)
	return newDay ? [h("div.day", dayName(item.time)), row] : [row]
}

export const avatar = (nick) => coloured(h("span.avatar", { "aria-hidden": "true" }, initial(nick)), nick)

function coloured(element, nick) {
	element.style.setProperty("--hue", hue(nick))
	return element
}

function means(item) {
	if (item.app) return `via ${item.app}`
	return model.isMine(item) && !item.label ? "from another device" : ""
}

function messageRow(item, previous) {
	const { id, source, command, time, params: [, text] } = item
	const together = previous && countable(previous) && same(previous.source, source) && previous.command === command
		&& means(previous) === means(item) && new Date(time) - new Date(previous.time) < TOGETHER
	const row = h(`div.message.${together ? "together" : "first"}`, { "data-id": id, "data-source": source })
	const action = actionIn(text) !== undefined
	row.classList.toggle("action", action)
	row.classList.toggle("mention", model.isForMe(item, { kind: "channel" }))
	const nick = coloured(h(together ? "b.nick.unseen" : "b.nick", source), source)
	if (together) row.append(timeOf(item), nick)
	else row.append(avatar(source), h("div.by", nick, timeOf(item), h("small", means(item))))
	row.append(h("div.text", { dir: "auto" }, action && `${source} `, ...linkify(text)))
	return row
}

function pendingRow(item, previous) {
	const row = messageRow(item, previous)
	const { state, error } = item
	row.classList.add("pending", state)
	if (state === "waiting") row.append(h("p.state", "Waiting for the server…"))
	if (state === "lost" || state === "refused") {
		row.append(h("p.state", `${state === "lost" ? "Perhaps not sent" : "Not sent"}. ${error} `,
			h("button.link.retry", { onclick: () => unsent.retry(view, item) }, "Try again"), " ",
			h("button.link.discard", { onclick: () => unsent.discard(view, item) }, "Discard")))
	}
	return row
}

export function eventRow(item) {
	const { id, local, kind, source, action } = item
	return h(kind ? `div.event.${kind}` : "div.event", { "data-id": local ? null : id, "data-source": source },
		h("span.text", { dir: "auto" }, plain(item.text ?? describe(item))), " ", timeOf(item),
		action && h("button.link", { onclick: action.run }, action.name))
}

// Comings and goings in a row become one line, which opens.
function foldInto(last, previous, item, row) {
	let fold = last
	if (!last.items) {
		fold = h("details.event", h("summary"))
		fold.items = [previous]
		last.replaceWith(fold)
		fold.append(last)
	}
	fold.items.push(item)
	fold.append(row)
	setText($("summary", fold), summary(fold.items))
}

const timeOf = ({ time }) => h("time", { datetime: time, title: new Date(time).toLocaleString() }, clock(time))

export function linkify(text) {
	const shown = plain(text)
	const nodes = []
	let end = 0
	for (const { 0: address, index } of shown.matchAll(LINK)) {
		if (!URL.canParse(address)) continue
		nodes.push(shown.slice(end, index), h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, address))
		end = index + address.length
	}
	return [...nodes, shown.slice(end)]
}
