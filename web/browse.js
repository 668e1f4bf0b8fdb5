// The list of channels, with a field to join one.

import { get } from "./api.js"
import * as chat from "./chat.js"
import { $, h, setText, syncList } from "./dom.js"
import { model } from "./model.js"
import { eventRow } from "./messages.js"
import { fold, isChannel, plain } from "./text.js"

const panel = $("#browse-panel")
const name = $("#join-name")
const error = $("#join-error")
const told = $(".told", panel)
const empty = $(".empty", panel)
const { browse } = model
let channels = []
let more = false

$("form", panel).onsubmit = (event) => {
	event.preventDefault()
	join(name.value.trim())
}
name.oninput = () => (list(), more && load(name.value.trim()).catch(() => {}))
chat.parts.push({ show, draw })

async function show(view) {
	panel.hidden = view !== browse
	told.replaceChildren()
	if (panel.hidden) return
	name.value = ""
	try {
		await load("")
	} catch (problem) {
		setText(empty, problem.message)
	}
}

// The largest, or the largest of those that fit what is typed.
async function load(typed) {
	const page = await get("/channels?limit=500&match=" + encodeURIComponent(typed))
	if (typed !== name.value.trim()) return
	channels = page.channels
	if (!typed) more = page.next !== null
	list()
}

function draw() {
	told.append(...browse.items.splice(0).map(eventRow))
}

function list() {
	setText(error, "")
	const wanted = fold(name.value.trim())
	const found = channels.filter((channel) => fold(channel.name).includes(wanted))
	syncList($("ul", panel), found, (channel) => fold(channel.name), create, update)
	empty.hidden = found.length > 0
	setText(empty, channels.length
		? "No such channel yet: join it, and it is made."
		: "No channel yet: type a name and start the first one.")
}

function create(channel) {
	return h("li", h("button.channel", { onclick: () => join(channel.name) },
		h("b", channel.name), h("small"), h("span.topic")))
}

function update(item, { members, topic }) {
	setText($("small", item), members === 1 ? "1 member" : members ? `${members} members` : "private")
	setText($(".topic", item), plain(topic ?? ""))
}

async function join(typed) {
	if (!typed) return setText(error, "Type the name of a channel, such as #rust.")
	try {
		await chat.join(isChannel(typed) ? typed : "#" + typed)
	} catch (problem) {
		setText(error, problem.message)
	}
}
