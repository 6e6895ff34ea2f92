// Making and changing a webhook: the dialog of webhook_parts.html.
import { ask, read } from "./api.js";
import { FormDialog } from "./form-dialog.js";
import { offerOwners } from "./owners.js";

const LINES = { events: "Event", models: "Model", organizations: "Organisation" };
const element = document.getElementById("edit");
const { events, organizations } = element.querySelector("form").elements;
const types = document.getElementById("event-types");
const dialog = new FormDialog(element, {
  said: (field, detail, at) => (field in LINES && at !== undefined ? `${LINES[field]} ${Number(at) + 1}: ${detail}` : detail),
});
const sent = async (path, method, body) => read(await ask(path, { method, body }));

function lines({ value }) {
  const found = value.split("\n").map((line) => line.trim()).filter(Boolean);
  return found.length ? found : null;
}

/** As POST and PATCH take it. */
function wanted(inputs) {
  const filters = Object.keys(LINES).filter((name) => inputs[name] && !inputs[name].closest("[hidden]"));
  return {
    url: inputs.url.value.trim(),
    description: inputs.description.value.trim() || null,
    ...Object.fromEntries(filters.map((name) => [name, lines(inputs[name])])),
  };
}

/** `done` gets the webhook, with its secret. */
export function make(done) {
  showOrganizations(true);
  dialog.open({
    title: "Make a webhook",
    verb: "Make",
    send: (inputs) => sent("/webhooks", "POST", { ...wanted(inputs), organization: inputs.organization?.value || null }),
    done,
  });
}

/** `webhook` as the API tells it. */
export function change(webhook, done) {
  showOrganizations(webhook.organization_id === null);
  dialog.open({
    title: "Change the webhook",
    verb: "Change",
    changing: true,
    values: { ...webhook, ...Object.fromEntries(Object.keys(LINES).map((name) => [name, webhook[name]?.join("\n")])) },
    send: (inputs) => sent(`/webhooks/${webhook.id}`, "PATCH", wanted(inputs)),
    done,
  });
}

/** Only the installation's gets events of more than one. */
function showOrganizations(shown) {
  if (organizations) organizations.closest(".field").hidden = !shown;
}

export const offer = () => offerOwners(document.getElementById("organization"));

types.addEventListener("change", () => {
  const known = lines(events) ?? [];
  if (types.value && !known.includes(types.value)) events.value = [...known, types.value].join("\n");
  types.value = "";
});
document.getElementById("organization")?.addEventListener("change", ({ target }) => showOrganizations(!target.value));
