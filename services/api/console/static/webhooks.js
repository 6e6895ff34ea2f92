// The webhooks: where events are sent to, and whether they arrive.
import { get, Refusal } from "./api.js";
import { arrange } from "./element.js";
import { day, exact } from "./format.js";
import { announce, set, write } from "./live.js";
import { tell } from "./problems.js";
import { make, offer } from "./webhook-form.js";
import { showSecret } from "./webhook-secret.js";
import { gets, LABELS, owner, TONES, why } from "./webhook-words.js";

const EVERY_MS = 5000; // whether a message arrived is in no event
const byId = (id) => document.getElementById(id);
const template = byId("row").content.firstElementChild;
const rows = new Map();
const states = new Map();
let began = false;

async function load() {
  const { items } = await get("/webhooks", { stays: true });
  began = true;
  for (const one of items) drawRow(one);
  arrange(byId("rows"), items.map(({ id }) => rows.get(id).element));
  byId("listed").hidden = !items.length;
  byId("none").hidden = items.length > 0;
  byId("nothing").hidden = true;
  const off = items.filter(({ status }) => status !== "active").length;
  write(byId("sum"), items.length ? [`${items.length}`, off && `${off} not active`].filter(Boolean).join(" · ") : "");
}

function rowOf({ id }) {
  if (!rows.has(id)) {
    const element = template.cloneNode(true);
    element.dataset.id = id;
    const parts = Object.fromEntries([...element.querySelectorAll("[data-of]")].map((one) => [one.dataset.of, one]));
    parts.url.href = `/console/webhooks/${id}`;
    rows.set(id, { element, parts });
  }
  return rows.get(id);
}

function drawRow(webhook) {
  const { element, parts } = rowOf(webhook);
  const made = Date.parse(webhook.created_at);
  set(element, "data-tone", TONES[webhook.status]);
  write(parts.url, webhook.url);
  write(parts.description, webhook.description);
  write(parts.status, LABELS[webhook.status]);
  write(parts.why, why(webhook));
  write(parts.gets, gets(webhook));
  parts.gets.title = (webhook.events ?? []).join("\n");
  write(parts.waiting, webhook.waiting.toLocaleString());
  write(parts.owner, owner(webhook));
  write(parts.made, day(made));
  parts.made.title = exact(made);
  const before = states.get(webhook.id);
  if (before && before !== webhook.status) announce(`${webhook.url} is ${LABELS[webhook.status]}.`);
  states.set(webhook.id, webhook.status);
}

async function refresh() {
  try {
    if (document.visibilityState === "visible" || !began) await load();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (!began) tell(byId("nothing"), error);
  }
  setTimeout(refresh, EVERY_MS);
}

byId("make").addEventListener("click", () =>
  make(({ secret, url }) => {
    load().catch(() => null); // the next time may do
    showSecret({
      title: `The webhook to ${url} is made`,
      words: "Its secret is shown only now. The receiver needs it to verify the signatures of messages.",
      secret,
      done: () => byId("make").focus(),
    });
  }),
);
offer().catch((error) => {
  if (!(error instanceof Refusal)) throw error; // an owner that cannot be chosen is the installation
});
refresh();
