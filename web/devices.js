// The session's devices.

import { get, post, remove } from "./api.js";
import { ask, showDialog } from "./dialog.js";
import { $, fromTemplate, h, setText, syncList } from "./dom.js";
import { timeAgo } from "./text.js";

export function openDevices(chat) {
	const dialog = fromTemplate("devices-dialog");
	const { session } = chat.model;
	const ends = `you leave your channels, and others can be ${session.nick}.`;
	let devices = [];

	setText($(".nick", dialog), session.nick);
	$(".first", dialog).hidden = session.has_password;
	setText($(".address", dialog), `${location.origin}/login`);
	on(".others", () => removeOthers("Remove all others?", act));
	on(".sign-out", async () => {
		await act();
		if (devices.length > 1) return act(signOut);
		askToEnd("Sign out your last device?", "No other is in this session, so it ends:", signOut);
	});
	on(".end", () => askToEnd("End the session everywhere?", "All your devices are signed out,", async () => {
		await remove("/session");
		chat.signedOut("session_ended");
	}));
	on(".done", () => dialog.close());
	showDialog(dialog);
	act();

	function on(button, action) {
		$(button, dialog).addEventListener("click", action);
	}

	function askToEnd(title, text, action) {
		ask({ title, text: `${text} ${ends}`, confirm: "End session", action });
	}

	async function signOut() {
		await post("/logout");
		chat.signedOut("logged_out");
	}

	async function act(action) {
		try {
			await action?.();
			devices = await get("/clients");
			syncList($(".devices", dialog), devices, ({ id }) => id, create, update);
			$(".others", dialog).hidden = devices.length < 2;
			// The button pressed may be gone.
			if (document.activeElement === document.body) $("h2", dialog).focus();
			setText($(".error", dialog), "");
		} catch (problem) {
			setText($(".error", dialog), problem.message);
		}
	}

	function create({ id, name, current }) {
		const removeIt = () => act(() => remove(`/clients/${id}`));
		return h("li", { "data-id": id },
			h("div", {}, h("b", {}, name), current && h("span", { class: "tag" }, "this device"), h("small")),
			!current && h("button", { "aria-label": `Remove ${name}`, onclick: removeIt }, "Remove"));
	}

	function update(item, { current, created_at, seen_at, address_family }) {
		const over = address_family ? ` over ${address_family}` : "";
		const used = current ? "in use now" : `last used ${timeAgo(seen_at)}`;
		setText($("small", item), `Added ${timeAgo(created_at)}${over}, ${used}`);
	}
}

/** Asks whether only this device is to stay; `act` does what it is given. */
export function removeOthers(title, act = (action) => action()) {
	ask({
		title,
		text: "Only this one stays in the session.",
		confirm: "Remove all others",
		action: () => act(() => remove("/clients")),
	});
}
