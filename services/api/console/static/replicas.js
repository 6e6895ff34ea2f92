// The table of a deployment's replicas, each with the instance that it is.
import { arrange, element } from "./element.js";
import { clock, expectation, money } from "./format.js";
import { set, write } from "./live.js";

const rows = new Map();
const LAUNCHED = { statusLabel: "not launched yet", tone: "neutral" };

function rowOf({ instance_id: id, ordinal }) {
  if (!rows.has(id)) {
    const parts = {
      name: element("a", { text: `replica ${ordinal}` }),
      model: element("small", { class: "num", text: id.slice(0, 8) }),
      status: element("span", { class: "status" }), doing: element("small"),
      revision: element("span", { class: "num" }), place: element("small"), type: element("span"),
      price: element("span", { class: "num" }), note: element("span"),
    };
    const cell = (label, kind, ...children) => element("td", { "data-label": label, class: kind }, ...children);
    const row = element(
      "tr", { "data-id": id },
      element("th", { scope: "row", class: "two" }, parts.name, parts.model),
      cell("Status", "doings", parts.status, parts.doing),
      cell("Revision", "", parts.revision),
      cell("Where", "two", parts.type, parts.place),
      cell("An hour", "right", parts.price),
      cell("Note", "lines", parts.note),
    );
    rows.set(id, { row, parts });
  }
  return rows.get(id);
}

/** `instanceOf(id)`: its instance, if there is one. */
export function drawReplicas(table, { replicas, revision, serving_revision: serving }, instanceOf, moment) {
  for (const replica of replicas) drawRow(replica, instanceOf(replica.instance_id), { revision, serving }, moment);
  const ids = new Set(replicas.map((one) => one.instance_id));
  for (const id of rows.keys()) if (!ids.has(id)) rows.delete(id);
  arrange(table.tBodies[0], replicas.map((one) => rowOf(one).row));
  table.hidden = !replicas.length;
}

function drawRow(replica, instance, { revision, serving }, moment) {
  const { row, parts } = rowOf(replica);
  const { statusLabel, tone } = instance ?? LAUNCHED;
  set(row, "data-tone", tone);
  write(parts.status, statusLabel);
  const { group, doing, eta, delay, percent } = instance ?? {};
  write(parts.doing, group === "launching" ? [`${percent} %`, doing, eta && !delay && expectation(eta, moment)].filter(Boolean).join(", ") : "");
  if (instance) {
    write(parts.name, instance.name);
    set(parts.name, "href", `/console/instances/${instance.id}`);
  }
  const which = replica.revision === revision ? (revision === serving ? "" : ", the new one") : ", to be replaced";
  write(parts.revision, `${replica.revision}${which}${replica.generation > 1 ? `, generation ${replica.generation}` : ""}`);
  write(parts.place, instance?.place ?? "");
  write(parts.type, instance?.type ?? "—");
  write(parts.price, instance?.on && instance.price !== null ? money(instance.price, instance.currency) : "—");
  write(parts.note, note(replica, instance, moment));
  row.querySelector("[data-label=Note]").toggleAttribute("data-none", !parts.note.textContent);
}

/** Why it is as it is, where that is not plain. */
function note({ leaving, refusal, failure, failures, not_before: next }, instance, moment) {
  if (leaving) return "leaves after its running requests";
  if (refusal) return `The launch was refused: ${refusal.message}`;
  if (!failure) return instance?.error?.message ?? "";
  const again = next && Date.parse(next) > moment ? ` The next try is at ${clock(Date.parse(next))}.` : "";
  return `${failures === 1 ? "One before it failed" : `${failures} before it failed`}: ${failure.message}${again}`;
}
