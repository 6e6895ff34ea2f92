// What was asked of the models: a picture by model, and a table by whatever one wants to know it by.
import { drawn, rowBars } from "./chart.js";
import { element } from "./element.js";
import { took } from "./format.js";
import { heads, row } from "./tables.js";

const MOST = 8; // bars of models; the rest are one
const SHOWN = 300; // rows of the table; a download has all
const FIGURES = ["Requests", "Failed", "Prompt tokens", "Completion tokens", "First byte, p50", "First byte, p95", "Duration, p50", "Duration, p95"];
const COLUMNS = ["requests", "failed_requests", "prompt_tokens", "completion_tokens", "requests_untold", "first_byte_ms_p50", "first_byte_ms_p95", "duration_ms_p50", "duration_ms_p95"];
const HEADS = { model: "Model", key: "Key", organization: "Organisation", day: "Day", instance: "Instance" };
const NUMBER = new Intl.NumberFormat();
const COMPACT = new Intl.NumberFormat(undefined, { notation: "compact" });

const sum = (items, field) => items.reduce((all, item) => all + item[field], 0);
const counted = (number) => (number ? NUMBER.format(number) : "—");
const lasted = (ms) => (ms === null ? "—" : ms < 999.5 ? `${Math.round(ms)} ms` : took(ms / 1000));
const idOf = (item, by) => item[by === "model" || by === "day" ? by : `${by}_id`];
const said = (amount, failed, word = "") => `${NUMBER.format(amount)}${word}${failed ? ` (${NUMBER.format(failed)} failed)` : ""}`;

/** 1 request, 2 requests (1 failed). */
export function inWords(items) {
  const requests = sum(items, "requests");
  return said(requests, sum(items, "failed_requests"), requests === 1 ? " request" : " requests");
}

export function showModels(host, items, period) {
  if (!items.length) {
    host.replaceChildren(element("p", { class: "panel hint", text: `Nothing was used from ${period.from} to ${period.to}.` }));
    return;
  }
  const sorted = [...items].sort((a, b) => b.requests - a.requests);
  const rest = sorted.length > MOST + 1 ? sorted.splice(MOST) : [];
  const rows = sorted.map((item) => bar(item.model, [item]));
  if (rest.length) rows.push(bar(`${rest.length} others`, rest));
  const panel = element("div", { class: "panel" }, element("div", {}));
  if (rows.some(({ failed }) => failed)) panel.append(legend());
  host.replaceChildren(panel);
  drawn(panel.firstElementChild, (into, width) => rowBars(into, width, {
    rows,
    least: 1,
    format: (value) => COMPACT.format(value),
    title: `Requests by model, ${period.from} to ${period.to}`,
    description: `${rows.map((one) => `${one.name}: ${one.said}`).join("; ")}. The table below has more.`,
  }));
}

function bar(name, items) {
  const [amount, failed] = [sum(items, "requests"), sum(items, "failed_requests")];
  return { name, amount, failed, said: said(amount, failed) };
}

function legend() {
  const entry = (tone, name) => element("li", {}, element("i", { class: tone }), name);
  return element("ul", { class: "legend", "aria-label": "Requests" }, entry("tone-1", "answered"), entry("hatched", "failed"));
}

/** `nameOf` a thing's id; `pageOf` the address of its page, or null. */
export function showSums(table, items, by, { nameOf, pageOf }) {
  table.tHead.replaceChildren(heads([HEADS[by], ...FIGURES], 1));
  table.tBodies[0].replaceChildren(...items.slice(0, SHOWN).map((item) => sumRow(item, by, nameOf, pageOf)));
}

function sumRow(item, by, nameOf, pageOf) {
  const [id, page] = [idOf(item, by), pageOf(by, idOf(item, by))];
  const name = nameOf(by, id);
  const { p50, p95 } = item.first_byte_ms;
  const counts = COLUMNS.slice(0, 4).map((field) => counted(item[field]));
  return row([page ? element("a", { href: page, text: name }) : name, ...counts, ...[p50, p95, item.duration_ms.p50, item.duration_ms.p95].map(lasted)], 1);
}

/** What is not in the table, in words; nothing when all of it is. */
export function left(items, truncated) {
  const more = items.length > SHOWN ? `The first ${SHOWN} of ${NUMBER.format(items.length)}; the download has them all. ` : "";
  return truncated ? `${more}Only the first ${NUMBER.format(items.length)} sums are shown. Choose a shorter period.` : more.trim();
}

export function untold(items) {
  const requests = sum(items, "requests_untold");
  return requests ? `Requests whose worker did not report all tokens: ${NUMBER.format(requests)}. For a stream, its chunks were counted as completion tokens.` : "";
}

/** As a table for a spreadsheet: ids as well as names. */
export function sumRows(items, by, nameOf) {
  const named = by === "model" || by === "day" ? [by] : [`${by}_id`, by];
  const rows = items.map((item) => {
    const id = idOf(item, by);
    const { first_byte_ms: first, duration_ms: duration } = item;
    return [...(named.length > 1 ? [id, nameOf(by, id)] : [id]), ...COLUMNS.slice(0, 5).map((field) => item[field]), first.p50, first.p95, duration.p50, duration.p95];
  });
  return [[...named, ...COLUMNS], ...rows];
}
