// A bar for each provider that cannot be used: why, since when, and when it is tried again.
import { get, Refusal } from "./api.js";
import { clock } from "./format.js";
import { announce, write } from "./live.js";

const EVERY_MS = 15_000;
const bar = document.getElementById("clouds");

/** `providers` as GET /instance-types tells them. */
export function tellClouds(providers) {
  const reasons = providers.filter((one) => one.reason).map(inWords);
  if (reasons.length && bar.hidden) announce(reasons.join(" "));
  write(bar, reasons.join("\n"));
  bar.hidden = !reasons.length;
}

/** For a page that reads what there is for no other reason. */
export function watchClouds() {
  const look = () => document.visibilityState === "visible" && read();
  setInterval(look, EVERY_MS);
  document.addEventListener("visibilitychange", look);
  look();
}

function inWords({ provider, reason, since, next_try_at: next }) {
  const again = next ? ` The next try is at ${clock(new Date(next))}.` : "";
  return `${provider} has been unusable since ${clock(new Date(since))}: ${reason}.${again}`;
}

async function read() {
  try {
    tellClouds((await get("/instance-types")).providers);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the page says by itself that the api does not answer
  }
}
