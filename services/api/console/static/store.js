// Instances by id, each as new as it was ever seen, in one shape wherever it came from.
const at = (text) => (text ? Date.parse(text) : null);

/** With the code, by which one can look it up. */
export const cause = ({ code, message }) => `${code}: ${message}`;

/** The model that it serves, or what it is for instead. */
const use = ({ purpose, model }) =>
  purpose === "machine_image" ? `builds a machine image${model ? ` with ${model}` : ""}` : model;

/** From a description, of `/instances` or of an event. What it costs after `costAt` follows from the price. */
export function described(description) {
  return {
    id: description.id, name: description.name, model: description.model, task: description.task, purpose: description.purpose, use: use(description), place: description.zone ?? description.provider,
    zone: description.zone, type: description.instance_type, status: description.status,
    statusLabel: description.status_label, statusSince: at(description.status_since), group: description.group,
    tone: description.tone, percent: description.progress_percent,
    stepLabel: description.step_label, stepSince: at(description.step_since), doing: description.doing,
    where: description.where, waitsFor: description.waits_for, attempt: description.attempt, address: description.ip_address, error: description.error,
    advice: description.advice, serving: description.serving, actions: description.actions,
    price: description.hourly_price, currency: description.currency, cost: description.cost,
    costAt: at(description.as_of), on: description.server_on, createdAt: at(description.created_at),
    version: description.version, replicaOf: description.replica?.deployment_name ?? null, eta: description.eta ?? null, delay: description.delay,
  };
}

export const costAt = (instance, moment) =>
  instance.cost === null || !instance.on
    ? instance.cost
    : instance.cost + (instance.price * Math.max(0, moment - instance.costAt)) / 3600_000;

/** While anything holds a launch up, nobody knows when it will be ready. */
const expecting = ({ group, delay }) => group === "launching" && !delay;

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
    if (before?.eta && !instance.eta && expecting(instance)) instance.eta = before.eta;
    this.#instances.set(instance.id, instance);
    this.#changed(instance, before);
  }

  /** An `estimate` message. */
  expect({ instance_id: id, version, eta }) {
    const known = this.#instances.get(id);
    if (!known || version < known.version || !expecting(known)) return;
    const instance = { ...known, eta };
    this.#instances.set(id, instance);
    this.#changed(instance, known);
  }
}
