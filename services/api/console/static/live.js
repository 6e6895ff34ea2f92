// Whether the page is live, and what a screen reader says about what happens on it.
import { signInAddress } from "./api.js";

const shown = document.getElementById("live");
const word = document.getElementById("live-word");
const signedOut = document.getElementById("signed-out");
const announcements = document.getElementById("announcements");
const PAUSE_MS = 4000;
const MOST = 3;
let waiting = [];
let timer = 0;
let was = "connecting";

export function showState(state) {
  shown.hidden = false;
  shown.dataset.state = state;
  word.textContent = state;
  if (state === "reconnecting" && was === "live") announce("Connection lost, reconnecting.");
  if (state === "live" && was === "reconnecting") announce("Live again.");
  if (state !== "connecting") was = state;
}

/** That nothing on the page is up to date any more, and where one signs in again. */
export function showSignedOut(whether) {
  signedOut.hidden = !whether;
  signedOut.querySelector("a").href = signInAddress();
}

/** Politely: what comes in quick succession is announced together, and not all of it. */
export function announce(text) {
  waiting.push(text);
  timer ||= setTimeout(tell, announcements.textContent ? PAUSE_MS : 200);
}

function tell() {
  const more = waiting.length - MOST;
  announcements.textContent = waiting.slice(-MOST).join(" ") + (more > 0 ? ` And ${more} more.` : "");
  waiting = [];
  timer = setTimeout(() => {
    timer = 0;
    if (waiting.length) tell();
  }, PAUSE_MS);
}

/** What a change of an instance is worth saying of; null: nothing. */
export function milestone(instance, before) {
  if (!before || before.status === instance.status) return null;
  if (instance.error && instance.error !== before.error) return `${instance.name} failed: ${instance.error.message}`;
  return `${instance.name} is ${instance.statusLabel}.`;
}

/** `jumps()`: whether the bar comes to its new place at once, rather than sliding there. */
export function fill(bar, percent, label, jumps = () => false) {
  set(bar, "aria-valuetext", label ? `${percent} %, ${label}` : `${percent} %`);
  const { style } = bar.firstElementChild;
  const place = `translateX(${percent - 100}%)`;
  if (style.transform === place) return; // a page may come with the percentage, and never with the place
  bar.toggleAttribute("data-jumps", jumps());
  bar.setAttribute("aria-valuenow", percent);
  style.transform = place;
}

/** Only what has changed: writing the same text again would cost a layout. */
export function write(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/** An attribute, only where it has changed. */
export function set(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}
