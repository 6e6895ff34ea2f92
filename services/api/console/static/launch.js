// The form that asks for an instance: what is asked for, and what the API says of it.
import { ask, get, Refusal } from "./api.js";
import { split } from "./arguments.js";
import { element } from "./element.js";
import { Fits } from "./fits.js";
import { ModelSearch } from "./model_search.js";
import { drawContexts, drawFits, types, watchOffers, zones } from "./offers.js";
import { figure, Problems, tell } from "./problems.js";

const RESIZES = /--(quantization|dtype|cpu-offload-gb)\b/; // the weights, or what of them the GPUs hold
const byId = (id) => document.getElementById(id);
const form = byId("launch");
const { model, provider, organization, revision, image, task, vllm_args: options } = form.elements;
const submit = byId("submit");
const problems = new Problems(form, {
  input: (field, at) => ({ instance_types: types, zones })[field]?.input(at),
  said: (field, detail) => (`${field}_unit` in form.elements ? `In seconds: ${detail}` : detail),
});
let key = newKey(); // the same form sent twice is one instance
const fits = new Fits(drawContexts);
let meant; // the model, as far as the API has answered

/** Not crypto.randomUUID: that is there for https and this very machine only. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What the weights take is known of the main branch, as they are loaded unless told otherwise. */
function drawModel() {
  const asItIs = ["", "main"].includes(revision.value.trim()) && !RESIZES.test(options.value);
  drawFits(asItIs ? (meant?.loaded_gb ?? null) : null);
  fits.look(meant?.usable ? about() : null);
}

/** What decides whether the model fits. */
function about() {
  const written = { revision, image, task };
  const fields = Object.entries(written).map(([name, input]) => [name, input.value.trim() || undefined]);
  return {
    ...Object.fromEntries(fields),
    model: model.value.trim(),
    organization: organization?.value || undefined,
    vllm_args: split(options.value) ?? [],
  };
}

/** Whose instance it may be; only administrators choose. */
async function loadOrganizations() {
  if (!organization) return;
  const { items } = await get("/organizations");
  organization.append(...items.map(({ slug, name: called }) => new Option(called === slug ? slug : `${called} (${slug})`, slug)));
}

function lasting(field) {
  const [count, unit] = [figure(form.elements[field]), Number(form.elements[`${field}_unit`].value)];
  return typeof count === "number" ? Math.round(count * unit) : count;
}

function words() {
  const found = split(options.value);
  if (found) return found;
  const detail = "a quote or a backslash has nothing after it.";
  throw new Refusal(0, { title: "The request is not valid", detail, errors: [{ pointer: "/vllm_args", detail }] });
}

/** What inputs marked `data-sent` hold: a new field needs only such an input. */
function typed() {
  return Object.fromEntries([...form.querySelectorAll("[data-sent]")].map((input) => [input.name, sent(input)]));
}

function sent(input) {
  if (input.type === "checkbox") return input.checked;
  return input.inputMode === "numeric" ? (figure(input) ?? undefined) : input.value.trim() || undefined;
}

function body() {
  return {
    ...typed(),
    model: model.value.trim(),
    organization: organization?.value || undefined,
    provider: provider.value || undefined,
    instance_types: types.value,
    zones: zones.value,
    max_lifetime: lasting("max_lifetime"),
    idle_shutdown: lasting("idle_shutdown"),
    vllm_args: words(),
  };
}

async function launch() {
  problems.clear();
  submit.disabled = true;
  try {
    const response = await ask("/instances", { method: "POST", body: body(), headers: { "Idempotency-Key": key } });
    const { id, warnings } = await response.json();
    if (warnings.length) showWarnings(id, warnings);
    else location.assign(`/console/instances/${id}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problems.show(error);
  } finally {
    submit.disabled = false;
  }
}

function showWarnings(id, warnings) {
  byId("onward").href = `/console/instances/${id}`;
  byId("warnings").replaceChildren(...warnings.map((text) => element("li", { text })));
  form.hidden = true;
  byId("warned").hidden = false;
  byId("warned").focus();
}

model.value ||= new URLSearchParams(location.search).get("model") ?? ""; // what was typed meanwhile stays
const search = new ModelSearch(
  { input: model, list: byId("models"), popup: byId("suggestions"), hint: byId("model-hint"), note: byId("suggestions-note") },
  { whose: () => organization?.value, changed: (known) => drawModel((meant = known)) },
);
for (const input of [revision, image, task, options]) input.addEventListener("input", drawModel);
organization?.addEventListener("change", () => search.anew());
form.addEventListener("input", () => (key = newKey()));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  launch();
});
if (model.value) search.search();
watchOffers();
loadOrganizations().catch((error) => tell(byId("problem"), error));
