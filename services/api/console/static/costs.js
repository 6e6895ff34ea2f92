// What the servers have cost: a picture and a table for each currency, since amounts of two cannot be added up.
import { dayBars, drawn, tone } from "./chart.js";
import { element } from "./element.js";
import { money } from "./format.js";
import { daysOf, shortDay } from "./period.js";
import { row, table } from "./tables.js";

const MOST = 5; // owners with a colour of their own; the rest are grey
const SHARED = "shared";
const CENT = 0.01;

const total = (items) => items.reduce((sum, { cost }) => sum + cost, 0);
const kept = (items) => items.reduce((sum, { machine_images: cost }) => sum + (cost ?? 0), 0);
const whole = (value, currency) => money(value, currency).replace(/[.,]00(?!\d)/, "");

/** Into `host`: what this answer of /costs says of the period. `nameOf` an organisation's id. */
export function showCosts(host, { items, unpriced }, { period, today, nameOf }) {
  const named = items.map((item) => ({ ...item, name: item.organization_id ? nameOf(item.organization_id) : SHARED }));
  const currencies = [...new Set(named.map(({ currency }) => currency))].sort();
  const nothing = element("p", { class: "panel hint", text: `No server has cost anything from ${period.from} to ${period.to}.` });
  const panels = currencies.map((currency) => panel(named.filter((item) => item.currency === currency), currency, period, today));
  const missing = element("p", { class: "hint", text: `Not in these sums: ${unpriced} ${unpriced === 1 ? "instance" : "instances"} with a server on at an unknown price.` });
  host.replaceChildren(...(panels.length ? panels : [nothing]), ...(unpriced ? [missing] : []));
}

/** As a table for a spreadsheet, the oldest day first. */
export function costRows(items, nameOf) {
  const rows = items.map((item) => [item.day, item.organization_id, item.organization_id ? nameOf(item.organization_id) : SHARED, item.currency, item.cost, item.machine_images ?? 0]);
  return [["day", "organization_id", "organization", "currency", "cost", "machine_images"], ...rows.reverse()];
}

function panel(items, currency, period, today) {
  const days = daysOf(period);
  const { shown, others } = owners(items);
  const amount = (value) => money(value, currency);
  const host = element("div", { class: "days" });
  const made = element("div", { class: "panel", "data-currency": currency }, sums(items, days, amount, today), host);
  if (shown.length > 1) made.append(legend(shown, amount, others));
  made.append(element("details", {}, element("summary", { text: `The same as a table, in ${currency}` }), costTable(items, days, amount, today, currency)));
  const bars = days.map((day) => bar(day, items.filter((item) => item.day === day), shown, amount, today));
  const best = bars.reduce((most, one) => (one.sum > most.sum ? one : most));
  drawn(host, (into, width) => dayBars(into, width, {
    days: bars,
    names: shown.map(({ name }) => name),
    others,
    least: CENT,
    format: (value) => whole(value, currency),
    title: `Cost by day, ${period.from} to ${period.to}, in ${currency}`,
    description: `${amount(total(items))} in all. The most was on ${best.title}. The table below has every day.`,
  }));
  return made;
}

/** Those who have a colour of their own, the dearest first, and the others together; by id, as a slug may be any word. */
function owners(items) {
  const found = new Map();
  for (const { organization_id: id, name, cost } of items) found.set(id, { ids: [id], name, cost: (found.get(id)?.cost ?? 0) + cost });
  const sorted = [...found.values()].sort((a, b) => b.cost - a.cost);
  if (sorted.length <= MOST) return { shown: sorted, others: false };
  const rest = sorted.splice(MOST);
  const together = { ids: rest.flatMap(({ ids }) => ids), name: rest.length > 1 ? `${rest.length} others` : rest[0].name, cost: total(rest) };
  return { shown: [...sorted, together], others: true };
}

function sums(items, days, amount, today) {
  const past = days.filter((day) => day <= today).length;
  const sum = (value, words) => element("span", { class: "hint" }, element("b", { text: value }), words);
  return element("p", { class: "sums num" },
    sum(amount(total(items)), days.includes(today) ? "in all, so far" : "in all"),
    ...(kept(items) >= CENT ? [sum(amount(kept(items)), "besides, for keeping machine images")] : []),
    sum(past ? amount(total(items) / past) : "—", past === 1 ? "on the one day" : `a day, the mean of ${past}`));
}

function bar(day, items, shown, amount, today) {
  const parts = shown.map(({ ids }) => total(items.filter((item) => ids.includes(item.organization_id))));
  const sum = total(items);
  const each = shown.map(({ name }, at) => parts[at] && `${name} ${amount(parts[at])}`).filter(Boolean).join(", ");
  const title = `${shortDay(day)}: ${amount(sum)}${shown.length > 1 && each ? ` (${each})` : ""}`;
  return { sum, title, label: shortDay(day), note: day === today ? "so far" : "", parts: items.length ? parts : null };
}

function legend(shown, amount, others) {
  const entry = ({ name, cost }, at) => element("li", {}, element("i", { class: tone(at, shown.length, others) }), `${name} `, element("span", { class: "num hint", text: amount(cost) }));
  return element("ul", { class: "legend", "aria-label": "Organisations" }, ...shown.map(entry));
}

/** Days on which nothing was on have a dash. */
function costTable(items, days, amount, today, currency) {
  const rows = [...days].reverse().filter((day) => day <= today).flatMap((day) => {
    const its = items.filter((item) => item.day === day);
    const said = day === today ? `${day}, so far` : day;
    return its.length ? its.map(({ name, cost }) => row([said, name, amount(cost)])) : [row([said, "—", "—"])];
  });
  return table(["Day", "Organisation", "Cost"], rows, `Costs in ${currency}`);
}
