// Instances by id, each as new as it was ever seen, in one shape wherever it came from.
import { WORDS } from "./words.js";

const { statuses, labels, names, instead } = WORDS;
const at = (text) => (text ? Date.parse(text) : null);

export const group = (status) =>
  ["failed", "launching", "ending", "gone"].find((name) => statuses[name].includes(status)) ?? status;
export const inWords = (name) => names[name] ?? name.replaceAll("_", " ");

/** As `where`, but of one that failed why it did. */
export function doing(instance) {
  return group(instance.status) === "failed" && instance.error ? instance.error.message : where(instance);
}

/** What it is doing and what holds that up, or at what it failed; empty where its status says it all. */
export function where({ status, step, delay }) {
  const words = instead[status] ?? labels[step] ?? step;
  return delay ? `${words}: ${delay.reason} (try ${delay.number})` : words;
}

/** With the code, by which one can look it up. */
export const cause = ({ code, message }) => `${code}: ${message}`;

/** From what /instances lists. `costAt`: when `cost` was right; from then on it follows from the price. */
export function fromView(view, now) {
  return {
    id: view.id, name: view.name, model: view.model, provider: view.provider, zone: view.zone, type: view.instance_type,
    status: view.status, statusSince: at(view.status_since), percent: view.progress_percent, step: view.step,
    stepSince: at(view.step_since), attempt: view.attempt, address: view.ip_address,
    error: view.error, delay: view.delay,
    price: view.hourly_price, currency: view.currency, cost: view.cost, costAt: now, on: view.server_on,
    createdAt: at(view.created_at), readyAt: at(view.ready_at), version: view.version, eta: view.eta,
  };
}

/** From the snapshot in an event: it holds the periods in which its server was on. */
export function fromSnapshot(snapshot, moment) {
  const { specification: wanted, powered } = snapshot;
  const on = powered.length > 0 && powered.at(-1).until === null;
  const ms = powered.reduce((sum, { since, until }) => sum + Math.max(0, (at(until) ?? moment) - at(since)), 0);
  return {
    id: snapshot.id, name: wanted.name, model: wanted.model, provider: wanted.provider, zone: snapshot.zone,
    type: snapshot.instance_type, status: snapshot.status, statusSince: at(snapshot.status_since),
    percent: snapshot.progress_percent, step: snapshot.step,
    stepSince: at(snapshot.progress_since ?? snapshot.updated_at), attempt: snapshot.attempt,
    address: snapshot.ip_address, error: snapshot.error, delay: snapshot.delay ?? null,
    price: snapshot.hourly_price, currency: snapshot.currency,
    cost: snapshot.hourly_price === null ? null : (snapshot.hourly_price * ms) / 3600_000, costAt: moment, on,
    createdAt: at(snapshot.created_at), readyAt: at(snapshot.ready_at), version: snapshot.version, eta: null,
  };
}

export const costAt = (instance, moment) =>
  instance.cost === null || !instance.on
    ? instance.cost
    : instance.cost + (instance.price * Math.max(0, moment - instance.costAt)) / 3600_000;

export class Store {
  #instances = new Map();
  #changed;

  /** `changed(instance, before)` is called with what is new; `before` is undefined for one that was not known. */
  constructor(changed) {
    this.#changed = changed;
  }

  get(id) {
    return this.#instances.get(id);
  }

  get size() {
    return this.#instances.size;
  }

  values() {
    return this.#instances.values();
  }

  /** What is no newer than what is known says nothing. */
  take(instance) {
    const before = this.#instances.get(instance.id);
    if (before && before.version >= instance.version) return;
    if (before?.eta && !instance.eta && group(instance.status) === "launching") instance.eta = before.eta;
    this.#instances.set(instance.id, instance);
    this.#changed(instance, before);
  }

  /** An `estimate` message. */
  expect({ instance_id: id, version, eta }) {
    const known = this.#instances.get(id);
    if (!known || version < known.version || group(known.status) !== "launching") return;
    const instance = { ...known, eta };
    this.#instances.set(id, instance);
    this.#changed(instance, known);
  }
}
