// The API's refusals: next to the field that one is about, or else where the whole of it is shown.
import { Refusal } from "./api.js";
import { write } from "./live.js";

/** Say in `element` what was refused. What is no Refusal is a fault of ours, and thrown on. */
export function tell(element, error) {
  if (!(error instanceof Refusal)) throw error;
  write(element, `${error.title}. ${error.message}`);
  element.hidden = false;
}

/** What was typed where a number belongs; null: nothing. What is no number goes as it is: the API says what is wrong. */
export function figure(input) {
  const text = input.value.trim();
  const number = Number(text);
  if (!text) return null;
  return Number.isFinite(number) ? number : text;
}

export class Problems {
  #form;
  #input;
  #said;

  /**
   * Inputs are called as the API calls the fields; what is wrong with one is written into the element whose id is its
   * name and "-error", or for a part of a field, its name, the part's and "-error". `input(field, at, part)`: for fields
   * that are several inputs; `said(field, detail, at)`: for those that are not sent as they were typed.
   */
  constructor(form, { input = () => undefined, said = (field, detail) => detail } = {}) {
    this.#form = form;
    this.#input = input;
    this.#said = said;
  }

  clear() {
    this.#whole.hidden = true;
    for (const error of this.#form.querySelectorAll(".error")) write(error, "");
    for (const input of this.#form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
  }

  /** `moves` the focus to the first that is wrong. */
  show(refusal, { moves = true } = {}) {
    const placed = refusal.errors.map((error) => this.#place(error)).filter(Boolean);
    for (const { input, errors, said } of placed) {
      errors.closest("details")?.setAttribute("open", ""); // what is folded away cannot have the focus
      write(errors, [errors.textContent, said].filter(Boolean).join("\n"));
      input.setAttribute("aria-invalid", "true");
      if (!input.hasAttribute("aria-describedby")) input.setAttribute("aria-describedby", errors.id);
    }
    if (placed.length && placed.length === refusal.errors.length) {
      write(this.#whole, `${refusal.title}. See the errors above.`);
      this.#whole.hidden = false;
    } else tell(this.#whole, refusal);
    if (!moves) return;
    const inputs = placed.map((one) => one.input);
    inputs.sort((a, b) => (a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1))[0]?.focus();
  }

  get #whole() {
    return this.#form.querySelector("[role=alert]");
  }

  /** The input that an error is about, its element for it, and what is said; undefined for what is no field here. */
  #place({ pointer, detail }) {
    const [field, at, part] = pointer.replace(/^[/]/, "").split("/"); // of a body; a parameter is named without the slash
    const errors = field && (document.getElementById(`${field}-${at}-error`) ?? document.getElementById(`${field}-error`));
    if (!errors || !this.#form.contains(errors)) return undefined;
    return { input: this.#input(field, at, part) ?? this.#form.elements[field], errors, said: this.#said(field, detail, at) };
  }
}
