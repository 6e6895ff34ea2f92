// A webhook's secret, which the API tells only once: the section of webhook_parts.html.
import { copies } from "./copy.js";
import { write } from "./live.js";

const byId = (id) => document.getElementById(id);
let after = () => undefined;

/** `done()` when somebody has it. */
export function showSecret({ title, words, secret, done }) {
  write(byId("made-title"), title);
  write(byId("made-words"), words);
  write(byId("made-secret"), secret);
  after = done;
  byId("made").hidden = false;
  byId("made").focus();
}

byId("made-done").addEventListener("click", () => {
  byId("made").hidden = true;
  write(byId("made-secret"), "");
  after();
});
copies(byId("copy"), () => byId("made-secret"));
