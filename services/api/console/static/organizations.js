// The organisations, for administrators: making, changing and deleting them.
import { change, make, remove } from "./organization-form.js";

const again = () => location.reload();

document.getElementById("make").addEventListener("click", () => make(again));
document.getElementById("organizations")?.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (button) ({ change, remove })[button.dataset.verb](JSON.parse(button.closest("tr").dataset.organization), again);
});
