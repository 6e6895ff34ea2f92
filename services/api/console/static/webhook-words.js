// A webhook in words, on each page that shows one.
import { moment } from "./format.js";

export const TONES = { active: "good", failing: "warn", off: "bad" };
export const LABELS = { active: "active", failing: "failing", off: "switched off" };
const OFF = { request: "by request", failing: "after failing for days", gone: "as its receiver is gone" };
const SHOWN = 3;

/** Since when it fails, or why it is off; empty while it is active. */
export function why({ status, failing_since: since, failures, switched_off: off, switched_off_at: at }) {
  if (status === "off") return [OFF[off], at && `since ${moment(Date.parse(at))}`].filter(Boolean).join(", ");
  if (status === "failing") return `since ${moment(Date.parse(since))}, ${failures} ${failures === 1 ? "failure" : "failures"}`;
  return "";
}

function some(values, all) {
  if (!values) return all;
  const beyond = values.length - SHOWN;
  return [...values.slice(0, SHOWN), ...(beyond > 0 ? [`${beyond} more`] : [])].join(", ");
}

/** Which events it gets. */
export function gets({ events, models, organizations }) {
  const of = [models && `of ${some(models)}`, organizations && `of the organisations ${some(organizations)}`].filter(Boolean);
  return [some(events, "all events"), ...of].join(" ");
}

export const owner = ({ organization_id: id, organization }) => (id === null ? "the installation" : (organization ?? "deleted"));
