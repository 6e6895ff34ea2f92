// Checkboxes of which the order counts in which they are ticked, or radio buttons; the value "any" stands for all of them.
import { write } from "./live.js";

export const ANY = "any";

export class Choices {
  #chosen = [];
  #inputs = new Map();
  #one;

  /** `one`: of radio buttons, of which at most one is chosen. */
  constructor({ one = false } = {}) {
    this.#one = one;
  }

  /** Forget the inputs that there were; what is chosen of those that come again stays chosen. */
  clear() {
    this.#inputs.clear();
  }

  /** An input with its label; where it is in the order is written into `badge`, an element or null. */
  add(input, badge) {
    this.#inputs.set(input.value, { input, badge });
    input.addEventListener("change", () => this.#toggle(input.value, input.checked));
  }

  /** After the last was added. */
  show() {
    this.#chosen = this.#chosen.filter((value) => this.#inputs.has(value));
    for (const [value, { input, badge }] of this.#inputs) {
      const at = this.#chosen.indexOf(value);
      input.checked = value === ANY ? !this.#chosen.length : at >= 0;
      if (badge) write(badge, at >= 0 ? String(at + 1) : "");
      if (badge) badge.setAttribute("aria-label", at >= 0 ? `preference ${at + 1}` : "");
    }
  }

  /** Exactly these, of which each was added. */
  choose(values) {
    this.#chosen = [...values];
    this.show();
  }

  /** As the API takes it. */
  get value() {
    return this.#chosen.length ? [...this.#chosen] : ANY;
  }

  /** Whether it was chosen by itself, not as one of any. */
  has(value) {
    return this.#chosen.includes(value);
  }

  /** The input of what is at this place of the order; that of "any" where nothing is, or else the first. */
  input(at = 0) {
    const [first] = this.#inputs.values();
    return (this.#inputs.get(this.#chosen[at] ?? ANY) ?? first)?.input;
  }

  #toggle(value, checked) {
    if (value === ANY) this.#chosen = [];
    else if (this.#one) this.#chosen = [value];
    else this.#chosen = [...this.#chosen.filter((one) => one !== value), ...(checked ? [value] : [])];
    this.show();
  }
}
