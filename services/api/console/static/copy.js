// Copying to the clipboard, with a word of it in the button.
import { announce, write } from "./live.js";

const COPIED_MS = 2000;

/** `button` copies the text of `shown()`, an element, as it is when it is pressed. */
export function copies(button, shown) {
  const word = button.textContent;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(shown().textContent);
      write(button, "Copied");
      announce("Copied.");
    } catch {
      getSelection().selectAllChildren(shown()); // there is no clipboard without https: it is marked instead
      write(button, "Press Ctrl+C");
    }
    setTimeout(() => write(button, word), COPIED_MS);
  });
}
