// Sending messages: in order, safe to repeat by their label.

import { randomLabel, sleep, Unreachable } from "./api.js";

const TRIES = 5;

export function createOutbox(chat) {
	// One after the other: two requests at once could overtake each other.
	let line = Promise.resolve();

	return { send, retry, discard, arrived, reconnected };

	function send(view, name, params) {
		const item = {
			label: randomLabel(), command: name, params, source: chat.model.nick, time: new Date().toISOString(), ids: [],
		};
		view.pending.push(item);
		retry(view, item);
	}

	function retry(view, item) {
		item.state = "sending";
		chat.changed();
		line = line.then(() => deliver(view, item));
	}

	function discard(view, item) {
		view.pending = view.pending.filter((one) => one !== item);
		chat.changed();
	}

	function arrived({ id, label }) {
		for (const view of chat.model.views.values()) {
			view.pending = view.pending.filter((item) => item.label !== label && !item.ids.includes(id));
		}
	}

	function reconnected() {
		for (const view of chat.model.views.values()) {
			for (const item of view.pending) if (item.state === "lost") retry(view, item);
		}
	}

	async function deliver(view, item) {
		for (let tries = 1; view.pending.includes(item); tries += 1) {
			try {
				const { ids, replies } = await chat.send(item.command, item.params, item.label);
				item.ids = ids;
				// The event may have come before this answer.
				const views = [...chat.model.views.values()];
				if (ids.every((id) => views.some(({ timeline }) => timeline.ids.has(id)))) discard(view, item);
				return chat.showReplies(replies, view);
			} catch (error) {
				item.error = error.message;
				const lost = error instanceof Unreachable;
				if (error.temporary && !lost && tries < TRIES) {
					item.state = "waiting";
					chat.changed();
					await sleep(error.retryAfter * 1000);
					continue;
				}
				item.state = lost ? "lost" : "refused";
				if (!lost) chat.complain(error.message);
				return chat.changed();
			}
		}
	}
}
