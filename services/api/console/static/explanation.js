// What the scaler would do for a deployment now, and why, in words and figures.
import { element } from "./element.js";
import { took } from "./format.js";

const rounded = (number) => Number(number.toFixed(number < 10 ? 1 : 0)).toLocaleString();

/** `told` as GET /deployments/{name}/explain answers. */
export function drawExplanation(host, told) {
  const { wanted, would_be: then, ready, message, figures, steps } = told;
  const what = then === wanted ? `Keep ${counted(wanted)}.` : `Go from ${counted(wanted)} to ${then}.`;
  const pairs = {
    "Load": `${rounded(figures.load)} requests, ${rounded(figures.expected)} expected`,
    "Cold start": took(figures.lead_seconds),
    "Target": `${rounded(figures.per_replica)} requests a replica`,
    "Bounds": `${figures.min_replicas} to ${figures.max_replicas}`,
    "Ready": `${ready} of ${wanted}`,
  };
  const list = element("dl", { class: "pairs num" }, ...Object.entries(pairs).flatMap(([name, value]) => [element("dt", { text: name }), element("dd", { text: value })]));
  const next = element("ul", { class: "steps" }, ...steps.map((step) => element("li", { text: step })));
  host.replaceChildren(element("p", {}, element("b", { text: what }), ` ${sentence(message)}`), ...(steps.length ? [element("p", { class: "hint", text: "Next" }), next] : []), list);
}

const counted = (number) => (number === 0 ? "no replica" : `${number} ${number === 1 ? "replica" : "replicas"}`);
const sentence = (text) => text.charAt(0).toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? "" : ".");
