// The editable combobox with list autocomplete of the ARIA Authoring Practices: the focus stays in the input.
import { element } from "./element.js";

/** What a key does to an open list: to which option it goes, of so many, from this one (-1: none). */
const MOVES = {
  ArrowDown: (at, count) => (at + 1) % count,
  ArrowUp: (at, count) => (at <= 0 ? count : at) - 1,
};

export class Combobox {
  #input;
  #list;
  #popup;
  #options = [];
  #active = -1;
  #picked;
  #wanted;
  #mayOpen = true; // once it was closed, what comes late does not open it before one types or asks again

  /** `list` is the listbox in `popup`. `picked` gets an option's value; `wanted` is called to fill it. */
  constructor(input, list, popup, { picked, wanted }) {
    [this.#input, this.#list, this.#popup, this.#picked] = [input, list, popup, picked];
    this.#wanted = () => {
      this.#mayOpen = true;
      wanted();
    };
    input.addEventListener("input", () => (this.#mayOpen = true));
    input.addEventListener("keydown", (event) => this.#pressed(event));
    input.addEventListener("blur", () => this.close());
    input.addEventListener("click", () => !this.isOpen && !input.value && this.#wanted());
    popup.addEventListener("mousedown", (event) => event.preventDefault()); // the focus stays where it is
    list.addEventListener("click", ({ target }) => this.#pick(target.closest("[role=option]")));
  }

  get isOpen() {
    return !this.#popup.hidden;
  }

  /** Open with these groups of options, `{ label, options: [{ value, disabled, content }] }`; without any it closes. */
  show(groups) {
    this.#list.replaceChildren(...groups.filter((one) => one.options.length).map((one, at) => this.#group(one, at)));
    this.#options = [...this.#list.querySelectorAll("[role=option]")];
    this.#options.forEach((option, at) => (option.id = `${this.#list.id}-${at}`));
    this.#go(-1);
    this.#open(this.#options.length > 0 && this.#mayOpen && document.activeElement === this.#input);
  }

  close() {
    this.#mayOpen = false;
    this.#go(-1);
    this.#open(false);
  }

  #open(open) {
    this.#popup.hidden = !open;
    this.#input.setAttribute("aria-expanded", String(open));
    if (open) this.#list.scrollTop = 0;
  }

  #group({ label, options }, at) {
    const heading = element("div", { class: "group", id: `${this.#list.id}-group-${at}`, text: label });
    return element("div", { role: "group", "aria-labelledby": heading.id }, heading, ...options.map(option));
  }

  #go(at) {
    this.#options[this.#active]?.setAttribute("aria-selected", "false");
    this.#active = at;
    const option = this.#options[at];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.#input.setAttribute("aria-activedescendant", option.id);
    else this.#input.removeAttribute("aria-activedescendant");
  }

  #pick(option) {
    if (!option || option.getAttribute("aria-disabled") === "true") return;
    this.close();
    this.#picked(option.dataset.value);
  }

  /** Enter with no option under way is the form's. */
  #pressed(event) {
    const option = this.#options[this.#active];
    if (event.isComposing || event.ctrlKey || event.metaKey) return;
    if (event.key in MOVES && event.altKey) this.#alt(event.key);
    else if (event.key in MOVES && this.isOpen) this.#go(MOVES[event.key](this.#active, this.#options.length));
    else if (event.key in MOVES) this.#wanted();
    else if (event.key === "Enter" && option) this.#pick(option);
    else if (event.key === "Escape" && this.isOpen) this.close();
    else {
      if (["Enter", "Escape"].includes(event.key)) this.close(); // nor does it open over what comes of that
      return;
    }
    event.preventDefault();
  }

  #alt(key) {
    if (key === "ArrowUp") this.close();
    else if (!this.isOpen) this.#wanted();
  }
}

function option({ value, disabled, content }) {
  const made = element("div", { role: "option", "aria-selected": "false", "data-value": value }, ...content);
  if (disabled) made.setAttribute("aria-disabled", "true");
  return made;
}
