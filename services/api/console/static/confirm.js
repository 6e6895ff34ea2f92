// What cannot be taken back is done only when it is confirmed: the dialog of confirm.html.
import { ask, Refusal } from "./api.js";
import { announce, write } from "./live.js";
import { tell } from "./problems.js";

const dialog = document.getElementById("confirm");
const [title, words, problem, proceed] = ["title", "words", "problem", "do"].map((part) => document.getElementById(`confirm-${part}`));
let asked = null;

/**
 * Ask, and when it is confirmed send `method` to `path`, or do what `send()` does, then call `done(answer)`; what is
 * refused is said in the dialog.
 * `verb` is what the button says. `before`, a promise, is said before the words once it is known.
 */
export function confirm({ title: asks, words: text, before = null, verb, danger = false, path, method, send = () => ask(path, { method }), done = () => undefined }) {
  const mine = { send, done };
  asked = mine;
  write(title, asks);
  write(words, text);
  write(proceed, verb);
  problem.hidden = true;
  proceed.disabled = false;
  proceed.classList.toggle("danger", danger);
  dialog.showModal();
  before?.then((known) => asked === mine && write(words, `${known} ${text}`));
}

proceed.addEventListener("click", async () => {
  const mine = asked; // the dialog may be closed, and ask of something else, before this is answered
  proceed.disabled = true;
  try {
    const answer = await mine.send();
    if (asked === mine) dialog.close();
    await mine.done(answer);
  } catch (error) {
    if (asked !== mine && error instanceof Refusal) return announce(`${error.title}. ${error.message}`);
    tell(problem, error);
    if (!dialog.open) dialog.showModal(); // it was closed before it was refused
  } finally {
    if (asked === mine) proceed.disabled = false;
  }
});
