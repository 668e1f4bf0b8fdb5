// Loading what was said before this page was opened.

import { get } from "./api.js";

const PAGE = 50;
const AT_ONCE = 3;

/** The latest page of each view that lacks it, a few at a time: unread counts need them. */
export async function loadAll(views, onLoaded) {
	const waiting = views.filter((view) => !view.loaded);
	const worker = async () => {
		for (let view; (view = waiting.shift()); onLoaded()) await load(view);
	};
	await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** The latest page of a view, or the one before what it has. */
export function load(view) {
	view.loading ??= fetchPage(view).finally(() => (view.loading = null));
	return view.loading;
}

async function fetchPage(view) {
	const { timeline } = view;
	const first = view.loaded && timeline.firstId;
	const before = first ? `&before=${first}` : "";
	try {
		const { messages } = await get(`/history?target=${encodeURIComponent(view.name)}&limit=${PAGE}${before}`);
		messages.forEach((message) => timeline.add(message));
		timeline.more = messages.length === PAGE;
		view.loaded = true;
	} catch (error) {
		// A nick that is gone has no history; anything else is tried again later.
		if (error.status !== 404 && error.status !== 403) return;
		timeline.more = false;
		view.loaded = true;
	}
}
