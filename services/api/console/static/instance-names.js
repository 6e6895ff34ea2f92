// Which instance a text means: by its id, or by its whole name.
import { ask, read } from "./api.js";

const PAGE = 200;
const MOST = 1000; // so many of the list are read for a name; an id needs none
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class InstanceNames {
  #names = new Map();
  #added;
  #cursor = "";

  /** `added(id, name)` is called with each that was not known. */
  constructor(added) {
    this.#added = added;
  }

  get size() {
    return this.#names.size;
  }

  of(id) {
    return this.#names.get(id);
  }

  add(id, name) {
    if (this.#names.has(id)) return;
    this.#names.set(id, name);
    this.#added(id, name);
  }

  /** An id; null where the text is part of one, or where none or several are called so, as far as is known. */
  meant(text) {
    const wanted = text.trim().toLowerCase();
    if (UUID.test(wanted)) return wanted;
    const called = [...this.#names].filter(([, name]) => wanted && name.toLowerCase() === wanted);
    return called.length === 1 ? called[0][0] : null;
  }

  /** The list's next page, the newest first; returns how far the list is in the events. Throws a Refusal. */
  async more() {
    const response = await ask(`/instances?limit=${PAGE}${this.#cursor && `&cursor=${encodeURIComponent(this.#cursor)}`}`);
    const page = await read(response);
    for (const { id, name } of page.items) this.add(id, name);
    this.#cursor = page.next_cursor;
    return response.headers.get("last-event-id");
  }

  /** Reads on until somebody is called like `text()`, which may change meanwhile, or nobody is. Throws a Refusal. */
  async seek(text) {
    while (text().trim() && this.meant(text()) === null && this.#cursor && this.size < MOST) await this.more();
  }
}
