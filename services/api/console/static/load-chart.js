// A deployment's load over time, the replicas that carried it below, and between them what was decided.
import { LETTER, picture, svg, text, ticks } from "./chart.js";
import { element } from "./element.js";
import { clock, seconds } from "./format.js";
import { row, table } from "./tables.js";

const [TOP, LOAD, BETWEEN, REPLICAS, BOTTOM] = [12, 150, 34, 54, 24]; // heights, from above
const MINUTE = 60_000;
const BAD = ["ReplicaReplaced", "ReplicaRefused", "DeploymentDegraded", "RolloutHalted"];
const rounded = (number) => Number(number.toFixed(1));

/** How many were wanted when: steps of {from, to, wanted}, of decisions, the oldest first. Before the first none was. */
export function wantedSteps(decisions, from, to) {
  const steps = [{ from, to, wanted: decisions.findLast(({ at }) => at <= from)?.wanted ?? 0 }];
  for (const { at, wanted } of decisions.filter((one) => one.at > from)) {
    if (wanted === steps.at(-1).wanted) continue;
    steps.at(-1).to = at;
    steps.push({ from: at, to, wanted });
  }
  return steps;
}

/**
 * `slots`: {from, to, in_flight, held, ready} in order, a gap where nothing was heard. `decisions`: {version, type, at, words, wanted}.
 * `from` and `to`: the time that is shown, in milliseconds.
 */
export function loadChart(host, width, { slots, decisions, from, to }) {
  const steps = wantedSteps(decisions, from, to);
  const loads = ticks(Math.max(...slots.map((one) => one.in_flight + one.held), 0), { least: 1, count: 3 });
  const counts = ticks(Math.max(...steps.map((one) => one.wanted), ...slots.map((one) => one.ready), 1), { least: 1, count: 2 });
  const left = Math.max(...[...loads, ...counts].map((tick) => String(tick).length)) * LETTER + 12;
  const floor = TOP + LOAD;
  const ground = floor + BETWEEN + REPLICAS;
  const x = (at) => left + ((Math.min(Math.max(at, from), to) - from) / (to - from)) * (width - left - 4);
  const y = (load) => floor - (load / loads.at(-1)) * LOAD;
  const z = (count) => ground - (count / counts.at(-1)) * REPLICAS;
  const shown = decisions.filter(({ at }) => at > from);
  const made = picture(host, width, ground + BOTTOM, inWords(slots, shown, steps));
  const axis = (values, at, name) => {
    for (const value of values) {
      made.append(svg("line", { class: value ? "grid" : "base", x1: left, x2: width - 4, y1: at(value), y2: at(value) }));
      made.append(text(left - 8, at(value) + 4, String(value), { class: "tick-word", "text-anchor": "end" }));
    }
    made.append(text(left, at(values.at(-1)) - 6, name, { class: "note-word" }));
  };
  axis(loads, y, "requests");
  axis(counts, z, "replicas");
  for (const at of hours(from, to, width)) made.append(text(x(at), ground + 17, clock(at), { class: "tick-word", "text-anchor": "middle" }));
  const bar = (kind, { from: begin, to: end }, top, bottom) => svg("rect", { class: kind, x: x(begin), width: Math.max(0, x(end) - x(begin)), y: top, height: Math.max(0, bottom - top) });
  for (const slot of slots) {
    const { in_flight: flight, held, ready } = slot;
    const title = `${clock(slot.from)}: ${rounded(flight)} in flight, ${rounded(held)} held, ${rounded(ready)} ready`;
    made.append(svg("g", { class: "slot" }, svg("title", {}, title), bar("tone-1", slot, y(flight), floor), bar("tone-2", slot, y(flight + held), y(flight)), bar("ready-bar", slot, z(ready), ground)));
  }
  made.append(svg("path", { class: "wanted", d: steps.map((one, at) => `${at ? "V" : `M${x(one.from)} `}${z(one.wanted)}H${x(one.to)}`).join("") }));
  for (const { version, at, type, words } of shown) {
    const mark = svg("g", { class: `decision${BAD.includes(type) ? " bad" : ""}`, "data-version": version });
    mark.append(svg("title", {}, `${seconds(at)}: ${words || type}`), svg("line", { x1: x(at), x2: x(at), y1: TOP, y2: ground }), svg("circle", { cx: x(at), cy: floor + 9, r: 4 }));
    made.append(mark);
  }
}

/** Full minutes, as many as there is room for. */
function hours(from, to, width) {
  const step = (width < 560 ? 20 : 10) * MINUTE;
  const first = Math.ceil((from + 2 * MINUTE) / step) * step;
  return Array.from({ length: Math.floor((to - 2 * MINUTE - first) / step) + 1 }, (_, at) => first + at * step);
}

function inWords(slots, decisions, steps) {
  const most = Math.max(...slots.map((one) => one.in_flight + one.held), 0);
  const wanted = steps.map((one) => one.wanted).join(", then ");
  return {
    title: "Load and replicas in the last hour",
    description: `At most ${rounded(most)} requests in flight and held, on average of five minutes. Replicas wanted: ${wanted}. ${decisions.length} decisions.`,
  };
}

/** The same figures for those who do not see the picture. */
export function loadTable(host, slots) {
  const rows = slots.map((one) => row([clock(one.from), ...[one.in_flight, one.held, one.peak ?? one.in_flight + one.held, one.ready].map((figure) => String(rounded(figure)))]));
  host.replaceChildren(slots.length ? table(["From", "In flight", "Held", "Peak of both", "Ready replicas"], rows, "Load and ready replicas") : element("p", { class: "hint", text: "Nothing was heard." }));
}
