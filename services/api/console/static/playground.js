// A chat with a model; while that is not ready, how far it is.
import { chat, reasonOf } from "./chat.js";
import { get, now, Refusal } from "./api.js";
import { expectation, nextTry, took } from "./format.js";
import { announce, fill, write } from "./live.js";

const LOOK_MS = 1000;
const REASON_MS = 10_000;
const AGAIN_MS = 3000;
const MARKED = 50; // models that are looked at before any is chosen: each is a question of its own
const NEAR_PX = 40;
const byId = (id) => document.getElementById(id);
const [models, form, text, send, stop, anew] = ["model", "ask", "text", "send", "stop", "anew"].map(byId);
const talked = byId("talk");
const unready = byId("unready");
const problem = byId("problem");
const launch = byId("launch"); // not on the page of who may not
const ready = new Set();
const embedding = new Set();
const looked = new Set();
let talk = [];
let answering = null; // what stops the answer that is coming in
let usable = false;
let eager = false; // sent before it was known whether the model can answer
let timer = 0;
let round = 0; // of looking: what an earlier one learns does not matter any more
let known = { model: null, seen: null, at: 0 };

async function load() {
  const names = (await get("/v1/models")).data.map((one) => one.id);
  tell(null);
  await Promise.all(names.slice(0, MARKED).map(async (name) => (await stateOf(name)).ready && ready.add(name)));
  const asked = new URLSearchParams(location.search).get("model");
  const talking = names.filter((name) => !embedding.has(name));
  list(names, names.includes(asked) ? asked : (talking.find((name) => ready.has(name)) ?? talking[0] ?? names[0]));
  byId("none").hidden = names.length > 0;
  form.hidden = !names.length;
  if (names.length) choose();
}

function list(names, chosen) {
  const talking = names.filter((name) => !embedding.has(name));
  const groups = [
    ["Ready", talking.filter((name) => ready.has(name))],
    ["Not ready", talking.filter((name) => looked.has(name) && !ready.has(name))],
    ["Not checked yet", talking.filter((name) => !looked.has(name))],
    ["Embeddings only", names.filter((name) => embedding.has(name))],
  ];
  const shown = groups.filter(([, of]) => of.length).map(([label, of]) => {
    const part = document.createElement("optgroup");
    part.label = label;
    part.append(...of.map((name) => new Option(name, name)));
    return part;
  });
  models.replaceChildren(...shown);
  models.value = chosen ?? "";
  models.disabled = !names.length;
}

async function stateOf(name) {
  const { instances, task } = await get(`/models/resolve?model=${encodeURIComponent(name)}`);
  looked.add(name);
  if (task === "embed") embedding.add(name);
  const seen = JSON.stringify(instances.map((one) => [one.id, one.status, one.progress_percent, one.eligible]));
  return { ready: instances.some((one) => one.eligible), seen };
}

function choose() {
  history.replaceState(null, "", `?model=${encodeURIComponent(models.value)}`);
  tell(null);
  unready.hidden = true;
  allow(false);
  eager = false;
  known = { model: null, seen: null, at: 0 };
  look();
}

/** Again and again until it can answer. What is seen of its instances is cheap; why it cannot is asked on a change. */
async function look() {
  clearTimeout(timer);
  const mine = ++round;
  const name = models.value;
  try {
    const before = looked.has(name);
    const found = await stateOf(name);
    if (mine !== round) return;
    if (!before) list([...models.options].map((option) => option.value), name);
    if (embedding.has(name)) {
      tell(`${name} makes embeddings. It answers POST /v1/embeddings, not a chat.`);
      return;
    }
    if (found.ready) {
      becameReady(name);
      return;
    }
    if (known.model !== name || known.seen !== found.seen || Date.now() - known.at > REASON_MS) {
      const reason = await reasonOf(name);
      if (mine !== round) return;
      known = { model: name, seen: found.seen, at: Date.now() };
      if (reason) show(name, reason);
    }
    tell(null);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (mine !== round) return;
    tell(error.message);
  }
  timer = setTimeout(look, LOOK_MS);
}

function becameReady(name) {
  if (!unready.hidden) announce(`${name} is ready.`);
  unready.hidden = true;
  tell(null);
  if (!ready.has(name)) {
    ready.add(name);
    list([...models.options].map((option) => option.value), name);
  }
  allow(true);
  if (eager) answer();
}

function show(name, { message, status, status_label: label, tone, where, progress_percent: percent, eta, delay }) {
  eager = false;
  unready.hidden = false;
  byId("progress").hidden = status === null;
  if (launch) launch.hidden = status !== null;
  if (launch) launch.href = `/console/launch?model=${encodeURIComponent(name)}`;
  write(byId("why"), message);
  if (status === null) return;
  unready.dataset.tone = tone;
  write(byId("status"), label);
  write(byId("percent"), `${percent} %`);
  write(byId("step"), where);
  fill(byId("bar"), percent, where || label);
  byId("bar").setAttribute("aria-label", `Progress of ${name}`);
  write(byId("eta"), delay ? nextTry(delay, now()) : eta ? expectation(eta, now()) : "");
}

function tell(words) {
  write(problem, words ?? "");
  problem.hidden = !words;
}

function allow(may) {
  usable = may;
  draw();
}

function draw() {
  send.disabled = !usable || answering !== null;
  models.disabled = answering !== null;
  stop.hidden = answering === null;
  send.hidden = answering !== null;
  anew.disabled = answering !== null || !talk.length;
}

function add(role, words) {
  const item = byId(`said-${role}`).content.firstElementChild.cloneNode(true);
  const said = item.querySelector("[data-of=text]");
  write(said, words);
  talked.append(item);
  item.scrollIntoView({ block: "nearest" });
  return { item, said, figures: item.querySelector("[data-of=figures]") };
}

async function answer() {
  const asked = { role: "user", content: text.value.trim() };
  eager = !usable && unready.hidden;
  if (!asked.content || !usable || answering) return;
  const model = models.value;
  const question = add("user", asked.content);
  const shown = add("assistant", "");
  write(shown.item.querySelector("[data-of=who]"), model);
  shown.item.setAttribute("aria-busy", "true");
  text.value = "";
  tell(null);
  answering = new AbortController();
  const focused = document.activeElement === send;
  draw();
  if (focused) stop.focus();
  try {
    const figures = await chat(model, [...talk, asked], answering.signal, (all) => grow(shown, all));
    write(shown.figures, inFigures(figures));
    announce(`${model} has answered.`);
  } catch (error) {
    if (error.name === "AbortError") write(shown.figures, "stopped");
    else if (error instanceof Refusal) refused(error, model, shown);
    else throw error;
  } finally {
    if (shown.said.textContent) talk.push(asked, { role: "assistant", content: shown.said.textContent });
    else giveBack(question, shown, asked);
    shown.item.removeAttribute("aria-busy");
    answering = null;
    const elsewhere = ![stop, document.body].includes(document.activeElement);
    draw();
    if (!elsewhere) text.focus();
  }
}

/** How many pixels of it are below where one types. */
function hiddenOf({ item }) {
  return item.getBoundingClientRect().bottom - form.getBoundingClientRect().top;
}

function grow(shown, all) {
  const follows = hiddenOf(shown) < NEAR_PX; // who scrolled up to read is left there
  write(shown.said, all);
  if (follows) scrollBy(0, Math.max(0, hiddenOf(shown)));
}

function refused(error, model, shown) {
  write(shown.figures, "broken off");
  if (error.reason.code === "model_not_ready") {
    ready.delete(model);
    usable = false;
    show(model, error.reason);
    look();
  } else tell(error.message);
}

/** What got no answer at all was not said: it is there to be sent again. */
function giveBack(question, shown, asked) {
  question.item.remove();
  shown.item.remove();
  text.value ||= asked.content;
}

function inFigures({ first, tokens, rate }) {
  const parts = [first !== null && `first token after ${first < 0.95 ? `${Math.round(first * 1000)} ms` : took(first)}`, rate !== null && `${rate.toFixed(rate < 99.95 ? 1 : 0)} tokens/s`];
  return [...parts, `${tokens} ${tokens === 1 ? "token" : "tokens"}`].filter(Boolean).join("  ·  ");
}

models.addEventListener("change", choose);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  answer();
});
text.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  answer();
});
stop.addEventListener("click", () => answering?.abort());
anew.addEventListener("click", () => {
  talk = [];
  talked.replaceChildren();
  draw();
  text.focus();
});
begin();

function begin() {
  load().catch((error) => {
    if (!(error instanceof Refusal)) throw error;
    tell(error.message);
    setTimeout(begin, AGAIN_MS);
  });
}
