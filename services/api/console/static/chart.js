// Pictures of figures, as SVG: a baseline of zero, few ticks, names beside what they name. Colours come from usage.css.
const SVG = "http://www.w3.org/2000/svg";
export const LETTER = 6.6; // pixels that one takes, about, in the size that usage.css gives
const [DAY_HEIGHT, TOP, BOTTOM] = [230, 20, 40];
const [ROW, BAR] = [42, 14];
let ids = 0;

/** The ends of an axis from zero over `most`: steps of 1, 2 or 5 times a power of ten, none smaller than `least`. */
export function ticks(most, { count = 4, least = 0 } = {}) {
  const rough = Math.max(most / count, least) || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].find((one) => one * power >= rough * (1 - 1e-9)) * power;
  const steps = Math.max(1, Math.ceil(most / step - 1e-9));
  return Array.from({ length: steps + 1 }, (_, at) => Number((at * step).toPrecision(12)));
}

export function svg(tag, attributes = {}, ...children) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

export function picture(host, width, height, { title, description }) {
  const id = `chart-${(ids += 1)}`;
  const made = svg("svg", { class: "chart", role: "img", width, height, viewBox: `0 0 ${width} ${height}`, "aria-labelledby": `${id}-title ${id}-desc` });
  made.append(svg("title", { id: `${id}-title` }, title), svg("desc", { id: `${id}-desc` }, description));
  host.replaceChildren(made);
  return made;
}

const cut = (text, width) => (text.length * LETTER <= width ? text : `${text.slice(0, Math.max(1, Math.floor(width / LETTER) - 1))}…`);
export const text = (x, y, said, more = {}) => svg("text", { x, y, ...more }, said);

/** Draw into `host` now, and again whenever its width changes. */
export function drawn(host, draw) {
  let was = 0;
  new ResizeObserver(([{ contentRect }]) => {
    const width = Math.floor(contentRect.width);
    if (width && width !== was) draw(host, (was = width));
  }).observe(host);
}

/**
 * Stacked bars by day. `days`: {label, title, note?, parts: [amount of each name]}, one for each day, null parts for a gap.
 * `names`: what the parts are called, the lowest first; `others` says that the last of them stands for several.
 */
export function dayBars(host, width, { days, names, others, format, least, ...words }) {
  const sums = days.map(({ parts }) => (parts ?? []).reduce((sum, part) => sum + part, 0));
  const axis = ticks(Math.max(...sums, 0), { least });
  const room = names.length > 1 && width >= 560 ? Math.min(130, Math.max(...names.map((name) => name.length)) * LETTER + 26) : 0;
  const left = Math.max(...axis.map((tick) => format(tick).length)) * LETTER + 10;
  const [inner, floor] = [width - left - room - 2, DAY_HEIGHT - BOTTOM];
  const y = (value) => floor - (value / axis.at(-1)) * (floor - TOP);
  const made = picture(host, width, DAY_HEIGHT, words);
  for (const tick of axis) {
    made.append(svg("line", { class: tick ? "grid" : "base", x1: left, x2: left + inner, y1: y(tick), y2: y(tick) }));
    made.append(text(left - 8, y(tick) + 4, format(tick), { class: "tick-word", "text-anchor": "end" }));
  }
  const step = inner / days.length;
  const wide = Math.min(42, Math.max(1, step * 0.72));
  const every = Math.ceil(68 / step);
  const middles = [];
  days.forEach(({ label, title, note, parts }, at) => {
    const [middle, fromLast] = [left + step * (at + 0.5), days.length - 1 - at];
    const anchor = middle + 24 > left + inner && step < 48 ? "end" : "middle";
    const x = anchor === "end" ? left + inner : middle;
    if (fromLast % every === 0 && middle - left > 14) made.append(text(x, floor + 17, label, { class: "tick-word", "text-anchor": anchor }));
    if (note) made.append(text(x, floor + 32, note, { class: "note-word", "text-anchor": anchor }));
    if (!parts) return;
    let sum = 0;
    const bar = svg("g", {}, svg("title", {}, title));
    middles.length = 0;
    parts.forEach((part, which) => {
      const [bottom, top] = [y(sum), y((sum += part))];
      if (part <= 0) return;
      middles.push({ which, y: (bottom + top) / 2 });
      bar.append(svg("rect", { class: tone(which, names.length, others), x: middle - wide / 2, width: wide, y: top, height: bottom - top }));
    });
    middles.edge = middle + wide / 2;
    made.append(bar);
  });
  if (room && middles.length) made.append(...besides(names, middles, left + inner + 18, floor, others));
}

export const tone = (which, count, others) => `tone-${others && which === count - 1 ? "others" : which + 1}`;

/** Names beside those parts that the last bar has, moved apart where they would cover each other. */
function besides(names, middles, x, floor, others) {
  const wanted = middles.map(({ y }) => y + 4);
  for (let at = 0; at < wanted.length; at += 1) wanted[at] = Math.min(wanted[at], (wanted[at - 1] ?? floor + 19) - 15);
  return middles.flatMap(({ which, y }, at) => [
    svg("line", { class: "leader", x1: middles.edge + 2, x2: x - 4, y1: y, y2: wanted[at] - 4 }),
    svg("rect", { class: tone(which, names.length, others), x, y: wanted[at] - 9, width: 9, height: 9 }),
    text(x + 13, wanted[at], cut(names[which], 104)),
  ]);
}

/** Horizontal bars. `rows`: {name, amount, failed, said}; what failed is the hatched end of its bar. */
export function rowBars(host, width, { rows, format, least, ...words }) {
  const axis = ticks(Math.max(...rows.map(({ amount }) => amount)), { least, count: width < 560 ? 3 : 4 });
  const saidWidth = Math.max(...rows.map(({ said }) => said.length)) * LETTER + 8;
  const beside = width >= 700 ? Math.min(280, Math.max(...rows.map(({ name }) => name.length)) * LETTER + 14) : 0;
  const inner = width - beside - (beside ? saidWidth : 14);
  const height = rows.length * (beside ? ROW - 12 : ROW) + 26;
  const x = (value) => beside + (value / axis.at(-1)) * inner;
  const made = picture(host, width, height, words);
  const hatch = `${made.getAttribute("aria-labelledby").split("-title")[0]}-hatch`;
  made.append(svg("defs", {}, svg("pattern", { id: hatch, width: 5, height: 5, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    svg("rect", { class: "hatch-ground", width: 5, height: 5 }), svg("rect", { class: "hatch", width: 2.5, height: 5 }))));
  for (const tick of axis) {
    made.append(svg("line", { class: tick ? "grid" : "base", x1: x(tick), x2: x(tick), y1: 0, y2: height - 22 }));
    made.append(text(x(tick), height - 6, format(tick), { class: "tick-word", "text-anchor": !tick && !beside ? "start" : tick === axis.at(-1) && !beside ? "end" : "middle" }));
  }
  rows.forEach(({ name, amount, failed, said }, at) => {
    const y = beside ? at * (ROW - 12) + 6 : at * ROW + 20;
    const [middle, end] = [x(amount - failed), x(amount)];
    const bar = svg("g", {}, svg("title", {}, `${name}: ${said}`));
    bar.append(svg("rect", { class: "tone-1", x: beside, y, width: middle - beside, height: BAR }));
    if (failed) bar.append(svg("rect", { class: "failed", x: middle, y, width: Math.max(2, end - middle), height: BAR, fill: `url(#${hatch})` }));
    if (beside) bar.append(text(beside - 8, y + 11, cut(name, beside - 10), { "text-anchor": "end" }), text(end + 8, y + 11, said, { class: "note-word" }));
    else bar.append(text(0, y - 6, cut(name, width - saidWidth - 8)), text(width, y - 6, said, { class: "note-word", "text-anchor": "end" }));
    made.append(bar);
  });
}
