// On every page: a bar for each provider that cannot be used, why, since when, and when it is tried again; and for each
// warning of the api's own.
import { get, Refusal } from "./api.js";
import { clock } from "./format.js";
import { announce, write } from "./live.js";

const EVERY_MS = 15_000;
const bar = document.getElementById("clouds");
let unusable = [];
let warnings = [];

/** `providers` as GET /instance-types tells them. */
export function tellClouds(providers) {
  unusable = providers.filter((one) => one.reason).map(inWords);
  tell();
}

/** What keeps some launches from succeeding at a provider, in a sentence for each. */
export function limits(providers) {
  return providers.flatMap(({ provider, checks }) =>
    checks.filter((one) => one.outcome === "limited").map((one) => `${provider}, ${one.subject}: ${one.detail}.`));
}

function tell() {
  const lines = [...unusable, ...warnings];
  if (lines.length && bar.hidden) announce(lines.join(" "));
  write(bar, lines.join("\n"));
  bar.hidden = !lines.length;
}

function inWords({ provider, reason, since, next_try_at: next }) {
  const again = next ? ` The next try is at ${clock(new Date(next))}.` : "";
  return `${provider} has been unusable since ${clock(new Date(since))}: ${reason}.${again}`;
}

async function read() {
  if (document.visibilityState !== "visible") return;
  await Promise.all([
    known(async () => tellClouds((await get("/instance-types")).providers)),
    known(async () => {
      ({ warnings } = await get("/readyz"));
      tell();
    }),
  ]);
}

async function known(reading) {
  try {
    await reading();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error; // the page says by itself that the api does not answer
  }
}

setInterval(read, EVERY_MS);
document.addEventListener("visibilitychange", read);
read();
