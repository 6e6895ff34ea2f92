// The machine images and their builds: what is on them, how far a build is, what they cost, and who boots from them.
import { ask, get, now, read, Refusal } from "./api.js";
import { confirm } from "./confirm.js";
import { arrange, element } from "./element.js";
import { exact, lasting, money } from "./format.js";
import { announce, fill, set, showState, write } from "./live.js";
import { lacks, Stream } from "./stream.js";
import { WORDS } from "./words.js";

const SOON_MS = 300; // after the last of several events
const AGAIN_MS = 3000;
const SHORT = 12; // characters of a commit
const byId = (id) => document.getElementById(id);
const template = byId("row").content.firstElementChild;
const images = new Map(); // by the build of each, the newest first
const rows = new Map();
const standing = new Map(); // of each instance that builds or boots from an image: what of it changes the list
const slugs = new Map();
let stream = null;
let due = ""; // the place in the stream that the list has to be made of
let timer = 1; // the list is being loaded, or will be
let problem = "";

/** The list, unless it lacks what an event has told. */
async function load() {
  const wanted = due;
  const response = await ask("/machine-images", { stays: true });
  const seen = response.headers.get("last-event-id");
  const { items } = await read(response);
  stream ??= follow(seen); // what is listed holds all that happened before this
  if (wanted && lacks(seen, wanted)) return;
  if (due === wanted) due = "";
  problem = "";
  const before = new Map(images);
  images.clear();
  for (const view of items) images.set(view.build, view);
  for (const view of items) tellChange(view, before.get(view.build));
  draw();
}

async function begin() {
  try {
    await load();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problem = `${error.title}. ${error.message}`;
    draw();
  }
  timer = 0;
  if (due || problem) loadSoon(problem ? AGAIN_MS : SOON_MS);
}

function loadSoon(pause = SOON_MS) {
  timer ||= setTimeout(begin, pause);
}

function tellChange(view, before) {
  if (!before || before.state === view.state) return;
  announce(`The image for ${view.instance_type} is ${view.state}${view.doing && `: ${view.doing}`}.`);
}

function draw() {
  const shown = [...images.values()];
  for (const view of shown) drawRow(view);
  arrange(byId("rows"), shown.map((view) => rowOf(view).element));
  for (const build of rows.keys()) if (!images.has(build)) rows.delete(build);
  byId("listed").hidden = byId("about-use").hidden = !shown.length;
  byId("none").hidden = shown.length > 0 || problem !== "";
  byId("nothing").hidden = shown.length > 0 || problem === "";
  write(byId("nothing"), problem);
  write(byId("sum"), shown.length ? sum(shown) : "");
}

function sum(shown) {
  const monthly = new Map();
  for (const { currency, monthly_price: price } of shown) if (price !== null) monthly.set(currency, (monthly.get(currency) ?? 0) + price);
  const prices = [...monthly].map(([currency, price]) => `${money(price, currency)} a month`);
  return [`${shown.length} ${shown.length === 1 ? "image" : "images"}`, ...prices].join(" · ");
}

function rowOf({ build }) {
  if (!rows.has(build)) {
    const made = template.cloneNode(true);
    made.dataset.build = build;
    const parts = Object.fromEntries([...made.querySelectorAll("[data-of]")].map((one) => [one.dataset.of, one]));
    parts.type.href = `/console/instances/${build}`;
    rows.set(build, { element: made, parts });
  }
  return rows.get(build);
}

function drawRow(view) {
  const { element: row, parts } = rowOf(view);
  const { id, state, instance_type: type, zone, model, commit, in_use_by: users } = view;
  const building = state === "building";
  set(row, "data-tone", WORDS.imageTones[state]);
  write(parts.type, type ?? "any type");
  write(parts.zone, [zone ?? view.provider, id].filter(Boolean).join(" · "));
  write(parts.image, view.vllm_image ?? "the configured image of vLLM");
  write(parts.model, [model && `${model}${commit ? ` at ${commit.slice(0, SHORT)}` : ""}`, view.warmed && "compiled"].filter(Boolean).join(", "));
  parts.model.title = [commit, ...view.vllm_args].filter(Boolean).join(" ");
  write(parts.state, state);
  write(parts.doing, building ? `${view.progress_percent} % ${view.doing}` : view.doing);
  parts.bar.hidden = !building;
  parts.bar.setAttribute("aria-label", `Progress of the build for ${type}`);
  fill(parts.bar, view.progress_percent, view.doing);
  parts.age.title = exact(Date.parse(view.created_at));
  write(parts.size, view.size_gb === null ? "—" : `${view.size_gb} GB`);
  write(parts.cost, view.monthly_price === null ? "—" : money(view.monthly_price, view.currency));
  write(parts.owner, view.organization_id ? (slugs.get(view.organization_id) ?? "deleted") : "shared by all");
  arrangeUsers(parts.users, users);
  for (const part of ["size", "cost", "users"]) parts[part].toggleAttribute("data-none", parts[part].textContent === "—");
  parts.remove.hidden = id === null || state === "retired";
  parts.remove.setAttribute("aria-label", `Delete the image for ${type} ${id}`);
  drawAge(view);
}

const drawAge = (view) => write(rowOf(view).parts.age, lasting(now() - Date.parse(view.created_at)));

function arrangeUsers(cell, users) {
  const known = [...cell.querySelectorAll("a")].map((link) => link.dataset.id);
  if (cell.textContent && known.join() === users.map(({ id }) => id).join()) return;
  const links = users.map(({ id, name }) => element("a", { text: name, href: `/console/instances/${id}`, "data-id": id }));
  cell.replaceChildren(...(links.length ? links.flatMap((link, at) => (at ? ["\n", link] : [link])) : ["—"]));
}

function remove({ id, instance_type: type, in_use_by: users }) {
  const names = users.map(({ name }) => name).join(", ");
  const waits = `It is in use by ${names}, so it is deleted only when ${users.length === 1 ? "that machine answers" : "those machines answer"}.`;
  confirm({
    title: `Delete the image for ${type}?`,
    words: `No launch boots from it any more. ${users.length ? waits : "It is deleted within minutes."} This cannot be undone.`,
    verb: "Delete",
    danger: true,
    path: `/machine-images/${encodeURIComponent(id)}`,
    method: "DELETE",
    done: async (answer) => {
      const retired = await read(answer);
      tellChange(retired, images.get(retired.build));
      images.set(retired.build, retired);
      draw();
    },
  });
}

/** A build's bar moves at once; for all else that an event changes of the list, it is asked for again. */
function take({ data: { instance, description } }, place) {
  const builds = description.purpose === "machine_image";
  const known = images.get(instance.id);
  if (known?.state === "building") {
    images.set(instance.id, { ...known, progress_percent: description.progress_percent, doing: description.doing });
    drawRow(images.get(instance.id));
  }
  if (!builds && !instance.chosen_images) return;
  const told = JSON.stringify(builds ? ofBuild(instance) : ofLaunch(instance));
  if (standing.get(instance.id) === told) return;
  standing.set(instance.id, told);
  due = place;
  loadSoon();
}

const ofBuild = ({ stored_image: image, error, zone, status }) => [image, error, zone, WORDS.statuses.standing.includes(status)];
const ofLaunch = ({ chosen_images: chosen, status, milestones }) => [chosen, status, milestones.includes("SshReachable")];

function follow(after) {
  return new Stream("/events", {
    after,
    event: take,
    estimate: () => null,
    reset: () => location.reload(),
    state: showState,
  });
}

byId("rows").addEventListener("click", ({ target }) => {
  const row = target.closest("button")?.closest("tr");
  if (row) remove(images.get(row.dataset.build));
});
setInterval(() => [...images.values()].forEach(drawAge), 1000);
get("/organizations")
  .then(({ items }) => {
    for (const { id, slug } of items) slugs.set(id, slug);
  })
  .catch((error) => {
    if (!(error instanceof Refusal)) throw error;
  })
  .finally(begin);
