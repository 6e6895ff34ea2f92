// Every deployment, those in trouble first, each row changed only where it has.
import { ask, now, read, Refusal } from "./api.js";
import { Blocks } from "./blocks.js";
import { address, Deployments, heldUp, hourPrice, inWords, monthPrice, news } from "./deployment-store.js";
import { money } from "./format.js";
import { announce, set, showState, write } from "./live.js";
import { described } from "./store.js";
import { Stream } from "./stream.js";

const PAGE = 200;
const AGAIN_MS = 3000;
const LOAD_MS = 5000; // the load is in no event
const EACH_MS = 50; // and the list is asked for less often, the longer it is
const TONES = ["bad", "warn", "progress", "good", "neutral"];
const byId = (id) => document.getElementById(id);
const template = byId("row").content.firstElementChild;
const rows = new Map();
let frame = 0;
let stream = null;
let loading = null;

const store = new Deployments((deployment, before) => {
  const said = news(deployment, before);
  if (said) announce(said);
  frame ||= requestAnimationFrame(draw);
});
const list = new Blocks(byId("rows"), byId("block").content.firstElementChild, () => null);

function rowOf({ id, name, owner, model }) {
  if (!rows.has(id)) {
    const element = template.cloneNode(true);
    element.dataset.id = id;
    const parts = Object.fromEntries([...element.querySelectorAll("[data-of]")].map((one) => [one.dataset.of, one]));
    parts.name.href = address("/console/deployments", { name, owner });
    write(parts.name, owner ? `${owner}/${name}` : name);
    parts.bar.setAttribute("aria-label", `Ready replicas of ${name}`);
    write(parts.model, model);
    rows.set(id, { element, parts });
  }
  return rows.get(id);
}

function drawRow(deployment) {
  const { element, parts } = rowOf(deployment);
  const { tone, wanted, ready, coming, load } = deployment;
  const doing = heldUp(deployment, now());
  set(element, "data-tone", tone);
  write(parts.status, deployment.status_label);
  write(parts.model, deployment.model);
  write(parts.doing, doing);
  set(parts.doing, "title", doing);
  write(parts.replicas, inWords(deployment));
  set(parts.bar, "aria-valuenow", String(ready));
  set(parts.bar, "aria-valuemax", String(Math.max(wanted, ready, 1)));
  set(parts.bar, "aria-valuetext", inWords(deployment));
  const whole = Math.max(wanted, ready + coming, 1);
  parts.share.style.width = `${(ready / whole) * 100}%`;
  parts.rest.style.width = `${(coming / whole) * 100}%`;
  write(parts.flight, load ? `${load.in_flight} in flight` : "—");
  write(parts.held, load?.held ? `${load.held} held` : "");
  write(parts.hour, hourPrice(deployment) || "—");
  write(parts.month, monthPrice(deployment));
}

const over = ({ status, replicas }) => status === "deleted" && !replicas.length;
const rank = ({ tone }) => TONES.indexOf(tone);
const inOrder = (one, other) => rank(one) - rank(other) || one.name.localeCompare(other.name);

function draw() {
  frame = 0;
  const all = store.values();
  for (const { id } of all.filter(over)) store.forget(id);
  const shown = all.filter((one) => !over(one)).sort(inOrder);
  for (const one of shown) drawRow(one);
  list.arrange(shown.map((one) => rowOf(one).element));
  byId("deployments").hidden = !shown.length;
  byId("none").hidden = shown.length > 0;
  byId("nothing").hidden = true;
  write(byId("sum"), shown.length ? sum(shown) : "");
}

function sum(all) {
  const hourly = new Map();
  for (const { currency, hourly: price } of all) if (price) hourly.set(currency, (hourly.get(currency) ?? 0) + price);
  const prices = [...hourly].map(([currency, price]) => `${money(price, currency)} an hour`);
  return [`${all.length} ${all.length === 1 ? "deployment" : "deployments"}`, ...prices].join(" · ");
}

/** All of them; those that are there no more go. */
function load() {
  loading ??= take().finally(() => (loading = null));
  return loading;
}

async function take() {
  const found = new Set();
  let cursor = null;
  do {
    const response = await ask(`/deployments?limit=${PAGE}${cursor ? `&cursor=${encodeURIComponent(cursor)}` : ""}`, { stays: true });
    const page = await read(response);
    for (const view of page.items) {
      store.show(view);
      found.add(view.id);
    }
    stream ??= follow(response.headers.get("last-event-id")); // what is listed holds all that happened before this
    cursor = page.next_cursor;
  } while (cursor);
  for (const { id } of store.values()) if (!found.has(id)) store.forget(id);
  frame ||= requestAnimationFrame(draw);
}

function follow(after) {
  return new Stream("/events", {
    after,
    event: ({ data }) => store.tellInstance(described(data.description)),
    deployment: ({ data }) => store.tell(data.description) || load().catch(() => null),
    estimate: (estimate) => store.expect(estimate),
    reset: () => location.reload(),
    state: showState,
  });
}

function refresh() {
  const next = () => setTimeout(refresh, LOAD_MS + EACH_MS * rows.size);
  if (document.visibilityState !== "visible") return next();
  load().catch((error) => {
    if (!(error instanceof Refusal)) throw error; // that nothing is live is told by the stream
  }).finally(next);
}

function begin() {
  load().then(refresh, (error) => {
    if (!(error instanceof Refusal)) throw error;
    write(byId("nothing"), `${error.title}. ${error.message}`);
    setTimeout(begin, AGAIN_MS);
  });
}

begin();
