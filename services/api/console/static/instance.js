// One instance: where it is, when it will be ready, why it failed, and what it was at any event before.
import { get, now, Refusal } from "./api.js";
import { askedBy } from "./asked.js";
import { CriticalPath } from "./critical-path.js";
import { element } from "./element.js";
import { exact, expectation, lasting, money, nextTry, seconds } from "./format.js";
import { announce, fill, milestone, showState, write } from "./live.js";
import { drawActions, offerActions } from "./instance-actions.js";
import { InstallOutput } from "./output.js";
import { cause, costAt, described, Store } from "./store.js";
import { Stream } from "./stream.js";
import { summary } from "./summary.js";
import { showUse } from "./use-it.js";
import { steps, Waterfall } from "./waterfall.js";
import { WorkerOutput } from "./worker-output.js";
import { WORDS } from "./words.js";

const byId = (id) => document.getElementById(id);
const page = byId("instance");
const id = page.dataset.id;
const list = byId("events");
const moment = byId("moment");
const waterfall = new Waterfall(byId("waterfall"), lookAt);
const GROUPS = {
  model: "launches of this model on this type", instance_type: "launches on this type",
  provider: "launches at this provider", all: "launches of any kind",
};
const AGAIN_MS = 3000;
const READY = 100;
const SERVE = "serve";

let events = [];
let usual = new Map();
let usualOf = null; // the attempt and type that it is of
let chosen = null; // the version that is looked at; null: always the newest
const asked = Number(new URLSearchParams(location.search).get("at")) || null;
let wanted = asked < Number(page.dataset.version) ? asked : null; // as after its newest event, it is now
if (asked !== wanted) history.replaceState(null, "", location.pathname);
let frame = 0;
const store = new Store((instance, before) => {
  const said = milestone(instance, before);
  if (said && events.length > 1) announce(said);
});

const output = new InstallOutput(`/instances/${id}`, byId("output-part"), () => drawSoon());

const criticalPath = new CriticalPath(`/instances/${id}`, () => drawSoon());

const workerOutput = new WorkerOutput(`/instances/${id}`, byId("worker-part"));

const latest = () => events.at(-1);
const looked = () => (chosen === null ? latest() : events.find((one) => one.snapshot.version === chosen) ?? latest());
const drawSoon = () => (frame ||= requestAnimationFrame(draw));

function take({ type, time, actor, data }) {
  const known = latest()?.snapshot.version ?? 0;
  if (data.instance.version <= known) return;
  const at = Math.max(Date.parse(time), latest()?.at ?? 0);
  const instance = described(data.description);
  events.push({ type, at, actor, fact: data.event, snapshot: data.instance, instance });
  store.take(instance);
  list.prepend(eventRow(latest()));
  moment.max = data.instance.version;
  if (wanted === data.instance.version) chosen = wanted;
  if (type.startsWith("SshInstall")) output.expect(at);
  if (purpose(latest()) === SERVE) learn(`${data.instance.attempt} ${data.instance.instance_type}`);
  drawSoon();
}

/** The type may be known only when there is a server, and be another one than was asked for first. */
async function learn(of) {
  if (of === usualOf) return;
  usualOf = of;
  let found;
  try {
    found = await get(`/instances/${id}/steps`);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    setTimeout(() => {
      if (of !== usualOf) return;
      usualOf = null;
      learn(of);
    }, AGAIN_MS);
    return;
  }
  if (of !== usualOf) return;
  const { items, basis } = found;
  usual = new Map(items.map((one) => [one.percent, one]));
  const from = basis.launches ? `the last ${basis.launches} ${GROUPS[basis.group]}` : "assumptions, until there are launches to learn from";
  write(byId("basis"), `The band shows the usual duration (p50 to p90): ${from}.`);
  drawSoon();
}

function eventRow(event) {
  const cells = [["num", seconds(event.at)], ["event-type", event.type], ["event-summary", [summary(event.fact), askedBy(event.fact.requested_by)].filter(Boolean).join(", ")], ["num right", `${event.snapshot.progress_percent} %`]];
  const button = element(
    "button",
    { type: "button", "data-version": event.snapshot.version, title: `${exact(event.at)}, recorded by ${event.actor}` },
    ...cells.map(([kind, text]) => element("span", { class: kind, text })),
  );
  return element("li", {}, button);
}

function draw() {
  frame = 0;
  const event = looked();
  const live = chosen === null;
  const instance = live ? store.get(id) : event.instance;
  page.dataset.tone = instance.tone;
  write(byId("status"), instance.statusLabel);
  write(byId("percent"), `${instance.percent} %`);
  write(byId("step"), waiting(instance));
  fill(byId("bar"), instance.percent, instance.doing);
  const facts = [instance.use, instance.type, instance.place, instance.attempt > 1 && `attempt ${instance.attempt}`, instance.address];
  write(byId("facts"), facts.filter(Boolean).join("  ·  "));
  drawFailure(instance, live);
  drawActions(latest().instance, live);
  drawUse(latest().instance, live);
  drawPast(event, live);
  drawSnapshot(event, instance, live);
  drawOutput(event, live);
  for (const button of list.querySelectorAll("button")) {
    const current = Number(button.dataset.version) === event.snapshot.version;
    if (current) button.setAttribute("aria-current", "step");
    else button.removeAttribute("aria-current");
  }
  tick();
}

function drawOutput({ at, snapshot: { attempt, version } }, live) {
  const failed = events.findLast(({ type, snapshot }) => type === "SshInstallFailed" && snapshot.attempt === attempt && snapshot.version <= version);
  output.show(attempt, live ? Infinity : at, failed?.fact.output ?? []);
  const { instance, snapshot } = latest();
  const installed = snapshot.milestones.includes("SshInstallCompleted");
  const ended = events.findLast(({ type }) => type === "StartupFailed");
  if (live && instance.error && installed) workerOutput.show(ended?.fact.output ?? [], snapshot.version);
  else workerOutput.hide();
}

/** What it is for; only of those that serve there are usual durations. */
function purpose({ snapshot }) {
  return snapshot.specification.purpose ?? SERVE;
}

/** What moves by itself, as time does. */
function tick() {
  if (!events.length) return;
  output.look(WORDS.statuses.installing.includes(latest().instance.status), now());
  const event = looked();
  const live = chosen === null;
  const at = live ? now() : event.at;
  const instance = live ? store.get(id) : event.instance;
  write(byId("time"), since(instance, at));
  write(byId("eta"), live && instance.group === "launching" ? prospect(instance, at) : "");
  const cost = costAt(instance, at);
  const shown = byId("cost");
  if (shown) write(shown, cost === null ? "not known yet" : money(cost, instance.currency));
  const mine = events.filter((one) => one.snapshot.attempt === instance.attempt);
  const moments = mine.map((one) => ({ at: one.at, percent: one.snapshot.progress_percent }));
  const ended = launchEnd(mine);
  const last = launched(mine);
  criticalPath.show(instance.attempt, last.snapshot.version, ended !== null || last.snapshot.progress_percent === READY);
  byId("legend").hidden = criticalPath.intervals.length === 0;
  waterfall.draw(steps(moments, ended, now(), purpose(last)), usual, {
    stopped: ended !== null,
    cursor: live ? null : event.at,
    intervals: criticalPath.intervals,
    now: ended ?? now(),
  });
}

/** Within a step, at what; what delays it says more. */
function waiting({ where, stepLabel, waitsFor, delay }) {
  return delay || !waitsFor || waitsFor === stepLabel ? where : `${where}: ${waitsFor}`;
}

function prospect({ delay, eta }, at) {
  if (delay) return nextTry(delay, at);
  return eta ? expectation(eta, at) : "";
}

/** The last event of an attempt that belongs to its launch. */
function launched(mine) {
  return mine.find(({ snapshot }) => snapshot.progress_percent === READY) ?? mine.at(-1);
}

/** When a launch that goes no further stopped; null while it goes on, and once it was ready. */
function launchEnd(mine) {
  const end = mine.find((one) => WORDS.stopped.includes(one.instance.group));
  return end ? end.at : null;
}

function since({ group, statusLabel, stepSince, statusSince }, at) {
  if (group === "launching") return `for ${lasting(at - stepSince)}`;
  if (group === "failed") return `stopped ${lasting(at - statusSince)} ago`;
  return group === "ready" ? `for ${lasting(at - statusSince)}` : `${statusLabel} for ${lasting(at - statusSince)}`;
}

/** In the past the place of what was still to fail is kept: nothing moves away under who drags along the steps. */
function drawFailure(instance, live) {
  const failed = instance.error || live ? instance : (events.findLast((one) => one.instance.error)?.instance ?? instance);
  const { error, statusLabel, percent, stepLabel, advice } = failed;
  byId("failure").hidden = !error;
  byId("failure").style.visibility = instance.error ? "visible" : "hidden";
  if (!error) return;
  write(byId("failure-title"), `${statusLabel} at ${percent} %, ${stepLabel}`);
  write(byId("failure-message"), cause(error));
  write(byId("failure-advice"), advice ?? "");
  byId("again").hidden = failed.group !== "failed";
  byId("again").style.visibility = live ? "" : "hidden"; // it keeps its place while one looks back
  byId("launch-again").href = failed.purpose === SERVE ? `/console/launch?as=machine&again=${id}` : `/console/machine-images/build?again=${id}`;
}

/** Only what is ready and serves is called. In the past its place is kept, as that of a failure is. */
function drawUse({ group, model, task, purpose: its }, live) {
  byId("use").hidden = group !== "ready" || its !== SERVE;
  byId("use").style.visibility = live ? "visible" : "hidden";
  if (!byId("use").hidden) showUse({ model, task, words: "Any client of OpenAI's API works." });
}

function drawPast(event, live) {
  byId("past").hidden = live;
  const words = `event ${event.snapshot.version} of ${latest().snapshot.version}, ${event.type}, ${seconds(event.at)}`;
  write(byId("past-words"), `As it was at ${exact(event.at)}, after ${event.type}.`);
  write(byId("moment-words"), live ? "now" : words);
  write(byId("snapshot-title"), live ? "Now" : `At event ${event.snapshot.version}`);
  moment.value = event.snapshot.version;
  moment.setAttribute("aria-valuetext", live ? "now" : words);
}

function drawSnapshot({ snapshot }, instance) {
  const tries = Object.entries(snapshot.failed_tries).map(([action, count]) => `${action.replaceAll("_", " ")} ${count}×`);
  const pairs = [
    ["Status", `${instance.statusLabel}, since ${seconds(instance.statusSince)}`],
    ["Version", instance.version],
    ["Attempt", instance.attempt],
    ["Address", instance.address],
    ["Server", snapshot.resources.server_id],
    ["Price", instance.price === null ? null : `${money(instance.price, instance.currency)} an hour`],
    ["Cost", "", "cost"],
    ["Install", snapshot.install.phase && `phase ${snapshot.install.phase}`],
    ["Image", snapshot.install.image],
    ["vLLM", snapshot.vllm_version],
    ["Failed tries", tries.join(", ")],
    ["Worker", snapshot.milestones.includes("SshInstallStarted") && (snapshot.worker_tls === "mutual" ? "mutual TLS" : "plain HTTP")],
    ["Outages", snapshot.outages || null],
    ["Asked for", exact(instance.createdAt)],
    ["Id", instance.id],
  ];
  const rows = pairs.filter(([, value, named]) => value || named);
  const parts = rows.flatMap(([name, text, named]) => [
    element("dt", { text: name }),
    element("dd", { text, ...(named && { id: named }) }),
  ]);
  byId("snapshot").replaceChildren(...parts);
  write(byId("json"), JSON.stringify(snapshot, null, 2));
}

function look(version) {
  const before = chosen;
  wanted = null; // whatever the address asked for
  chosen = version === null || version >= latest().snapshot.version ? null : version;
  if (chosen === before) return;
  history.replaceState(null, "", chosen === null ? location.pathname : `?at=${chosen}`);
  drawSoon();
}

/** As it was after the last event of the shown attempt that had happened then. */
function lookAt(then) {
  const { attempt } = looked().snapshot;
  const mine = events.filter((one) => one.snapshot.attempt === attempt);
  look((mine.findLast(({ at }) => at <= then) ?? mine[0]).snapshot.version);
}

moment.addEventListener("input", () => look(Number(moment.value)));
byId("to-now").addEventListener("click", () => {
  look(null);
  moment.focus();
});
list.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) look(Number(button.dataset.version));
});

offerActions(id, () => store.get(id));
setInterval(tick, 1000);
new Stream(`/instances/${id}/events?from=start`, {
  event: take,
  estimate: (estimate) => {
    store.expect(estimate);
    tick();
  },
  reset: () => location.reload(),
  state: showState,
});
