// The entry: shows the nick page or the chat.
// The chat's modules are only loaded once there is a session.

import { get } from "./api.js";
import { showStart, showTrouble } from "./start.js";

async function begin() {
	try {
		const snapshot = await get("/session");
		const { showChat } = await import("./chat.js");
		showChat(snapshot);
	} catch (error) {
		if (error.signedOut) return showStart(error.reason, begin);
		if (!error.temporary) console.error(error);
		showTrouble(begin);
	}
}

// A page brought back by the browser's Back has a dead stream and old state.
addEventListener("pageshow", (event) => event.persisted && location.reload());

begin();
