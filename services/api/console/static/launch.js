// The form that asks for a deployment or an instance, or changes a deployment: what is asked for, and what the API says of it.
import { ask, get, Refusal } from "./api.js";
import { joined, split } from "./arguments.js";
import { address, nameFor } from "./deployment-store.js";
import { lasting } from "./durations.js";
import { element } from "./element.js";
import { endpoint, endpointName, fillEndpoint, schedule } from "./endpoint-form.js";
import { Fits } from "./fits.js";
import { write } from "./live.js";
import { ModelSearch } from "./model_search.js";
import { chooseBefore, drawContexts, drawFits, types, watchOffers, zones } from "./offers.js";
import { figure, Problems, tell } from "./problems.js";

const RESIZES = /--(quantization|dtype|cpu-offload-gb)\b/; // the weights, or what of them the GPUs hold
const byId = (id) => document.getElementById(id);
const form = byId("launch");
const { as, name, model, provider, organization, revision, image, task, vllm_args: options } = form.elements;
const submit = byId("submit");
const problems = new Problems(form, {
  input: (field, at, part) => ({ instance_types: types, zones, schedule })[field]?.input(at, part) ?? (field === "rollout" ? form.elements[at] : undefined),
  said: (field, detail, at) => [field === "schedule" && at && `${Number(at) + 1}.`, (`${field}_unit` in form.elements || at === "settle") && "In seconds:", detail].filter(Boolean).join(" "),
});
let key = newKey(); // the same form sent twice is one instance
const fits = new Fits(drawContexts);
const asked = new URLSearchParams(location.search);
const changed = asked.get("deployment"); // the one that is changed; null: something is made
let meant; // the model, as far as the API has answered

/** Not crypto.randomUUID: that is there for https and this very machine only. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What the weights take is known of the main branch, as they are loaded unless told otherwise. */
function drawModel() {
  const asItIs = ["", "main"].includes(revision.value.trim()) && !RESIZES.test(options.value);
  name.placeholder = form.dataset.as === "deployment" && model.value.trim() ? nameFor(model.value.trim()) : "";
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

function words() {
  const found = split(options.value);
  if (found) return found;
  const detail = "a quote or a backslash has nothing after it.";
  throw new Refusal(0, { title: "The request is not valid", detail, errors: [{ pointer: "/vllm_args", detail }] });
}

/** What inputs marked `data-sent` hold: a new field needs only such an input. */
function typed() {
  const meantHere = [...form.querySelectorAll("[data-sent]")].filter((input) => !input.closest("[data-only][hidden]"));
  return Object.fromEntries(meantHere.map((input) => [input.name, sent(input)]));
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
    vllm_args: words(),
  };
}

const machine = () => ({
  name: name.value.trim() || undefined,
  max_lifetime: lasting(form, "max_lifetime"),
  idle_shutdown: lasting(form, "idle_shutdown"),
});

/** Returns where the page goes on, and what is to be read before. */
async function sendMachine() {
  const sent = { method: "POST", body: { ...body(), ...machine() }, headers: { "Idempotency-Key": key } };
  const { id, warnings } = await (await ask("/instances", sent)).json();
  return { page: `/console/instances/${id}`, warnings };
}

async function sendDeployment() {
  const its = { name: endpointName(model.value.trim()), owner: organization?.value || undefined };
  const wanted = { ...body(), ...endpoint() };
  const headers = changed ? {} : { "If-None-Match": "*" };
  const answer = await ask(`/deployments/${encodeURIComponent(its.name)}`, { method: "PUT", body: wanted, headers });
  const { name: called, asked: { organization: owner }, warnings } = await answer.json();
  return { page: address("/console/deployments", { name: called, owner }), warnings };
}

async function launch() {
  problems.clear();
  submit.disabled = true;
  try {
    const { page, warnings } = await (form.dataset.as === "deployment" ? sendDeployment() : sendMachine());
    if (warnings.length) showWarnings(page, warnings);
    else location.assign(page);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problems.show(error);
  } finally {
    submit.disabled = false;
  }
}

function showWarnings(page, warnings) {
  byId("onward").href = page;
  byId("warnings").replaceChildren(...warnings.map((text) => element("li", { text })));
  form.hidden = true;
  byId("warned").hidden = false;
  byId("warned").focus();
}

/** What is of the one kind only is not there for the other. */
function drawKind() {
  form.dataset.as = as.value;
  for (const part of form.querySelectorAll("[data-only]")) part.hidden = part.dataset.only !== as.value;
  write(submit, changed ? "Change" : as.value === "deployment" ? "Deploy" : "Launch");
}

/** The deployment that is changed, as it was asked for last. */
async function fill() {
  const { asked: before } = await get(address("/deployments", { name: changed, owner: asked.get("organization") }));
  for (const input of form.querySelectorAll("[data-sent]")) if (input.name in before) input.value = before[input.name] ?? "";
  [model.value, options.value] = [before.model, joined(before.vllm_args)];
  chooseBefore(before);
  fillEndpoint(before);
  if (!organization) return;
  organization.replaceChildren(new Option(before.organization ?? "shared by all", before.organization ?? ""));
  organization.disabled = true;
}

model.value ||= asked.get("model") ?? ""; // what was typed meanwhile stays
drawKind();
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
byId("kinds").addEventListener("change", () => {
  drawKind();
  drawModel();
});
if (changed) begin();
else {
  if (model.value) search.search();
  watchOffers();
  loadOrganizations().catch((error) => tell(byId("problem"), error));
}

/** Its fields first: offers would choose others. */
function begin() {
  write(byId("head"), `Change ${changed}`);
  document.title = `Change ${changed} · Coldstart`;
  byId("kinds").hidden = true;
  [name.value, name.readOnly, submit.disabled] = [changed, true, true];
  fill().then(() => {
    submit.disabled = false;
    search.search();
    watchOffers();
  }, (error) => tell(byId("problem"), error));
}
