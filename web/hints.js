// Quiet lines above the composer.

import { $, setText } from "./dom.js";
import { openPassword } from "./password.js";

export function createHints(chat, page) {
	const password = $("#password-hint", page);
	const away = $("#away-hint", page);
	let dismissed = false;

	$(".link", password).addEventListener("click", () => openPassword(chat));
	$(".icon", password).addEventListener("click", () => {
		dismissed = true;
		draw();
	});
	$(".link", away).addEventListener("click", () =>
		chat.run("AWAY", []).catch((error) => chat.complain(error.message)));

	return { draw };

	function draw() {
		const { session } = chat.model;
		password.hidden = dismissed || session.has_password;
		away.hidden = !session.away;
		setText($("span", away), `You are away: ${session.away}`);
	}
}
