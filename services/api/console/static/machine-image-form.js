// The form that asks for the build of a machine image: of one type, in one zone.
import { ask, Refusal } from "./api.js";
import { joined } from "./arguments.js";
import { ANY } from "./choices.js";
import { chooseBefore, types, watchOffers, zones } from "./offers.js";
import { offerOwners } from "./owners.js";
import { Problems, tell } from "./problems.js";
import { isUntouched } from "./untouched.js";
import { WantedModel, wishOf } from "./wanted-model.js";

const byId = (id) => document.getElementById(id);
const form = byId("build");
const { model, provider, organization, revision, image, vllm_args: options } = form.elements;
const again = new URLSearchParams(location.search).get("again"); // the build that failed; null: none
const problems = new Problems(form, {
  input: (field) => ({ instance_type: types, zone: zones })[field]?.input(),
  said: (field, detail) => (field === "instance_type" && types.value === ANY ? "Choose the type whose launches are to boot from it." : detail),
});
const wantedModel = new WantedModel(form);
const chosen = ({ value }) => (value === ANY ? undefined : value[0]);
const typed = ({ value }) => value.trim() || undefined;

const body = () => ({
  instance_type: chosen(types),
  zone: chosen(zones),
  provider: provider.value || undefined,
  model: typed(model),
  revision: typed(revision),
  image: typed(image),
  vllm_args: wantedModel.options,
  organization: organization.value || undefined,
});

async function build() {
  problems.clear();
  byId("submit").disabled = true;
  try {
    await ask("/machine-images", { method: "POST", body: body() });
    location.assign("/console/machine-images");
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    problems.show(error);
  } finally {
    byId("submit").disabled = false;
  }
}

form.addEventListener("submit", (event) => {
  event.preventDefault();
  build();
});

/** The wish of a build that failed, unless somebody has begun to fill in another. */
async function fillAgain() {
  const before = await wishOf(again);
  if (!isUntouched(form)) return;
  [model.value, options.value] = [before.model, joined(before.vllm_args)];
  [revision.value, image.value] = [before.revision ?? "", before.image ?? ""];
  chooseBefore(before);
  await offerOwners(organization, before.organization_id);
}

(again ? fillAgain() : offerOwners(organization))
  .catch((error) => tell(byId("problem"), error))
  .finally(() => {
    if (model.value) wantedModel.search(); // it may have been typed while this was on its way
    watchOffers();
  });
