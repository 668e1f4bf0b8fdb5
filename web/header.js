// The header of the view on the screen.

import { ask } from "./dialog.js";
import { $, setText } from "./dom.js";
import { linkify } from "./links.js";
import { unread } from "./readmarks.js";
import { fold, plain } from "./text.js";

const SUBTITLES = {
	browse: "Find one, or start your own",
	server: "Notices from the server",
	direct: "Only the two of you see this",
};

export function createHeader(chat, page) {
	const { model } = chat;
	const title = $("#title", page);
	const topic = $("#topic", page);
	const editTopic = $("#edit-topic", page);
	const leave = $("#leave", page);
	const members = $("#open-members", page);
	const menu = $(".open-sidebar", page);

	editTopic.addEventListener("click", changeTopic);
	leave.addEventListener("click", leaveView);

	return { draw };

	function draw() {
		const { view } = chat;
		const inChannel = view.kind === "channel";
		setText(title, view.name);
		title.title = inChannel ? `Modes: +${[...view.modes].join("")}` : "";
		const text = inChannel ? view.topic?.text ?? "" : SUBTITLES[view.kind];
		if (topic.textContent !== plain(text)) topic.replaceChildren(...linkify(text));
		topic.title = inChannel && view.topic ? `${text} (set by ${view.topic.set_by})` : "";
		editTopic.hidden = !inChannel || (view.modes.has("t") && !view.members.get(fold(model.nick))?.op);
		leave.hidden = !inChannel && view.kind !== "direct";
		leave.title = inChannel ? `Leave ${view.name}` : "Close this conversation";
		members.hidden = !inChannel;
		setText($("span", members), String(view.members?.size));
		members.title = members.ariaLabel = `Members: ${view.members?.size}`;

		const news = [...model.views.values()].some((other) => other !== view && unread(model, other).count);
		menu.classList.toggle("news", news);
		menu.title = news ? "Channels and people, with unread messages" : "Channels and people";
	}

	function changeTopic() {
		const { view } = chat;
		ask({
			title: `Topic of ${view.name}`,
			text: "Shown at the top of the channel. Empty for none.",
			field: view.topic?.text ?? "",
			confirm: "Set topic",
			action: (text) => chat.run("TOPIC", [view.name, text]),
		});
	}

	function leaveView() {
		const { view } = chat;
		if (view.kind === "direct") {
			model.close(view);
			return chat.open(chat.home());
		}
		ask({
			title: `Leave ${view.name}?`,
			text: view.members.size === 1 ? "You are its only member: the channel ends when you leave." : "You leave it on all your devices.",
			confirm: "Leave",
			action: () => chat.run("PART", [view.name]),
		}).then(() => $("#composer", page)?.focus());
	}
}
