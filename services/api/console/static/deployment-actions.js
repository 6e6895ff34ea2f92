// What may be asked of a deployment: its buttons, the dialog that scales it, and what confirms the rest.
import { ask } from "./api.js";
import { confirm } from "./confirm.js";
import { address } from "./deployment-store.js";
import { FormDialog } from "./form-dialog.js";
import { figure } from "./problems.js";
import { WORDS } from "./words.js";

const ENDING = ["pause", "delete"]; // its replicas go
const bar = document.getElementById("actions");
const change = document.getElementById("change");
const dialog = new FormDialog(document.getElementById("scale"));

/** Only what is possible now. */
export function drawActions({ actions, name, owner }) {
  const lives = actions.includes("delete");
  for (const button of bar.querySelectorAll("button")) button.hidden = !(actions.includes(button.dataset.verb) || (lives && button.dataset.verb === "scale"));
  change.hidden = !lives;
  const query = new URLSearchParams({ deployment: name, ...(owner && { organization: owner }) });
  change.href = `/console/launch?${query}`;
}

/** `deployment()` as it is known now; `done(view)` is called with what the API answers. */
export function offerActions(deployment, done) {
  bar.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.verb === "scale") scale(deployment(), done);
    else intend(deployment(), button, done);
  });
}

function scale(deployment, done) {
  const { min_replicas: least, max_replicas: most } = deployment.wish.scaling;
  dialog.open({
    title: `Scale ${deployment.name}`,
    verb: "Scale",
    values: { min_replicas: least, max_replicas: most },
    send: (inputs) => {
      const body = { min_replicas: figure(inputs.min_replicas) ?? undefined, max_replicas: figure(inputs.max_replicas) ?? undefined };
      return ask(address("/deployments", deployment, "/scale"), { method: "POST", body });
    },
    done: async (answer) => done(await answer.json()),
  });
}

function intend(deployment, { dataset: { verb }, textContent: word }, done) {
  const { name, model, ready } = deployment;
  const ends = ENDING.includes(verb);
  const serves = ends && ready ? `${ready} of its replicas ${ready === 1 ? "serves" : "serve"} ${model}. ` : "";
  confirm({
    title: `${word} ${name}?`,
    words: `${serves}${WORDS.deployments.consequences[verb]}${verb === "delete" ? " This cannot be undone." : ""}`,
    verb: word,
    danger: verb === "delete",
    path: verb === "delete" ? address("/deployments", deployment) : address("/deployments", deployment, `/${verb}`),
    method: verb === "delete" ? "DELETE" : "POST",
    done: async (answer) => done(await answer.json()),
  });
}
