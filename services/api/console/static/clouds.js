// On every page: a bar for each provider that cannot be used, why, since when, and when it is tried again.
import { get, Refusal } from "./api.js";
import { clock } from "./format.js";
import { announce, write } from "./live.js";

const EVERY_MS = 15_000;
const bar = document.getElementById("clouds");

/** `providers` as GET /instance-types tells them. */
export function tellClouds(providers) {
  const unusable = providers.filter((one) => one.reason).map(inWords);
  if (unusable.length && bar.hidden) announce(unusable.join(" "));
  write(bar, unusable.join("\n"));
  bar.hidden = !unusable.length;
}

/** What keeps some launches from succeeding at a provider, in a sentence for each. */
export function limits(providers) {
  return providers.flatMap(({ provider, checks }) =>
    checks.filter((one) => one.outcome === "limited").map((one) => `${provider}, ${one.subject}: ${one.detail}.`));
}

function inWords({ provider, reason, since, next_try_at: next }) {
  const again = next ? ` The next try is at ${clock(new Date(next))}.` : "";
  return `${provider} has been unusable since ${clock(new Date(since))}: ${reason}.${again}`;
}

async function read() {
  if (document.visibilityState !== "visible") return;
  try {
    tellClouds((await get("/instance-types")).providers);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the page says by itself that the api does not answer
  }
}

setInterval(read, EVERY_MS);
document.addEventListener("visibilitychange", read);
read();
