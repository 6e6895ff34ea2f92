// Durations as two inputs: a number, and its unit in seconds, which is called like the number with "_unit" behind it.
import { figure } from "./problems.js";

/** In seconds; null: nothing was typed. What is no number goes as it is. */
export function lasting(form, field) {
  const [count, unit] = [figure(form.elements[field]), Number(form.elements[`${field}_unit`].value)];
  return typeof count === "number" ? Math.round(count * unit) : count;
}

/** In the largest unit of which it is a whole number. */
export function setLasting(form, field, seconds) {
  const unit = form.elements[`${field}_unit`];
  const fitting = [...unit.options].map((one) => Number(one.value)).filter((one) => seconds % one === 0);
  unit.value = String(seconds ? Math.max(...fitting) : unit.options[0].value);
  form.elements[field].value = String(seconds / Number(unit.value));
}
