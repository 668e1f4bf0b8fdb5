// The event stream, its reconnecting and acknowledging.

import { command, get } from "./api.js";

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
const STABLE = 5_000;
const SUSPECT = 60_000;
const ACKNOWLEDGE_EVERY = 5_000;

/**
 * `onMessage` gets each message past `after`, once and in order; `onEnd` the reason when this client has ended.
 * Nothing of a stream is taken before `check` has resolved: the browser may have another session by now.
 * It reconnects by itself: EventSource gives up for good on some failures.
 */
export function openDelivery({ after, check, onMessage, onState, onEnd, signal }) {
	let seen = after;
	let handled = after;
	let acknowledged = after;
	let acknowledgeTimer = null;
	let source = null;
	let delay = FIRST_DELAY;
	let timer = null;
	let openedAt = 0;
	let hiddenAt = 0;

	connect();
	addEventListener("online", connectNow, { signal });
	addEventListener("offline", () => failed(), { signal });
	addEventListener("pagehide", () => acknowledge({ keepalive: true }), { signal });
	document.addEventListener("visibilitychange", () => {
		if (document.hidden) hiddenAt = Date.now();
		else if (timer || Date.now() - hiddenAt > SUSPECT) connectNow();
	}, { signal });
	signal.addEventListener("abort", () => {
		clearTimeout(timer);
		clearTimeout(acknowledgeTimer);
		source.close();
	});

	return {
		handled(id) {
			handled = Math.max(handled, id);
			acknowledgeTimer ??= setTimeout(acknowledge, ACKNOWLEDGE_EVERY);
		},
	};

	function connect() {
		timer = null;
		source?.close();
		const current = source = new EventSource(`/api/v1/events?after=${seen}`);
		let checked = null;
		current.onopen = () => {
			openedAt = Date.now();
			checked = check().then(
				() => source === current && onState("connected"),
				() => source === current && failed(),
			);
		};
		current.onmessage = async ({ data, lastEventId }) => {
			await checked;
			if (source !== current || timer) return;
			const message = JSON.parse(data);
			const position = Number(lastEventId) || message.id || 0;
			if (position <= seen && message.command !== "WARN") return;
			seen = Math.max(seen, position);
			onMessage(message);
		};
		current.addEventListener("end", ({ data }) => onEnd(JSON.parse(data).reason));
		current.onerror = () => {
			failed();
			// EventSource does not tell a 401; a request does, by way of `hooks`.
			if (!checked) get("/session", 1).catch(() => {});
		};
	}

	function connectNow() {
		clearTimeout(timer);
		delay = FIRST_DELAY;
		connect();
	}

	function failed() {
		source.close();
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
