// The field one writes in: sending, the lines sent before, drafts, errors in place.

import { randomLabel, Unreachable } from "./api.js";
import { isSecret, parseCommand, runCommand } from "./commands.js";
import { createCompletion } from "./completion.js";
import { ask } from "./dialog.js";
import { $, setText } from "./dom.js";
import { byteLength } from "./text.js";

const MAX_BYTES = 4096;
const KEPT_LINES = 100;

const talk = ({ kind }) => kind === "channel" || kind === "direct";

export function createComposer(chat, page) {
	const field = $("#composer", page);
	const error = $("#error", page);
	const completion = createCompletion(chat, page, field);
	/** Lines sent before, in memory only; `at` is where the arrows have gone to. */
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
		if (busy || !text.trim()) return;
		const { view } = chat;
		busy = true;
		complain("");
		try {
			if (await sendText(text, view)) {
				remember(text);
				// Unless something else was typed meanwhile.
				if (field.value === text) put("");
				view.draft = "";
			}
		} catch (problem) {
			complain(problem.message);
		}
		busy = false;
	}

	/** Resolves to whether the text was taken. */
	async function sendText(text, view) {
		const lines = text.split(/\r?\n/).filter((line) => line.trim());
		if (lines.length === 1 && parseCommand(lines[0])) return runLabelled(lines[0]);
		// Never as plain text: it may hold a password.
		if (lines.some(parseCommand)) throw new Error("A command stands alone, on one line. Begin it with // to send it as text.");
		if (!talk(view)) throw new Error("Nobody would read this: open a channel or a conversation first.");
		const texts = lines.map((line) => line.replace(/^(\s*)\/\//, "$1/"));
		const longest = Math.max(...texts.map(byteLength));
		if (longest > MAX_BYTES) throw new Error(`Too long for one message: ${longest} bytes, of at most ${MAX_BYTES}.`);
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

	/** Never takes away what is being written. */
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
