// An attempt's steps as bars in time, each against how long it usually takes.
import { between, took } from "./format.js";
import { write } from "./live.js";
import { WORDS } from "./words.js";

const READY = 100;
const SLOP_PX = 8; // so far a finger moves that only taps

/**
 * Each step with `from` and `to` in milliseconds, null where it has not come so far; `running`: it is there now.
 * `moments`: the events of one attempt, in order, as `{at, percent}`; `end`: when it stopped, or null while it goes on.
 */
export function steps(moments, end, now) {
  const reached = (percent) => moments.find((moment) => moment.percent >= percent)?.at ?? null;
  const last = moments.at(-1)?.percent ?? 0;
  const begun = WORDS.steps.filter(({ percent }) => percent >= moments[0].percent);
  return begun.map(({ percent, label }, index) => {
    const until = begun[index + 1]?.percent ?? READY;
    const from = reached(percent);
    const running = from !== null && last < until;
    return { percent, label, from, to: from === null ? null : reached(until) ?? end ?? now, running };
  });
}

/** Draws into a table's body; `usual` maps a step's percentage to its p50 and p90 in seconds. */
export class Waterfall {
  #body;
  #rows = new Map();
  #begin = 0;
  #end = 0;

  /** `pointed(moment)` is called with what is clicked at, and with all that is dragged over. */
  constructor(body, pointed) {
    this.#body = body;
    const tell = ({ clientX }) => pointed(this.#momentAt(clientX));
    const dragged = ({ pointerId }) => body.hasPointerCapture(pointerId);
    let from = null;
    let along = false; // and not up or down, as a finger goes that scrolls
    body.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || !event.isPrimary || !event.target.closest(".when")) return;
      body.setPointerCapture(event.pointerId);
      from = event;
      along = event.pointerType !== "touch";
      if (along) tell(event);
    });
    body.addEventListener("pointermove", (event) => {
      if (!dragged(event)) return;
      const [x, y] = [event.clientX - from.clientX, event.clientY - from.clientY].map(Math.abs);
      along ||= x > Math.max(y, SLOP_PX);
      if (along) tell(event);
    });
    body.addEventListener("pointerup", (event) => {
      if (dragged(event) && (along || Math.abs(event.clientY - from.clientY) < SLOP_PX)) tell(event);
    });
  }

  /** `cursor`: the moment that is looked at, or null; `stopped`: the running step is where it failed. */
  draw(shown, usual, { stopped, cursor }) {
    const placed = expected(shown, usual, stopped);
    const begin = placed[0].from;
    const end = Math.max(...placed.map((step) => step.to), begin + 1000);
    [this.#begin, this.#end] = [begin, end];
    const at = (moment) => `${(Math.max(0, moment - begin) / (end - begin)) * 100}%`;
    for (const [percent, { row }] of this.#rows) {
      if (!placed.some((step) => step.percent === percent)) {
        row.remove();
        this.#rows.delete(percent);
      }
    }
    for (const step of placed) {
      const parts = this.#row(step);
      const range = usual.get(step.percent);
      const seconds = step.future ? null : (step.to - step.from) / 1000;
      const slow = range && seconds !== null && seconds > range.p90_seconds && seconds > 1;
      parts.row.dataset.state = step.future ? "future" : step.running ? (stopped ? "stopped" : "running") : "done";
      parts.bar.hidden = step.future && stopped;
      parts.row.toggleAttribute("data-slow", Boolean(slow));
      place(parts.bar, at(step.from), at(step.to - (step.from - begin)));
      const from = step.from + (range?.p50_seconds ?? 0) * 1000;
      parts.band.hidden = !range || step.future || from >= end;
      if (!parts.band.hidden) {
        place(parts.band, at(from), at(Math.min(step.from + range.p90_seconds * 1000, end) - (from - begin)));
      }
      parts.cursor.hidden = cursor === null;
      if (cursor !== null) parts.cursor.style.left = at(Math.min(cursor, end));
      write(parts.took, seconds === null ? "" : took(seconds) + (slow ? ", slow" : ""));
      write(parts.usually, range ? between(range.p50_seconds, range.p90_seconds) : "");
    }
  }

  #momentAt(x) {
    const { left, width } = this.#body.querySelector(".track").getBoundingClientRect();
    return this.#begin + Math.min(1, Math.max(0, (x - left) / width)) * (this.#end - this.#begin);
  }

  #row(step) {
    if (!this.#rows.has(step.percent)) {
      const row = this.#body.insertRow();
      row.innerHTML =
        '<th scope="row"></th><td class="when"><div class="track"><i class="band"></i><b class="span"></b><u class="cursor" hidden></u></div></td>' +
        '<td class="num right"></td><td class="num right hint"></td>';
      const [name, track, tookCell, usually] = row.cells;
      name.textContent = step.label;
      const [band, bar, cursor] = track.firstElementChild.children;
      this.#rows.set(step.percent, { row, band, bar, cursor, took: tookCell, usually });
    }
    return this.#rows.get(step.percent);
  }
}

/** What has not come yet is put where it is usually to be expected, one step behind the other. */
function expected(shown, usual, stopped) {
  let next = shown[0].from;
  return shown.map((step) => {
    const range = usual.get(step.percent);
    if (step.from !== null) {
      next = step.running && range && !stopped ? Math.max(step.to, step.from + range.p50_seconds * 1000) : step.to;
      return { ...step, future: false };
    }
    const from = next;
    next += stopped || !range ? 0 : range.p50_seconds * 1000;
    return { ...step, from, to: next, future: true };
  });
}

function place(element, left, width) {
  element.style.left = left;
  element.style.width = width;
}
