// The organisations that something may be of; only administrators choose.
import { get } from "./api.js";

/** All of them, as options of this select, if the page has it. */
export async function offerOwners(select) {
  if (!select) return;
  const { items } = await get("/organizations");
  select.append(...items.map(({ slug, name }) => new Option(name === slug ? slug : `${slug} (${name})`, slug)));
}
