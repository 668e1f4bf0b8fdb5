// The list of channels, with a field to join one.

import { get } from "./api.js";
import { $, h, setText, syncList } from "./dom.js";
import { eventRow } from "./row.js";
import { fold, isChannel, plain } from "./text.js";

export function createBrowse(chat, page) {
	const panel = $("#browse-panel", page);
	const name = $("#join-name", panel);
	const error = $("#join-error", panel);
	const empty = $(".empty", panel);
	const told = $(".told", panel);
	let channels = [];

	$("form", panel).addEventListener("submit", (event) => {
		event.preventDefault();
		join(name.value.trim());
	});
	name.addEventListener("input", () => {
		setText(error, "");
		draw();
	});

	return {
		show,
		/** What would stand among the messages elsewhere. */
		tell: (item) => told.append(eventRow(item)),
	};

	async function show(visible) {
		panel.hidden = !visible;
		$("#messages", page).hidden = visible;
		told.replaceChildren();
		if (!visible) return;
		$("#jump", page).hidden = true;
		name.value = "";
		setText(error, "");
		try {
			channels = await get("/channels");
			channels.sort((a, b) => b.members - a.members || a.name.localeCompare(b.name));
			draw();
		} catch (problem) {
			setText(empty, problem.message);
		}
	}

	function draw() {
		const wanted = fold(name.value.trim());
		const found = channels.filter((channel) => fold(channel.name).includes(wanted));
		syncList($("ul", panel), found, (channel) => fold(channel.name), create, update);
		empty.hidden = found.length > 0;
		setText(empty, channels.length
			? "No such channel yet: join it, and it is made."
			: "No channel yet: type a name and start the first one.");
	}

	function create(channel) {
		return h("li", {}, h("button", { class: "channel", onclick: () => join(channel.name) },
			h("b", {}, channel.name), h("small"), h("span", { class: "topic" })));
	}

	function update(item, { name, members, topic }) {
		setText($("small", item), (members === 1 ? "1 member" : `${members} members`) + (chat.model.view(name) ? ", you are in it" : ""));
		setText($(".topic", item), plain(topic?.text ?? topic ?? ""));
	}

	async function join(typed) {
		if (!typed) return setText(error, "Type the name of a channel, such as #rust.");
		if (typed.includes(",")) return setText(error, "One channel at a time, please: a name has no comma.");
		try {
			await chat.join(isChannel(typed) ? typed : "#" + typed);
		} catch (problem) {
			setText(error, problem.message);
		}
	}
}
