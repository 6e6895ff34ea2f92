// The organisations that something may be of; only administrators choose.
import { get } from "./api.js";

/** All of them, as options of this select, if the page has it; `chosen` is the id of the one that is chosen, or null. */
export async function offerOwners(select, chosen = null) {
  if (!select) return;
  const { items } = await get("/organizations");
  const owner = items.find(({ id }) => id === chosen);
  select.append(...items.map(({ slug, name }) => new Option(name === slug ? slug : `${slug} (${name})`, slug)));
  if (owner) select.value = owner.slug;
}
