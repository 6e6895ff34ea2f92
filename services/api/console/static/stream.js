// The event stream, resumed without a gap: by the id of the last event, whoever cut the line.
import { ask } from "./api.js";
import { showSignedOut } from "./live.js";
import { WORDS } from "./words.js";

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 5000;
const UNSEEN_MS = 30_000;
const visible = () => document.visibilityState === "visible";
const sequence = (place) => Number(place.split("-").at(-1));

/** Whether what is made of the stream up to the one place lacks the event at the other. */
export const lacks = (reached, place) => sequence(reached) < sequence(place);

export class Stream {
  #address;
  #handlers;
  #last;
  #source = null;
  #pause = FIRST_PAUSE_MS;
  #again = 0;
  #letGo = 0;
  #ended = new AbortController();

  /**
   * `after`: the id of the event to begin behind. `handlers`: `event(cloudEvent, id)` of an instance, `deployment(cloudEvent)`
   * of a deployment, `estimate(estimate)`, `reset()` when what is shown has to be loaded anew, and `state(word)`:
   * connecting, live, reconnecting, paused or signed out.
   */
  constructor(address, { after = null, deployment = () => null, ...handlers }) {
    this.#address = address;
    this.#handlers = { deployment, ...handlers };
    this.#last = after;
    const { signal } = this.#ended;
    document.addEventListener("visibilitychange", () => this.#seen(), { signal });
    addEventListener("pagehide", () => this.#close("paused"), { signal });
    addEventListener("pageshow", (event) => event.persisted && this.#seen(), { signal });
    addEventListener("online", () => visible() && this.#source?.readyState !== EventSource.OPEN && this.#open(), { signal });
    this.#handlers.state(visible() ? "connecting" : "paused"); // it may have been opened behind another tab
    if (visible()) this.#open();
  }

  /** For good: nobody wants it any more. */
  end() {
    this.#ended.abort();
    clearTimeout(this.#letGo);
    this.#close();
  }

  // A browser has six connections to a host: tabs that nobody looks at must not keep one each.
  #seen() {
    clearTimeout(this.#letGo);
    if (!visible()) this.#letGo = setTimeout(() => this.#close("paused"), UNSEEN_MS);
    else if (!this.#source) this.#open();
  }

  #open() {
    this.#close();
    const address = new URL(this.#address, location.origin);
    if (this.#last) address.searchParams.set("after", this.#last);
    const source = (this.#source = new EventSource(address));
    const event = (message) => {
      this.#last = message.lastEventId;
      const told = JSON.parse(message.data);
      if (told.data.deployment) this.#handlers.deployment(told);
      else this.#handlers.event(told, message.lastEventId);
    };
    for (const type of WORDS.events) source.addEventListener(type, event);
    source.addEventListener("estimate", (message) => this.#handlers.estimate(JSON.parse(message.data)));
    source.addEventListener("reset", (message) => {
      this.#last = message.lastEventId;
      this.#handlers.reset();
    });
    source.onopen = () => {
      this.#pause = FIRST_PAUSE_MS;
      this.#handlers.state("live");
      showSignedOut(false); // another tab may have signed in again
    };
    source.onerror = () => this.#reopen();
  }

  #reopen() {
    this.#close("reconnecting");
    this.#signedOut();
    this.#again = setTimeout(() => this.#open(), this.#pause * (0.5 + Math.random()));
    this.#pause = Math.min(LONGEST_PAUSE_MS, this.#pause * 2);
  }

  /** A stream does not say why it is refused; where the session is over it would be for ever. */
  async #signedOut() {
    const over = await ask("/v1/models", { stays: true }).then(() => false, ({ status }) => status === 401);
    if (!over || this.#ended.signal.aborted) return;
    this.#close("signed out");
    showSignedOut(true);
  }

  #close(state) {
    clearTimeout(this.#again);
    this.#source?.close();
    this.#source = null;
    if (state) this.#handlers.state(state);
  }
}
