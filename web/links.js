// Text with its links, as nodes. Nothing is fetched for a link: no previews.

import { h } from "./dom.js";
import { plain } from "./text.js";

const LINK = /\bhttps?:\/\/[^\s<>"“”]+/gi;

export function linkify(text) {
	const shown = plain(text);
	const nodes = [];
	let end = 0;
	for (const { 0: match, index } of shown.matchAll(LINK)) {
		const address = trimmed(match);
		if (!URL.canParse(address)) continue;
		nodes.push(shown.slice(end, index), h("a", { href: address, target: "_blank", rel: "noopener noreferrer" }, address));
		end = index + address.length;
	}
	return [...nodes, shown.slice(end)];
}

function trimmed(address) {
	const last = address.at(-1);
	const opened = { ")": "(", "]": "[" }[last];
	const keep = opened ? address.includes(opened) : !/[.,;:!?'*_~]/.test(last);
	return keep ? address : trimmed(address.slice(0, -1));
}
