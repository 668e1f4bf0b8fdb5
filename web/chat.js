// Puts the model, the delivery and the parts of the page together.

import { command, get, hooks } from "./api.js";
import { createBrowse } from "./browse.js";
import { createComposer } from "./composer.js";
import { createConnection } from "./connection.js";
import { openDelivery } from "./delivery.js";
import { showPage } from "./dom.js";
import { createDrawers } from "./drawers.js";
import { createHeader } from "./header.js";
import { createHints } from "./hints.js";
import { load, loadAll } from "./history.js";
import { createIncoming } from "./incoming.js";
import { createKeys } from "./keys.js";
import { createMembers } from "./members.js";
import { createMessages } from "./messages.js";
import { Model } from "./model.js";
import { replyLines } from "./numerics.js";
import { createOutbox } from "./outbox.js";
import { createReader, unread } from "./readmarks.js";
import { createSidebar } from "./sidebar.js";
import { showSignedOut } from "./start.js";
import { sentence } from "./text.js";

const DRAW_EVERY = 40;

export function showChat(snapshot) {
	const page = showPage("chat-view");
	const model = new Model();
	model.adopt(snapshot);
	const end = new AbortController();
	let timer = null;
	let connected = false;

	const chat = {
		model, signal: end.signal, view: null, wanted: "",
		open, home, join, run, send, line, showReplies, changed, attend, attentive, refreshSession, signedOut,
		complain: (text) => composer.complain(text),
	};
	chat.outbox = createOutbox(chat);
	const read = createReader(chat);
	const messages = createMessages(chat, page);
	const browse = createBrowse(chat, page);
	const composer = createComposer(chat, page);
	const showState = createConnection(page);
	const parts = [createSidebar, createHeader, createMembers, createHints, createDrawers, createKeys]
		.map((create) => create(chat, page));

	hooks.signedOut = (problem) => signedOut(problem.reason);
	addEventListener("beforeunload", (event) => {
		if ([...model.views.values()].some(({ pending }) => pending.length)) event.preventDefault();
	}, { signal: end.signal });
	addEventListener("focus", attend, { signal: end.signal });
	document.addEventListener("visibilitychange", attend, { signal: end.signal });
	addEventListener("hashchange", () => open(addressed() ?? chat.view), { signal: end.signal });

	open(addressed() ?? home());
	const delivery = openDelivery({
		after: snapshot.acknowledged,
		check,
		onMessage: createIncoming(chat, ({ id = 0 }) => delivery.handled(id)),
		onState,
		onEnd: signedOut,
		signal: end.signal,
	});

	function open(view) {
		const previous = chat.view;
		if (view === previous) return opened();
		if (previous) previous.newFrom = null;
		chat.view = view;
		view.missed = 0;
		chat.wanted = "";
		markNew(view);
		if (!view.loaded) load(view).then(() => markNew(view));
		history.replaceState(null, "", view.kind === "channel" ? view.name : location.pathname);
		composer.show(view, previous);
		browse.show(view === model.browse);
		if (view !== model.browse) messages.show(view);
		opened();
		draw();
	}

	function markNew(view) {
		view.newFrom = unread(model, view).count ? view.read : null;
		changed();
	}

	function opened() {
		parts.forEach((part) => part.opened?.());
	}

	function home() {
		return model.channels()[0] ?? model.browse;
	}

	function addressed() {
		return model.channels().find(({ name }) => new URL(name, location).hash === location.hash);
	}

	function changed() {
		timer ??= setTimeout(draw, DRAW_EVERY);
	}

	function draw() {
		clearTimeout(timer);
		timer = null;
		if (end.signal.aborted) return;
		if (chat.view !== model.browse) messages.refresh();
		for (const part of parts) part.draw?.();
		let count = 0;
		for (const view of model.views.values()) count += unread(model, view).count;
		document.title = `${count ? `(${count}) ` : ""}${chat.view.name} · Rejoin`;
		attend();
	}

	function attentive() {
		return !document.hidden && document.hasFocus() && chat.view !== model.browse && messages.atEnd();
	}

	function attend() {
		if (attentive()) read(chat.view);
	}

	/** Never speaks as somebody else: while this page was cut off, the browser may have got another session. */
	async function check() {
		const { client } = await get("/session", 1);
		if (client.id === snapshot.client.id) return;
		end.abort();
		location.reload();
		await new Promise(() => {});
	}

	async function send(verb, params, label) {
		if (!connected) await check();
		try {
			return await command(verb, params, { label });
		} catch (error) {
			if (error.code) error.message = sentence(error.message);
			throw error;
		}
	}

	async function run(verb, params, label) {
		const { view } = chat;
		const { replies } = await send(verb, params, label);
		showReplies(replies, view, verb);
		if (verb === "MODE" && params.at(-1) === "+b" && !replies.some(({ command: numeric }) => numeric === "367")) {
			line(`Nobody is banned from ${params[0]}.`, { kind: "reply" }, view);
		}
	}

	async function join(name, key) {
		const known = model.view(name);
		if (known?.kind === "channel") return open(known);
		chat.wanted = name.split(",").at(-1);
		try {
			await run("JOIN", key ? [name, key] : [name]);
		} catch (error) {
			chat.wanted = "";
			throw error;
		}
	}

	function showReplies(replies, view, verb) {
		for (const text of replyLines(replies, verb)) line(text, { kind: "reply" }, view);
	}

	/** A line of this page's own. */
	function line(text, more, view = chat.view) {
		const item = { text, ...more };
		if (view === model.browse) view = chat.view;
		if (view === model.browse) return browse.tell({ time: new Date().toISOString(), local: true, ...item });
		view.timeline.addLocal(item);
		if (view === model.server && view !== chat.view) view.missed += 1;
		changed();
	}

	async function refreshSession() {
		try {
			const { session } = await get("/session");
			model.session.has_password = session.has_password;
			changed();
		} catch {
			// Only a hint hangs on it.
		}
	}

	function onState(state) {
		showState(state);
		connected = state === "connected";
		if (!connected) return;
		chat.outbox.reconnected();
		loadAll([...model.views.values()], changed).then(() => {
			if (model.directs().every(({ loaded }) => loaded)) model.fileEarlier();
			changed();
		});
	}

	function signedOut(reason) {
		if (end.signal.aborted) return;
		end.abort();
		hooks.signedOut = null;
		document.querySelectorAll("dialog").forEach((dialog) => dialog.remove());
		history.replaceState(null, "", location.pathname);
		showSignedOut(reason, model.nick);
	}
}
