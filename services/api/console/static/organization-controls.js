// What an administrator does with an organisation and what it offers.
import { all, ask } from "./api.js";
import { confirm } from "./confirm.js";
import { FormDialog } from "./form-dialog.js";
import { announce, write } from "./live.js";
import { change, remove } from "./organization-form.js";
import { tell } from "./problems.js";

const byId = (id) => document.getElementById(id);
const organization = JSON.parse(byId("organization").dataset.organization);
const path = `/organizations/${organization.slug}/offerings`;
const dialog = new FormDialog(byId("add"));
const problem = byId("problem");
const again = () => location.reload();
const named = (element) => {
  const { code } = element.closest("tr").dataset;
  return { name: `${organization.slug}/${code}`, at: `${path}/${encodeURIComponent(code)}` };
};

async function switched(box) {
  const { name, at } = named(box);
  const active = box.checked;
  const word = active ? "active" : "off";
  box.disabled = true;
  try {
    await ask(at, { method: "PATCH", body: { active } });
    write(box.closest("td").querySelector("[data-of=active]"), word);
    problem.hidden = true;
    announce(`${name} is ${word}.`);
  } catch (error) {
    box.checked = !active;
    tell(problem, error);
  } finally {
    box.disabled = false;
    box.focus();
  }
}

async function suggest() {
  const models = await all("/models");
  byId("models").replaceChildren(...models.map(({ model }) => new Option(model, model)));
}

byId("change").addEventListener("click", () => change(organization, again));
byId("remove").addEventListener("click", () => remove(organization, () => location.assign("/console/organizations")));
byId("offer").addEventListener("click", () => {
  dialog.open({
    title: "Offer a model",
    verb: "Offer",
    send: ({ code, model }) => ask(path, { method: "POST", body: { code: code.value.trim(), model: model.value.trim() } }),
    done: again,
  });
});
byId("offerings")?.addEventListener("change", (event) => switched(event.target));
byId("offerings")?.addEventListener("click", ({ target }) => {
  const button = target.closest("[data-verb=remove], [data-verb=unshadow]");
  if (!button) return;
  const { name, at } = named(button);
  const asked = {
    remove: {
      title: `Delete ${name}?`,
      words: `Requests for ${name} are then answered with 404. The model itself stays.`,
      verb: "Delete",
      path: at,
    },
    unshadow: {
      title: `Remove the public model ${name} from the catalogue?`,
      words: `The offering ${name} answers again. The public model returns when an administrator adds or launches it.`,
      verb: "Remove it",
      path: `/models/${button.dataset.model}`,
    },
  };
  confirm({ ...asked[button.dataset.verb], danger: true, method: "DELETE", done: again });
});
suggest().catch((error) => tell(problem, error));
