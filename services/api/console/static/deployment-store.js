// Deployments by id, each as new as it was ever seen, with the instances of their replicas.
import { lasting, money, nextTry } from "./format.js";
import { described, Store } from "./store.js";

const HOURS_OF_A_MONTH = 730;
const LONGEST_NAME = 57; // as in services/api/admission/deployment_body.py
const counted = (number, noun) => `${number} ${noun}${number === 1 ? "" : "s"}`;

/** How many of its replicas are ready, in words. */
export function inWords({ wanted, ready, coming }) {
  const some = wanted || ready ? `${ready} of ${wanted} ready` : "no replica";
  return coming ? `${some}, ${coming} on ${coming === 1 ? "its" : "their"} way` : some;
}

/** What its servers cost, at list price; empty where none costs anything. */
export const hourPrice = ({ hourly, currency }) => (hourly ? money(hourly, currency) : "");
export const monthPrice = ({ hourly, currency }) => (hourly ? `${money(hourly * HOURS_OF_A_MONTH, currency, { digits: 0 })} a month` : "");

/** With so many at least and at most. */
export const bounds = ({ min_replicas: least, max_replicas: most }) =>
  least === most ? counted(most, "replica") : `${least} to ${counted(most, "replica")}`;

/** As `coldstart deploy` names it: `Qwen/Qwen2.5-0.5B-Instruct` → `qwen2.5-0.5b-instruct`. */
export const nameFor = (model) =>
  model.slice(model.lastIndexOf("/") + 1).toLowerCase().replace(/[^a-z0-9.-]+/g, "-").replace(/^[-.]+|[-.]+$/g, "").slice(0, LONGEST_NAME) || "model";

/** Its page, or that address of the API. */
export function address(root, { name, owner }, more = "", parameters = {}) {
  const query = new URLSearchParams({ ...(owner && { organization: owner }), ...parameters });
  return `${root}/${encodeURIComponent(name)}${more}${query.size ? `?${query}` : ""}`;
}

export class Deployments {
  #known = new Map();
  #instances = new Store((instance) => this.#moved(instance));
  #of = new Map(); // the deployment's id, by the instance's
  #changed;

  /** `changed(deployment, before)` is called with what is new; `before` is undefined for one that was not known. */
  constructor(changed) {
    this.#changed = changed;
  }

  get(id) {
    return this.#known.get(id);
  }

  values() {
    return [...this.#known.values()];
  }

  instance(id) {
    return this.#instances.get(id);
  }

  /** As the API shows it: with its instances, its load and its owner's slug, which events do not tell. */
  show(view) {
    for (const { instance } of view.replicas) if (instance) this.#instances.take(described(instance));
    this.#take(view, { load: view.load, owner: view.asked.organization, asked: view.asked });
  }

  /** The description in one of its events; returns whether it was known. */
  tell(description) {
    const known = this.#known.get(description.id);
    if (known) this.#take(description, { load: known.load, owner: known.owner, asked: known.asked });
    return known !== undefined;
  }

  /** A described instance, of whatever deployment, or of none. */
  tellInstance(instance) {
    if (this.#of.has(instance.id)) this.#instances.take(instance);
  }

  /** An `estimate` message. */
  expect(estimate) {
    this.#instances.expect(estimate);
  }

  forget(id) {
    this.#known.delete(id);
  }

  #take(description, told) {
    const before = this.#known.get(description.id);
    const newer = !before || description.version >= before.version;
    const { wish: { scaling, template }, ...its } = newer ? description : before;
    for (const { instance_id: instance } of its.replicas) this.#of.set(instance, its.id);
    this.#set(this.#figured({ ...its, wish: { scaling, template }, ...told }), before);
  }

  #moved({ id }) {
    const before = this.#known.get(this.#of.get(id));
    if (before) this.#set(this.#figured(before), before);
  }

  /** What follows from its instances. */
  #figured(deployment) {
    const staying = deployment.replicas.filter((one) => !one.leaving);
    const groups = staying.map((one) => this.instance(one.instance_id)?.group ?? (one.refusal ? "refused" : "launching"));
    const paid = deployment.replicas.map((one) => this.instance(one.instance_id)).filter((one) => one?.on && one.price !== null);
    return {
      ...deployment,
      ready: groups.filter((group) => group === "ready").length,
      coming: groups.filter((group) => group === "launching").length,
      delay: deployment.degraded?.gave_up ? null : delayOf(staying, (of) => this.instance(of)),
      hourly: paid.reduce((sum, { price }) => sum + price, 0),
      currency: paid[0]?.currency ?? deployment.currency ?? null,
    };
  }

  #set(deployment, before) {
    this.#known.set(deployment.id, deployment);
    this.#changed(deployment, before);
  }
}

/** What holds a replica up, as shared/deployments/delays.py says it: the first of the newest revision that has one. */
function delayOf(staying, instanceOf) {
  const delays = staying.map((replica) => {
    const { ordinal, revision, refusal, failure, not_before: next } = replica;
    const instance = instanceOf(replica.instance_id);
    if (instance) {
      const delay = instance.group === "launching" ? instance.delay : null;
      return delay && { ordinal, revision, reason: delay.reason, since: instance.stepSince, next: Date.parse(delay.next_try_at) };
    }
    const trouble = refusal ?? failure;
    return trouble && { ordinal, revision, reason: trouble.message, since: Date.parse(trouble.since), next: refusal || !next ? null : Date.parse(next) };
  });
  return delays.filter(Boolean).reduce((first, one) => (first && first.revision >= one.revision ? first : one), null);
}

/** What it does, with what holds a replica up, since when, and when the next try is. */
export function heldUp({ doing, delay }, moment) {
  if (!delay) return doing;
  const { ordinal, reason, since, next } = delay;
  const again = next === null ? [] : [nextTry({ next_try_at: next }, moment)];
  const what = doing.includes(reason) ? [doing] : [doing, `replica ${ordinal}: ${reason}`];
  return `${what.filter(Boolean).join("; ")} (${[`for ${lasting(moment - since)}`, ...again].join(", ")})`;
}

/** What a change of a deployment is worth saying of; null: nothing. */
export function news(deployment, before) {
  if (!before) return null;
  const { name, status_label: label, doing } = deployment;
  if (label !== before.status_label) return `${name} is ${label}.${doing && ` ${doing}`}`;
  if (deployment.ready !== before.ready) return `${name}: ${inWords(deployment)}.`;
  return null;
}
