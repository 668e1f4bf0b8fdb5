// Keys that work anywhere in the chat.

import { $ } from "./dom.js";

export function createKeys(chat, page) {
	const { model } = chat;
	const composer = $("#composer", page);

	$(".skip", page).addEventListener("click", (event) => {
		event.preventDefault();
		composer.focus();
	});
	document.addEventListener("keydown", (event) => {
		if ($("dialog")) return;
		const step = event.altKey && { ArrowUp: -1, ArrowDown: 1 }[event.key];
		if (step) {
			event.preventDefault();
			const views = [...model.channels(), ...model.directs()];
			const at = views.indexOf(chat.view) + step;
			if (views.length) chat.open(views.at(at % views.length));
		} else if (isTyping(event)) {
			composer.focus();
		}
	}, { signal: chat.signal });

	return {
		opened() {
			if (matchMedia("(pointer: fine)").matches && !$("dialog")) $(chat.view.kind === "browse" ? "#join-name" : "#composer").focus();
		},
	};

	function isTyping({ key, ctrlKey, metaKey, altKey, target }) {
		return key.length === 1 && key !== " " && !ctrlKey && !metaKey && !altKey && !target.closest("input, textarea");
	}
}
