// The schedule of a deployment: a row for each moment from which other bounds hold.
import { announce } from "./live.js";
import { figure } from "./problems.js";

export class Schedule {
  #rows;
  #template;

  /** `add` is the button that adds a row to `rows`; `template` is one. */
  constructor(rows, template, add) {
    this.#rows = rows;
    this.#template = template;
    add.addEventListener("click", () => this.#add({}).querySelector("input").focus());
    rows.addEventListener("click", ({ target }) => {
      if (!target.closest("button")) return;
      target.closest("li").remove();
      announce("Removed.");
      add.focus();
    });
  }

  /** As the API takes it. */
  get value() {
    return [...this.#rows.children].map((row) => ({
      cron: part(row, "cron").value.trim(),
      time_zone: part(row, "time_zone").value.trim() || undefined,
      min_replicas: figure(part(row, "min_replicas")),
      max_replicas: figure(part(row, "max_replicas")),
    }));
  }

  set value(turns) {
    this.#rows.replaceChildren();
    for (const turn of turns) this.#add(turn);
  }

  /** The input of this part of the row at this place. */
  input(at, name) {
    const row = this.#rows.children[at];
    return row && (part(row, name ?? "cron") ?? part(row, "cron"));
  }

  #add(turn) {
    const row = this.#template.cloneNode(true);
    const here = { time_zone: Intl.DateTimeFormat().resolvedOptions().timeZone, ...turn };
    for (const [name, value] of Object.entries(here)) part(row, name).value = value;
    this.#rows.append(row);
    return row;
  }
}

const part = (row, name) => row.querySelector(`[data-of=${name}]`);
