// What the worker of a failed instance printed last, and the state of its machine then.
import { get, Refusal } from "./api.js";
import { write } from "./live.js";

export class WorkerOutput {
  #path;
  #part;
  #lines = [];
  #asked = null;

  /** `part` is what to hide while there is nothing to show. */
  constructor(path, part) {
    this.#path = path;
    this.#part = part;
  }

  /** `kept` are the lines that its failure holds. Lines are asked for once for each `version` of a failed instance. */
  show(kept, version) {
    if (version !== this.#asked) this.#ask(version);
    const lines = this.#lines.length ? this.#lines : kept;
    this.#part.hidden = !lines.length;
    write(this.#part.querySelector("pre"), lines.join("\n"));
  }

  hide() {
    this.#part.hidden = true;
  }

  async #ask(version) {
    this.#asked = version;
    try {
      const { items, machine } = await get(`${this.#path}/logs?source=worker`, { stays: true });
      this.#lines = [...items.map((line) => line.text), ...machine];
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // what its failure holds is shown
      return;
    }
    if (this.#lines.length) this.show([], version);
  }
}
