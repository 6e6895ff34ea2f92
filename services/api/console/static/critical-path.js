// What a launch waited for, as the API tells it; asked for again as long as that may change.
import { get, Refusal } from "./api.js";

const AGAIN_MS = 1000;
const LONGEST_MS = 60_000;

export class CriticalPath {
  #address;
  #changed;
  #attempt = null;
  #version = 0; // up to which it is told
  #wanted = 0;
  #over = false;
  #waiting = false;
  #pause = AGAIN_MS; // longer each time that the API is behind, or does not answer
  intervals = [];

  /** `changed()` is called when there are other intervals. */
  constructor(address, changed) {
    this.#address = address;
    this.#changed = changed;
  }

  /** Of this attempt, whose launch is told up to the event `version`; `over`: that is the last one of it. */
  show(attempt, version, over) {
    if (attempt !== this.#attempt) [this.#attempt, this.#version, this.intervals] = [attempt, 0, []];
    [this.#wanted, this.#over] = [version, over];
    if (!this.#waiting && version > this.#version) this.#ask();
  }

  async #ask() {
    const [attempt, version, over] = [this.#attempt, this.#wanted, this.#over];
    this.#waiting = true;
    const found = await get(`${this.#address}/critical-path?attempt=${attempt}`, { stays: true }).catch((error) => {
      if (!(error instanceof Refusal)) throw error;
      return null;
    });
    const late = !found || (over && (found.outcome === "running" || !found.intervals.length));
    this.#pause = late ? Math.min(2 * this.#pause, LONGEST_MS) : AGAIN_MS;
    if (found && attempt === this.#attempt) {
      if (!late) this.#version = version;
      this.intervals = found.intervals;
      this.#changed();
    }
    setTimeout(() => {
      this.#waiting = false;
      if (this.#wanted > this.#version) this.#ask();
    }, this.#pause);
  }
}
