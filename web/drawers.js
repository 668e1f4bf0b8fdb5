// The side columns, on a narrow screen drawers.

import { $ } from "./dom.js";

export function createDrawers(chat, page) {
	const sidebar = drawer("#sidebar", ".open-sidebar", "(max-width: 759px)");
	const members = drawer("#members", "#open-members", "(max-width: 1039px)");
	const drawers = [sidebar, members];
	let beside = true;

	$(".backdrop", page).addEventListener("click", close);
	page.addEventListener("keydown", (event) => event.key === "Escape" && close());

	return { opened: close, draw };

	function drawer(panelId, buttonId, query) {
		const made = { panel: $(panelId, page), button: $(buttonId, page), over: matchMedia(query), open: false };
		made.button.addEventListener("click", () => toggle(made));
		$(".close", made.panel).addEventListener("click", () => toggle(made));
		made.over.addEventListener("change", close, { signal: chat.signal });
		return made;
	}

	function toggle(one) {
		if (one.open) return close();
		if (one.over.matches) one.open = true;
		else beside = !beside;
		draw();
		if (one.open) $("[aria-current=true], .close", one.panel).focus();
	}

	function close() {
		const open = drawers.find((one) => one.open);
		if (!open) return;
		const focused = open.panel.contains(document.activeElement);
		open.open = false;
		draw();
		if (focused) open.button.focus();
	}

	function draw() {
		const covered = drawers.some(({ open }) => open);
		members.panel.hidden = chat.view.kind !== "channel";
		page.classList.toggle("with-members", !members.panel.hidden && beside);
		page.classList.toggle("covered", covered);
		for (const { panel, button, open } of drawers) {
			panel.classList.toggle("open", open);
			button.setAttribute("aria-expanded", panel.checkVisibility());
		}
		// Out of reach for keyboard and screen reader, too.
		$(".main", page).inert = covered;
	}
}
