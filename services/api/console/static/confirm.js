// What cannot be taken back is done only when it is confirmed: the dialog of confirm.html.
import { ask } from "./api.js";
import { write } from "./live.js";
import { tell } from "./problems.js";

const dialog = document.getElementById("confirm");
const [title, words, problem, proceed] = ["title", "words", "problem", "do"].map((part) => document.getElementById(`confirm-${part}`));
let asked = null;

/**
 * Ask, and when it is confirmed send `method` to `path`, then call `done()`; what is refused is said in the dialog.
 * `verb` is what the button says.
 */
export function confirm({ title: asks, words: told, verb, danger = false, path, method, done = () => undefined }) {
  asked = { path, method, done };
  write(title, asks);
  write(words, told);
  write(proceed, verb);
  problem.hidden = true;
  proceed.classList.toggle("danger", danger);
  dialog.showModal();
}

proceed.addEventListener("click", async () => {
  const { path, method, done } = asked;
  proceed.disabled = true;
  try {
    await ask(path, { method });
    dialog.close();
    await done();
  } catch (error) {
    tell(problem, error);
  } finally {
    proceed.disabled = false;
  }
});
