// @ts-check
// Requests to the server. The browser adds the cookie.

const REQUEST_TIMEOUT = 30_000;
const MAX_TRIES = 4;

/** A request that failed. A status of 0 means that no answer came. */
export class Problem extends Error {
  /**
   * @param {number} status
   * @param {{ detail?: string, title?: string, code?: string, reason?: string }} body
   * @param {number} [retryAfter] in seconds
   */
  constructor(status, { detail, title, code, reason }, retryAfter = 1) {
    super(detail || title || `The server answered with status ${status}.`);
    this.status = status;
    this.code = code;
    this.reason = reason;
    this.retryAfter = retryAfter;
  }

  /** Whether the same request may succeed later. */
  get temporary() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }

  /** Whether the server no longer knows this device. */
  get loggedOut() {
    return this.code === "client_ended" || this.code === "unauthenticated";
  }
}

/** @returns {never} */
export function failUnreachable() {
  throw new Problem(0, { detail: "The server can’t be reached right now." });
}

/**
 * Returns a thrown problem. Throws anything else again, because it is a bug of the page.
 * @param {unknown} error
 * @returns {Problem}
 */
export function asProblem(error) {
  if (error instanceof Problem) {
    return error;
  }
  throw error;
}

/**
 * The text of anything that was thrown.
 * @param {unknown} error
 */
export const messageOf = (error) =>
  error instanceof Error ? error.message : String(error);

/** @type {((problem: Problem) => void) | null} */
let loggedOutListener = null;

/**
 * Calls `listener` when an answer says that this device is logged out.
 * @param {(problem: Problem) => void} listener
 */
export function onLoggedOut(listener) {
  loggedOutListener = listener;
}

/**
 * @param {string} path
 * @param {object} [body]
 */
export const post = (path, body) => request("POST", path, body);

/** @param {string} path */
export const remove = (path) => request("DELETE", path);

/**
 * Sends a GET. It is safe to repeat, so this tries again while the server is busy.
 * @param {string} path
 * @returns {Promise<any>}
 */
export async function get(path, tries = MAX_TRIES) {
  try {
    return await request("GET", path);
  } catch (error) {
    const problem = asProblem(error);
    if (!problem.temporary || tries === 1) {
      throw problem;
    }
    await sleep(problem.retryAfter * 1000);
    return get(path, tries - 1);
  }
}

/**
 * Sends a command. If it is sent again with the same label, it has no second effect.
 * @param {string} name
 * @param {string[]} params
 * @param {string} [label]
 * @param {number | null} [to] the session that is meant, if its nick may have changed
 */
export const command = (name, params, label, to) =>
  post("/messages", { command: name, params, label, to: to ?? undefined });

/** A label for a command. `randomUUID` is missing on plain http. */
export const randomLabel = () =>
  crypto.getRandomValues(new Uint32Array(3)).join("-");

/** @param {number} milliseconds */
export const sleep = (milliseconds) =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/**
 * @param {string} method
 * @param {string} path
 * @param {object} [body]
 * @returns {Promise<any>}
 */
async function request(method, path, body) {
  /** @type {RequestInit} */
  const options = { method, signal: AbortSignal.timeout(REQUEST_TIMEOUT) };
  if (body) {
    options.headers = { "Content-Type": "application/json" };
    options.body = JSON.stringify(body);
  }
  const { response, text } = await exchange(`/api/v1${path}`, options);
  const answer = parseJson(text);
  if (response.ok) {
    return answer;
  }
  const retryAfter = Number(response.headers.get("Retry-After")) || 1;
  const problem = new Problem(response.status, answer ?? {}, retryAfter);
  if (problem.loggedOut) {
    loggedOutListener?.(problem);
  }
  throw problem;
}

/**
 * @param {string} address
 * @param {RequestInit} options
 */
async function exchange(address, options) {
  try {
    const response = await fetch(address, options);
    return { response, text: await response.text() };
  } catch {
    return failUnreachable();
  }
}

/** @param {string} text */
function parseJson(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
