// The pages without a session.

import { post } from "./api.js";
import { $, setText, showPage } from "./dom.js";

const RETRY = 3_000;

const REASONS = {
	quit: "you quit here.",
	logged_out: "you signed out here.",
	removed: "this device was removed from another one.",
	expired: "this device was not used for too long.",
	revoked: "its access was revoked.",
	session_ended: "the session was ended.",
};

const reasonText = (reason) =>
	`You were signed out because ${REASONS[reason] ?? "the server no longer knows this browser’s session."}`;

export function showStart(reason, onStarted) {
	const page = showPage("start-view");
	const nick = $("#nick", page);
	const button = $("#start", page);
	document.title = "Rejoin";
	if (reason) setText($("#signed-out", page), reasonText(reason));
	else $("#signed-out", page).remove();

	nick.addEventListener("input", () => {
		complain("");
		$("#log-in", page).href = `/login?nick=${encodeURIComponent(nick.value)}`;
	});
	$("form", page).addEventListener("submit", async (event) => {
		event.preventDefault();
		const wanted = nick.value.trim();
		button.disabled = true;
		complain("");
		try {
			await post("/session", { nick: wanted });
			await onStarted();
		} catch (problem) {
			// Another tab of this browser started meanwhile: that session is ours.
			if (problem.code === "already_in_session") return onStarted();
			complain(explain(problem, wanted));
		} finally {
			button.disabled = false;
		}
	});
	nick.focus();

	function complain(text) {
		setText($("#nick-error", page), text);
		nick.setAttribute("aria-invalid", Boolean(text));
		if (text) nick.select();
	}
}

export function showSignedOut(reason, nick) {
	const page = showPage("signed-out-view");
	document.title = "Signed out · Rejoin";
	setText($(".reason", page), reasonText(reason));
	$("#log-in", page).href = `/login?nick=${encodeURIComponent(nick)}`;
	$("#log-in", page).hidden = reason === "session_ended";
	$("h1", page).focus();
}

export function showTrouble(retry) {
	if (!$("#trouble")) showPage("trouble-view");
	setTimeout(retry, RETRY);
}

function explain(problem, nick) {
	if (problem.code === "nickname_in_use") {
		const other = `${nick.slice(0, 29)}_${10 + Math.floor(Math.random() * 90)}`;
		return `${nick} is taken. Try ${other}; or, if ${nick} is you, log in below.`;
	}
	if (/nick/.test(problem.code)) {
		return "A nick is one word of 1 to 32 letters, digits or - _ [ ] { } \\ | ^ `, and begins with no digit or dash.";
	}
	return problem.message;
}
