// What an event sets off.

import { get, sleep } from "./api.js";
import { kickReason } from "./events.js";
import { loadAll } from "./history.js";
import { SERVER } from "./model.js";
import { countable } from "./readmarks.js";
import { same } from "./text.js";

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
		const mine = model.isMe(source);
		if (live && mine && command === "JOIN" && model.view(params[0])?.kind !== "channel") {
			if (!model.adoptChannel(await snapshot(), params[0])) return;
			loadAll([model.view(params[0])], chat.changed);
		}
		chat.outbox.arrived(event);
		for (const view of model.receive(event)) {
			view.timeline.add(event);
			if (view !== chat.view) view.timeline.trim();
			if (view === chat.view && countable(event)) markNew(view, mine);
		}
		if (live && mine && command === "JOIN" && same(params[0], chat.wanted)) chat.open(model.view(params[0]));
		goneHome();
		if (live) aside(event);
	}

	function aside({ source, command, params }) {
		if (source === SERVER && command === "NOTICE") {
			if (chat.view.kind !== "server") chat.line(params[1], { kind: "server" });
			// It may tell of a change to the session that has no event of its own.
			chat.refreshSession();
		} else if (command === "INVITE") {
			const run = () => chat.join(params[1]).catch((error) => chat.complain(error.message));
			say(`${source} invites you to ${params[1]}. `, { name: "Join", run });
		} else if (command === "KICK" && model.isMe(params[1])) {
			say(`You were removed from ${params[0]} by ${source}${kickReason(source, params[2])}`);
		}
	}

	/** Kept in the server's view, and shown where one looks. */
	function say(text, action) {
		for (const view of new Set([model.server, chat.view])) chat.line(text, { kind: "server", action }, view);
	}

	/** The "New" line, for whoever is not looking now. */
	function markNew(view, mine) {
		if (mine) view.newFrom = null;
		else if (!chat.attentive()) view.newFrom ??= view.read;
	}

	async function gap([, , , last]) {
		model.adopt(await snapshot());
		for (const view of [...model.views.values(), model.server]) {
			if (view.kind === "direct") view.loaded = false;
			view.timeline.addLocal({
				id: Number(last), kind: "gap", text: "Some messages were removed before this device could receive them.",
			});
		}
		goneHome();
		loadAll([...model.views.values()], chat.changed);
	}

	/** The view on the screen may just have been left, here or on another device. */
	function goneHome() {
		const { view } = chat;
		if (view.kind === "channel" && model.view(view.name) !== view) chat.open(model.view(view.name) ?? chat.home());
		chat.changed();
	}

	/** Without it the state would be wrong, so it is asked for until it comes. */
	async function snapshot() {
		for (;;) {
			try {
				return await get("/session", Infinity);
			} catch (error) {
				if (error.signedOut || signal.aborted) throw error;
				await sleep(5_000);
			}
		}
	}
}
