// The form that asks for a deployment or an instance, or changes a deployment: what is asked for, and what the API says of it.
import { ask, get, Refusal } from "./api.js";
import { joined } from "./arguments.js";
import { address, nameFor } from "./deployment-store.js";
import { lasting, setLasting } from "./durations.js";
import { element } from "./element.js";
import { endpoint, endpointName, fillEndpoint, schedule } from "./endpoint-form.js";
import { write } from "./live.js";
import { chooseBefore, types, watchOffers, zones } from "./offers.js";
import { offerOwners } from "./owners.js";
import { figure, Problems, tell } from "./problems.js";
import { isUntouched } from "./untouched.js";
import { WantedModel, wishOf } from "./wanted-model.js";

const byId = (id) => document.getElementById(id);
const form = byId("launch");
const { as, name, model, provider, organization, vllm_args: options } = form.elements;
const submit = byId("submit");
const problems = new Problems(form, {
  input: (field, at, part) => ({ instance_types: types, zones, schedule })[field]?.input(at, part) ?? (field === "rollout" ? form.elements[at] : undefined),
  said: (field, detail, at) => [field === "schedule" && at && `${Number(at) + 1}.`, (`${field}_unit` in form.elements || at === "settle") && "In seconds:", detail].filter(Boolean).join(" "),
});
let key = newKey(); // the same form sent twice is one instance
const asked = new URLSearchParams(location.search);
const changed = asked.get("deployment"); // the one that is changed; null: something is made
const again = asked.get("again"); // the instance that is launched again; null: none

/** Not crypto.randomUUID: that is there for https and this very machine only. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

function drawName() {
  name.placeholder = form.dataset.as === "deployment" && model.value.trim() ? nameFor(model.value.trim()) : "";
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
    vllm_args: wantedModel.options,
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

/** What each replica is, or the instance. */
function fillMachine(before) {
  for (const input of form.querySelectorAll("[data-sent]")) {
    if (input.type === "checkbox") input.checked = before[input.name] ?? false;
    else if (input.name in before) input.value = before[input.name] ?? "";
  }
  [model.value, options.value] = [before.model, joined(before.vllm_args)];
  chooseBefore(before);
}

/** The wish of the instance that is launched again, unless somebody has begun to fill in another. */
async function fillAgain() {
  const before = await wishOf(again);
  if (!isUntouched(form)) return;
  fillMachine(before);
  name.value = before.name;
  for (const field of ["max_lifetime", "idle_shutdown"]) if (before[field]) setLasting(form, field, before[field]);
  await offerOwners(organization, before.organization_id);
}

/** The deployment that is changed, as it was asked for last. */
async function fill() {
  const { asked: before } = await get(address("/deployments", { name: changed, owner: asked.get("organization") }));
  fillMachine(before);
  fillEndpoint(before);
  if (!organization) return;
  organization.replaceChildren(new Option(before.organization ?? "shared by all", before.organization ?? ""));
  organization.disabled = true;
}

model.value ||= asked.get("model") ?? ""; // what was typed meanwhile stays
drawKind();
const wantedModel = new WantedModel(form, drawName);
form.addEventListener("input", () => (key = newKey()));
form.addEventListener("submit", (event) => {
  event.preventDefault();
  launch();
});
byId("kinds").addEventListener("change", () => {
  drawKind();
  wantedModel.draw();
});
if (changed) {
  write(byId("head"), `Change ${changed}`);
  document.title = `Change ${changed} · Coldstart`;
  byId("kinds").hidden = true;
  [name.value, name.readOnly] = [changed, true];
  begin(fill);
} else if (again) begin(fillAgain);
else {
  if (model.value) wantedModel.search();
  watchOffers();
  offerOwners(organization).catch((error) => tell(byId("problem"), error));
}

/** Its fields first: offers would choose others. */
function begin(filling) {
  submit.disabled = true;
  filling().then(() => {
    submit.disabled = false;
    wantedModel.search();
    watchOffers();
  }, (error) => tell(byId("problem"), error));
}
