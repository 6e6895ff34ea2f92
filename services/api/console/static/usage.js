// The page of usage: one period, what the servers have cost in it, and what was asked of the models.
import { get, now, Refusal } from "./api.js";
import { costRows, showCosts } from "./costs.js";
import { download } from "./csv.js";
import { announce, write } from "./live.js";
import { Names } from "./names.js";
import { dayOf, periodOf, shifted } from "./period.js";
import { Problems } from "./problems.js";
import { inWords, left, showModels, showSums, sumRows, untold } from "./requests.js";
import { isUntouched } from "./untouched.js";

const byId = (id) => document.getElementById(id);
const form = byId("filters");
const figures = byId("figures");
const problems = new Problems(form);
const { period: preset, from, to, organization, by } = form.elements;
const { role, keyId, keyName } = form.dataset;
const names = new Names(role, { id: keyId, name: keyName });
const costs = role === "user" ? null : byId("costs");
const BY_DEFAULT = { period: "30", by: "model" };
let given = {}; // the days that were asked for, also what is no day
let shown = null;
let asking = 0;
let typing = false; // a day that is none yet

const nameOf = (kind, id) => (kind === "model" || kind === "day" ? id : id === null ? "none" : names.of(kind, id));
const pageOf = (kind, id) => (kind === "instance" && costs ? `/console/instances/${id}` : null);

function query(period, more = {}) {
  const asked = { ...period, ...(organization?.value ? { organization: organization.value } : {}), ...more };
  return new URLSearchParams(Object.entries(asked).filter(([, value]) => value));
}

/** What is asked for, as it stands in the form: asked, and shown unless something else was asked for meanwhile. */
async function load() {
  const mine = (asking += 1);
  const period = periodOf(preset.value, given, dayOf(now()));
  const grouped = by.value;
  figures.setAttribute("aria-busy", "true");
  try {
    const [models, sums, cost] = await Promise.all([
      get(`/usage?${query(period, { group_by: "model" })}`),
      grouped === "model" ? null : get(`/usage?${query(period, { group_by: grouped })}`),
      costs && get(`/costs?${query(period)}`),
      costs && names.load("organization"),
      names.load(grouped),
    ]);
    if (mine !== asking) return;
    const { items, truncated } = sums ?? models;
    shown = { period, by: grouped, models: models.items, sums: items, truncated, costs: cost ?? { items: [], unpriced: 0 } };
    problems.clear();
    draw();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (mine !== asking) return;
    problems.clear();
    problems.show(error, { moves: !form.contains(document.activeElement) }); // somebody may be typing a day
    drawOrganizations();
    figures.hidden = true;
  } finally {
    if (mine === asking) figures.removeAttribute("aria-busy");
  }
}

function draw() {
  const { period, models, sums } = shown;
  if (!typing) [from.value, to.value] = [period.from, period.to];
  figures.hidden = false;
  drawOrganizations();
  if (costs) {
    showCosts(costs, shown.costs, { period, today: dayOf(now()), nameOf: (id) => names.of("organization", id) });
    byId("cost-csv").hidden = !shown.costs.items.length;
  }
  showModels(byId("models"), models, period);
  write(byId("requests-sum"), models.length ? inWords(models) : "");
  byId("sums").hidden = !sums.length;
  showSums(byId("sums").querySelector("table"), sums, shown.by, { nameOf, pageOf });
  write(byId("cut"), left(sums, shown.truncated));
  write(byId("untold"), untold(models));
  announce(`${period.from} to ${period.to}: ${models.length ? inWords(models) : "nothing was used"}.`);
}

function drawOrganizations() {
  if (!organization) return;
  const [chosen, any] = [organization.value, organization.options[0]];
  organization.replaceChildren(any, ...names.slugs.map((slug) => new Option(slug, slug)));
  if (chosen && !names.slugs.includes(chosen)) organization.add(new Option(chosen, chosen));
  organization.value = chosen;
}

/** The days stay in the address only if they were given: what is said as "30 days" means others tomorrow. */
function remember() {
  const asked = { period: preset.value, ...(preset.value === "days" ? given : {}), by: by.value, organization: organization?.value };
  if (asked.period === "days") delete asked.period;
  const kept = Object.entries(asked).filter(([name, value]) => value && value !== BY_DEFAULT[name]);
  history.replaceState(null, "", kept.length ? `?${new URLSearchParams(kept)}` : location.pathname);
}

function recall() {
  const asked = new URLSearchParams(location.search);
  given = Object.fromEntries(["from", "to"].map((name) => [name, asked.get(name)]).filter(([, value]) => value));
  preset.value = Object.keys(given).length ? "days" : (asked.get("period") ?? BY_DEFAULT.period);
  [from.value, to.value] = [given.from, given.to].map((day) => shifted(day, 0)); // an input takes no other words
  by.value = asked.get("by") ?? BY_DEFAULT.by;
  if (!by.value) by.value = BY_DEFAULT.by;
  if (!organization || !asked.get("organization")) return;
  organization.add(new Option(asked.get("organization"), asked.get("organization")));
  organization.value = asked.get("organization");
}

/** While one types a year it is the 2nd, the 20th, the 202nd; that is looked at once its field is left. */
const isBeingTyped = (day) => day === document.activeElement && (day.validity.badInput || (day.value !== "" && day.value < "1000"));

function chosen() {
  typing = false;
  if (preset.value === "days") given = { from: from.value, to: to.value };
  remember();
  load();
}

form.addEventListener("change", ({ target }) => {
  if (target === from || target === to) {
    preset.value = "days";
    typing = isBeingTyped(target);
  }
  if (!typing) chosen();
});
for (const day of [from, to]) day.addEventListener("blur", () => typing && chosen());
form.addEventListener("submit", (event) => event.preventDefault());
by.addEventListener("change", () => {
  remember();
  load();
});
byId("cost-csv")?.addEventListener("click", () =>
  download(`costs-${shown.period.from}-${shown.period.to}.csv`, costRows(shown.costs.items, (id) => names.of("organization", id))));
byId("requests-csv").addEventListener("click", () =>
  download(`requests-by-${shown.by}-${shown.period.from}-${shown.period.to}.csv`, sumRows(shown.sums, shown.by, nameOf)));
if (isUntouched(form)) recall();
else given = { from: from.value, to: to.value };
load();
