// The keys: who may ask, on whose behalf, and how much. A new one is shown once, and only here.
import { ask, get, signIn } from "./api.js";
import { confirm } from "./confirm.js";
import { copies } from "./copy.js";
import { FormDialog } from "./form-dialog.js";
import { day, exact } from "./format.js";
import { announce, write } from "./live.js";
import { figure, tell } from "./problems.js";

const AT_ONCE = 100;
const MODELS_SHOWN = 2;
const LIMITS = ["requests_per_minute", "tokens_per_minute", "max_concurrent"];
const ROLES = { admin: "administrator", user: "user" };
const byId = (id) => document.getElementById(id);
const rows = byId("rows");
const template = byId("row").content.firstElementChild;
const mine = byId("keys").dataset.mine;
const more = byId("more");
const keys = new Map();
const slugs = new Map();
const dialog = new FormDialog(byId("edit"), {
  said: (field, detail, at) => (field === "allowed_models" && at !== undefined ? `Model ${Number(at) + 1}: ${detail}` : detail),
});
let cursor = "";

async function load() {
  more.disabled = true;
  try {
    const page = await get(`/api-keys?limit=${AT_ONCE}${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    cursor = page.next_cursor ?? "";
    const added = page.items.map(row);
    rows.append(...added);
    if (document.activeElement === document.body) added[0]?.querySelector("button").focus();
    byId("problem").hidden = true;
  } catch (error) {
    tell(byId("problem"), error);
  } finally {
    more.disabled = false;
    more.hidden = !cursor;
    draw();
  }
}

function draw() {
  byId("keys").hidden = !keys.size;
  byId("nothing").hidden = keys.size > 0 || !byId("problem").hidden;
  write(byId("nothing"), "There is no key yet but that of the settings.");
  write(byId("count"), cursor ? `the newest ${keys.size}` : String(keys.size || ""));
}

function row(key) {
  const element = template.cloneNode(true);
  element.dataset.id = key.id;
  fill(element, key);
  return element;
}

function fill(element, key) {
  const part = (name) => element.querySelector(`[data-of=${name}]`);
  keys.set(key.id, key);
  const made = Date.parse(key.created_at);
  write(part("name"), key.name);
  write(part("prefix"), `${key.prefix}…`);
  part("yours").hidden = key.id !== mine;
  write(part("role"), ROLES[key.role]);
  const figures = LIMITS.map((limit) => [limit, key[limit]?.toLocaleString()]);
  for (const [name, value] of [["organization", key.organization_id && (slugs.get(key.organization_id) ?? "deleted")], ...figures]) {
    write(part(name), value ?? "—");
    part(name).toggleAttribute("data-none", !value);
  }
  write(part("allowed_models"), inShort(key.allowed_models));
  part("allowed_models").title = key.allowed_models?.join("\n") ?? "";
  write(part("made"), day(made));
  part("made").title = exact(made);
  for (const [name, does] of [["change", "Change the limits of"], ["revoke", "Revoke"]]) part(name).setAttribute("aria-label", `${does} ${key.name}`);
}

function inShort(models) {
  if (!models) return "any";
  const beyond = models.length - MODELS_SHOWN;
  return [...models.slice(0, MODELS_SHOWN), ...(beyond > 0 ? [`and ${beyond} more`] : [])].join("\n");
}

function limits(inputs) {
  const models = inputs.allowed_models.value.split("\n").map((line) => line.trim()).filter(Boolean);
  return { ...Object.fromEntries(LIMITS.map((limit) => [limit, figure(inputs[limit])])), allowed_models: models.length ? models : null };
}

const sent = async (path, method, body) => (await ask(path, { method, body })).json();

function make(inputs) {
  const { name, role, organization } = inputs;
  return sent("/api-keys", "POST", { name: name.value.trim(), role: role.value, organization: organization.value || null, ...limits(inputs) });
}

function show({ key, ...made }) {
  rows.prepend(row(made));
  draw();
  write(byId("made-name"), made.name);
  write(byId("made-key"), key);
  byId("made").hidden = false;
  byId("made").focus();
}

function change(key, element) {
  dialog.open({
    title: `Limits of ${key.name}`,
    verb: "Change",
    changing: true,
    values: { ...key, allowed_models: key.allowed_models?.join("\n") },
    send: (inputs) => sent(`/api-keys/${key.id}`, "PATCH", limits(inputs)),
    done: (changed) => {
      fill(element, changed);
      announce(`The limits of ${key.name} are changed.`);
    },
  });
}

function revoke(key, element) {
  const own = key.id === mine;
  const words = "Every request with it is refused from now on. This cannot be undone.";
  confirm({
    title: `Revoke ${key.name}?`,
    words: own ? `You are signed in with this very key, and will be signed out. ${words}` : words,
    verb: "Revoke",
    danger: true,
    path: `/api-keys/${key.id}`,
    method: "DELETE",
    done: () => {
      if (own) {
        signIn();
        return;
      }
      keys.delete(key.id);
      element.remove();
      draw();
      byId("make").focus();
      announce(`${key.name} is revoked.`);
    },
  });
}

rows.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  const element = button?.closest("tr");
  if (button) ({ change, revoke })[button.dataset.of](keys.get(element.dataset.id), element);
});
more.addEventListener("click", load);
byId("make").addEventListener("click", () => dialog.open({ title: "Make a key", verb: "Make", send: make, done: show }));
byId("made-done").addEventListener("click", () => {
  byId("made").hidden = true;
  write(byId("made-key"), "");
  byId("make").focus();
});
copies(byId("copy"), () => byId("made-key"));

get("/organizations")
  .then(({ items }) => {
    for (const { id, slug } of items) slugs.set(id, slug);
    byId("organization").append(...[...slugs.values()].sort().map((slug) => new Option(slug, slug)));
    return load();
  })
  .catch((error) => {
    tell(byId("problem"), error);
    draw();
  });
