// The entry, and the pages without a session. The chat is only loaded once there is one.

import { get, post } from "./api.js"
import { $, changesPassword, setText, showPage } from "./dom.js"
import { isNick } from "./text.js"

const LONGEST_RETRY = 30_000

const REASONS = {
	quit: "you quit here.",
	logged_out: "you signed out here.",
	removed: "this device was removed from another one.",
	expired: "this device was not used for too long.",
	session_ended: "the session was ended.",
}

const RULE = "A nick is one word of 1 to 32 letters, digits or -_[]{}\\|^`, and begins with no digit or dash."

let retry = 1_000

async function begin() {
	try {
		const snapshot = await get("/session")
		showPage("#chat-view")
		const { start } = await import("./main.js")
		start(snapshot)
	} catch (error) {
		if (error.signedOut) return showStart(error.reason)
		if (!error.temporary) console.error(error)
		showPage("#trouble-view")
		setTimeout(begin, retry)
		retry = Math.min(retry * 2, LONGEST_RETRY)
	}
}

// A page that Back brings back has a dead stream.
addEventListener("pageshow", (event) => event.persisted && location.reload())

function showStart(told) {
	// What the chat left behind, with the nick of the session that is over.
	const { reason = told, nick: former = "" } = history.state ?? {}
	history.replaceState(null, "")
	showPage("#start-view")
	sessionStorage.clear()
	document.title = former ? "Signed out · Rejoin" : "Rejoin"
	const nick = $("#nick")
	const suggestion = $("#suggestion")
	const wanted = () => nick.value.trim()
	$("#signed-out").hidden = !reason && !former
	setText($("#signed-out"), `You were signed out because ${REASONS[reason] ?? "the server no longer knows this browser’s session."}`)

	nick.oninput = () => {
		complain(!wanted() || isNick(wanted()) ? "" : RULE)
		$("#log-in").href = `/login?nick=${encodeURIComponent(wanted())}${changesPassword() ? "&next=/?change-password" : ""}`
	}
	$("form").onsubmit = async (event) => {
		event.preventDefault()
		if (!isNick(wanted())) return complain(RULE)
		event.submitter.disabled = true
		try {
			await post("/session", { nick: wanted() })
			const next = new URL(new URLSearchParams(location.search).get("next") ?? "/", location)
			// Whoever an app sent here goes on there; never to another site.
			if (next.pathname !== "/" && next.origin === location.origin) location.assign(next)
			else await begin()
		} catch (problem) {
			// Another tab started meanwhile: that session is ours.
			if (problem.code === "already_in_session") return begin()
			refused(problem)
		}
		event.submitter.disabled = false
	}
	nick.value = former
	nick.oninput()
	nick.focus()

	function refused({ code, message }) {
		if (code !== "nickname_in_use") return complain(message)
		complain(`${wanted()} is taken. If it is you, log in below.`)
		const free = `${wanted().slice(0, 29)}_${10 + Math.floor(Math.random() * 90)}`
		setText(suggestion, `Be ${free} instead`)
		suggestion.onclick = () => {
			nick.value = free
			nick.oninput()
			nick.focus()
		}
		suggestion.hidden = false
		nick.select()
	}

	function complain(text) {
		setText($("#nick-error"), text)
		nick.ariaInvalid = Boolean(text)
		suggestion.hidden = true
	}
}

begin()
