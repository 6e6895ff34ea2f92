// What may be asked of an instance, on its page.
import { get } from "./api.js";
import { confirm } from "./confirm.js";
import { write } from "./live.js";
import { WORDS } from "./words.js";

const byId = (id) => document.getElementById(id);

/** The past is not to be changed; the place of the buttons stays theirs. */
export function drawActions({ actions }, live) {
  for (const button of byId("actions").children) button.hidden = !actions.includes(button.dataset.verb);
  byId("actions").style.visibility = live ? "visible" : "hidden";
}

/** As the command line says it: what would be cut off. */
async function serves({ id, model }) {
  const { instances } = await get(`/models/resolve?model=${encodeURIComponent(model)}`).catch(() => ({ instances: [] }));
  const running = instances.find((one) => one.id === id)?.in_flight ?? "an unknown number of";
  return `It serves ${model}, with ${running} requests in flight.`;
}

/** `its()` is the instance as it is now. */
export function offerActions(id, its) {
  byId("actions").addEventListener("click", (event) => {
    const verb = event.target.closest("button")?.dataset.verb;
    if (!verb) return;
    const word = verb[0].toUpperCase() + verb.slice(1);
    const ending = verb === "terminate";
    const instance = its();
    const cutsOff = (ending || verb === "reinstall") && instance.serving;
    confirm({
      title: `${word} ${instance.name}?`,
      words: WORDS.consequences[verb],
      before: cutsOff ? serves(instance) : null,
      verb: word,
      danger: ending,
      path: ending ? `/instances/${id}` : `/instances/${id}/${verb}`,
      method: ending ? "DELETE" : "POST",
    });
  });

  byId("relaunch").addEventListener("click", () =>
    confirm({
      title: `Relaunch ${its().name}?`,
      words: WORDS.consequences.relaunch,
      verb: "Relaunch",
      path: `/instances/${id}/relaunch`,
      method: "POST",
      done: async (answer) => relaunched(await answer.json()),
    }),
  );
}

/** On to the new instance, unless there is something to be read first. */
function relaunched({ id: next, warnings }) {
  const address = `/console/instances/${next}`;
  if (!warnings.length) return location.assign(address);
  const [words, link] = byId("relaunched").children;
  write(words, warnings.join(" "));
  link.href = address;
  byId("relaunched").hidden = false;
}
