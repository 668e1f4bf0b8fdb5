// The dialog for the password. Nothing of it outlives the dialog.

import { get } from "./api.js";
import { removeOthers } from "./devices.js";
import { showDialog, submit } from "./dialog.js";
import { $, fromTemplate, setText } from "./dom.js";

/** `fresh` is a new password typed already; with `change` it lacks the current one. */
export function openPassword(chat, fresh = "", change = false) {
	const dialog = fromTemplate("password-dialog");
	const { session } = chat.model;
	const current = $("#current-password", dialog);
	const password = $("#new-password", dialog);

	$("[name=username]", dialog).value = session.nick;
	password.value = fresh;
	changing(session.has_password || change);
	$(".cancel", dialog).addEventListener("click", () => dialog.close());
	$("form", dialog).addEventListener("submit", (event) => submit(event, dialog, $("#password-error", dialog), save));
	showDialog(dialog).then(async (saved) => {
		if (saved && !current.disabled && (await get("/clients")).length > 1) {
			removeOthers("Password changed. Sign your other devices out, too?");
		}
	});

	function changing(change) {
		setText($("h2", dialog), change ? "Change password" : "Set a password");
		$(".current", dialog).hidden = !change;
		current.disabled = !change;
	}

	async function save() {
		try {
			await chat.run("PASS", current.disabled ? [password.value] : [password.value, current.value]);
			chat.refreshSession();
		} catch (problem) {
			if (problem.code === "password_required") changing(true);
			throw problem;
		}
	}
}
