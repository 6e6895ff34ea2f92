// One deployment: how much of it serves what load, what was decided and why, and what may be asked of it.
import { get, now, Refusal } from "./api.js";
import { drawn } from "./chart.js";
import { drawDecisions } from "./decisions.js";
import { drawActions, offerActions } from "./deployment-actions.js";
import { address, bounds, Deployments, heldUp, hourPrice, monthPrice, news } from "./deployment-store.js";
import { drawExplanation } from "./explanation.js";
import { about, lasting } from "./format.js";
import { announce, fill, showState, write } from "./live.js";
import { loadChart, loadTable } from "./load-chart.js";
import { drawReplicas } from "./replicas.js";
import { described } from "./store.js";
import { Stream } from "./stream.js";
import { showUse } from "./use-it.js";

const HOUR_MS = 3600_000;
const SLOT_MS = 300_000; // as SLOT_S in shared/deployments/load.py
const EVERY_MS = 5000; // the load is in no event
const SOON_MS = 300; // after the last of several events
const AGAIN_MS = 3000;
const MOST = 200; // decisions
const byId = (id) => document.getElementById(id);
const page = byId("deployment");
const { id, name, owner } = page.dataset;
const path = (more = "") => address("/deployments", { name, owner }, more);
const its = () => store.get(id);
let decisions = [];
let slots = [];
let width = 0;
let frame = 0;
let explaining = 0;

const store = new Deployments((deployment, before) => {
  const said = news(deployment, before);
  if (said) announce(said);
  drawSoon();
});

const drawSoon = () => (frame ||= requestAnimationFrame(draw));

function draw() {
  frame = 0;
  const deployment = its();
  if (!deployment) return;
  const { wish: { template, scaling }, load } = deployment;
  page.dataset.tone = deployment.tone;
  write(byId("status"), deployment.status_label);
  const types = template.instance_types.length ? template.instance_types.join(" or ") : "any type";
  const facts = [owner, template.model, template.provider, types, bounds(scaling), `${scaling.target_in_flight} requests a replica`];
  write(byId("facts"), facts.filter(Boolean).join("  ·  "));
  write(byId("ready-count"), `${deployment.ready} of ${deployment.wanted} ready`);
  write(byId("coming"), deployment.coming ? `${deployment.coming} on ${deployment.coming === 1 ? "its" : "their"} way` : "");
  write(byId("flight"), load ? `${load.in_flight} in flight` : "not known");
  write(byId("held"), load ? [load.held && `${load.held} held`, load.arriving_per_s && `${load.arriving_per_s.toFixed(1)} a second`].filter(Boolean).join(", ") : "");
  write(byId("hour"), hourPrice(deployment) ? `${hourPrice(deployment)} an hour` : "nothing now");
  write(byId("month"), monthPrice(deployment));
  write(byId("revision"), String(deployment.revision));
  write(byId("serving"), deployment.serving_revision === deployment.revision ? "" : `${deployment.serving_revision} serves`);
  drawTrouble(deployment);
  drawRollout(deployment);
  drawReplicas(byId("replicas"), deployment, (of) => store.instance(of), now());
  byId("no-replica").hidden = deployment.replicas.length > 0;
  write(byId("no-replica"), without(deployment));
  drawActions(deployment);
  drawUse(deployment);
  drawLoad();
}

/** Why there is no replica, and what makes one. */
function without({ status, wish: { scaling } }) {
  if (status === "deleted") return "This deployment was deleted, and all its replicas have ended.";
  if (status === "paused") return "It is paused. Resume it, and replicas are launched as they are needed.";
  if (!scaling.max_replicas) return "At most 0 replicas are allowed. Scale it to have some.";
  return "None runs, and nothing is paid for. The first request wakes it.";
}

/** What hinders it most, and since when. */
function drawTrouble({ degraded, rollout, replicas, doing, delay }) {
  const halted = rollout?.halted;
  const trouble = degraded ?? halted ?? replicas.find((one) => !one.leaving && one.refusal)?.refusal;
  const shown = byId("trouble");
  shown.hidden = !trouble && !delay;
  if (shown.hidden) return;
  shown.classList.toggle("bad", Boolean(degraded?.gave_up));
  if (!trouble) return write(shown, `${heldUp({ doing, delay }, now())}.`);
  const since = `${degraded ? "Degraded" : halted ? "Halted" : "Refused"} for ${lasting(now() - Date.parse(trouble.since))}`;
  const next = degraded?.gave_up ? " Nothing more is ordered until somebody changes, restarts or resumes it." : "";
  write(shown, `${since}: ${doing}${/[.!?]$/.test(doing) ? "" : "."}${next}`);
}

/** How many of those that are to serve are new ones that do. */
function drawRollout({ rollout, replicas, wanted }) {
  byId("rollout").hidden = !rollout;
  if (!rollout) return;
  const renewed = replicas.filter((one) => one.revision === rollout.revision && store.instance(one.instance_id)?.group === "ready").length;
  write(byId("rollout-head"), `Revision ${rollout.revision} in place of ${rollout.former}`);
  const words = `${renewed} of ${wanted} replicas are new ones, ready${rollout.halted ? "; halted" : ""}`;
  write(byId("rollout-words"), words);
  fill(byId("rollout-bar"), Math.round((Math.min(renewed, wanted) / Math.max(wanted, 1)) * 100), words);
}

function drawUse({ wish: { template: { model, task }, scaling }, wanted, status }) {
  const waits = scaling.hold ? `A request waits for a cold start for up to ${about(scaling.hold)}.` : "A request does not wait for a cold start.";
  const sleeps = status === "active" && !wanted ? "It is at zero, and the first request wakes it. " : "";
  showUse({ model, task, words: `${sleeps}${waits} Any client of OpenAI's API works.` });
}

/** The last minutes, of which there is no slot yet, as they are now. */
function drawLoad() {
  const deployment = its();
  if (!width || !deployment) return;
  const [to, from] = [now(), now() - HOUR_MS];
  const told = slots.filter((one) => one.to > from);
  const since = Math.max(told.at(-1)?.to ?? 0, Date.parse(deployment.created_at), from);
  const current = deployment.load && since < to ? [{ from: since, to, ...deployment.load, ready: deployment.ready }] : [];
  const shown = [...told, ...current];
  const recent = decisions.some(({ at }) => at > from);
  byId("no-load").hidden = shown.length > 0 || recent;
  write(byId("no-load"), "Nothing was heard of its load in the last hour, and nothing was decided.");
  byId("load").hidden = !byId("no-load").hidden;
  if (!byId("load").hidden) loadChart(byId("load"), width, { slots: shown, decisions, from, to });
  loadTable(byId("load-table").lastElementChild, shown);
}

const decision = ({ at, requested_by: asker, type, version, actor, wanted, words }) => ({ type, version, at: Date.parse(at), actor, asker, wanted, words });

function take({ type, time, actor, data }) {
  if (data.deployment.id !== id) return;
  store.tell(data.description);
  if ((decisions.at(-1)?.version ?? 0) < data.deployment.version) {
    decisions.push(decision({ type, version: data.deployment.version, at: time, actor, requested_by: data.event.requested_by, wanted: data.deployment.wanted, words: data.words }));
    drawDecisions(byId("decisions"), decisions, MOST);
  }
  explainSoon();
}

async function loadDecisions() {
  const { items: rows } = await get(address("/deployments", { name, owner }, "/timeline", { last: MOST, limit: MOST }), { stays: true });
  const known = rows.map((one) => decision({ ...one, at: one.occurred_at }));
  const later = decisions.filter((one) => one.version > (known.at(-1)?.version ?? 0));
  decisions = [...known, ...later];
  drawDecisions(byId("decisions"), decisions, MOST);
  write(byId("decisions-cut"), known[0]?.version > 1 ? `The newest ${MOST}.` : "");
  drawSoon();
}

async function loadLoad() {
  const told = await get(address("/deployments", { name, owner }, "/load", { hours: 2 }), { stays: true });
  slots = told.slots.map((one) => ({ ...one, from: Date.parse(one.at), to: Date.parse(one.at) + SLOT_MS }));
}

const loadView = async () => store.show(await get(path(), { stays: true }));

function explainSoon() {
  clearTimeout(explaining);
  explaining = setTimeout(() => quietly(explain()), SOON_MS);
}

const explain = async () => drawExplanation(byId("explanation"), await get(path("/explain"), { stays: true }));

/** What this page asks by itself disturbs nobody: the next time may do. */
function quietly(promise) {
  return promise.catch((error) => {
    if (!(error instanceof Refusal)) throw error;
  });
}

function refresh() {
  if (document.visibilityState !== "visible") return;
  quietly(Promise.all([loadView(), loadLoad()]).then(drawSoon));
  quietly(explain());
}

function begin() {
  Promise.all([loadView(), loadLoad(), loadDecisions()]).then(drawSoon, (error) => {
    if (!(error instanceof Refusal)) throw error;
    write(byId("no-replica"), `${error.title}. ${error.message}`);
    setTimeout(begin, AGAIN_MS);
  });
}

/** Where in the picture a decision is that somebody points at. */
function point(version) {
  for (const mark of byId("load").querySelectorAll(".decision")) mark.toggleAttribute("data-near", mark.dataset.version === version);
}

byId("decisions").addEventListener("pointerover", ({ target }) => point(target.closest("li")?.dataset.version));
byId("decisions").addEventListener("pointerleave", () => point(null));
drawn(byId("load").parentElement, (_, wide) => {
  width = wide;
  drawLoad();
});
offerActions(its, (view) => store.show(view));
setInterval(refresh, EVERY_MS);
begin();
new Stream("/events", {
  event: ({ data }) => store.tellInstance(described(data.description)),
  deployment: take,
  estimate: (estimate) => store.expect(estimate),
  reset: () => location.reload(),
  state: (word) => {
    showState(word);
    if (word !== "live") return;
    quietly(loadDecisions()); // what happened before the first event that this stream tells
    refresh();
  },
});
