// The queue over a WebSocket, its reconnecting and acknowledging.

import { get } from "./api.js"
import { check, settle, signedOut } from "./chat.js"

const FIRST_DELAY = 500
const LONGEST_DELAY = 30_000
const STABLE = 5_000
const PING_EVERY = 30_000
const ANSWER = 10_000
const ACKNOWLEDGE_EVERY = 5_000

let seen, onMessage, onState
let handledId = 0
let acknowledging = null
let socket = null
let heard = 0
let warned = 0
let delay = FIRST_DELAY
let timer = null
let openedAt = 0

// `takeMessage` gets each message past `after`, once and in order.
export function deliver(after, takeMessage, takeState) {
	[onMessage, onState] = [takeMessage, takeState]
	seen = handledId = after
	connect()
	addEventListener("online", connectNow)
	addEventListener("offline", failed)
	document.addEventListener("visibilitychange", () => {
		if (!document.hidden) timer ? connectNow() : ping()
	})
	setInterval(ping, PING_EVERY)
}

// The server need not keep this for this device.
export function handled(id) {
	if (id <= handledId) return
	handledId = id
	acknowledging ??= setTimeout(() => {
		acknowledging = null
		tell("ACK", handledId)
	}, ACKNOWLEDGE_EVERY)
}

function tell(command, param) {
	if (socket?.readyState === 1) socket.send(JSON.stringify({ command, params: [String(param)] }))
}

// Nothing is taken before `check` has resolved: the browser may have another session by now.
function connect() {
	timer = null
	drop()
	heard = Date.now()
	const current = socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/socket?after=${handledId}`)
	let checked = null
	current.onopen = () => {
		openedAt = Date.now()
		checked = check().then(() => socket === current && onState("connected"), () => socket === current && failed())
	}
	current.onmessage = async ({ data }) => {
		heard = Date.now()
		await checked
		if (socket !== current) return
		const message = JSON.parse(data)
		settle(message.id)
		if (message.command === "WARN") {
			// Told at each reconnect; what has its id may still come.
			if (message.id <= warned) return
			warned = message.id
			delete message.id
		} else if (message.id > seen) seen = message.id
		else return
		onMessage(message)
	}
	current.onclose = ({ code, reason }) => {
		if (socket !== current) return
		if (code === 4401) return signedOut(reason)
		failed()
		// A request tells of a 401, by way of `hooks`.
		if (!checked) get("/session", 1).catch(() => {})
	}
}

// Pages see no pings, so they ask.
function ping() {
	const asked = Date.now()
	tell("PING", "-")
	setTimeout(() => heard < asked && socket && failed(), ANSWER)
}

function drop() {
	socket?.close()
	socket = null
}

function connectNow() {
	clearTimeout(timer)
	delay = FIRST_DELAY
	connect()
}

function failed() {
	drop()
	onState(navigator.onLine ? "reconnecting" : "offline")
	if (openedAt && Date.now() - openedAt > STABLE) delay = FIRST_DELAY
	openedAt = 0
	clearTimeout(timer)
	timer = setTimeout(connect, delay * (0.75 + Math.random() / 2))
	delay = Math.min(delay * 2, LONGEST_DELAY)
}
