// What is around the messages, and the keys that work anywhere.

import * as chat from "./chat.js"
import { $, ask, h, openPanel, setText, syncList } from "./dom.js"
import { model } from "./model.js"
import { avatar, linkify } from "./messages.js"
import { fold, plain } from "./text.js"

const browse = $("#browse")
const passwordHint = $("#password-hint")
const back = $("#back")
const title = $("#title")
const topic = $("#topic")
const editTopic = $("#edit-topic")
const leave = $("#leave")
const membersButton = $("#open-members")
const menu = $("#open-sidebar")
const sidebar = $("#sidebar")
const members = $("#members")
const composer = $("#composer")
const narrow = matchMedia("(max-width: 1039px)")
let withMembers = true

browse.onclick = () => chat.open(model.browse)
editTopic.onclick = changeTopic
leave.onclick = leaveView
membersButton.onclick = $(".close", members).onclick = () => {
	if (narrow.matches) return members.togglePopover()
	withMembers = !withMembers
	draw()
}
for (const button of document.querySelectorAll("[data-panel]")) {
	button.onclick = () => openPanel(button.dataset.panel).catch(chat.explain)
}
$(".close", passwordHint).onclick = () => {
	localStorage.setItem("hinted", "yes")
	draw()
}
back.onclick = () => chat.run("AWAY", []).catch(chat.explain)
members.ontoggle = draw
document.addEventListener("keydown", press)
// First, as the messages are as wide as it leaves them.
chat.parts.unshift({ draw, opened })

function opened() {
	sidebar.hidePopover()
	members.hidePopover()
	if (matchMedia("(pointer: fine)").matches && !$("dialog")) field().focus()
}

const field = () => (chat.view === model.browse ? $("#join-name") : composer)

function draw() {
	drawSidebar()
	drawHeader(chat.view)
	const { kind, members: all } = chat.view
	$(".chat").classList.toggle("with-members", kind === "channel" && withMembers)
	membersButton.ariaExpanded = members.checkVisibility()
	if (all) drawMembers([...all.values()])
}

function drawSidebar() {
	sync("#channels ul", model.channels())
	sync("#directs ul", model.directs())
	sync("#server ul", model.server.items.length ? [model.server] : [])
	$("#directs").hidden = !model.directs().length
	browse.ariaCurrent = chat.view === model.browse
	const { nick, away, has_password } = model.session
	if ($("#own-nick").textContent !== nick) $(".me .avatar").replaceWith(avatar(nick))
	setText($("#own-nick"), nick)
	$("#open-password").title = has_password ? "Change password" : "Set password"
	passwordHint.hidden = has_password || localStorage.getItem("hinted") !== null
	back.hidden = !away
	back.title = away
	const news = [model.server, ...model.all].some((view) => view !== chat.view && view.count)
	menu.classList.toggle("news", news)
	menu.title = `Channels and people${news ? ", with unread messages" : ""}`
}

function sync(list, views) {
	syncList($(list), views, (view) => view.kind + fold(view.name), createTarget, updateTarget)
}

function createTarget({ kind, name }) {
	const button = h("button.target", { onclick: () => chat.open(button.view) },
		kind === "direct" && avatar(name), h("span.name"), h("span.badge"), h("span.unseen"))
	return h("li", button)
}

function updateTarget({ firstElementChild: button }, view) {
	const { count, mention } = view
	button.view = view
	setText($(".name", button), view.name)
	setText($(".badge", button), count > 99 ? "99+" : String(count || ""))
	button.classList.toggle("unread", count > 0)
	button.classList.toggle("mentioned", mention)
	setText($(".unseen", button), count ? (mention ? " unread, for you" : " unread") : "")
	button.ariaCurrent = view === chat.view
}

function drawHeader({ kind, name, modes, members, topic: told }) {
	setText(title, name)
	const text = (kind === "direct" ? "Only the two of you see this" : told?.text) ?? ""
	if (topic.textContent !== plain(text)) topic.replaceChildren(...linkify(text))
	editTopic.hidden = !members || (modes.has("t") && !members.get(fold(model.nick))?.op)
	leave.hidden = !members && kind !== "direct"
	leave.title = members ? `Leave ${name}` : "Close this conversation"
	membersButton.hidden = !members
}

const rank = ({ op, voice }) => (op ? 0 : voice ? 1 : 2)

function drawMembers(all) {
	all.sort((a, b) => rank(a) - rank(b) || a.nick.localeCompare(b.nick))
	setText($("span", membersButton), String(all.length))
	membersButton.title = membersButton.ariaLabel = `Members: ${all.length}`
	setText($("h2", members), all.length === 1 ? "1 member" : `${all.length} members`)
	syncList($("ul", members), all, ({ nick }) => fold(nick), createMember, updateMember)
}

function createMember({ nick }) {
	return h("li", h("button.target", { onclick: () => chat.open(model.direct(nick)) },
		avatar(nick), h("span.mark"), h("span.name")))
}

function updateMember({ firstElementChild: button }, { nick, op, voice, away }) {
	const me = model.isMe(nick)
	setText($(".mark", button), op ? "@" : voice ? "+" : "")
	setText($(".name", button), me ? `${nick} (you)` : nick)
	button.classList.toggle("away", away)
	button.title = [op && "operator", voice && "voice", away && "away"].filter(Boolean).join(", ")
	button.disabled = me
}

function changeTopic() {
	const { name, topic } = chat.view
	const input = h("input", { value: topic?.text ?? "", "aria-label": `Topic of ${name}` })
	ask({
		title: `Topic of ${name}`,
		text: "Shown at the top of the channel. Empty for none.",
		confirm: "Set topic",
		action: () => chat.run("TOPIC", [name, input.value]),
	}, input)
}

function leaveView() {
	const { view } = chat
	if (view.kind === "direct") {
		model.close(view)
		return chat.open(chat.home())
	}
	ask({
		title: `Leave ${view.name}?`,
		text: view.members.size === 1 ? "You are its only member: the channel ends when you leave." : "You leave it on all your devices.",
		confirm: "Leave",
		action: () => chat.run("PART", [view.name]),
	}).then((left) => left && opened())
}

function press(event) {
	if ($("dialog")) return
	const { key, ctrlKey, metaKey, altKey, target } = event
	const step = altKey && { ArrowUp: -1, ArrowDown: 1 }[key]
	if (step) {
		event.preventDefault()
		const views = [...model.channels(), ...model.directs()]
		const at = Math.max(views.indexOf(chat.view) + step, -1)
		if (views.length) chat.open(views.at(at % views.length))
	} else if (key.length === 1 && key !== " " && !ctrlKey && !metaKey && !altKey && !target.closest("input, textarea")) {
		field().focus()
	}
}
