// Every instance, failures first, each row changed only where it has.
import { ask, now, read, Refusal } from "./api.js";
import { Blocks } from "./blocks.js";
import { Bulk } from "./bulk.js";
import { FirstSteps } from "./first-steps.js";
import { about, clock, exact, lasting, money, nextTry, seconds } from "./format.js";
import { announce, fill, milestone, set, showState, write } from "./live.js";
import { Pace } from "./pace.js";
import { costAt, described, Store } from "./store.js";
import { Stream } from "./stream.js";
import { isUntouched } from "./untouched.js";
import { WORDS } from "./words.js";

const FIRST = 50; // soon there, and more than a screen holds
const PAGE = 200;
const MOST_GONE = 1000;
const AGAIN_MS = 3000;
const MOST_SLIDES = 10; // a second: each bar that slides is a layer of its own, and a browser draws all frames meanwhile
const { standing: STANDING, ended: ENDED, hidden: HIDDEN } = WORDS.statuses;
const byId = (id) => document.getElementById(id);
const filters = byId("filters");
const table = byId("fleet");
const nothing = byId("nothing");
const none = byId("none");
const template = byId("row").content.firstElementChild;
const counts = new Map([...document.querySelectorAll("[data-count]")].map((one) => [one.dataset.count, one]));
const rows = new Map();
const dirty = new Set();
let reorder = false;
let frame = 0;
let loaded = false;
let more = false; // terminated ones than are listed
let stream = null;

const store = new Store((instance, before) => {
  dirty.add(instance.id);
  reorder ||= before?.status !== instance.status || before.on !== instance.on;
  const said = milestone(instance, before);
  if (said) announce(said);
  frame ||= requestAnimationFrame(draw);
});

const list = new Blocks(byId("rows"), byId("block").content.firstElementChild, tick);

function rowOf(instance) {
  if (!rows.has(instance.id)) {
    const element = template.cloneNode(true);
    element.dataset.id = instance.id;
    const parts = Object.fromEntries([...element.querySelectorAll("[data-of]")].map((one) => [one.dataset.of, one]));
    parts.name.href = `/console/instances/${instance.id}`;
    parts.bar.setAttribute("aria-label", `Progress of ${instance.name}`);
    write(parts.name, instance.name);
    write(parts.model, instance.use);
    rows.set(instance.id, { element, parts });
  }
  return rows.get(instance.id);
}

const bulk = new Bulk(table, { box: (instance) => rowOf(instance).parts.pick, get: (id) => store.get(id) });
const first = new FirstSteps(byId("first-steps"));
const moves = new Pace(MOST_SLIDES, 1000);
const jumps = () => moves.happens(Date.now());

function drawRow(instance) {
  const { element, parts } = rowOf(instance);
  const { group, tone, doing, percent } = instance;
  set(element, "data-group", group);
  set(element, "data-tone", tone);
  write(parts.status, instance.statusLabel);
  write(parts.step, doing);
  set(parts.step, "title", doing);
  write(parts.percent, group === "gone" ? "" : `${percent} %`);
  fill(parts.bar, percent, doing, jumps);
  write(parts.type, instance.type ?? "—");
  write(parts.zone, instance.place);
  set(parts.time, "title", `since ${exact(begun(instance))}`);
  bulk.changed(instance);
  drawTimes(instance);
}

/** What the next moment changes. */
function drawTimes(instance) {
  const { parts } = rowOf(instance);
  const moment = now();
  write(parts.time, lasting(moment - begun(instance)));
  const [half, small, most] = instance.group === "launching" ? prospect(instance, moment) : ["", "", ""];
  write(parts.eta, half);
  write(parts.clock, small);
  set(parts.clock, "title", most);
  write(parts.most, most); // a title is told to nobody who does not point at it
  const cost = costAt(instance, moment);
  write(parts.cost, cost === null ? "—" : money(cost, instance.currency));
}

/** Its step while it launches, or its status. */
const begun = ({ group, stepSince, statusSince }) => (group === "launching" ? stepSince : statusSince);

/** When it will be ready, or what it waits for is tried next: in two short lines, and as a sentence. */
function prospect({ delay, eta }, moment) {
  const again = delay && Date.parse(delay.next_try_at);
  if (delay) return again > moment ? ["again at", seconds(again), nextTry(delay, moment)] : ["again now", "", ""];
  if (!eta) return ["", "", ""];
  const [soon, late] = [eta.ready_at_p50, eta.ready_at_p90].map((text) => Math.max(Date.parse(text), moment));
  return [about((soon - moment) / 1000), clock(soon), `nine times in ten by ${clock(late)}`];
}

function draw() {
  frame = 0;
  for (const id of dirty) drawRow(store.get(id));
  dirty.clear();
  if (reorder) arrange();
  else if (loaded) first.saw([...store.values()]);
  reorder = false;
}

/** Those in view; or those that just came there. */
function tick(elements = list.shown()) {
  for (const { dataset } of elements) drawTimes(store.get(dataset.id));
}

function wanted() {
  const form = new FormData(filters);
  return { status: form.get("status"), model: form.get("model"), text: form.get("text").trim().toLowerCase() };
}

const says = ({ name, id, type, zone, model }, text) =>
  [name, id, type, zone, model].some((value) => value?.toLowerCase().includes(text));

function arrange() {
  const { status, model, text } = wanted();
  const listed = [...store.values()].filter((one) => !HIDDEN.includes(one.status));
  const all = listed.filter((one) => (!model || one.model === model) && (!text || says(one, text)));
  const groups = new Map(WORDS.groups.map((name) => [name, []]));
  for (const one of all) {
    if (!groups.has(one.group)) groups.set(one.group, []); // a newer release's
    groups.get(one.group).push(one);
  }
  for (const [name, element] of counts) write(element, String(name ? groups.get(name).length : all.length));
  const asked = status ? [groups.get(status)] : [...groups.values()];
  const shown = asked.flatMap((some) => some.sort((a, b) => b.createdAt - a.createdAt));
  list.arrange(shown.map((one) => rowOf(one).element));
  bulk.shows(shown);
  table.hidden = !shown.length;
  nothing.hidden = shown.length > 0 || !loaded || !listed.length;
  none.hidden = listed.length > 0 || !loaded;
  if (loaded) first.saw([...store.values()]);
  summarize(listed);
}

function summarize(all) {
  const chosen = filters.model.value; // stays, though no instance of it may be listed yet, or any more
  const models = [...new Set([...all.map((one) => one.model), chosen].filter(Boolean))].sort();
  const known = [...filters.model.options].map((option) => option.value).filter(Boolean);
  if (models.join() !== known.join()) {
    filters.model.replaceChildren(new Option("Any model", ""), ...models.map((name) => new Option(name, name)));
    filters.model.value = chosen;
  }
  const hourly = new Map();
  for (const one of all) if (one.on && one.price !== null) hourly.set(one.currency, (hourly.get(one.currency) ?? 0) + one.price);
  const prices = [...hourly].map(([currency, price]) => `${money(price, currency)} an hour`);
  const count = `${all.length} ${all.length === 1 ? "instance" : "instances"}`;
  const cut = more ? [`only the newest ${MOST_GONE} terminated ones`] : [];
  write(byId("sum"), [count, ...cut, ...prices].join(" · "));
  write(nothing, "No instance matches.");
}

function filtered() {
  const query = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  arrange();
  tick();
}

/** All of those that stand, whenever they began; then what has ended, as far as anybody reads. */
async function load() {
  await take(STANDING, Infinity);
  more = await take(ENDED, MOST_GONE);
  loaded = true;
  arrange();
}

/** Newest first; returns whether there are more than `most`. */
async function take(statuses, most) {
  let found = 0;
  let cursor = null;
  do {
    const query = new URLSearchParams([["limit", cursor ? PAGE : FIRST], ...statuses.map((one) => ["status", one])]);
    if (cursor) query.set("cursor", cursor);
    const response = await ask(`/instances?${query}`);
    const page = await read(response);
    for (const view of page.items) store.take(described(view));
    // what is listed holds all that happened before this, so the stream goes on behind it and nothing is missed
    stream ??= follow(response.headers.get("last-event-id"));
    found += page.items.length;
    cursor = page.next_cursor;
  } while (cursor && found < most);
  return cursor !== null;
}

function follow(after) {
  return new Stream("/events", {
    after,
    event: ({ data }) => store.take(described(data.description)),
    estimate: (estimate) => store.expect(estimate),
    reset: () => location.reload(),
    state: showState,
  });
}

const asked = new URLSearchParams(location.search);
if (isUntouched(filters)) recall();
filters.addEventListener("input", filtered);
filters.addEventListener("submit", (event) => event.preventDefault());
setInterval(() => tick(), 1000);
begin();

function recall() {
  for (const name of ["status", "text"]) if (asked.get(name)) filters.elements[name].value = asked.get(name);
  if (!asked.get("model")) return;
  filters.model.add(new Option(asked.get("model"), asked.get("model")));
  filters.model.value = asked.get("model");
}

function begin() {
  load().catch((error) => {
    if (!(error instanceof Refusal)) throw error;
    write(nothing, `${error.title}. ${error.message}`);
    nothing.hidden = false;
    setTimeout(begin, AGAIN_MS);
  });
}
