// What an install prints: asked for while it runs, and shown as far as it was at any moment.
import { get, Refusal } from "./api.js";
import { write } from "./live.js";

const LATE_MS = 5000; // its lines arrive a little after they are printed

export class InstallOutput {
  #path;
  #part;
  #changed;
  #log = { items: [], attempt: null, install_try: null };
  #due = false;
  #until = 0;
  #asking = false;

  /** `part` is what to hide while there is nothing to show; `changed()` is called when there are other lines. */
  constructor(path, part, changed) {
    this.#path = path;
    this.#part = part;
    this.#changed = changed;
  }

  /** Something happened to the install at this moment (milliseconds): there may be lines. */
  expect(at) {
    this.#due = true;
    this.#until = Math.max(this.#until, at + LATE_MS);
  }

  /** Every second or so; asks only when there may be lines that are not known yet. */
  async look(installing, now) {
    const worthwhile = this.#due || ((installing || now < this.#until) && document.visibilityState === "visible");
    if (this.#asking || !worthwhile) return;
    [this.#asking, this.#due] = [true, false];
    try {
      const log = await get(`${this.#path}/logs`, { stays: true });
      const [was, is] = [this.#log, log].map(({ attempt, install_try: nth, items }) => `${attempt} ${nth} ${items.at(-1)?.number}`);
      this.#log = log;
      if (was !== is) this.#changed();
    } catch (error) {
      if (!(error instanceof Refusal)) throw error; // it is asked again
      this.#due = true;
    } finally {
      this.#asking = false;
    }
  }

  /** As it was at `moment` of this attempt; `kept` are the lines that an event kept, for when there are no others. */
  show(attempt, moment, kept) {
    const { items, attempt: ofAttempt, install_try: nth } = this.#log;
    const printed = ofAttempt === attempt ? items.filter((line) => Date.parse(line.at) <= moment).map((line) => line.text) : [];
    const lines = printed.length ? printed : kept;
    this.#part.hidden = !lines.length;
    const [title, text] = [this.#part.querySelector("[data-of=try]"), this.#part.querySelector("pre")];
    write(title, printed.length && nth > 1 ? `try ${nth}` : "");
    const follows = text.scrollHeight - text.scrollTop - text.clientHeight < 8;
    write(text, lines.join("\n"));
    if (follows) text.scrollTop = text.scrollHeight;
  }
}
