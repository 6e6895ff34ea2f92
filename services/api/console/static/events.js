// The live feed: the newest events of those that are asked for, each with its JSON, and how to follow them on NATS.
import { ask, Refusal } from "./api.js";
import { copies } from "./copy.js";
import { exact, seconds } from "./format.js";
import { showState, write } from "./live.js";
import { Stream } from "./stream.js";
import { told } from "./told.js";

const MOST = 200; // rows on the page
const KEPT = 2000; // events that filters look through
const BEFORE = 500; // events, of everything that has happened, that the feed begins with
const AGAIN_MS = 3000;
const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const byId = (id) => document.getElementById(id);
const filters = byId("filters");
const { type, instance } = filters.elements;
const feed = byId("feed");
const pause = byId("pause");
const template = byId("row").content.firstElementChild;
const names = new Map();
let kept = [];
let waiting = []; // not shown yet: of this frame, or of a pause
let paused = false;
let frame = 0;
let listening = false;

function take(event) {
  const { id, specification } = event.data.instance;
  if (!names.has(id)) {
    names.set(id, specification.name);
    if (names.size <= MOST) byId("instances").append(new Option(specification.name, id));
    write(byId("command"), command());
  }
  kept.push(event);
  waiting.push(event);
  if (kept.length > KEPT) kept = kept.slice(-KEPT);
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
  byId("nothing").hidden = !feed.hidden || !listening;
  write(byId("nothing"), kept.length ? "No event is like that yet." : "Nothing has happened yet. What happens from now on comes here by itself.");
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
  const shown = new Set(waiting);
  prepend(kept.filter((event) => !shown.has(event) && wanted(event)));
  write(byId("command"), command());
  const query = new URLSearchParams([...new FormData(filters)].filter(([, value]) => value));
  history.replaceState(null, "", query.size ? `?${query}` : location.pathname);
  draw();
}

function wanted({ type: its, data }) {
  const text = instance.value.trim().toLowerCase();
  const { id, specification } = data.instance;
  return (!type.value || its === type.value) && (!text || id.includes(text) || specification.name.toLowerCase().includes(text));
}

/** A subject can name one instance by its id, or all. */
function command() {
  const text = instance.value.trim().toLowerCase();
  const called = [...names].filter(([, name]) => text && name.toLowerCase() === text).map(([id]) => id);
  const id = UUID.test(text) ? text : called.length === 1 ? called[0] : null;
  if (!type.value) return `nats sub 'lifecycle.${id ? `${id}.` : ""}>'`;
  return `nats sub 'lifecycle.${id ?? "*"}.${type.value}'`;
}

function row(event) {
  const { type: its, time, actor, data } = event;
  const element = template.cloneNode(true);
  const part = (name) => element.querySelector(`[data-of=${name}]`);
  const { id, specification, progress_percent: percent } = data.instance;
  const at = Date.parse(time);
  write(part("time"), seconds(at));
  part("time").title = `${exact(at)}, told by ${actor}`;
  write(part("type"), its);
  write(part("name"), specification.name);
  write(part("told"), told(data.event));
  write(part("percent"), `${percent} %`);
  part("page").href = `/console/instances/${id}?at=${data.instance.version}`;
  write(part("id"), id);
  element.firstElementChild.addEventListener("toggle", () => write(part("json"), JSON.stringify(event, null, 2)), { once: true });
  return element;
}

const asked = new URLSearchParams(location.search);
type.value = asked.get("type") ?? "";
instance.value = asked.get("instance") ?? "";
filters.addEventListener("input", redraw);
filters.addEventListener("submit", (event) => event.preventDefault());
pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  write(pause, paused ? "Go on" : "Pause");
  draw();
});
copies(byId("copy"), () => byId("command"));
write(byId("command"), command());
begin();

function begin() {
  recent().then(follow, (error) => {
    if (!(error instanceof Refusal)) throw error;
    write(byId("nothing"), `${error.title}. ${error.message}`);
    setTimeout(begin, AGAIN_MS);
  });
}

/** The id of an event to begin behind: epoch and sequence, as the list of instances says how far it is. */
async function recent() {
  const id = (await ask("/instances?limit=1")).headers.get("last-event-id");
  const at = id.lastIndexOf("-");
  return `${id.slice(0, at)}-${Math.max(0, Number(id.slice(at + 1)) - BEFORE)}`;
}

function follow(after) {
  return new Stream("/events", {
    after,
    event: take,
    estimate: () => null,
    reset: () => location.reload(),
    state: (word) => {
      showState(word);
      listening ||= word === "live";
      draw();
    },
  });
}
