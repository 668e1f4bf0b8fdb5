// The entry, and the pages without a session. The chat's modules are only loaded once there is one.

import { get, post } from "./api.js"
import { $, setText, showPage } from "./dom.js"
import { isNick } from "./text.js"

const RETRY = 3_000

const REASONS = {
	quit: "you quit here.",
	logged_out: "you signed out here.",
	removed: "this device was removed from another one.",
	expired: "this device was not used for too long.",
	revoked: "its access was revoked.",
	session_ended: "the session was ended.",
}

const RULE = "A nick is one word of 1 to 32 letters, digits or - _ [ ] { } \\ | ^ `, and begins with no digit or dash."

async function begin() {
	try {
		const snapshot = await get("/session")
		showPage("#chat-view")
		const { start } = await import("./main.js")
		start(snapshot)
	} catch (error) {
		if (error.signedOut) return showStart(error.reason)
		if (!error.temporary) console.error(error)
		showCard("No answer from the server", "This page keeps trying.")
		$(".buttons").hidden = true
		setTimeout(begin, RETRY)
	}
}

// A page brought back by the browser's Back has a dead stream and old state.
addEventListener("pageshow", (event) => event.persisted && location.reload())

const reasonText = (reason) =>
	`You were signed out because ${REASONS[reason] ?? "the server no longer knows this browser’s session."}`

function showCard(title, text) {
	showPage("#card-view")
	setText($("h1"), title)
	setText($(".card p"), text)
}

function showStart(reason) {
	showPage("#start-view")
	forget("Rejoin")
	const nick = $("#nick")
	const suggestion = $("#suggestion")
	const wanted = () => nick.value.trim()
	if (reason) setText($("#signed-out"), reasonText(reason))
	else $("#signed-out").remove()

	nick.oninput = () => {
		complain(!wanted() || isNick(wanted()) ? "" : RULE)
		$("#log-in").href = `/login?nick=${encodeURIComponent(wanted())}`
	}
	suggestion.onclick = () => {
		nick.value = suggestion.dataset.nick
		complain("")
		nick.focus()
	}
	$("form").onsubmit = async (event) => {
		event.preventDefault()
		if (!isNick(wanted())) return complain(RULE)
		const button = $("#start")
		button.disabled = true
		try {
			await post("/session", { nick: wanted() })
			await begin()
		} catch (problem) {
			// Another tab of this browser started meanwhile: that session is ours.
			if (problem.code === "already_in_session") return begin()
			refused(problem)
		} finally {
			button.disabled = false
		}
	}
	nick.focus()

	function refused({ code, message }) {
		if (code !== "nickname_in_use") return complain(message)
		complain(`${wanted()} is taken. If it is you, log in below.`)
		suggestion.dataset.nick = `${wanted().slice(0, 29)}_${10 + Math.floor(Math.random() * 90)}`
		setText(suggestion, `Be ${suggestion.dataset.nick} instead`)
		suggestion.hidden = false
		nick.select()
	}

	function complain(text) {
		setText($("#nick-error"), text)
		nick.setAttribute("aria-invalid", Boolean(text))
		suggestion.hidden = true
	}
}

export function showSignedOut(reason, nick) {
	showCard("You are signed out", reasonText(reason))
	forget("Signed out · Rejoin")
	$("#log-in").href = `/login?nick=${encodeURIComponent(nick)}`
	$("#log-in").hidden = reason === "session_ended"
	$("h1").focus()
}

// The drafts were of the session that is gone.
function forget(title) {
	document.title = title
	sessionStorage.clear()
}

begin()
