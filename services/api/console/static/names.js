// What ids are called: organisations by their slug, keys and instances by their name.
import { all } from "./api.js";

/** Each list is asked for once, when a name of it is first needed, and only if this key may see it. */
export class Names {
  #role;
  #lists = new Map();
  #known = { organization: new Map(), key: new Map(), instance: new Map() };

  /** `own` is the key of who is signed in, whose name is known without asking. */
  constructor(role, own) {
    this.#role = role;
    this.#known.key.set(own.id, own.name);
  }

  /** Raises Refusal. */
  async load(kind) {
    const [path, name, roles] = {
      organization: ["/organizations", "slug", ["admin", "member"]],
      key: ["/api-keys", "name", ["admin"]],
      instance: ["/instances", "name", ["admin", "member"]],
    }[kind] ?? [];
    if (!path || !roles.includes(this.#role)) return;
    if (!this.#lists.has(kind)) this.#lists.set(kind, all(path));
    try {
      for (const one of await this.#lists.get(kind)) this.#known[kind].set(one.id, one[name]);
    } catch (error) {
      this.#lists.delete(kind);
      throw error;
    }
  }

  /** Of what there is no more, or is not to be seen, the beginning of its id, by which every command finds it. */
  of(kind, id) {
    return this.#known[kind].get(id) ?? id.slice(0, 8);
  }

  get slugs() {
    return [...this.#known.organization.values()].sort();
  }
}
