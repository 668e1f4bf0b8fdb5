// The field one writes in, with completion.

import * as chat from "./chat.js"
import { commands, isSecret, parseCommand, runCommand, talk } from "./commands.js"
import { $, ask, h, setText } from "./dom.js"
import { toEnd } from "./messages.js"
import { model } from "./model.js"
import { post } from "./unsent.js"
import { byteLength, fold, isChannel, isNick } from "./text.js"

const MAX_BYTES = 4096
const MOST_LINES = 20

const { complain } = chat
const field = $("#composer")
const list = $("#completions")
const syntax = $("#syntax")
const sent = []
let at = 0
let busy = false

let matches = []
let active = 0
// Whether Enter takes the choice, and does not send.
let chosen = false

$(".compose").onsubmit = (event) => {
	event.preventDefault()
	submit()
}
field.oninput = () => {
	keep(chat.view, field.value)
	complain("")
	grow()
	complete()
}
field.onblur = closeList
field.onkeydown = (event) => {
	// In Safari, the Enter that ends a composition comes after it, with this code.
	if (event.isComposing || event.keyCode === 229 || event.altKey) return
	const enter = event.key === "Enter" && !event.shiftKey
	const completed = completionKey(event)
	if (completed || enter || recall(event.key)) event.preventDefault()
	if (enter && !completed) submit()
}
chat.parts.push({ show, draw })

function show(view) {
	put(view.draft)
	complain("")
}

function draw() {
	const { view } = chat
	field.placeholder = field.ariaLabel = chat.canTalk(view) ? `Message ${view.name}` : "Type / for all commands"
}

// What is not sent yet survives a reload; what has a password in it is kept nowhere.
function keep(view, text) {
	view.draft = isSecret(text) ? "" : text
	chat.changed()
}

async function submit() {
	const text = field.value
	const { view } = chat
	if (!text.trim()) return
	const command = !text.trim().includes("\n") && parseCommand(text)
	if (busy && command) return complain("Waiting for the answer…")
	complain("")
	try {
		if (command) {
			busy = true
			await runCommand(text).finally(() => (busy = false))
		} else if (!(await sendText(text))) return
		if (view === chat.view && !$("dialog")) toEnd()
		remember(text)
		if (view.draft === text) keep(view, "")
		if (field.value === text) put("")
	} catch (problem) {
		complain(problem.message)
	}
}

async function sendText(text) {
	const lines = text.split(/\r?\n/).filter((line) => line.trim())
	// Never as plain text: it may hold a password.
	if (lines.some(parseCommand)) throw new Error("A command stands alone, on one line. Begin it with // to send it as text.")
	const view = talk()
	const texts = lines.map((line) => line.replace(/^(\s*)\/\//, "$1/"))
	const longest = Math.max(...texts.map(byteLength))
	if (longest > MAX_BYTES) throw new Error(`Too long for one message: ${longest} bytes, of at most ${MAX_BYTES}.`)
	if (lines.length > MOST_LINES) throw new Error(`These are ${lines.length} lines. Please send ${MOST_LINES} at most.`)
	if (lines.length > 1 && !(await ask({
		title: `Send ${lines.length} messages?`,
		text: "Each line becomes a message of its own.",
		confirm: `Send ${lines.length} messages`,
	}))) return false
	for (const line of texts) post(view, line)
	return true
}

function remember(text) {
	if (!isSecret(text)) sent.push(text)
	at = sent.length
}

function recall(key) {
	const next = at + ({ ArrowUp: -1, ArrowDown: 1 }[key] ?? NaN)
	if (!(next >= 0 && next <= sent.length) || (field.value && field.value !== sent[at])) return false
	at = next
	put(sent[at] ?? "")
	return true
}

function put(text) {
	field.value = text
	field.setSelectionRange(text.length, text.length)
	grow()
	closeList()
}

function grow() {
	const { form, style } = field
	// Meanwhile nothing else moves.
	form.style.height = `${form.offsetHeight}px`
	style.height = ""
	if (field.value) style.height = `${field.scrollHeight}px`
	form.style.height = ""
}

const typedWord = () => field.value.slice(0, field.selectionStart).match(/\S*$/)[0]
const isTyped = ({ name }) => fold(typedWord().replace("@", "")) === fold(name)

// A command may follow a slash, a channel a #, and a nick an @, which goes.
function complete() {
	chosen = false
	const word = typedWord()
	const typed = parseCommand(field.value)
	const exact = commands.find(({ name }) => name === `/${typed?.name}`)
	const naming = typed && /^\s*\S*$/.test(field.value)
	matches = naming ? commands.filter(({ name }) => name.startsWith(`/${typed.name}`))
		: /^[@#]/.test(word) ? candidates(word.replace("@", "")).filter(({ name }) => isChannel(name) === isChannel(word))
		: []
	active = Math.max(0, matches.findIndex(isTyped))
	syntax.hidden = !exact || naming
	if (exact) setText(syntax, `${exact.syntax} – ${exact.help}`)
	drawList()
}

function closeList() {
	matches = []
	syntax.hidden = true
	drawList()
}

function completionKey({ key: name, shiftKey }) {
	if (name === "Tab" && !shiftKey) return matches.length ? take(matches[active]) : tab()
	if (!matches.length) return false
	if (name === "ArrowDown" || name === "ArrowUp") {
		active = (active + (name === "ArrowDown" ? 1 : -1) + matches.length) % matches.length
		chosen = true
		drawList()
		return true
	}
	if (name === "Enter" && (chosen || (matches[active].help && !isTyped(matches[active])))) return take(matches[active])
	if (name === "Escape") closeList()
	return name === "Escape"
}

function take({ name }) {
	const end = field.selectionStart
	const start = end - typedWord().length
	field.setRangeText(name + (start === 0 && isNick(name) ? ": " : " "), start, end, "end")
	field.dispatchEvent(new Event("input"))
	return true
}

function tab() {
	const word = typedWord()
	matches = word ? candidates(word) : []
	if (matches.length === 1) return take(matches[0])
	active = 0
	chosen = true
	drawList()
	return matches.length > 0
}

function candidates(word) {
	const here = [...(chat.view.members?.values() ?? [])].map(({ nick }) => nick)
	const views = model.all.map(({ name }) => name)
	return [...new Set([...here, ...views])].sort().map((name) => ({ name }))
		.filter(({ name }) => fold(name).startsWith(fold(word)) && !name.includes(" ") && !model.isMe(name))
}

function drawList() {
	list.hidden = !matches.length
	field.setAttribute("aria-activedescendant", matches.length ? `completion-${active}` : "")
	list.replaceChildren(...matches.map((match, i) => h("li", {
		role: "option", tabindex: -1, id: `completion-${i}`, "aria-selected": String(i === active),
		onmousedown: (event) => {
			event.preventDefault()
			take(match)
		},
	}, h("b", match.syntax ?? match.name), " ", match.help && h("span", match.help))))
	list.children[active]?.scrollIntoView({ block: "nearest" })
}
