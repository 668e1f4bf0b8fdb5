// What was said before this page was opened.

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
		// Lines of this page's own from before the first load stand behind what is loaded.
		const early = timeline.items.filter(({ local, id }) => local && id === 0);
		timeline.items = timeline.items.filter((item) => !early.includes(item));
		messages.forEach((message) => timeline.add(message));
		early.forEach((line) => timeline.addLocal({ ...line, id: timeline.items.at(-1)?.id ?? 0 }));
		timeline.more = messages.length > 0;
		view.loaded = true;
	} catch (error) {
		if (error.status !== 404 && error.status !== 403) return;
		timeline.more = false;
		view.loaded = true;
	}
}
