// @ts-check
// The device's queue over a WebSocket: each message once and in order, reconnecting,
// acknowledging.

import { get } from "./api.js";

/** @import { ChatEvent, EndReason } from "./types.js" */
/** @typedef {"connected" | "reconnecting" | "offline"} ConnectionState */

/**
 * @typedef {object} Handlers
 * @property {() => Promise<void>} check resolves once the browser surely has this session
 * @property {(event: ChatEvent) => void} onMessage
 * @property {(id: number) => void} onArrival called for each message, before `onMessage`
 * @property {(state: ConnectionState) => void} onState
 * @property {(reason: EndReason) => void} onLoggedOut
 */

const FIRST_DELAY = 500;
const LONGEST_DELAY = 30_000;
/** A connection that lasted this long counts as a success. */
const STABLE = 5_000;
const PING_EVERY = 30_000;
const PING_TIMEOUT = 10_000;
const ACKNOWLEDGE_EVERY = 5_000;
/** The code with which the server closes the socket of a device that is logged out. */
const LOGGED_OUT = 4401;

export class Delivery {
  #handlers;
  /** The newest event that was passed on. */
  #seen;
  /** The newest event that the server need not keep for this device. */
  #handled;
  /** The newest warning about a gap. */
  #warned = 0;
  #acknowledgeTimer = 0;
  /** @type {WebSocket | null} */
  #socket = null;
  #lastHeard = 0;
  #openedAt = 0;
  #delay = FIRST_DELAY;
  #reconnectTimer = 0;

  /**
   * @param {number} acknowledged where the queue begins
   * @param {Handlers} handlers
   */
  constructor(acknowledged, handlers) {
    this.#seen = acknowledged;
    this.#handled = acknowledged;
    this.#handlers = handlers;
  }

  start() {
    this.#connect();
    addEventListener("online", () => this.#connectNow());
    addEventListener("offline", () => this.#failed());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) {
        return;
      }
      if (this.#reconnectTimer) {
        this.#connectNow();
      } else {
        this.#ping();
      }
    });
    setInterval(() => this.#ping(), PING_EVERY);
  }

  /**
   * Acknowledges everything up to an event, within a few seconds.
   * @param {number} id
   */
  acknowledge(id) {
    if (id <= this.#handled) {
      return;
    }
    this.#handled = id;
    this.#acknowledgeTimer ||= setTimeout(() => {
      this.#acknowledgeTimer = 0;
      this.#send("ACK", String(this.#handled));
    }, ACKNOWLEDGE_EVERY);
  }

  /**
   * @param {string} command
   * @param {string} param
   */
  #send(command, param) {
    if (this.#socket?.readyState === WebSocket.OPEN) {
      this.#socket.send(JSON.stringify({ command, params: [param] }));
    }
  }

  /** Connects. Messages wait for `check`, because the browser may have another session by now. */
  #connect() {
    this.#reconnectTimer = 0;
    this.#drop();
    this.#lastHeard = Date.now();
    const origin = location.origin.replace("http", "ws");
    const socket = new WebSocket(
      `${origin}/api/v1/socket?after=${this.#handled}`,
    );
    this.#socket = socket;
    /** @type {Promise<void> | null} */
    let checked = null;
    socket.onopen = () => {
      this.#openedAt = Date.now();
      checked = this.#verify(socket);
    };
    socket.onmessage = async ({ data }) => {
      this.#lastHeard = Date.now();
      await checked;
      if (this.#socket === socket) {
        this.#take(JSON.parse(data));
      }
    };
    socket.onclose = ({ code, reason }) => {
      if (this.#socket !== socket) {
        return;
      }
      if (code === LOGGED_OUT) {
        this.#handlers.onLoggedOut(reason);
        return;
      }
      this.#failed();
      if (!checked) {
        // A socket that never opened does not say why. A request does: see `onLoggedOut` of the API.
        get("/session", 1).catch(() => {});
      }
    };
  }

  /** @param {WebSocket} socket */
  async #verify(socket) {
    try {
      await this.#handlers.check();
    } catch {
      if (this.#socket === socket) {
        this.#failed();
      }
      return;
    }
    if (this.#socket === socket) {
      this.#handlers.onState("connected");
    }
  }

  /** @param {ChatEvent} message */
  #take(message) {
    this.#handlers.onArrival(message.id);
    if (message.command === "WARN") {
      // Each connection warns again. The event with this id may still arrive.
      if (message.id > this.#warned) {
        this.#warned = message.id;
        this.#handlers.onMessage({ ...message, id: 0 });
      }
    } else if (message.id > this.#seen) {
      this.#seen = message.id;
      this.#handlers.onMessage(message);
    }
  }

  /** Checks that the server answers. A page cannot see the protocol's own pings. */
  #ping() {
    const askedAt = Date.now();
    this.#send("PING", "-");
    setTimeout(() => {
      if (this.#lastHeard < askedAt && this.#socket) {
        this.#failed();
      }
    }, PING_TIMEOUT);
  }

  #drop() {
    this.#socket?.close();
    this.#socket = null;
  }

  #connectNow() {
    clearTimeout(this.#reconnectTimer);
    this.#delay = FIRST_DELAY;
    this.#connect();
  }

  #failed() {
    this.#drop();
    this.#handlers.onState(navigator.onLine ? "reconnecting" : "offline");
    const lasted = this.#openedAt ? Date.now() - this.#openedAt : 0;
    if (lasted > STABLE) {
      this.#delay = FIRST_DELAY;
    }
    this.#openedAt = 0;
    clearTimeout(this.#reconnectTimer);
    // Random, so that all pages do not reconnect at the same time.
    const delay = this.#delay * (0.75 + Math.random() / 2);
    const connect = () => this.#connect();
    this.#reconnectTimer = setTimeout(connect, delay);
    this.#delay = Math.min(this.#delay * 2, LONGEST_DELAY);
  }
}
