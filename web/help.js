// All commands and keys.

import { showDialog } from "./dialog.js";
import { h } from "./dom.js";

const KEYS = [
	["Enter", "Send"],
	["Shift + Enter", "New line"],
	["Tab", "Complete a nick, channel or command"],
	["↑ ↓", "Lines sent before"],
	["Alt + ↑ ↓", "Next channel or conversation"],
];

export function openHelp(commands) {
	const dialog = h("dialog", { id: "help", "aria-labelledby": "help-title" },
		h("h2", { id: "help-title", tabindex: -1, autofocus: true }, "Commands"),
		table(commands.map(({ syntax, help }) => [syntax, help])),
		h("p", { class: "soft" }, "A text that begins with a slash is sent with two of them: //like this."),
		h("h2", {}, "Keys"), table(KEYS),
		h("p", { class: "buttons last" }, h("button", { class: "primary", onclick: () => dialog.close() }, "Done")));
	showDialog(dialog);
}

const table = (rows) => h("table", {}, ...rows.map(([term, meaning]) =>
	h("tr", {}, h("th", { scope: "row" }, term), h("td", {}, meaning))));
