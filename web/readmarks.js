// What is unread, and telling the session's other devices what has been read here.

import { command } from "./api.js";
import { mentions } from "./text.js";

const SETTLE = 800;
const RETRY = 5_000;

/** Whether an event is something to read, and not a join or the like. */
export const countable = ({ local, command: verb }) => !local && (verb === "PRIVMSG" || verb === "NOTICE");

/** `{ count, mention }` of the messages of others past the view's read mark. */
export function unread(model, { kind, timeline: { items }, read }) {
	let count = 0;
	let mention = false;
	for (let i = items.length - 1; i >= 0 && items[i].id > read; i -= 1) {
		const item = items[i];
		if (!countable(item) || model.isMe(item.source)) continue;
		count += 1;
		mention ||= kind === "direct" || mentions(item.params[1], model.nick);
	}
	return { count, mention };
}

export function createReader(chat) {
	const timers = new Map();

	/** The view's end is on the screen and somebody looks at it. */
	return function read(view) {
		const last = view.timeline.items.findLast(countable);
		if (!last || last.id <= view.read) return;
		const { count } = unread(chat.model, view);
		view.read = last.id;
		chat.changed();
		// Own messages alone are no news for the other devices.
		if (count && view.kind !== "server") tellSoon(view, SETTLE);
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
