// The dialog that sets or changes the session's password. Nothing of it outlives the dialog.

import { showDialog, submit } from "./dialog.js";
import { $, fromTemplate, setText } from "./dom.js";

/** `fresh` is a new password typed already, which lacks the current one. */
export function openPassword(chat, fresh = "") {
	const dialog = fromTemplate("password-dialog");
	const { session } = chat.model;
	const current = $("#current-password", dialog);
	const password = $("#new-password", dialog);

	// Password managers file the password under this name.
	$("[name=username]", dialog).value = session.nick;
	password.value = fresh;
	changing(session.has_password || fresh !== "");
	$(".cancel", dialog).addEventListener("click", () => dialog.close());
	$("form", dialog).addEventListener("submit", (event) => submit(event, dialog, $("#password-error", dialog), save));
	showDialog(dialog);

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
			// Set on another device meanwhile.
			if (problem.code === "password_required") changing(true);
			throw problem;
		}
	}
}
