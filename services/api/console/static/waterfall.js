// An attempt's steps as bars in time, each against how long it usually takes.
import { between, took } from "./format.js";
import { write } from "./live.js";
import { WORDS } from "./words.js";

const READY = 100;
const SLOP_PX = 8; // so far a finger moves that only taps

/**
 * Each step with `from` and `to` in milliseconds, null where it has not come so far; `running`: it is there now.
 * `moments`: the events of one attempt, in order, as `{at, percent}`; `end`: when it stopped, or null while it goes on;
 * `purpose`: what the instance is for.
 */
export function steps(moments, end, now, purpose) {
  const reached = (percent) => moments.find((moment) => moment.percent >= percent)?.at ?? null;
  const last = moments.at(-1)?.percent ?? 0;
  const begun = WORDS.steps[purpose].filter(({ percent }) => percent >= moments[0].percent);
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

  /**
   * `cursor`: the moment that is looked at, or null; `stopped`: the running step is where it failed; `intervals`: those of
   * its critical path, as far as they are known.
   */
  draw(shown, usual, { stopped, cursor, intervals, now }) {
    const placed = withPhases(expected(shown, usual, stopped), intervals, stopped, now);
    const begin = placed[0].from;
    const end = Math.max(...placed.map((step) => step.to + step.spare), begin + 1000);
    [this.#begin, this.#end] = [begin, end];
    const at = (moment) => `${(Math.max(0, moment - begin) / (end - begin)) * 100}%`;
    const wide = (from, to) => at(to - from + begin);
    for (const [key, { row }] of this.#rows) {
      if (!placed.some((step) => step.key === key)) {
        row.remove();
        this.#rows.delete(key);
      }
    }
    for (const [index, step] of placed.entries()) {
      const parts = this.#row(step, index);
      const range = usual.get(step.key);
      const seconds = step.future ? null : (step.to - step.from) / 1000;
      const slow = range && seconds !== null && seconds > range.p90_seconds && seconds > 1;
      parts.row.dataset.state = step.future ? "future" : step.running ? (stopped ? "stopped" : "running") : "done";
      parts.bar.hidden = step.future && stopped;
      parts.row.toggleAttribute("data-slow", Boolean(slow));
      parts.row.toggleAttribute("data-critical", step.critical);
      place(parts.bar, at(step.from), wide(step.from, step.to));
      parts.spare.hidden = !step.spare;
      if (step.spare) place(parts.spare, at(step.to), wide(0, step.spare));
      const from = step.from + (range?.p50_seconds ?? 0) * 1000;
      parts.band.hidden = !range || step.future || from >= end;
      if (!parts.band.hidden) place(parts.band, at(from), wide(from, Math.min(step.from + range.p90_seconds * 1000, end)));
      parts.cursor.hidden = cursor === null;
      if (cursor !== null) parts.cursor.style.left = at(Math.min(cursor, end));
      write(parts.took, seconds === null ? "" : took(seconds) + (slow ? ", slow" : ""));
      write(parts.usually, range ? between(range.p50_seconds, range.p90_seconds) : step.spare ? `${took(step.spare / 1000)} to spare` : "");
    }
  }

  #momentAt(x) {
    const { left, width } = this.#body.querySelector(".track").getBoundingClientRect();
    return this.#begin + Math.min(1, Math.max(0, (x - left) / width)) * (this.#end - this.#begin);
  }

  #row(step, index) {
    if (!this.#rows.has(step.key)) {
      const row = this.#body.insertRow(index);
      row.innerHTML =
        '<th scope="row"></th><td class="when"><div class="track"><i class="band"></i><b class="span"></b><s class="spare"></s><u class="cursor" hidden></u></div></td>' +
        '<td class="num right"></td><td class="num right hint"></td>';
      row.toggleAttribute("data-phase", typeof step.key === "string");
      const [name, track, tookCell, usually] = row.cells;
      name.textContent = step.label;
      const [band, bar, spare, cursor] = track.firstElementChild.children;
      this.#rows.set(step.key, { row, band, bar, spare, cursor, took: tookCell, usually });
    }
    return this.#rows.get(step.key);
  }
}

/** The phases of the install come below it. Of a step that has some, they say what was critical. */
function withPhases(placed, intervals, stopped, now) {
  const phases = (percent) => intervals.filter((one) => one.percent === percent && one.install_try !== null);
  return placed.flatMap((step) => {
    const below = step.future ? [] : phases(step.percent).map((phase) => phaseRow(phase, stopped, now));
    const critical = !step.future && intervals.length > 0 && !below.length;
    return [{ ...step, key: step.percent, critical, spare: 0 }, ...below];
  });
}

function phaseRow({ step, label, install_try: number, began_at: began, ended_at: ended, critical, slack_seconds: slack }, stopped, now) {
  const to = ended === null ? now : Date.parse(ended);
  return {
    key: `${number} ${step}`,
    label: number > 1 ? `${label} (try ${number})` : label,
    from: Date.parse(began),
    to: Math.max(to, Date.parse(began)),
    running: ended === null && !stopped,
    future: false,
    critical,
    spare: slack * 1000,
  };
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
