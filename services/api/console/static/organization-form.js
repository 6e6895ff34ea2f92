// Making, changing and deleting an organisation: the dialogs of organization_dialogs.html.
import { ask } from "./api.js";
import { confirm } from "./confirm.js";
import { FormDialog } from "./form-dialog.js";
import { figure } from "./problems.js";

const dialog = new FormDialog(document.getElementById("edit"));
const at = (slug) => `/organizations/${encodeURIComponent(slug)}`;

function limits({ max_instances: instances, spend_per_hour: hour, spend_per_month: month, at_limit: reached }) {
  return { max_instances: figure(instances), spend_per_hour: figure(hour), spend_per_month: figure(month), at_limit: reached.value };
}

export function make(done) {
  dialog.open({
    title: "Make an organisation",
    verb: "Make",
    send: (inputs) => {
      const [slug, name] = [inputs.slug.value.trim(), inputs.name.value.trim() || null];
      return ask("/organizations", { method: "POST", body: { slug, name, insist: inputs.insist.checked, ...limits(inputs) } });
    },
    done,
  });
}

/** `organization` as the API tells it. */
export function change(organization, done) {
  dialog.open({
    title: `Change ${organization.slug}`,
    verb: "Change",
    changing: true,
    values: organization,
    send: (inputs) => ask(at(organization.slug), { method: "PATCH", body: { name: inputs.name.value.trim() || organization.slug, ...limits(inputs) } }),
    done,
  });
}

export function remove({ slug }, done) {
  confirm({
    title: `Delete ${slug}?`,
    words: "Its keys are refused from now on, and its offerings are deleted. This cannot be undone.",
    verb: "Delete",
    danger: true,
    path: at(slug),
    method: "DELETE",
    done,
  });
}
