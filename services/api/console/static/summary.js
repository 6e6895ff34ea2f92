// One line about an event.
const FIELDS = ["message", "phase", "stage", "reason", "ip_address", "zone", "told"];

/** The first of these fields that is a text; empty if the event's type says it all. */
export const summary = (fact) => FIELDS.map((name) => fact[name]).find((value) => typeof value === "string") ?? "";
