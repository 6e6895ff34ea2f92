// Until an endpoint has answered for the first time: what there is to do, and what is done of it.
import { get, Refusal } from "./api.js";
import { announce, write } from "./live.js";

const AGAIN_MS = 5000;

export class FirstSteps {
  #panel;
  #known = { launched: false, waited: false, answered: false };

  constructor(panel) {
    this.#panel = panel;
    this.#look();
  }

  /** What the fleet has shown: all instances, of which some may have ended. */
  saw(instances) {
    const newest = instances.filter(({ group }) => group === "launching").sort((a, b) => b.createdAt - a.createdAt)[0];
    this.#known.launched ||= instances.length > 0;
    this.#known.waited ||= instances.some(({ serving }) => serving);
    const said = newest && !this.#known.waited ? `${newest.name}: ${newest.doing}, ${newest.percent} %` : "";
    write(this.#panel.querySelector("[data-of=now]"), said);
    this.#draw();
  }

  /** Nobody who has used an endpoint before needs this; a request is counted shortly after its end. */
  async #look() {
    try {
      const { items } = await get("/usage?group_by=model");
      const answered = items.some(({ requests, failed_requests: failed }) => requests > failed);
      if (answered && this.#panel.hidden) return;
      if (answered) announce("Your first endpoint has answered.");
      this.#known.answered = answered;
      this.#panel.hidden = false;
      this.#draw();
      if (answered) return;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
    this.#lookAgain();
  }

  /** Nothing answers before something is ready. */
  #lookAgain() {
    const worthIt = this.#known.waited && document.visibilityState === "visible";
    setTimeout(() => (worthIt ? this.#look() : this.#lookAgain()), AGAIN_MS);
  }

  #draw() {
    for (const [name, done] of Object.entries(this.#known)) {
      const step = this.#panel.querySelector(`[data-step=${name}]`);
      step.toggleAttribute("data-done", done || this.#known.answered);
      write(step.querySelector(".unseen"), step.hasAttribute("data-done") ? "Done: " : "");
    }
  }
}
