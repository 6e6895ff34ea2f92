// What an event says of itself in one line.
const TELLING = ["message", "phase", "stage", "reason", "ip_address", "zone", "told"];

/** Of a fact, the first of these that is a text; empty where its type says all. */
export const told = (fact) => TELLING.map((name) => fact[name]).find((value) => typeof value === "string") ?? "";
