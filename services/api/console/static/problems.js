// What the API says is wrong, shown next to the field that it is about, and the rest in a form's notice.
import { write } from "./live.js";

export function clearProblems(form, notice) {
  notice.hidden = true;
  for (const error of form.querySelectorAll(".error")) write(error, "");
  for (const input of form.querySelectorAll("[aria-invalid]")) input.removeAttribute("aria-invalid");
}

/** The field of a form that bears the name in the pointer of a body or a query; undefined when there is none. */
function named(form, { pointer, detail }) {
  const [field] = pointer.split("/").filter(Boolean);
  const errors = field && document.getElementById(`${field}-error`);
  return errors ? { input: form.elements[field], errors, said: detail } : undefined;
}

/** `place` finds where an error belongs: its input, the element that says it, and what is said there. */
export function showProblems(form, notice, refusal, place = (error) => named(form, error)) {
  const placed = refusal.errors.map(place).filter(Boolean);
  for (const { input, errors, said } of placed) {
    write(errors, [errors.textContent, said].filter(Boolean).join("\n"));
    input.setAttribute("aria-invalid", "true");
    if (!input.hasAttribute("aria-describedby")) input.setAttribute("aria-describedby", errors.id);
  }
  const elsewhere = placed.length < refusal.errors.length || !placed.length;
  write(notice, elsewhere ? `${refusal.title}. ${refusal.message}` : `${refusal.title}. What is wrong is said above.`);
  notice.hidden = false;
  placed[0]?.input.focus();
}
