// What one view shows, in order, each event once.

// Beyond `KEEP` items the oldest go, down to `TRIM`; scrolling up fetches them again.
const KEEP = 700;
const TRIM = 400;

export class Timeline {
	items = [];
	ids = new Set();
	more = true;

	get firstId() {
		return this.items.find((item) => !item.local)?.id;
	}

	add(event) {
		if (this.ids.has(event.id)) return;
		this.ids.add(event.id);
		this.#insert(event);
	}

	addLocal(line) {
		this.#insert({ local: true, id: this.items.at(-1)?.id ?? 0, time: new Date().toISOString(), ...line });
	}

	trim() {
		if (this.items.length <= KEEP) return;
		for (const { id } of this.items.splice(0, this.items.length - TRIM)) this.ids.delete(id);
		this.more = true;
	}

	#insert(item) {
		let at = this.items.length;
		while (at > 0 && this.items[at - 1].id > item.id) at -= 1;
		this.items.splice(at, 0, item);
	}
}
