// The message list: keeps the place, loads older messages.

import { $, setText } from "./dom.js";
import { load } from "./history.js";
import { countable } from "./readmarks.js";
import { newLine, pendingRow, rowsFor } from "./row.js";

const NEAR_END = 60;
const NEAR_START = 300;

export function createMessages(chat, page) {
	const list = $("#messages", page);
	const rows = $(".rows", list);
	const pendingRows = $(".pending-rows", list);
	const jump = $("#jump", page);

	let view = null;
	let drawn = {};
	let drawnPending = null;
	let markDrawn = false;
	let pinned = true;
	let fresh = true;

	list.addEventListener("scroll", scrolled, { passive: true });
	jump.addEventListener("click", toEnd);
	new ResizeObserver(() => pinned && toEnd()).observe(list);

	return { show, refresh, atEnd: () => pinned && view?.loaded };

	function show(next) {
		view = next;
		fresh = pinned = true;
		drawn = {};
		drawnPending = null;
		refresh();
	}

	function refresh() {
		if (pinned) view.timeline.trim();
		const { items } = view.timeline;
		const appendable = drawn.items && drawn.mark === view.newFrom && drawn.loaded === view.loaded
			&& drawn.items.every((item, i) => item === items[i]);
		if (appendable) append(items.slice(drawn.items.length), drawn.items.at(-1));
		else redraw(items);
		drawn = { items: [...items], mark: view.newFrom, loaded: view.loaded };
		drawPending();
		place();
	}

	function append(items, previous) {
		for (const item of items) {
			const made = rowsFor(item, previous, chat.model);
			previous = item;
			if (!markDrawn && view.newFrom !== null && item.id > view.newFrom && countable(item) && !chat.model.isMine(item)) {
				markDrawn = true;
				made.splice(-1, 0, newLine());
			}
			rows.append(...made);
		}
	}

	function redraw(items) {
		// Rows drawn anew are nothing to read out: the log is not live meanwhile.
		list.setAttribute("aria-live", "off");
		setTimeout(() => list.setAttribute("aria-live", "polite"), 300);
		const fromEnd = list.scrollHeight - list.scrollTop;
		markDrawn = false;
		rows.replaceChildren();
		append(items);
		setText($(".beginning", list), opening());
		if (!pinned) list.scrollTop = list.scrollHeight - fromEnd;
	}

	function drawPending() {
		const state = view.pending.map((item) => item.label + item.state).join();
		if (state === drawnPending) return;
		drawnPending = state;
		pendingRows.replaceChildren(...view.pending.map((item, i) =>
			pendingRow(item, view.pending[i - 1] ?? view.timeline.items.at(-1), chat.model, {
				retry: () => chat.outbox.retry(view, item),
				discard: () => chat.outbox.discard(view, item),
			})));
	}

	function place() {
		const mark = fresh && view.loaded && $(".new", rows);
		if (view.loaded) fresh = false;
		if (mark && list.scrollHeight - mark.offsetTop > list.clientHeight) {
			list.scrollTop = mark.offsetTop - 60;
			return scrolled();
		}
		if (pinned) toEnd();
		fill();
	}

	function toEnd() {
		list.scrollTop = list.scrollHeight;
		pinned = true;
		jump.hidden = true;
	}

	function scrolled() {
		pinned = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_END;
		jump.hidden = pinned;
		if (pinned) chat.attend();
		fill();
	}

	function fill() {
		const { timeline } = view;
		if (!view.loaded || !timeline.more || view.loading || list.scrollTop > NEAR_START) return;
		const before = timeline.items.length;
		load(view).then(() => {
			// If nothing came, the request failed; the next scrolling makes it again.
			if (timeline.items.length > before || !timeline.more) {
				drawn = {};
				chat.changed();
			}
		});
	}

	function opening() {
		if (view.kind === "server") return "What the server has to say appears here.";
		if (view.timeline.more) return "Loading messages…";
		if (view.kind === "direct") return `Your conversation with ${view.name} begins here. Only the two of you see it.`;
		return `What you have seen of ${view.name} begins here. Say hello!`;
	}
}
