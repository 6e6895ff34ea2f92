// The model's field: what the catalogue and the hub have of what is typed, and what is known of what stands there.
import { get, Refusal } from "./api.js";
import { Combobox } from "./combobox.js";
import { element } from "./element.js";
import { announce, write } from "./live.js";

const PAUSE_MS = 200;
const SHORTEST = 2;
const GB = 1e9;
const FOR = { generate: "generates text", embed: "makes embeddings" };
const EMPTY = "A model of the catalogue, or any public one on the Hugging Face hub. Type to search.";
const UNKNOWN = "Not in the catalogue yet. It is looked up on the Hugging Face hub when you launch.";
const NOTHING = "No model matches these words. A full id is looked up on the Hugging Face hub when you launch.";

export class ModelSearch {
  #input;
  #hint;
  #note;
  #box;
  #whose;
  #changed;
  #known = new Map(); // of every answer, by the name to launch it by
  #asking = null;
  #timer = 0;
  #picked = null;
  #trouble = ""; // why there is no answer to what is typed, or only the catalogue's
  #nothing = false;

  /** `whose()` is the organisation that may have offerings; `changed` is told what is known of the model. */
  constructor({ input, list, popup, hint, note }, { whose, changed }) {
    [this.#input, this.#hint, this.#note, this.#whose, this.#changed] = [input, hint, note, whose, changed];
    this.#box = new Combobox(input, list, popup, { picked: (value) => this.#take(value), wanted: () => this.search() });
    input.addEventListener("input", () => this.#typed());
    this.#draw();
  }

  /** Whose names they may be is another now. */
  anew() {
    this.#known.clear();
    [this.#picked, this.#nothing] = [null, false];
    this.#draw();
    if (this.#text) this.search();
    else this.#asking?.abort();
  }

  /** Ask for what stands in the field now; too short a word is none. An answer that comes too late is none. */
  async search() {
    clearTimeout(this.#timer);
    this.#asking?.abort();
    const asking = (this.#asking = new AbortController());
    const text = this.#text.length < SHORTEST ? "" : this.#text;
    const query = new URLSearchParams({ ...(text && { q: text }), ...(this.#whose() && { organization: this.#whose() }) });
    let answer = { items: [] };
    try {
      answer = await get(`/models/search?${query}`, { signal: asking.signal });
      this.#trouble = answer.hub.detail ?? "";
    } catch (error) {
      if (!(error instanceof Refusal) && !asking.signal.aborted) throw error;
      this.#trouble = asking.signal.aborted ? this.#trouble : error.message;
    }
    if (!asking.signal.aborted) this.#show(text, answer.items);
  }

  get #text() {
    return this.#input.value.trim();
  }

  #typed() {
    clearTimeout(this.#timer);
    if (this.#input.value === this.#picked) return this.#draw();
    this.#asking?.abort();
    [this.#picked, this.#trouble, this.#nothing] = [null, "", false];
    this.#draw();
    if (this.#text.length < SHORTEST) this.#box.show([]);
    else this.#timer = setTimeout(() => this.search(), PAUSE_MS);
  }

  #take(value) {
    this.#asking?.abort();
    this.#picked = this.#input.value = value;
    this.#input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  #show(text, items) {
    for (const one of items) this.#known.set(one.model, one);
    this.#nothing = !items.length && text !== "" && !this.#trouble;
    const asked = document.activeElement === this.#input;
    const alone = items.length === 1 && items[0].model === text; // there is nothing to choose
    const groups = [true, false].map((here) => ({
      label: here ? "In the catalogue" : "On the hub",
      options: items.filter((one) => one.in_catalogue === here).map(suggestion),
    }));
    this.#box.show(alone ? [] : groups);
    this.#draw();
    if (asked) announce([counted(items), this.#trouble].filter(Boolean).join(" "));
  }

  #draw() {
    const known = this.#known.get(this.#text); // only whole: who is still typing may mean another one
    const unknown = this.#nothing ? NOTHING : this.#text ? UNKNOWN : EMPTY;
    write(this.#hint, known ? described(known) : [unknown, this.#trouble].filter(Boolean).join(" "));
    write(this.#note, this.#trouble);
    this.#changed(known);
  }
}

function counted(items) {
  if (!items.length) return "No model found.";
  const here = items.filter((one) => one.in_catalogue).length;
  return `${items.length} ${items.length === 1 ? "model" : "models"}, ${here} of them in the catalogue.`;
}

function inWords(number) {
  const [many, unit] = number < GB / 10 ? [number / 1e6, "million"] : [number / GB, "billion"];
  return `${many < 10 ? many.toPrecision(2) : Math.round(many)} ${unit}`;
}

function inFigures({ task, parameters, weights_bytes: bytes }) {
  return [FOR[task], parameters && `${inWords(parameters)} parameters`, bytes && `${(bytes / GB).toFixed(1)} GB of weights`].filter(Boolean).join(", ");
}

function described(one) {
  const where = one.offering_of ? `An offering of ${one.offering_of}` : one.in_catalogue ? "In the catalogue" : "On the hub";
  const gated = one.gated && one.usable && one.in_catalogue && "gated: its licence was accepted with the HF_TOKEN here";
  const figures = [inFigures(one), gated].filter(Boolean).join(", ");
  return `${where}${figures && `: ${figures}`}.${one.why ? ` ${one.why}` : ""}`;
}

function suggestion(one) {
  const [text, kind] = one.offering_of ? ["offering", ""] : one.gated ? ["gated", "warn"] : ["public", "calm"];
  const name = element("span", { class: "model", text: one.model });
  const facts = [one.offering_of, inFigures(one)].filter(Boolean).join(": ");
  const content = [name, element("b", { class: `badge ${kind}`, text }), element("small", { text: facts })];
  if (one.why) content.push(element("small", { class: "why", text: one.why }));
  return { value: one.model, disabled: !one.usable, content };
}
