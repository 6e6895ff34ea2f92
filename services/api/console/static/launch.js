// The form that asks for an instance: what is asked for, and what the API says of it.
import { ask, get, Refusal } from "./api.js";
import { split } from "./arguments.js";
import { element } from "./element.js";
import { write } from "./live.js";
import { ModelSearch } from "./model_search.js";
import { drawFits, types, watchOffers, zones } from "./offers.js";

const byId = (id) => document.getElementById(id);
const form = byId("launch");
const { model, provider, name, organization, revision, image, vllm_args: options, volume_gb: volume } = form.elements;
const submit = byId("submit");
let key = newKey(); // the same form sent twice is one instance
let meant; // the model, as far as the API has told of it

/** Not crypto.randomUUID: that is there for https and this very machine only. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What the weights take is known of the main branch. */
function drawModel() {
  drawFits(revision.value.trim() ? null : (meant?.loaded_gb ?? null));
}

/** Whose instance it may be; only administrators choose. */
async function loadOrganizations() {
  if (!organization) return;
  const { items } = await get("/organizations");
  organization.append(...items.map(({ slug, name: called }) => new Option(called === slug ? slug : `${called} (${slug})`, slug)));
}

/** What is no number goes as it is: the API says what is wrong with it. */
function lasting(field) {
  const text = form.elements[field].value.trim();
  if (!text) return undefined;
  const seconds = Math.round(Number(text) * Number(form.elements[`${field}_unit`].value));
  return Number.isFinite(seconds) ? seconds : text;
}

/** What is no number goes as it is: the API says what is wrong with it. */
function number(text) {
  return text && Number.isFinite(Number(text)) ? Number(text) : text || undefined;
}

function words() {
  const found = split(options.value);
  if (found) return found;
  const detail = "a quote or a backslash has nothing after it.";
  throw new Refusal(0, { title: "The request is not valid", detail, errors: [{ pointer: "/vllm_args", detail }] });
}

function body() {
  return {
    model: model.value.trim(),
    organization: organization?.value || undefined,
    name: name.value.trim() || undefined,
    provider: provider.value || undefined,
    instance_types: types.value,
    zones: zones.value,
    max_lifetime: lasting("max_lifetime"),
    idle_shutdown: lasting("idle_shutdown"),
    revision: revision.value.trim() || undefined,
    image: image.value.trim() || undefined,
    vllm_args: words(),
    volume_gb: number(volume.value.trim()),
    keep_for_inspection: form.elements.keep_for_inspection.checked,
  };
}

/** The input that an error is about, its field's name, and what is said; undefined for what is no field here. */
function place({ pointer, detail }) {
  const [, field, at] = pointer.split("/");
  const errors = field && byId(`${field}-error`);
  if (!errors) return undefined;
  const choices = { instance_types: types, zones }[field];
  const timed = `${field}_unit` in form.elements;
  return { input: choices ? choices.input(at) : form.elements[field], errors, said: timed ? `In seconds: ${detail}` : detail };
}

function clearProblems() {
  byId("problem").hidden = true;
  for (const error of form.querySelectorAll(".error")) write(error, "");
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

function showProblems(refusal) {
  const placed = refusal.errors.map(place).filter(Boolean);
  for (const { input, errors, said } of placed) {
    write(errors, [errors.textContent, said].filter(Boolean).join("\n"));
    input.setAttribute("aria-invalid", "true");
    if (!input.hasAttribute("aria-describedby")) input.setAttribute("aria-describedby", errors.id);
  }
  const elsewhere = placed.length < refusal.errors.length || !placed.length;
  write(byId("problem"), elsewhere ? `${refusal.title}. ${refusal.message}` : `${refusal.title}. What is wrong is said above.`);
  byId("problem").hidden = false;
  placed[0]?.input.focus();
}

/** What an error is about cannot have the focus while it is folded away. */
function unfold({ errors }) {
  for (const { pointer } of errors) {
    const folded = byId(`${pointer.split("/")[1]}-error`)?.closest("details");
    if (folded) folded.open = true;
  }
}

async function launch() {
  clearProblems();
  submit.disabled = true;
  try {
    const response = await ask("/instances", { method: "POST", body: body(), headers: { "Idempotency-Key": key } });
    const { id, warnings } = await response.json();
    if (warnings.length) showWarnings(id, warnings);
    else location.assign(`/console/instances/${id}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    unfold(error);
    showProblems(error);
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

model.value = new URLSearchParams(location.search).get("model") ?? "";
const search = new ModelSearch(
  { input: model, list: byId("models"), popup: byId("suggestions"), hint: byId("model-hint"), note: byId("suggestions-note") },
  { whose: () => organization?.value, changed: (known) => drawModel((meant = known)) },
);
revision.addEventListener("input", drawModel);
organization?.addEventListener("change", () => model.value && search.search());
form.addEventListener("input", () => (key = newKey()));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  launch();
});
if (model.value) search.search();
for (const load of [watchOffers, loadOrganizations]) {
  load().catch((error) => {
    if (!(error instanceof Refusal)) throw error;
    write(byId("problem"), `${error.title}. ${error.message}`);
    byId("problem").hidden = false;
  });
}
