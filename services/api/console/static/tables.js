// Tables of figures.
import { element } from "./element.js";

/** The first cell is the row's head; from `figures` on they are figures. */
export function row(cells, figures = cells.length - 1) {
  const cell = (content, at) => element(at ? "td" : "th", { ...(at ? {} : { scope: "row" }), class: at < figures ? "" : "num right" }, content);
  return element("tr", {}, ...cells.map(cell));
}

export function heads(names, figures = names.length - 1) {
  return element("tr", {}, ...names.map((name, at) => element("th", { scope: "col", class: at < figures ? "" : "right", text: name })));
}

/** It scrolls by itself where it is too wide or too long, by keyboard too. */
export function table(names, rows, label) {
  const made = element("table", { class: "table figures" }, element("thead", {}, heads(names)), element("tbody", {}, ...rows));
  return element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": label }, made);
}
