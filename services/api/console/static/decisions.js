// What was decided about a deployment, in words, the newest first.
import { askedBy } from "./asked.js";
import { element } from "./element.js";
import { exact, moment } from "./format.js";

/** The newest `most` of `rows`, which are in order: {version, type, at, actor, asker, words}. */
export function drawDecisions(list, rows, most) {
  const known = new Map([...list.children].map((one) => [one.dataset.version, one]));
  const shown = rows.slice(-most).reverse().map((row) => known.get(String(row.version)) ?? item(row));
  list.replaceChildren(...shown);
}

function item({ version, type, at, actor, asker, words }) {
  return element(
    "li", { "data-version": version, title: `${exact(at)}, ${type}, recorded by ${actor}` },
    element("span", { class: "num", text: moment(at) }),
    element("span", { text: words || type }),
    ...(asker ? [element("span", { class: "hint", text: askedBy(asker) })] : []),
  );
}
