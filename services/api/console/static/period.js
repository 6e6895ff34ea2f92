// Days in UTC, written as 2026-01-31, and the periods that are made of them.
const DAY_MS = 86_400_000;
const SHORT = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", timeZone: "UTC" });
const LONGEST = 400; // days; the API gives at most 366, and a picture ends somewhere

export const dayOf = (ms) => new Date(ms).toISOString().slice(0, 10);
export const shortDay = (day) => SHORT.format(Date.parse(day));

export function shifted(day, days) {
  const ms = Date.parse(day);
  return Number.isNaN(ms) ? "" : dayOf(ms + days * DAY_MS);
}

/** From which day to which: what `preset` means today, or the two that were given. What is no day is left to the API. */
export function periodOf(preset, given, today) {
  if (preset === "7" || preset === "30") return { from: shifted(today, 1 - Number(preset)), to: today };
  if (preset === "month") return { from: `${today.slice(0, 8)}01`, to: today };
  const to = given.to || today;
  return { from: given.from || shifted(to, -29), to };
}

/** Every day of the period, the first and the last included. */
export function daysOf({ from, to }) {
  const days = [];
  for (let day = from; day <= to && days.length < LONGEST; day = shifted(day, 1)) days.push(day);
  return days;
}
