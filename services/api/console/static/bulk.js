// Ending several instances of the fleet at once: which are chosen, what they cost an hour, and what came of each.
import { ask, read, Refusal } from "./api.js";
import { confirm } from "./confirm.js";
import { arrange, element } from "./element.js";
import { money } from "./format.js";
import { announce, set, write } from "./live.js";
import { WORDS } from "./words.js";

const AT_ONCE = 6; // requests: a browser has so many connections to a host
const NAMED = 5;
const byId = (id) => document.getElementById(id);
const counted = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;
const mayEnd = ({ actions }) => actions.includes("terminate");

export class Bulk {
  #table;
  #box;
  #get;
  #shown = [];
  #chosen = new Map(); // the instances as they are, by id
  #ending = false;

  /** `table` has a row with a checkbox for each, which is `box(instance)`; `get(id)` is the instance. */
  constructor(table, { box, get }) {
    [this.#table, this.#box, this.#get] = [table, box, get];
    byId("choose").addEventListener("click", () => this.#choose(byId("choose").getAttribute("aria-pressed") === "false"));
    byId("choose-all").addEventListener("click", () => this.#only(this.#shown.filter(mayEnd)));
    byId("end-chosen").addEventListener("click", () => this.#ask());
    byId("answers-done").addEventListener("click", () => {
      byId("answers").hidden = true;
      byId("choose").focus();
    });
    table.addEventListener("change", ({ target }) => this.#ticked(target));
  }

  /** What is listed now: what is out of sight is not chosen any more. */
  shows(instances) {
    this.#shown = instances;
    byId("choose").disabled = !instances.length && !this.#table.hasAttribute("data-choosing");
    const listed = new Set(instances.map(({ id }) => id));
    this.#only([...this.#chosen.values()].filter(({ id }) => listed.has(id)));
  }

  /** An instance is this now. */
  changed(instance) {
    const box = this.#box(instance);
    box.disabled = !mayEnd(instance);
    set(box, "aria-label", `Choose ${instance.name}`);
    if (!this.#chosen.has(instance.id)) return;
    this.#chosen.set(instance.id, instance);
    if (!mayEnd(instance)) this.#drop(instance);
    this.#draw();
  }

  #choose(whether) {
    byId("choose").setAttribute("aria-pressed", String(whether));
    this.#table.toggleAttribute("data-choosing", whether);
    byId("chosen").hidden = !whether;
    this.#only([]);
  }

  #ticked(box) {
    const instance = this.#get(box.closest("[data-id]").dataset.id);
    if (box.checked) this.#chosen.set(instance.id, instance);
    else this.#chosen.delete(instance.id);
    this.#draw();
  }

  #drop(instance) {
    this.#chosen.delete(instance.id);
    this.#box(instance).checked = false;
  }

  /** Exactly these. */
  #only(instances) {
    const kept = new Set(instances.map(({ id }) => id));
    for (const [id, instance] of this.#chosen) if (!kept.has(id)) this.#drop(instance);
    for (const instance of instances) {
      this.#chosen.set(instance.id, instance);
      this.#box(instance).checked = true;
    }
    this.#draw();
  }

  #draw() {
    const all = [...this.#chosen.values()];
    write(byId("chosen-words"), all.length ? [counted(all.length, "instance"), ...hourly(all)].join(" · ") : "Choose instances to terminate.");
    byId("end-chosen").disabled = !all.length || this.#ending;
  }

  #ask() {
    const all = [...this.#chosen.values()];
    confirm({
      title: `Terminate ${counted(all.length, "instance")}?`,
      words: [named(all), costs(all), consequences(all)].join(" "),
      verb: `Terminate ${all.length}`,
      danger: true,
      send: () => this.#end(all),
      done: (answers) => this.#tell(answers),
    });
  }

  /** Ask for the end of each; what is refused stays chosen. */
  async #end(all) {
    const answers = new Map();
    const waiting = [...all];
    this.#ending = true;
    const one = async () => {
      for (let instance = waiting.shift(); instance; instance = waiting.shift()) {
        answers.set(instance.id, { instance, ...(await end(instance)) });
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, one)).finally(() => (this.#ending = false));
    return all.map(({ id }) => answers.get(id));
  }

  #tell(answers) {
    const refused = answers.filter((one) => one.refused);
    this.#only(refused.map(({ instance: { id } }) => this.#get(id)).filter(({ id }) => this.#chosen.has(id)));
    const ended = answers.length - refused.length;
    const words = [`${counted(ended, "instance")} will be terminated.`, refused.length && `${refused.length} refused.`].filter(Boolean).join(" ");
    write(byId("answers-title"), words);
    arrange(byId("answers-list"), answers.map(answer));
    byId("answers").hidden = false;
    byId("answers").focus();
    announce(words);
  }
}

/** What it is then, or why that is refused. */
async function end({ id }) {
  try {
    const view = await read(await ask(`/instances/${id}`, { method: "DELETE" }));
    return { said: view.status_label, refused: false };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return { said: `${error.title}. ${error.message}`, refused: true };
  }
}

function answer({ instance: { id, name }, said, refused }) {
  const words = element("span", { text: said, ...(refused && { class: "refused" }) });
  return element("li", {}, element("a", { href: `/console/instances/${id}`, text: name }), " ", words);
}

/** By currency; what has no known price is not in it. */
function hourly(all) {
  const sums = new Map();
  for (const { on, price, currency } of all) if (on && price !== null) sums.set(currency, (sums.get(currency) ?? 0) + price);
  return [...sums].map(([currency, price]) => `${money(price, currency)} an hour`);
}

function named(all) {
  const names = all.slice(0, NAMED).map(({ name }) => name).join(", ");
  return all.length > NAMED ? `${names} and ${all.length - NAMED} more.` : `${names}.`;
}

function costs(all) {
  const unknown = all.filter(({ on, price }) => on && price === null).length;
  const known = hourly(all).join(" and ") || (unknown ? "" : "nothing now");
  return [known && `They cost ${known}.`, unknown && `The price of ${unknown} is not known.`].filter(Boolean).join(" ");
}

function consequences(all) {
  const serving = all.filter((one) => one.serving).length;
  const replicas = all.filter((one) => one.replicaOf).length;
  const serves = serving ? `${counted(serving, "of them serves", "of them serve")} requests.` : "";
  const replaced = replicas ? counted(replicas, "is a replica, which its deployment replaces.", "are replicas, which their deployments replace.") : "";
  return [serves, replaced, WORDS.consequences.terminate].filter(Boolean).join(" ");
}
