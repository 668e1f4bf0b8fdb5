// Requests to the server. The cookie goes along by itself.

// A status of 0 means that no answer came.
export class Problem extends Error {
	constructor(status, { detail, title, code, reason }, retryAfter = 1) {
		super(detail || title || `The server answered with status ${status}.`)
		Object.assign(this, { status, code, reason, retryAfter })
		this.temporary = status === 0 || status === 429 || status >= 500
		this.signedOut = code === "client_ended" || code === "unauthenticated"
	}
}

export const unreachable = () => {
	throw new Problem(0, { detail: "The server can’t be reached right now." })
}

export const hooks = { signedOut: null }

const TIMEOUT = 30_000

export const post = (path, body) => request("POST", path, body)
export const remove = (path) => request("DELETE", path)

// Reading is safe to repeat, so it waits out a busy server.
export async function get(path, tries = 4) {
	try {
		return await request("GET", path)
	} catch (error) {
		if (!error.temporary || tries === 1) throw error
		await sleep(error.retryAfter * 1000)
		return get(path, tries - 1)
	}
}

export const command = (name, params, label, to) => post("/messages", { command: name, params, label, to })

// Not `randomUUID`: that is missing on plain http.
export const randomLabel = () => crypto.getRandomValues(new Uint32Array(3)).join("-")

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds))

async function request(method, path, body) {
	const headers = body ? { "Content-Type": "application/json" } : {}
	let response, text
	try {
		const signal = AbortSignal.timeout(TIMEOUT)
		response = await fetch("/api/v1" + path, { method, headers, body: body && JSON.stringify(body), signal })
		text = await response.text()
	} catch {
		unreachable()
	}
	const answer = parse(text)
	if (response.ok) return answer
	const problem = new Problem(response.status, answer ?? {}, Number(response.headers.get("Retry-After")) || 1)
	if (problem.signedOut) hooks.signedOut?.(problem)
	throw problem
}

function parse(text) {
	try {
		return JSON.parse(text)
	} catch {
		return null
	}
}
