// The state of the connection, in words.

import { $, setText } from "./dom.js";

const WORDS = {
	connected: "Connected",
	reconnecting: "Reconnecting…",
	offline: "You are offline",
};

export function createConnection(page) {
	const status = $("#connection", page);
	return (state) => {
		setText(status, WORDS[state]);
		status.dataset.state = state;
	};
}
