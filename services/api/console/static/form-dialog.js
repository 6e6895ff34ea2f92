// A form in a dialog, with which something is made or changed; what the API says of a field is shown next to it.
import { Refusal } from "./api.js";
import { write } from "./live.js";
import { Problems } from "./problems.js";

export class FormDialog {
  #dialog;
  #form;
  #problems;
  #asked = null;

  /** `said` as Problems takes it. */
  constructor(dialog, { said } = {}) {
    this.#dialog = dialog;
    this.#form = dialog.querySelector("form");
    this.#problems = new Problems(this.#form, { said });
    this.#form.querySelector("[data-of=cancel]").addEventListener("click", () => dialog.close());
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /**
   * `values` by the names of the inputs. Fields marked `data-once` are not asked for when `changing` what there is.
   * `send(inputs)` does it, then the dialog closes and `done` is called with what came of it; what it is refused is
   * said, and the dialog stays.
   */
  open({ title, verb, values = {}, changing = false, send, done }) {
    this.#asked = { send, done };
    this.#form.reset();
    this.#problems.clear();
    this.#part("submit").disabled = false;
    write(this.#part("title"), title);
    write(this.#part("submit"), verb);
    for (const field of this.#form.querySelectorAll("[data-once]")) field.hidden = changing;
    for (const [name, value] of Object.entries(values)) {
      if (name in this.#form.elements) this.#form.elements[name].value = value ?? "";
    }
    this.#dialog.showModal();
    this.#form.querySelector(".field:not([hidden]) :is(input, select, textarea)").focus();
  }

  async #submit() {
    const submit = this.#part("submit");
    if (submit.disabled) return;
    const asked = this.#asked;
    this.#problems.clear();
    submit.disabled = true;
    try {
      const came = await asked.send(this.#form.elements);
      if (this.#asked === asked) this.#dialog.close(); // it may have been opened for something else meanwhile
      asked.done(came);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      if (this.#asked === asked) this.#problems.show(error);
    } finally {
      if (this.#asked === asked) submit.disabled = false;
    }
  }

  #part(name) {
    return this.#form.querySelector(`[data-of=${name}]`);
  }
}
