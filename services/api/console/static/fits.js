// What the API says of a launch on each type, before it is asked for: whether the model fits, with how long a context.
import { ask, read, Refusal } from "./api.js";

const PAUSE_MS = 400;

export class Fits {
  #told;
  #asking = null;
  #timer = 0;

  /** `told` gets the API's items, and none while nothing is known. */
  constructor(told) {
    this.#told = told;
  }

  /** Of this body of a launch, after a pause in typing; null: nothing can be said. */
  look(body) {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    this.#told([]);
    if (body) this.#timer = setTimeout(() => this.#look(body), PAUSE_MS);
  }

  async #look(body) {
    const asking = (this.#asking = new AbortController());
    try {
      const { items } = await read(await ask("/models/fit", { method: "POST", body, signal: asking.signal, stays: true }));
      if (!asking.signal.aborted) this.#told(items);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // what is wrong is said at the launch
    }
  }
}
