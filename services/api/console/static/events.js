// The live feed: the newest events of those that are asked for, each with its JSON, and how to follow them on NATS.
import { get, now, Refusal } from "./api.js";
import { copies } from "./copy.js";
import { clock, exact, seconds } from "./format.js";
import { InstanceNames } from "./instance-names.js";
import { showState, write } from "./live.js";
import { Stream } from "./stream.js";
import { summary } from "./summary.js";
import { isUntouched } from "./untouched.js";

const MOST = 200; // rows on the page
const KEPT = 2000; // events that filters look through
const BEFORE = 500; // events, of everything that has happened, that the feed begins with
const AGAIN_MS = 3000;
const SETTLED_MS = 300; // of one who types
const WEEK_MS = 6 * 24 * 3600_000; // a day of the week says which
const byId = (id) => document.getElementById(id);
const filters = byId("filters");
const { type, instance } = filters.elements;
const feed = byId("feed");
const pause = byId("pause");
const template = byId("row").content.firstElementChild;
const sees = feed.dataset.sees; // "all", or "own": what an organisation has
const names = new InstanceNames((id, name) => {
  if (names.size <= MOST) byId("instances").append(new Option(name, id));
  write(byId("command"), command());
});
const everything = source(null);
let one = null; // the instance that is meant, followed by itself from its first event on
let waiting = []; // not shown yet: of this frame, or of a pause
let paused = false;
let frame = 0;
let settling = 0;

/** Events that come in; `whole`: all that there are of them, `refusal`: why none comes. */
function source(id) {
  return { id, kept: [], whole: true, listening: false, refusal: null, stream: null };
}

const shown = () => one ?? everything;

function take(from, event) {
  if (!event.data.deployment) names.add(event.data.description);
  from.kept.push(event);
  if (from.kept.length > KEPT) from.kept = from.kept.slice(-KEPT);
  from.whole &&= from.kept.length < KEPT;
  if (from !== shown()) return;
  waiting.push(event);
  if (waiting.length > KEPT) waiting = waiting.slice(-KEPT);
  frame ||= requestAnimationFrame(draw);
}

function draw() {
  frame = 0;
  if (!paused) {
    prepend(waiting.filter(wanted));
    waiting = [];
  }
  const held = paused && waiting.filter(wanted).length;
  write(byId("count"), held ? `${held} more since the pause` : feed.children.length >= MOST ? `the newest ${MOST}` : "");
  feed.hidden = !feed.children.length;
  const { listening, refusal } = shown();
  byId("nothing").hidden = !feed.hidden || !(listening || refusal);
  write(byId("nothing"), refusal ? `${refusal.title}. ${refusal.message}` : without());
  write(byId("reach"), listening && !refusal ? reach() : "");
}

/** What it means that no row is shown. */
function without() {
  const { id, kept, whole } = shown();
  if (id) return kept.length ? `No event of ${names.of(id)} matches yet.` : "Loading …";
  if (!kept.length && whole) return "Nothing has happened yet. New events appear here.";
  if (!kept.length) return `None of the installation's newest ${BEFORE} events is yours. New events appear here.`;
  return whole ? "No event matches yet." : "None of the events searched here matches.";
}

/** How far back the filters look. */
function reach() {
  const { id, kept, whole } = shown();
  if (id) return `${whole ? "All" : `The newest ${KEPT}`} events of ${names.of(id)}, ${id}.`;
  if (whole) return kept.length ? "All events are searched." : "";
  const looked = sees === "all" ? `The newest ${kept.length} events are` : `Yours of the installation's newest ${BEFORE} events, and of all since, are`;
  const at = kept.length && Date.parse(kept[0].time);
  const since = sees === "all" && at ? `, since ${now() - at < WEEK_MS ? clock(at) : exact(at)}` : "";
  return `${looked} searched${since}. For one instance, given by its full name or id, all events are searched.`;
}

function prepend(events) {
  const focused = document.activeElement;
  feed.prepend(...events.slice(-MOST).reverse().map(row));
  for (const old of [...feed.children].slice(MOST)) old.remove();
  if (focused && !focused.isConnected) filters.elements.instance.focus({ preventScroll: true });
}

function redraw() {
  feed.replaceChildren();
  waiting = paused ? waiting : [];
  const held = new Set(waiting);
  prepend(shown().kept.filter((event) => !held.has(event) && wanted(event)));
  write(byId("command"), command());
  draw();
}

function filtered() {
  redraw();
  const query = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  clearTimeout(settling);
  settling = setTimeout(settle, SETTLED_MS);
}

function wanted({ type: its, data }) {
  const text = instance.value.trim().toLowerCase();
  const { id, name } = data.description;
  const meant = one || !text || id.includes(text) || name.toLowerCase().includes(text);
  return meant && (!type.value || its === type.value);
}

/** A subject can name one instance by its id, or all. */
function command() {
  const id = names.meant(instance.value);
  write(byId("wider"), instance.value.trim() && !id ? "for every instance: a subject cannot have part of a name or id" : "");
  if (!type.value) return `nats sub 'lifecycle.${id ? `${id}.` : ""}>'`;
  return `nats sub 'lifecycle.${id ?? "*"}.${type.value}'`;
}

function row(event) {
  const { type: its, time, actor } = event;
  const { description, ...data } = event.data; // a follower on NATS gets the rest
  const element = template.cloneNode(true);
  const part = (name) => element.querySelector(`[data-of=${name}]`);
  const { id, name, progress_percent: percent, version } = description;
  const ofInstance = !data.deployment;
  const at = Date.parse(time);
  write(part("time"), seconds(at));
  part("time").title = `${exact(at)}, recorded by ${actor}`;
  write(part("type"), its);
  write(part("name"), name);
  write(part("summary"), ofInstance ? summary(data.event) : (data.words ?? ""));
  write(part("percent"), ofInstance ? `${percent} %` : "");
  part("page").href = ofInstance ? `/console/instances/${id}?at=${version}` : `/console/deployments/by-id/${id}`;
  if (!ofInstance) write(part("page"), "Its deployment");
  write(part("id"), id);
  element.firstElementChild.addEventListener("toggle", () => write(part("json"), JSON.stringify({ ...event, data }, null, 2)), { once: true });
  return element;
}

/** Who typed has stopped: whom it means may have to be looked up. */
async function settle() {
  turn();
  try {
    await names.seek(() => instance.value);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    settling = setTimeout(settle, AGAIN_MS);
  }
  turn();
}

/** To the one instance that is meant, or back to all. */
function turn() {
  const id = names.meant(instance.value);
  if (id === (one?.id ?? null)) return;
  one?.stream?.end();
  one = id && source(id);
  if (paused) pauses(false); // it was another feed that was to stand still
  if (one) open(one);
  redraw();
}

async function open(its) {
  try {
    names.add(await get(`/instances/${its.id}`));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    its.refusal = error;
    if (its === one && error.status !== 404) setTimeout(() => its === one && open(its), AGAIN_MS);
    draw();
    return;
  }
  its.refusal = null;
  if (its === one) its.stream = follow(its, `/instances/${its.id}/events?from=start`);
}

function pauses(whether) {
  paused = whether;
  pause.setAttribute("aria-pressed", String(paused));
  write(pause, paused ? "Continue" : "Pause");
  draw();
}

const asked = new URLSearchParams(location.search);
if (isUntouched(filters)) [type.value, instance.value] = [asked.get("type") ?? "", asked.get("instance") ?? ""];
filters.addEventListener("input", filtered);
filters.addEventListener("submit", (event) => event.preventDefault());
pause.addEventListener("click", () => pauses(!paused));
copies(byId("copy"), () => byId("command"));
write(byId("command"), command());
turn();
begin();

function begin() {
  recent().then((after) => {
    everything.whole = after.endsWith("-0");
    follow(everything, "/events", after);
    settle();
  }, (error) => {
    if (!(error instanceof Refusal)) throw error;
    write(byId("nothing"), `${error.title}. ${error.message}`);
    setTimeout(begin, AGAIN_MS);
  });
}

/** The id of an event to begin behind: epoch and sequence. The moment between them is of the last event, not of that one. */
async function recent() {
  const id = await names.more();
  const at = id.lastIndexOf("-");
  const [epoch] = id.slice(0, at).split(".");
  return `${epoch}-${Math.max(0, Number(id.slice(at + 1)) - BEFORE)}`;
}

function follow(from, address, after = null) {
  return new Stream(address, {
    after,
    event: (event) => take(from, event),
    deployment: (event) => take(from, event),
    estimate: () => null,
    reset: () => location.reload(),
    state: (word) => {
      if (from === everything) showState(word);
      from.listening ||= word === "live";
      draw();
    },
  });
}
