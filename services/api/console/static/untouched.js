// What a person has chosen while the page's script was on its way stays.

/** Whether every input of the form is as the page came. */
export const isUntouched = (form) => [...form.elements].every((input) => !input.name || isAsItCame(input));

function isAsItCame(input) {
  if (input.options) return !input.options.length || input.selectedIndex === Math.max(0, [...input.options].findIndex((option) => option.defaultSelected));
  if (["radio", "checkbox"].includes(input.type)) return input.checked === input.defaultChecked;
  return input.value === (input.defaultValue ?? input.value);
}
