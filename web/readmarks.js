// What is unread, and telling the other devices what has been read.

import { command } from "./api.js";
import { mentions } from "./text.js";

const SETTLE = 800;
const RETRY = 5_000;

export const countable = ({ local, command: verb }) => !local && (verb === "PRIVMSG" || verb === "NOTICE");

export function unread(model, { kind, timeline, read, missed, loaded }) {
	let count = missed;
	let mention = false;
	const { items } = timeline;
	for (let i = items.length - 1; i >= 0 && items[i].id > read; i -= 1) {
		const item = items[i];
		if (!countable(item) || model.isMine(item)) continue;
		count += 1;
		mention ||= kind === "direct" || mentions(item.params[1], model.nick);
	}
	const { more, firstId } = timeline;
	return { count, mention, partial: loaded && more && firstId > read };
}

export function createReader(chat) {
	const timers = new Map();

	return function read(view) {
		const last = view.timeline.items.findLast(countable);
		if (!last || last.id <= view.read) return;
		view.read = last.id;
		chat.changed();
		if (view.kind !== "server" && !view.name.includes(" ")) tellSoon(view, SETTLE);
	};

	function tellSoon(view, delay) {
		clearTimeout(timers.get(view));
		timers.set(view, setTimeout(tell, delay, view));
	}

	async function tell(view) {
		try {
			await command("MARKREAD", [view.name, String(view.read)]);
		} catch (error) {
			if (error.temporary && !chat.signal.aborted) tellSoon(view, RETRY);
		}
	}
}
