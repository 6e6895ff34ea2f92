// Which instance a text means: by its id, or by its whole name, as in coldstart/commands/naming.py.
import { ask, read } from "./api.js";

const PAGE = 200;
const MOST = 1000; // so many of the list are read for a name; an id needs none
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

export class InstanceNames {
  #known = new Map();
  #added;
  #cursor = "";

  /** `added(id, name)` is called with each that was not known. */
  constructor(added) {
    this.#added = added;
  }

  get size() {
    return this.#known.size;
  }

  of(id) {
    return this.#known.get(id)?.name;
  }

  /** An instance as the API describes it; again whenever its status may have changed. */
  add({ id, name, group, created_at }) {
    const isNew = !this.#known.has(id);
    this.#known.set(id, { id, name, group, created_at });
    if (isNew) this.#added(id, name);
  }

  /**
   * An id; null where the text is part of one, or where nobody is called so as far as is known, or several that live.
   * Of those that have ended, it is the newest.
   */
  meant(text) {
    const wanted = text.trim().toLowerCase();
    if (UUID.test(wanted)) return wanted;
    const called = [...this.#known.values()].filter(({ name }) => wanted && name.toLowerCase() === wanted);
    const living = called.filter((one) => one.group !== "failed" && one.group !== "gone");
    if (living.length) return living.length === 1 ? living[0].id : null;
    return called.sort((one, other) => other.created_at.localeCompare(one.created_at))[0]?.id ?? null;
  }

  /** The list's next page, the newest first; returns how far the list is in the events. Throws a Refusal. */
  async more() {
    const response = await ask(`/instances?limit=${PAGE}${this.#cursor && `&cursor=${encodeURIComponent(this.#cursor)}`}`);
    const page = await read(response);
    for (const one of page.items) this.add(one);
    this.#cursor = page.next_cursor;
    return response.headers.get("last-event-id");
  }

  /** Reads on until somebody is called like `text()`, which may change meanwhile, or nobody is. Throws a Refusal. */
  async seek(text) {
    while (text().trim() && this.meant(text()) === null && this.#cursor && this.size < MOST) await this.more();
  }
}
