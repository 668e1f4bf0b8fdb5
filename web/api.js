// Requests to the server. The cookie goes along by itself; this page never sees it.

export class Problem extends Error {
	constructor(status, body, retryAfter) {
		super(body.detail || body.title || `The server answered with status ${status}.`);
		this.code = body.code;
		this.reason = body.reason;
		this.status = status;
		this.retryAfter = retryAfter;
		this.temporary = [429, 502, 503, 504].includes(status);
		this.signedOut = body.code === "client_ended" || body.code === "unauthenticated";
	}
}

export class Unreachable extends Error {
	message = "The server can’t be reached right now.";
	temporary = true;
	retryAfter = 1;
}

export const hooks = { signedOut: null };

const TIMEOUT = 30_000;

export const post = (path, body, options) => request("POST", path, body, options);
export const remove = (path) => request("DELETE", path);

/** Reading is safe to repeat, so it waits out a busy or unreachable server. */
export async function get(path, tries = 4) {
	try {
		return await request("GET", path);
	} catch (error) {
		if (!error.temporary || tries === 1) throw error;
		await sleep(error.retryAfter * 1000);
		return get(path, tries - 1);
	}
}

/** Sends one IRC command. `label` makes it safe to repeat. */
export function command(name, params, { label, keepalive } = {}) {
	return post("/messages", { command: name, params, label }, { keepalive });
}

/** Not `randomUUID`: that is missing on plain http. */
export function randomLabel() {
	return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16)).join("");
}

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

async function request(method, path, body, { keepalive = false } = {}) {
	const headers = body ? { "Content-Type": "application/json" } : {};
	const signal = keepalive ? null : AbortSignal.timeout(TIMEOUT);
	let response, text;
	try {
		response = await fetch("/api/v1" + path, { method, headers, body: body && JSON.stringify(body), keepalive, signal });
		text = await response.text();
	} catch {
		throw new Unreachable();
	}
	const answer = parse(text);
	if (response.ok) return answer;
	const problem = new Problem(response.status, answer ?? {}, Number(response.headers.get("Retry-After")) || 1);
	if (problem.signedOut) hooks.signedOut?.(problem);
	throw problem;
}

function parse(text) {
	try {
		return JSON.parse(text);
	} catch {
		return null;
	}
}
