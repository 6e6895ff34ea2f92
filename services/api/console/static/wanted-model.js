// The model that a form asks for: what is known of it, and whether it fits on the types that there are.
import { get, Refusal } from "./api.js";
import { split } from "./arguments.js";
import { Fits } from "./fits.js";
import { ModelSearch } from "./model_search.js";
import { drawContexts, drawFits } from "./offers.js";

const RESIZES = /--(quantization|dtype|cpu-offload-gb)\b/; // the weights, or what of them the GPUs hold
const ABOUT = ["revision", "image", "task"];
const byId = (id) => document.getElementById(id);

/** What was asked for when this instance was. */
export async function wishOf(id) {
  const { items } = await get(`/instances/${encodeURIComponent(id)}/timeline?limit=1`);
  return { zones: [], instance_types: [], vllm_args: [], ...items[0].data.specification }; // an old record may lack them
}

export class WantedModel {
  #inputs;
  #drawn;
  #fits = new Fits(drawContexts);
  #search;
  #meant; // the model, as far as the API has answered

  /** `drawn()` is called whenever anything of the model has changed. */
  constructor(form, drawn = () => undefined) {
    this.#inputs = form.elements;
    this.#drawn = drawn;
    const { model, organization, revision, image, task, vllm_args: options } = this.#inputs;
    this.#search = new ModelSearch(
      { input: model, list: byId("models"), popup: byId("suggestions"), hint: byId("model-hint"), note: byId("suggestions-note") },
      { whose: () => organization?.value, changed: (known) => this.draw((this.#meant = known)) },
    );
    for (const input of [revision, image, task, options]) input?.addEventListener("input", () => this.draw());
    organization?.addEventListener("change", () => this.#search.anew());
  }

  search() {
    this.#search.search();
  }

  /** The options of vLLM, word by word; throws a Refusal where a quote has no end. */
  get options() {
    const found = split(this.#inputs.vllm_args.value);
    if (found) return found;
    const detail = "a quote or a backslash has nothing after it.";
    throw new Refusal(0, { title: "The request is not valid", detail, errors: [{ pointer: "/vllm_args", detail }] });
  }

  /** What the weights take is known of the main branch, as they are loaded unless told otherwise. */
  draw() {
    const { revision, vllm_args: options } = this.#inputs;
    const asItIs = ["", "main"].includes(revision.value.trim()) && !RESIZES.test(options.value);
    this.#drawn();
    drawFits(asItIs ? (this.#meant?.loaded_gb ?? null) : null);
    this.#fits.look(this.#meant?.usable ? this.#about() : null);
  }

  /** What decides whether the model fits. */
  #about() {
    const { model, organization, vllm_args: options } = this.#inputs;
    const fields = ABOUT.map((name) => [name, this.#inputs[name]?.value.trim() || undefined]);
    return {
      ...Object.fromEntries(fields),
      model: model.value.trim(),
      organization: organization?.value || undefined,
      vllm_args: split(options.value) ?? [],
    };
  }
}
