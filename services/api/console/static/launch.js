// The form that asks for an instance: what there is to choose from, and what the API says of what was chosen.
import { ask, get, Refusal } from "./api.js";
import { ANY, Choices } from "./choices.js";
import { money } from "./format.js";
import { write } from "./live.js";
import { clearProblems, showProblems } from "./problems.js";
import { element } from "./tables.js";

const GB = 1e9;
const byId = (id) => document.getElementById(id);
const form = byId("launch");
const { model, provider, name } = form.elements;
const submit = byId("submit");
const catalogue = new Map();
const [types, zones] = [new Choices(), new Choices()];
const FOR = { generate: "generates text", embed: "makes embeddings" };
let offered = [];
let key = newKey(); // the same form sent twice is one instance

/** Not crypto.randomUUID: that is there for https and this very machine only. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function loadModels() {
  let cursor = "";
  do {
    const page = await get(`/models?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    for (const one of page.items) catalogue.set(one.model, one);
    cursor = page.next_cursor;
  } while (cursor);
  byId("models").replaceChildren(...[...catalogue.values()].map((one) => new Option(inFigures(one), one.model)));
  drawModel();
}

async function loadTypes() {
  offered = (await get("/instance-types")).items.filter((one) => one.gpus);
  const names = [...new Set(offered.map((one) => one.provider))];
  provider.replaceChildren(...names.map((one) => new Option(one, one)));
  if (names.includes("scaleway")) provider.value = "scaleway";
  byId("provider-field").hidden = names.length < 2;
  drawTypes();
  drawZones();
}

/** What vLLM makes of the stored weights, as the API reckons when it looks whether they fit; null: nobody knows. */
function weights() {
  const known = catalogue.get(model.value.trim());
  if (!known?.weights_bytes || !known.parameters) return null;
  return Math.min(known.weights_bytes, 2 * known.parameters) / GB;
}

function inFigures({ task, parameters, weights_bytes: bytes, gated }) {
  const parts = [FOR[task], parameters && `${(parameters / GB).toPrecision(2)} billion parameters`, bytes && `${(bytes / GB).toFixed(1)} GB of weights`];
  return [...parts, gated && "gated: its licence was accepted with the HF_TOKEN here"].filter(Boolean).join(", ");
}

function drawModel() {
  const asked = model.value.trim();
  const known = catalogue.get(asked);
  const unknown = asked ? "Not in the catalogue yet: it is looked up on the Hugging Face hub when you launch." : "Of the catalogue, or any public one by its id on the Hugging Face hub.";
  write(byId("model-hint"), known ? `In the catalogue: ${inFigures(known)}.` : unknown);
  for (const row of byId("types").querySelectorAll("[data-memory]")) drawFit(row);
}

function drawFit(row) {
  const [needed, memory] = [weights(), Number(row.dataset.memory)];
  const compared = needed !== null && memory > 0;
  row.toggleAttribute("data-small", compared && needed > memory);
  const words = needed > memory ? `too small for ${needed.toFixed(1)} GB` : `${needed?.toFixed(1)} GB are the weights`;
  write(row.querySelector("[data-of=fit]"), compared ? words : "");
}

const ofProvider = () => offered.filter((one) => one.provider === provider.value);

function drawTypes() {
  types.clear();
  const all = ofProvider().sort((a, b) => (a.hourly_price ?? Infinity) - (b.hourly_price ?? Infinity));
  byId("types").replaceChildren(anyType(), ...all.map(typeRow));
  types.show();
  drawModel();
}

function choice(choices, kind, value, label) {
  const input = element("input", { type: "checkbox", name: kind, value });
  const badge = value === ANY ? null : element("b", { class: "order num", role: "img" });
  choices.add(input, badge);
  return element("label", { class: "tick" }, input, element("span", { text: label }), badge ?? "");
}

function anyType() {
  const words = offered.length ? "the cheapest that is in stock and may hold the weights" : "What there is is not known yet: the provisioner tells it when it starts.";
  return element("tr", {}, element("th", { scope: "row" }, choice(types, "type", ANY, "Any")), element("td", { colspan: 4, class: "hint", text: words }));
}

function typeRow({ name: named, gpus, gpu, gpu_memory_gb: each, hourly_price: price, currency, zones: where, availability }) {
  const memory = each ? gpus * each : 0;
  const stock = where.map((zone) => `${zone}${availability[zone] ? ` ${availability[zone]}` : ""}`);
  const inStock = where.some((zone) => availability[zone] !== "shortage");
  return element(
    "tr",
    { "data-memory": memory, ...(inStock ? {} : { "data-shortage": "" }) },
    element("th", { scope: "row" }, choice(types, "type", named, named)),
    element("td", { text: `${gpus} × ${gpu ?? "GPU"}` }),
    element("td", { class: "two num right" }, element("span", { text: memory ? `${Math.round(memory)} GB` : "—" }), element("small", { "data-of": "fit" })),
    element("td", { class: "num right", text: price === null ? "—" : money(price, currency) }),
    element("td", { text: stock.join(", ") }),
  );
}

function drawZones() {
  zones.clear();
  const names = [...new Set(ofProvider().flatMap((one) => one.zones))].sort();
  byId("zone-list").replaceChildren(...[ANY, ...names].map((zone) => choice(zones, "zone", zone, zone === ANY ? "Any" : zone)));
  zones.show();
}

/** What is no number goes as it is: the API says what is wrong with it. */
function lasting(field) {
  const text = form.elements[field].value.trim();
  if (!text) return undefined;
  const seconds = Math.round(Number(text) * Number(form.elements[`${field}_unit`].value));
  return Number.isFinite(seconds) ? seconds : text;
}

function body() {
  return {
    model: model.value.trim(),
    name: name.value.trim() || undefined,
    provider: provider.value || undefined,
    instance_types: types.value,
    zones: zones.value,
    max_lifetime: lasting("max_lifetime"),
    idle_shutdown: lasting("idle_shutdown"),
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

async function launch() {
  clearProblems(form, byId("problem"));
  submit.disabled = true;
  try {
    const response = await ask("/instances", { method: "POST", body: body(), headers: { "Idempotency-Key": key } });
    const { id, warnings } = await response.json();
    if (warnings.length) showWarnings(id, warnings);
    else location.assign(`/console/instances/${id}`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    showProblems(form, byId("problem"), error, place);
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
model.addEventListener("input", drawModel);
provider.addEventListener("change", () => {
  drawTypes();
  drawZones();
});
form.addEventListener("input", () => (key = newKey()));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  launch();
});
drawModel();
for (const load of [loadModels, loadTypes]) {
  load().catch((error) => {
    if (!(error instanceof Refusal)) throw error;
    write(byId("problem"), `${error.title}. ${error.message}`);
    byId("problem").hidden = false;
  });
}
