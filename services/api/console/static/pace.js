// How often something happens, so that a page can spare what only a calm one has room for.

export class Pace {
  #most;
  #withinMs;
  #times = [];

  /** More than `most` times within `withinMs` is a hurry. */
  constructor(most, withinMs) {
    this.#most = most;
    this.#withinMs = withinMs;
  }

  /** It happens at this moment, in milliseconds; returns whether it hurries now. */
  happens(at) {
    this.#times.push(at);
    if (this.#times.length <= this.#most) return false;
    return at - this.#times.shift() < this.#withinMs;
  }
}
