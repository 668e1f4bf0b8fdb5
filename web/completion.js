// Completion: commands in a list, nicks and channels with Tab.

import { commands, parseCommand } from "./commands.js";
import { $, h, setText } from "./dom.js";
import { fold } from "./text.js";

export function createCompletion(chat, page, field) {
	const list = $("#completions", page);
	const syntax = $("#syntax", page);
	let matches = [];
	let active = 0;
	/** Whether the arrows were used: then Enter takes the choice and does not send. */
	let chosen = false;
	let cycle = null;

	return { update, close, key };

	function update() {
		cycle = null;
		chosen = false;
		const typed = parseCommand(field.value);
		const exact = commands.findIndex(({ name }) => name === typed?.name);
		const naming = typed && /^\s*\S*$/.test(field.value);
		matches = naming ? commands.filter(({ name }) => name.startsWith(typed.name)) : [];
		active = Math.max(0, matches.indexOf(commands[exact]));
		syntax.hidden = exact < 0 || naming;
		if (exact >= 0) setText(syntax, `${commands[exact].syntax} – ${commands[exact].help}`);
		draw();
	}

	function close() {
		matches = [];
		syntax.hidden = true;
		draw();
	}

	function key({ key: name, shiftKey }) {
		if (name === "Tab" && !shiftKey) return matches.length ? take(matches[active]) : tab();
		if (name === "Escape") cycle = { names: [] };
		if (!matches.length) return false;
		if (name === "ArrowDown" || name === "ArrowUp") {
			active = (active + (name === "ArrowDown" ? 1 : -1) + matches.length) % matches.length;
			chosen = true;
			draw();
			return true;
		}
		// A command typed in full is sent; half of one is completed first.
		if (name === "Enter" && (chosen || parseCommand(field.value).name !== matches[active].name)) return take(matches[active]);
		if (name === "Escape") close();
		return name === "Escape";
	}

	function take({ name }) {
		write(`/${name} `);
		return true;
	}

	function write(text, caret = text.length) {
		field.value = text;
		field.setSelectionRange(caret, caret);
		const going = cycle;
		field.dispatchEvent(new Event("input"));
		cycle = going;
	}

	function tab() {
		if (!cycle) {
			const end = field.selectionStart;
			const start = field.value.slice(0, end).search(/\S*$/);
			const word = fold(field.value.slice(start, end));
			cycle = { start, end, at: -1, names: word ? names().filter((name) => fold(name).startsWith(word)) : [] };
		}
		const { start, end, names: candidates } = cycle;
		// With one candidate, Tab pressed again leaves the field.
		if (!candidates.length || (candidates.length === 1 && cycle.at === 0)) return false;
		cycle.at = (cycle.at + 1) % candidates.length;
		const name = candidates[cycle.at];
		const inserted = name + (start === 0 && !name.startsWith("#") ? ": " : " ");
		cycle.end = start + inserted.length;
		write(field.value.slice(0, start) + inserted + field.value.slice(end), cycle.end);
		return true;
	}

	function names() {
		const { model, view } = chat;
		const members = [...(view.members?.values() ?? [])].map(({ nick }) => nick);
		const views = [...model.views.values()].map(({ name }) => name);
		return [...new Set([...members, ...views])].filter((name) => !model.isMe(name)).sort();
	}

	function draw() {
		list.hidden = !matches.length;
		field.setAttribute("aria-expanded", matches.length > 0);
		field.setAttribute("aria-activedescendant", matches.length ? `completion-${matches[active].name}` : "");
		list.replaceChildren(...matches.map((command, i) => h("li", {
			role: "option", id: `completion-${command.name}`, "aria-selected": String(i === active),
			// Before the field would lose the focus.
			onmousedown: (event) => {
				event.preventDefault();
				take(command);
			},
		}, h("b", {}, command.syntax), " ", h("span", {}, command.help))));
		list.children[active]?.scrollIntoView({ block: "nearest" });
	}
}
