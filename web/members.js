// The member list.

import { $, h, setText, syncList } from "./dom.js";
import { avatar } from "./row.js";
import { fold } from "./text.js";

const rank = ({ op, voice }) => (op ? 0 : voice ? 1 : 2);

export function createMembers(chat, page) {
	const panel = $("#members", page);
	const { model } = chat;

	return { draw };

	function draw() {
		const members = [...(chat.view.members?.values() ?? [])];
		members.sort((a, b) => rank(a) - rank(b) || a.nick.localeCompare(b.nick));
		setText($("h2", panel), members.length === 1 ? "1 member" : `${members.length} members`);
		syncList($("ul", panel), members, ({ nick }) => fold(nick), create, update);
	}

	function create({ nick }) {
		return h("li", {}, h("button", { class: "target", onclick: () => chat.open(model.direct(nick)) },
			avatar(nick), h("span", { class: "mark" }), h("span", { class: "name" })));
	}

	function update({ firstElementChild: button }, { nick, op, voice, away }) {
		const me = model.isMe(nick);
		setText($(".mark", button), op ? "@" : voice ? "+" : "");
		setText($(".name", button), me ? `${nick} (you)` : nick);
		button.classList.toggle("away", away);
		button.title = [op && "operator", voice && "voice", away && "away"].filter(Boolean).join(", ");
		button.disabled = me;
	}
}
