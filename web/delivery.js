// The queue over a WebSocket, its reconnecting and acknowledging.

import { command, get } from "./api.js";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const STABLE = 5_000;
const PING_EVERY = 30_000;
const ANSWER = 10_000;
const ACKNOWLEDGE_EVERY = 5_000;

/**
 * `onMessage` gets each message past `after`, once and in order; `onEnd` the reason when this client has ended.
 * Nothing of a connection is taken before `check` has resolved: the browser may have another session by now.
 */
export function openDelivery({ after, check, onMessage, onState, onEnd, signal }) {
	let seen = after;
	let handled = after;
	let acknowledged = after;
	let acknowledgeTimer = null;
	let socket = null;
	let heard = 0;
	let warned = 0;
	let delay = FIRST_DELAY;
	let timer = null;
	let openedAt = 0;

	connect();
	addEventListener("online", connectNow, { signal });
	addEventListener("offline", failed, { signal });
	addEventListener("pagehide", () => acknowledge({ keepalive: true }), { signal });
	document.addEventListener("visibilitychange", () => {
		if (!document.hidden) timer ? connectNow() : ping();
	}, { signal });
	const pings = setInterval(ping, PING_EVERY);
	signal.addEventListener("abort", () => {
		clearInterval(pings);
		clearTimeout(timer);
		clearTimeout(acknowledgeTimer);
		drop();
	});

	return {
		handled(id) {
			handled = Math.max(handled, id);
			acknowledgeTimer ??= setTimeout(acknowledge, ACKNOWLEDGE_EVERY);
		},
	};

	function connect() {
		timer = null;
		drop();
		heard = Date.now();
		const current = socket = new WebSocket(`${location.origin.replace("http", "ws")}/api/v1/socket?after=${seen}`);
		let checked = null;
		current.onopen = () => {
			openedAt = Date.now();
			checked = check().then(
				() => socket === current && onState("connected"),
				() => socket === current && failed(),
			);
		};
		current.onmessage = async ({ data }) => {
			heard = Date.now();
			await checked;
			if (socket !== current) return;
			const message = JSON.parse(data);
			if (message.command === "WARN") {
				// Told at each reconnect; what has its id may still come.
				if (message.id <= warned) return;
				warned = message.id;
				delete message.id;
			} else if (message.id > seen) seen = message.id;
			else return;
			onMessage(message);
		};
		current.onclose = ({ code, reason }) => {
			if (socket !== current) return;
			if (code === 4401) return onEnd(reason);
			failed();
			// A request tells of a 401, by way of `hooks`.
			if (!checked) get("/session", 1).catch(() => {});
		};
	}

	/** Pages see no pings, so they ask. */
	function ping() {
		const asked = Date.now();
		if (socket?.readyState === 1) socket.send('{"command":"PING","params":["-"]}');
		setTimeout(() => heard < asked && socket && failed(), ANSWER);
	}

	function drop() {
		socket?.close();
		socket = null;
	}

	function connectNow() {
		clearTimeout(timer);
		delay = FIRST_DELAY;
		connect();
	}

	function failed() {
		drop();
		onState(navigator.onLine ? "reconnecting" : "offline");
		if (openedAt && Date.now() - openedAt > STABLE) delay = FIRST_DELAY;
		openedAt = 0;
		clearTimeout(timer);
		timer = setTimeout(connect, delay * (0.75 + Math.random() / 2));
		delay = Math.min(delay * 2, LONGEST_DELAY);
	}

	async function acknowledge(options) {
		clearTimeout(acknowledgeTimer);
		acknowledgeTimer = null;
		if (handled <= acknowledged) return;
		const id = handled;
		try {
			await command("ACK", [String(id)], options);
			acknowledged = id;
		} catch {
			// The next one says the same and more.
		}
	}
}
