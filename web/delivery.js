// The queue over a WebSocket, its reconnecting and acknowledging.

import { command, get } from "./api.js";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const STABLE = 5_000;
const PING_EVERY = 30_000;
const SILENCE = 75_000;
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
	let delay = FIRST_DELAY;
	let timer = null;
	let openedAt = 0;

	connect();
	addEventListener("online", connectNow, { signal });
	addEventListener("offline", () => failed(), { signal });
	addEventListener("pagehide", () => acknowledge({ keepalive: true }), { signal });
	document.addEventListener("visibilitychange", () => {
		if (!document.hidden && (timer || silent())) connectNow();
	}, { signal });
	// Pages do not see the server's pings, so they ask themselves.
	const pings = setInterval(() => {
		if (timer) return;
		if (silent()) failed();
		else if (socket.readyState === 1) socket.send('{"command":"PING","params":["-"]}');
	}, PING_EVERY);
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
			// A warning's id is that of an event which may still come.
			const isWarning = message.command === "WARN";
			if (!message.command || message.id <= seen && !isWarning) return;
			if (!isWarning) seen = message.id;
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

	function silent() {
		return Date.now() - heard > SILENCE;
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
