// The field one writes in, with completion.

import * as chat from "./chat.js"
import { commands, isSecret, parseCommand, runCommand, talk } from "./commands.js"
import { $, ask, h, setText } from "./dom.js"
import { model } from "./model.js"
import { byteLength, fold } from "./text.js"

const MAX_BYTES = 4096
const MOST_LINES = 20
const PATIENCE = 700
const WAITING = "Waiting for the answer…"

const { complain } = chat
const field = $("#composer")
const list = $("#completions")
const syntax = $("#syntax")
const sent = []
let at = 0
let busy = false

let matches = []
let active = 0
// Whether the arrows were used: then Enter takes the choice and does not send.
let chosen = false
let cycle = null

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
	if (event.isComposing || event.altKey) return
	const enter = event.key === "Enter" && !event.shiftKey
	const completed = completionKey(event)
	if (completed || enter || recall(event.key)) event.preventDefault()
	if (enter && !completed) submit()
}
chat.parts.push({ show })

function show(view) {
	field.placeholder = field.ariaLabel = chat.canTalk(view) ? `Message ${view.name}` : "Type / for all commands"
	put(sessionStorage.getItem(draftOf(view)) ?? "")
	complain("")
}

const draftOf = ({ kind, name }) => `${kind} ${name}`

// What is not sent yet survives a reload; what has a password in it is kept nowhere.
function keep(view, text) {
	if (text && !isSecret(text)) sessionStorage.setItem(draftOf(view), text)
	else sessionStorage.removeItem(draftOf(view))
}

async function submit() {
	const text = field.value
	const { view } = chat
	if (!text.trim()) return
	const command = !text.trim().includes("\n") && parseCommand(text)
	if (busy && command) return complain(WAITING)
	complain("")
	try {
		if (command) await runAlone(text)
		else if (!(await sendText(text))) return
		remember(text)
		if (sessionStorage.getItem(draftOf(view)) === text) keep(view, "")
		if (field.value === text) put("")
	} catch (problem) {
		complain(problem.message)
	}
}

async function runAlone(line) {
	const patience = setTimeout(complain, PATIENCE, WAITING)
	busy = true
	await runCommand(line).finally(() => {
		clearTimeout(patience)
		busy = false
	})
	if ($("#error")?.textContent === WAITING) complain("")
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
	for (const line of texts) chat.post(view, line)
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
	field.style.height = ""
	// A long placeholder would count, too.
	if (field.value) field.style.height = `${field.scrollHeight}px`
}

function complete() {
	cycle = null
	chosen = false
	const typed = parseCommand(field.value)
	const exact = commands.find(({ name }) => name === typed?.name)
	const naming = typed && /^\s*\S*$/.test(field.value)
	matches = naming ? commands.filter(({ name }) => name.startsWith(typed.name)) : []
	active = Math.max(0, matches.indexOf(exact))
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
	if (name === "Escape") cycle = { names: [] }
	if (!matches.length) return false
	if (name === "ArrowDown" || name === "ArrowUp") {
		active = (active + (name === "ArrowDown" ? 1 : -1) + matches.length) % matches.length
		chosen = true
		drawList()
		return true
	}
	// A command typed in full is sent; half of one is completed first.
	if (name === "Enter" && (chosen || parseCommand(field.value).name !== matches[active].name)) return take(matches[active])
	if (name === "Escape") closeList()
	return name === "Escape"
}

function take({ name }) {
	write(`/${name} `)
	return true
}

function write(text, caret = text.length) {
	field.value = text
	field.setSelectionRange(caret, caret)
	const going = cycle
	field.dispatchEvent(new Event("input"))
	cycle = going
}

function tab() {
	if (!cycle) {
		const end = field.selectionStart
		const start = field.value.slice(0, end).search(/\S*$/)
		const word = fold(field.value.slice(start, end))
		cycle = { start, end, at: -1, names: word ? candidates().filter((name) => fold(name).startsWith(word)) : [] }
	}
	const { start, end, names } = cycle
	// With one candidate, Tab pressed again leaves the field.
	if (!names.length || (names.length === 1 && cycle.at === 0)) return false
	cycle.at = (cycle.at + 1) % names.length
	const name = names[cycle.at]
	const inserted = name + (start === 0 && !name.startsWith("#") ? ": " : " ")
	cycle.end = start + inserted.length
	write(field.value.slice(0, start) + inserted + field.value.slice(end), cycle.end)
	return true
}

function candidates() {
	const here = [...(chat.view.members?.values() ?? [])].map(({ nick }) => nick)
	const views = [...model.views.values()].map(({ name }) => name)
	return [...new Set([...here, ...views])].filter((name) => !model.isMe(name)).sort()
}

function drawList() {
	list.hidden = !matches.length
	field.setAttribute("aria-activedescendant", matches.length ? `completion-${matches[active].name}` : "")
	list.replaceChildren(...matches.map((command, i) => h("li", {
		role: "option", id: `completion-${command.name}`, "aria-selected": String(i === active),
		// Before the field would lose the focus.
		onmousedown: (event) => {
			event.preventDefault()
			take(command)
		},
	}, h("b", command.syntax), " ", h("span", command.help))))
	list.children[active]?.scrollIntoView({ block: "nearest" })
}
