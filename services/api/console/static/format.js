// Figures for people.
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY_AND_TIME = new Intl.DateTimeFormat(undefined, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { dateStyle: "medium" });
const EXACT = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });
const SECONDS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const two = (number) => String(number).padStart(2, "0");

/** How long something has lasted: 0:42, 3:05, 2 h 14 min, 3 d 4 h. */
export function lasting(ms) {
  const seconds = Math.max(0, Math.floor(ms / 1000));
  const [days, hours, minutes] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600), Math.floor(seconds / 60)];
  if (days) return `${days} d ${hours % 24} h`;
  if (hours) return `${hours} h ${two(minutes % 60)} min`;
  return `${minutes}:${two(seconds % 60)}`;
}

/** A duration that is measured: 0.4 s, 12 s, 3:05, 2 h 14 min. */
export function took(seconds) {
  return seconds < 59.5 ? `${seconds.toFixed(seconds < 9.95 ? 1 : 0)} s` : lasting(seconds * 1000);
}

/** Two measured durations, from the one to the other. */
export function between(from, to) {
  if (to < 59.5) return `${from.toFixed(from < 9.95 ? 1 : 0)} – ${to.toFixed(to < 9.95 ? 1 : 0)} s`;
  return `${lasting(from * 1000)} – ${lasting(to * 1000)}`;
}

/** A duration that is expected, and no more exact than it is known. */
export function about(seconds) {
  if (seconds < 8) return "seconds";
  if (seconds < 55) return `${Math.round(seconds / 5) * 5} s`;
  const minutes = Math.max(1, Math.round(seconds / 60));
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${two(minutes % 60)} min`;
}

/** An estimate as a sentence, at `moment`: what has passed already is now. */
export function expectation({ ready_at_p50: half, ready_at_p90: most }, moment) {
  const [soon, late] = [half, most].map((text) => Math.max(Date.parse(text), moment));
  return `ready in ${about((soon - moment) / 1000)}, at ${clock(soon)}; nine times in ten by ${clock(late)}`;
}

/** When what a launch waits for is tried next. */
export function nextTry({ next_try_at: text }, moment) {
  const at = typeof text === "number" ? text : Date.parse(text);
  return at > moment ? `next try at ${seconds(at)}` : "trying again";
}

export function clock(ms, today = Date.now()) {
  const near = Math.abs(ms - today) < 12 * 3600_000 || new Date(ms).toDateString() === new Date(today).toDateString();
  return (near ? TIME : DAY_AND_TIME).format(ms);
}

/** The time, and also the day where it is not today's. */
export function moment(ms, today = Date.now()) {
  if (Math.abs(ms - today) > 6 * 86400_000) return exact(ms);
  return new Date(ms).toDateString() === new Date(today).toDateString() ? seconds(ms) : DAY_AND_TIME.format(ms);
}

export const day = (ms) => DAY.format(ms);
export const exact = (ms) => EXACT.format(ms);
export const seconds = (ms) => SECONDS.format(ms);

const currencies = new Map();
export function money(value, currency, { digits = 2 } = {}) {
  const key = `${currency} ${digits}`;
  if (!currencies.has(key)) {
    let format;
    try {
      format = new Intl.NumberFormat(undefined, { style: "currency", currency, ...(digits === 2 ? {} : { maximumFractionDigits: digits }) });
    } catch {
      format = { format: (number) => `${number.toFixed(digits)} ${currency}` };
    }
    currencies.set(key, format);
  }
  return currencies.get(key).format(value);
}
