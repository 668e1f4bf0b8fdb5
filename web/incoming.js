// What an event sets off in the model, in the views that show it, and beside them.

import { get } from "./api.js";
import { loadAll } from "./history.js";
import { SERVER } from "./model.js";
import { countable } from "./readmarks.js";
import { isChannel, same } from "./text.js";

/** Returns what takes each event; `onHandled` gets it when it has reached the page. */
export function createIncoming(chat, onHandled) {
	const { model, signal } = chat;
	let line = Promise.resolve();

	// One event after the other, even where one has to wait for a snapshot, however long.
	return (event) => {
		line = line.then(() => signal.aborted || handle(event)).catch(console.error).then(() => onHandled(event));
	};

	async function handle(event) {
		const { id, source, command, params } = event;
		if (command === "WARN") return gap(params);
		const live = id > model.cursor;
		const mine = live && model.isMe(source);
		if (mine && command === "JOIN" && !model.view(params[0])) {
			if (!model.adoptChannel(await get("/session", Infinity), params[0])) return;
			loadAll([model.view(params[0])], chat.changed);
		}
		for (const view of model.receive(event)) {
			view.timeline.add(event);
			chat.outbox.arrived(view, event);
			if (view === chat.view && countable(event)) markNew(view, mine);
		}
		if (mine && command === "JOIN" && same(params[0], chat.wanted)) chat.open(model.view(params[0]));
		// The view on the screen may just have been left, here or on another device.
		if (isChannel(chat.view.name) && !model.view(chat.view.name)) chat.open(chat.home());
		if (live) aside(event);
		chat.changed();
	}

	/** What also has to be said outside the view it belongs to. */
	function aside({ source, command, params }) {
		if (source === SERVER && command === "NOTICE") {
			if (chat.view.kind !== "server") chat.line(params[1], { kind: "server" });
			// It may tell of a change to the session that has no event of its own.
			chat.refreshSession();
		} else if (command === "INVITE") {
			const run = () => chat.join(params[1]).catch((error) => chat.complain(error.message));
			chat.line(`${source} invites you to ${params[1]}. `, { kind: "server", action: { name: "Join", run } });
		} else if (command === "KICK" && model.isMe(params[1])) {
			chat.line(`You were removed from ${params[0]} by ${source}: ${params[2] ?? ""}`, { kind: "server" });
		}
	}

	/** The "New" line, for whoever is not looking now. */
	function markNew(view, mine) {
		if (mine) view.newFrom = null;
		else if (!chat.attentive()) view.newFrom ??= view.read;
	}

	/** Events are missing: said where they would stand, and the state read anew. */
	async function gap([, , , last]) {
		model.adopt(await get("/session", Infinity));
		for (const view of [...model.views.values(), model.server]) {
			view.timeline.addLocal({
				id: Number(last), kind: "gap", text: "Some messages were removed before this device could receive them.",
			});
		}
		chat.changed();
	}
}
