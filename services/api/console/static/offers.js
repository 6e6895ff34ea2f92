// The types and zones there are to choose from, with prices and stock that stay fresh while somebody looks at them.
import { get, Refusal } from "./api.js";
import { ANY, Choices } from "./choices.js";
import { limits, tellClouds } from "./clouds.js";
import { arrange, element } from "./element.js";
import { clock, money } from "./format.js";
import { announce, write } from "./live.js";

const EVERY_MS = 60_000;
const SOON_MS = 2000; // while nothing is known: services start side by side
const CHEAPEST = "the cheapest in-stock type that fits the model";
const NOT_YET = "Types are not known yet. The provisioner publishes them when it starts.";
const UNUSABLE = "Types are not known while the provider is unusable.";
const GONE = "not offered any more";
const byId = (id) => document.getElementById(id);
const [provider, hint] = [byId("provider"), byId("instance_types-hint")];
const usual = hint.textContent;
const rows = new Map(); // of types, by name
const ticks = new Map(); // of zones, by name
const lost = new Map(); // what was chosen and went out of stock: since when
const one = { type: byId("instance_types").dataset.one, zone: byId("zones").dataset.one }; // the field's name, where it is one
export const [types, zones] = [new Choices({ one: Boolean(one.type) }), new Choices({ one: Boolean(one.zone) })];
let offered = [];
let usable = true;
let needed = null;
let contexts = [];
let readAt = 0;
let unread = ""; // why the last try to read it again failed
let reading = null;

/** Read them now and again; that they could not be read is said on the page. */
export function watchOffers() {
  setInterval(() => document.visibilityState === "visible" && refresh(), EVERY_MS);
  setInterval(() => document.visibilityState === "visible" && !offered.length && refresh(), SOON_MS);
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && refresh());
  provider.addEventListener("change", startAnew);
  for (const table of [byId("types"), byId("zone-list")]) table.addEventListener("change", drawHint);
  refresh();
}

/** Before anything is read: what was chosen before, which stays even if it is not offered any more. */
export function chooseBefore({ provider: its, instance_types: names, zones: places }) {
  if (its) provider.replaceChildren(new Option(its, its));
  for (const name of names) rows.set(name, typeRow(name));
  for (const name of [ANY, ...places]) ticks.set(name, choice(zones, "zone", name, name === ANY ? "Any" : name));
  types.choose(names);
  zones.choose(places);
}

/** What the weights of the model that is meant take once loaded, in 10⁹ bytes; null: nobody knows. */
export function drawFits(gigabytes) {
  needed = gigabytes;
  for (const row of rows.values()) drawFit(row);
}

/** What the API says of the model on each type of every provider. */
export function drawContexts(items) {
  contexts = items;
  for (const [name, row] of rows) drawContext(name, row);
}

function refresh() {
  reading ??= read()
    .catch((error) => {
      if (!(error instanceof Refusal)) throw error;
      if (!readAt) announce(error.message);
      unread = error.message;
      drawHint();
    })
    .finally(() => (reading = null));
}

async function read() {
  const { items, providers } = await get("/instance-types");
  const before = ofProvider(); // whose it is may have been changed meanwhile
  offered = items.filter((one) => one.gpus);
  [readAt, unread] = [Date.now(), ""];
  tellClouds(providers);
  const limited = limits(providers);
  write(byId("limits"), limited.join("\n"));
  byId("limits").hidden = !limited.length;
  usable = !providers.some((one) => one.reason);
  drawProviders();
  draw();
  tellStock(before);
  drawHint();
}

function drawProviders() {
  const names = [...new Set([provider.value, ...offered.map((one) => one.provider)])].filter(Boolean).sort();
  if (names.join() === [...provider.options].map((one) => one.value).join()) return;
  const chosen = provider.value || (names.includes(provider.dataset.default) ? provider.dataset.default : names[0]);
  provider.replaceChildren(...names.map((one) => new Option(one, one, false, one === chosen)));
  byId("provider-field").hidden = names.length < 2;
}

const ofProvider = () => offered.filter((one) => one.provider === provider.value);

/** Another provider's, the cheapest first; what is chosen and is there too stays chosen. */
function startAnew() {
  for (const [choices, drawn] of [[types, rows], [zones, ticks]]) {
    choices.clear();
    drawn.clear();
  }
  lost.clear();
  draw();
  drawHint();
}

/** No row changes its place under somebody's hand, and none that is chosen goes. */
function draw() {
  const there = new Map(ofProvider().map((one) => [one.name, one]));
  const fresh = [...there.values()].filter((one) => !rows.has(one.name));
  for (const { name } of fresh.sort((a, b) => (a.hourly_price ?? Infinity) - (b.hourly_price ?? Infinity))) rows.set(name, typeRow(name));
  for (const [name, row] of rows) {
    if (!there.has(name) && !types.has(name)) rows.delete(name);
    else fill(row, there.get(name));
    drawContext(name, row);
  }
  const any = byId("any-type") ?? anyType();
  write(any.lastElementChild, offered.length ? CHEAPEST : usable ? NOT_YET : UNUSABLE);
  const shown = !one.type || !offered.length; // where one is to be chosen, it says why there is none
  arrange(byId("types"), [...(shown ? [any] : []), ...rows.values()]);
  types.show();
  drawZones([...there.values()]);
  const images = new Set([...there.values()].map((one) => one.image).filter(Boolean));
  byId("image").placeholder = images.size === 1 ? [...images][0] : "";
}

function drawZones(there) {
  const names = new Set([ANY, ...there.flatMap((one) => one.zones).sort()]);
  for (const name of names) if (!ticks.has(name)) ticks.set(name, choice(zones, "zone", name, name === ANY ? "Any" : name));
  for (const [name, tick] of ticks) {
    if (!names.has(name) && !zones.has(name)) ticks.delete(name);
    else if (name !== ANY) write(tick.querySelector("span"), names.has(name) ? name : `${name} (${GONE})`);
  }
  arrange(byId("zone-list"), [...ticks.values()]);
  zones.show();
}

function choice(choices, kind, value, label) {
  const input = element("input", one[kind] ? { type: "radio", name: one[kind], value } : { type: "checkbox", name: kind, value });
  const badge = value === ANY || one[kind] ? null : element("b", { class: "order num", role: "img" });
  choices.add(input, badge);
  return element("label", { class: "tick" }, input, element("span", { text: label }), badge ?? "");
}

function anyType() {
  const words = element("td", { colspan: one.type ? 5 : 4, class: "hint" });
  if (one.type) return element("tr", { id: "any-type" }, words);
  return element("tr", { id: "any-type" }, element("th", { scope: "row" }, choice(types, "type", ANY, "Any")), words);
}

function typeRow(name) {
  const memory = element("td", { class: "two num right" }, element("span", { "data-of": "memory" }), element("small", { "data-of": "fit" }), element("small", { "data-of": "context" }));
  const [gpus, price, stock] = ["gpus", "price", "stock"].map((of) => element("td", { "data-of": of }));
  price.className = "num right";
  return element("tr", {}, element("th", { scope: "row" }, choice(types, "type", name, name)), gpus, memory, price, stock);
}

function fill(row, kind) {
  const put = (of, text) => write(row.querySelector(`[data-of=${of}]`), text);
  row.toggleAttribute("data-shortage", !kind || short(kind, kind.zones));
  if (!kind) return put("stock", GONE);
  const memory = kind.gpu_memory_gb ? kind.gpus * kind.gpu_memory_gb : 0;
  row.dataset.memory = memory;
  if (kind.unusable) row.dataset.unusable = kind.unusable;
  else delete row.dataset.unusable;
  row.querySelector("input").disabled = Boolean(kind.unusable);
  put("gpus", `${kind.gpus} × ${kind.gpu ?? "GPU"}`);
  const scratch = kind.scratch_gb ? `, ${kind.scratch_gb / 1000} TB scratch` : "";
  put("memory", memory ? `${gigabytes(memory)} GB${scratch}` : "—");
  put("price", kind.hourly_price === null ? "—" : money(kind.hourly_price, kind.currency));
  put("stock", kind.zones.map((zone) => `${zone}${kind.availability[zone] ? ` ${kind.availability[zone]}` : ""}`).join(", "));
  drawFit(row);
}

/** As its maker calls it: 24, 48, 80. */
const gigabytes = (memory) => Number(memory.toFixed(1));

function drawFit(row) {
  if (row.dataset.unusable) return write(row.querySelector("[data-of=fit]"), `unusable: ${row.dataset.unusable}`);
  const memory = Number(row.dataset.memory);
  const compared = needed !== null && memory > 0;
  row.toggleAttribute("data-small", compared && needed > memory);
  const words = needed > memory ? `too small for ${needed?.toFixed(1)} GB` : `${needed?.toFixed(1)} GB are the weights`;
  write(row.querySelector("[data-of=fit]"), compared ? words : "");
}

function drawContext(name, row) {
  const told = contexts.find((one) => one.instance_type === name && one.provider === provider.value);
  const tokens = told?.context ? `${told.context.toLocaleString()} tokens` : "";
  const words = told?.fits === "no" ? `at most ${tokens}` : `${tokens}, ${told?.requests} at once`;
  write(row.querySelector("[data-of=context]"), tokens ? words : "");
  row.querySelector("[data-of=context]").title = told?.why ?? "";
}

const short = (kind, where) => where.every((zone) => kind.availability[zone] === "shortage");

/** Whether a type may be had where it is wanted. */
function inStock(name, kinds) {
  const kind = kinds.find((one) => one.name === name);
  const wanted = kind?.zones.filter((zone) => zones.value === ANY || zones.has(zone)) ?? [];
  return wanted.length > 0 && !short(kind, wanted);
}

function tellStock(before) {
  for (const name of types.value === ANY ? [] : types.value) {
    const [was, is] = [inStock(name, before), inStock(name, ofProvider())];
    if (was && !is) lost.set(name, readAt);
    if (is) lost.delete(name);
    if (was !== is && before.length) announce(is ? `${name} is in stock again.` : `${name} is out of stock now.`);
  }
}

/** In the place of what is usually said there, so that nothing moves. */
function drawHint() {
  const out = [...lost].filter(([name]) => types.has(name)).map(([name, at]) => `${name} has been out of stock since ${clock(at)}.`);
  const old = unread && `${readAt ? `Prices and stock are from ${clock(readAt)}` : "Prices and stock could not be read"}: ${unread}`;
  const said = [...out, old].filter(Boolean).join(" ");
  write(hint, said || usual);
  hint.toggleAttribute("data-warns", said !== "");
}
