// The field one writes in.

import { randomLabel, Unreachable } from "./api.js";
import { isSecret, parseCommand, runCommand } from "./commands.js";
import { createCompletion } from "./completion.js";
import { ask } from "./dialog.js";
import { $, setText } from "./dom.js";
import { byteLength } from "./text.js";

const MAX_BYTES = 4096;
const KEPT_LINES = 100;
const MOST_LINES = 20;
const PATIENCE = 700;
const WAITING = "Waiting for the answer…";

const talk = ({ kind }) => kind === "channel" || kind === "direct";

export function createComposer(chat, page) {
	const field = $("#composer", page);
	const error = $("#error", page);
	const completion = createCompletion(chat, page, field);
	const sent = [];
	let at = 0;
	let busy = false;
	/** A command without an answer, with its label: entered again, it is the same one. */
	let unanswered = {};

	$(".compose", page).addEventListener("submit", (event) => {
		event.preventDefault();
		submit();
	});
	field.addEventListener("input", () => {
		complain("");
		grow();
		completion.update();
	});
	field.addEventListener("blur", () => completion.close());
	field.addEventListener("keydown", (event) => {
		if (event.isComposing || event.altKey) return;
		const enter = event.key === "Enter" && !event.shiftKey;
		const completed = completion.key(event);
		if (completed || enter || recall(event.key)) event.preventDefault();
		if (enter && !completed) submit();
	});

	return { show, complain };

	function show(view, previous) {
		if (previous) previous.draft = isSecret(field.value) ? "" : field.value;
		field.placeholder = field.ariaLabel = talk(view) ? `Message ${view.name}` : "Type /join #channel, or / for all commands";
		put(view.draft);
		complain("");
	}

	function complain(text) {
		setText(error, text);
	}

	async function submit() {
		const text = field.value;
		if (!text.trim()) return;
		const command = !text.trim().includes("\n") && parseCommand(text);
		if (busy && command) return complain(WAITING);
		complain("");
		try {
			if (command) await runAlone(text);
			else if (!(await sendText(text, chat.view))) return;
			remember(text);
			if (field.value === text) put("");
		} catch (problem) {
			complain(problem.message);
		}
	}

	async function runAlone(line) {
		const { view } = chat;
		const patience = setTimeout(complain, PATIENCE, WAITING);
		busy = true;
		try {
			await runLabelled(line);
			if (error.textContent === WAITING) complain("");
			if (view !== chat.view && view.draft.trim() === line.trim()) view.draft = "";
		} finally {
			clearTimeout(patience);
			busy = false;
		}
	}

	async function sendText(text, view) {
		const lines = text.split(/\r?\n/).filter((line) => line.trim());
		// Never as plain text: it may hold a password.
		if (lines.some(parseCommand)) throw new Error("A command stands alone, on one line. Begin it with // to send it as text.");
		if (!talk(view)) throw new Error("Nobody would read this: open a channel or a conversation first.");
		const texts = lines.map((line) => line.replace(/^(\s*)\/\//, "$1/"));
		const longest = Math.max(...texts.map(byteLength));
		if (longest > MAX_BYTES) throw new Error(`Too long for one message: ${longest} bytes, of at most ${MAX_BYTES}.`);
		if (lines.length > MOST_LINES) throw new Error(`These are ${lines.length} lines. Please send ${MOST_LINES} at most.`);
		if (lines.length > 1 && !(await ask({
			title: `Send ${lines.length} messages?`,
			text: "Each line becomes a message of its own.",
			confirm: `Send ${lines.length} messages`,
		}))) return false;
		for (const line of texts) chat.outbox.send(view, "PRIVMSG", [view.name, line]);
		return true;
	}

	async function runLabelled(line) {
		const label = unanswered.line === line ? unanswered.label : randomLabel();
		unanswered = {};
		try {
			await runCommand(line, { chat, send: (verb, params) => chat.run(verb, params, label) });
			return true;
		} catch (problem) {
			if (problem instanceof Unreachable && !isSecret(line)) unanswered = { line, label };
			throw problem;
		}
	}

	function remember(text) {
		if (!isSecret(text)) sent.push(text);
		if (sent.length > KEPT_LINES) sent.shift();
		at = sent.length;
	}

	function recall(key) {
		const next = at + ({ ArrowUp: -1, ArrowDown: 1 }[key] ?? NaN);
		if (!(next >= 0 && next <= sent.length) || (field.value && field.value !== sent[at])) return false;
		at = next;
		put(sent[at] ?? "");
		return true;
	}

	function put(text) {
		field.value = text;
		field.setSelectionRange(text.length, text.length);
		grow();
		completion.close();
	}

	function grow() {
		field.style.height = "auto";
		field.style.height = `${field.scrollHeight}px`;
	}
}
