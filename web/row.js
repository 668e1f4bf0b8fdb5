// One line of the message list.

import { h } from "./dom.js";
import { describe } from "./events.js";
import { linkify } from "./links.js";
import { countable } from "./readmarks.js";
import { clock, dayName, fullTime, hue, initial, mentions, plain, same, sameDay } from "./text.js";

const TOGETHER = 5 * 60_000;

export function rowsFor(item, previous, model) {
	const newDay = !previous || !sameDay(previous.time, item.time);
	const row = countable(item) ? messageRow(item, newDay ? null : previous, model) : eventRow(item);
	return newDay ? [h("div", { class: "day" }, dayName(item.time)), row] : [row];
}

export const newLine = () => h("div", { class: "new", role: "separator", "aria-label": "New messages" }, "New");

export function avatar(nick) {
	return coloured(h("span", { class: "avatar", "aria-hidden": "true" }, initial(nick)), nick);
}

function coloured(element, nick) {
	element.style.setProperty("--hue", hue(nick));
	return element;
}

function messageRow(item, previous, model) {
	const { id, source, command, time, params: [, text] } = item;
	const together = previous && countable(previous) && same(previous.source, source)
		&& previous.command === command && new Date(time) - new Date(previous.time) < TOGETHER;
	const row = h("div", { class: `message ${together ? "together" : "first"}`, "data-id": id, "data-source": source });
	row.classList.toggle("notice", command === "NOTICE");
	row.classList.toggle("mention", !model.isMine(item) && mentions(text, model.nick));
	const nick = coloured(h("b", { class: together ? "nick unseen" : "nick" }, source), source);
	if (together) row.append(timeOf(item), nick);
	else row.append(avatar(source), h("div", { class: "by" }, nick, timeOf(item)));
	row.append(h("div", { class: "text", dir: "auto" }, ...linkify(text)));
	return row;
}

export function pendingRow(item, previous, model, { retry, discard }) {
	const row = messageRow(item, previous, model);
	row.classList.add("pending", item.state);
	if (item.state === "waiting") row.append(h("p", { class: "state" }, "Waiting for the server…"));
	if (item.state === "lost" || item.state === "refused") {
		row.append(h("p", { class: "state" }, `${item.state === "lost" ? "Perhaps not sent" : "Not sent"}. ${item.error} `,
			h("button", { class: "link retry", onclick: retry }, "Try again"), " ",
			h("button", { class: "link discard", onclick: discard }, "Discard")));
	}
	return row;
}

export function eventRow(item) {
	const { id, local, kind = "", source, action } = item;
	return h("div", { class: `event ${kind}`, "data-id": local ? null : id, "data-source": source },
		h("span", { class: "text", dir: "auto" }, plain(item.text ?? describe(item))), " ", timeOf(item),
		action && h("button", { class: "link", onclick: action.run }, action.name));
}

function timeOf({ time }) {
	return h("time", { datetime: time, title: fullTime(time) }, clock(time));
}
