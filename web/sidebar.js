// The sidebar, and who one is.

import { commands } from "./commands.js";
import { openDevices } from "./devices.js";
import { $, h, setText, syncList } from "./dom.js";
import { openHelp } from "./help.js";
import { openPassword } from "./password.js";
import { unread } from "./readmarks.js";
import { avatar } from "./row.js";
import { fold } from "./text.js";

export function createSidebar(chat, page) {
	const { model } = chat;
	const browse = $("#browse", page);
	const password = $("#open-password", page);

	browse.addEventListener("click", () => chat.open(model.browse));
	password.addEventListener("click", () => openPassword(chat));
	$("#open-devices", page).addEventListener("click", () => openDevices(chat));
	$("#open-help", page).addEventListener("click", () => openHelp(commands));

	return { draw };

	function draw() {
		sync("#channels ul", model.channels());
		sync("#directs ul", model.directs());
		sync("#server ul", model.server.timeline.items.length ? [model.server] : []);
		$("#directs .empty", page).hidden = model.directs().length > 0;
		browse.setAttribute("aria-current", chat.view === model.browse);
		const { nick, away, has_password } = model.session;
		if ($("#own-nick", page).textContent !== nick) $(".me .avatar", page).replaceWith(avatar(nick));
		setText($("#own-nick", page), nick);
		setText($("#own-state", page), away ? "Away" : "");
		password.title = has_password ? "Change password" : "Set password";
	}

	function sync(list, views) {
		syncList($(list, page), views, (view) => view.kind + fold(view.name), create, update);
	}

	function create({ kind, name }) {
		const button = h("button", { class: "target", onclick: () => chat.open(button.view) },
			kind === "direct" && avatar(name), h("span", { class: "name" }), h("span", { class: "badge" }), h("span", { class: "unseen" }));
		return h("li", {}, button);
	}

	function update({ firstElementChild: button }, view) {
		const { count, mention, partial } = unread(model, view);
		button.view = view;
		setText($(".name", button), view.name);
		setText($(".badge", button), count > 99 ? "99+" : count ? count + (partial ? "+" : "") : "");
		button.classList.toggle("unread", count > 0);
		button.classList.toggle("mentioned", mention);
		setText($(".unseen", button), count ? (mention ? " unread, for you" : " unread") : "");
		button.setAttribute("aria-current", view === chat.view);
	}
}
