// One webhook: whether its messages arrive, what was sent, and what may be done with it.
import { ask, get, now, read, Refusal } from "./api.js";
import { confirm } from "./confirm.js";
import { FormDialog } from "./form-dialog.js";
import { exact, moment, nextTry } from "./format.js";
import { announce, set, write } from "./live.js";
import { figure, tell } from "./problems.js";
import { change, offer } from "./webhook-form.js";
import { showSecret } from "./webhook-secret.js";
import { gets, LABELS, owner, TONES, why } from "./webhook-words.js";

const EVERY_MS = 5000; // whether a message arrived is in no event
const SOON_MS = 250; // while a test is on its way
const TEST_MS = 30_000; // longer than the service waits for a receiver
const STATES = { pending: ["waiting", "progress"], delivered: ["delivered", "good"], undelivered: ["given up", "bad"] };
const byId = (id) => document.getElementById(id);
const page = byId("webhook");
const { id } = page.dataset;
const path = `/webhooks/${id}`;
const template = byId("row").content.firstElementChild;
const { state } = byId("filters").elements;
const replaying = new FormDialog(byId("replay"));
const rows = new Map();
let webhook = null;
let cursor = "";
let followed = 0; // pages of deliveries that are shown

function draw(told) {
  const before = webhook?.status;
  webhook = told;
  page.dataset.tone = TONES[told.status];
  write(byId("head").firstChild, `${told.url} `);
  write(byId("status"), LABELS[told.status]);
  const former = told.former_secret_until && Date.parse(told.former_secret_until) > now();
  const facts = [told.description, why(told), `gets ${gets(told)}`, `owner: ${owner(told)}`, `${told.waiting.toLocaleString()} waiting`];
  write(byId("facts"), [...facts, former && `the former secret counts until ${moment(Date.parse(told.former_secret_until))}`].filter(Boolean).join("  ·  "));
  for (const [verb, shown] of [["off", told.enabled], ["on", !told.enabled]]) byId("actions").querySelector(`[data-verb=${verb}]`).hidden = !shown;
  if (before && before !== told.status) announce(`The webhook is ${LABELS[told.status]}.`);
}

const address = (after) => `${path}/deliveries?limit=50${state.value && `&state=${state.value}`}${after && `&cursor=${encodeURIComponent(after)}`}`;

/** The newest; what was asked for beyond stays as it was. */
async function loadDeliveries() {
  const asked = state.value;
  const { items, next_cursor: next } = await get(address(""), { stays: true });
  if (asked !== state.value) return [];
  if (followed <= 1) cursor = next ?? "";
  followed ||= 1;
  const known = new Set(items.map((one) => one.id));
  const older = followed > 1 ? [...byId("rows").children].filter(({ dataset }) => !known.has(dataset.id)) : [];
  byId("rows").replaceChildren(...items.map(rowOf), ...older);
  drawList();
  return items;
}

function drawList() {
  byId("listed").hidden = !byId("rows").children.length;
  byId("nothing").hidden = !byId("listed").hidden;
  write(byId("nothing"), state.value ? "No delivery is in this state." : "Nothing was sent yet. Send a test, or replay past events.");
  byId("more").hidden = !cursor;
}

async function more() {
  byId("more").disabled = true;
  try {
    const { items, next_cursor: next } = await get(address(cursor));
    cursor = next ?? "";
    followed += 1;
    byId("rows").append(...items.map(rowOf));
    drawList();
  } catch (error) {
    tell(byId("problem"), error);
  } finally {
    byId("more").disabled = false;
  }
}

function rowOf(delivery) {
  if (!rows.has(delivery.id)) rows.set(delivery.id, template.cloneNode(true));
  const row = rows.get(delivery.id);
  const part = (name) => row.querySelector(`[data-of=${name}]`);
  const [words, tone] = STATES[delivery.state];
  const waits = delivery.state === "pending" && delivery.tries > 0 && delivery.next_try_at;
  const since = Date.parse(delivery.finished_at ?? delivery.tried_at ?? delivery.created_at);
  row.dataset.id = delivery.id;
  set(row, "data-tone", tone);
  write(part("type"), delivery.type);
  part("kind").hidden = delivery.kind === "event";
  write(part("kind"), delivery.kind);
  write(part("message"), delivery.message_id);
  write(part("state"), words);
  write(part("next"), waits ? nextTry(delivery, now()) : "");
  write(part("answer"), answer(delivery));
  write(part("tries"), String(delivery.tries));
  write(part("sequence"), delivery.sequence === null ? "—" : String(delivery.sequence));
  write(part("since"), moment(since));
  part("since").title = exact(since);
  return row;
}

const answer = ({ status, reason }) => reason ?? (status === null ? "—" : String(status));

/** What came of a test, once it is known. */
async function test() {
  const sent = await read(await ask(`${path}/test`, { method: "POST" }));
  say("The test is on its way …");
  const until = Date.now() + TEST_MS;
  state.value = "";
  while (Date.now() < until) {
    const found = (await loadDeliveries()).find((one) => one.id === sent.id);
    if (found && found.state !== "pending") return sayTest(found);
    await new Promise((go) => setTimeout(go, SOON_MS));
  }
  say("The test has not been sent yet. Does the service webhooks run?", "bad");
}

function sayTest(found) {
  if (found.state === "delivered") say(`The test has arrived: the receiver answered ${found.status}.`);
  else say(`The test has failed: ${answer(found)}.`, "bad");
}

function say(words, kind = "") {
  byId("problem").hidden = true;
  byId("said").className = `notice below ${kind}`;
  write(byId("said"), words);
  byId("said").hidden = false;
  announce(words);
}

const DO = {
  test,
  change: async () => change(webhook, draw),
  replay: async () =>
    replaying.open({
      title: "Replay",
      verb: "Replay",
      send: async ({ from_sequence: sequence, from_time: time }) =>
        read(await ask(`${path}/replay`, { method: "POST", body: { from_sequence: figure(sequence), from_time: time.value.trim() || null } })),
      done: ({ from_sequence: from, through_sequence: through }) =>
        say(from > through ? "There is no event from there on yet." : `The events from ${from} to ${through} are sent again.`),
    }),
  rotate: async () =>
    confirm({
      title: "Rotate the secret?",
      words: "Messages are signed with a new secret, and for 24 hours with the former one, too.",
      verb: "Rotate",
      path: `${path}/rotate-secret`,
      method: "POST",
      done: async (response) => {
        const { secret, ...told } = await read(response);
        draw(told);
        showSecret({
          title: "The secret is rotated",
          words: "The new one is shown only now. Give it to the receiver within 24 hours.",
          secret,
          done: () => byId("actions").querySelector("[data-verb=rotate]").focus(),
        });
      },
    }),
  off: () => turn(false),
  on: () => turn(true),
  remove: async () =>
    confirm({
      title: "Delete the webhook?",
      words: `Nothing is sent to ${webhook.url} any more, and what waits is lost. This cannot be undone.`,
      verb: "Delete",
      danger: true,
      path,
      method: "DELETE",
      done: () => location.assign("/console/webhooks"),
    }),
};

async function turn(enabled) {
  draw(await read(await ask(path, { method: "PATCH", body: { enabled } })));
  const missed = "It gets what is recorded from now on. Replay sends what it has missed.";
  say(enabled ? `The webhook is switched on. ${missed}` : "The webhook is switched off. Nothing is sent to it, and what waits is kept.");
  byId("actions").querySelector(`[data-verb=${enabled ? "off" : "on"}]`).focus();
}

async function refresh() {
  try {
    if (document.visibilityState === "visible" || !webhook) {
      draw(await get(path, { stays: true }));
      await loadDeliveries();
    }
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (!webhook || error.status === 404) tell(byId("problem"), error);
  }
  setTimeout(refresh, EVERY_MS);
}

byId("actions").addEventListener("click", async ({ target }) => {
  const button = target.closest("button");
  if (!button || !webhook) return;
  button.disabled = true;
  try {
    await DO[button.dataset.verb]();
  } catch (error) {
    byId("said").hidden = true;
    tell(byId("problem"), error);
  } finally {
    button.disabled = false;
  }
});
state.addEventListener("change", () => {
  followed = 0;
  loadDeliveries().catch((error) => tell(byId("problem"), error));
});
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("more").addEventListener("click", more);
offer().catch((error) => {
  if (!(error instanceof Refusal)) throw error;
});
refresh();
