// Elements with their attributes, and tables of figures.

/** `text` and children are text or elements; every other name is an attribute's. */
export function element(tag, { text = "", ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  made.append(text, ...children);
  for (const [named, value] of Object.entries(attributes)) made.setAttribute(named, value);
  return made;
}

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
  const made = element("table", { class: "figures" }, element("thead", {}, heads(names)), element("tbody", {}, ...rows));
  return element("div", { class: "wide", role: "region", tabindex: "0", "aria-label": label }, made);
}
