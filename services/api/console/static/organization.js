// One organisation: its names are there to be copied.
import { copies } from "./copy.js";

for (const button of document.querySelectorAll("#offerings [data-verb=copy]")) {
  copies(button, () => button.closest("tr").querySelector("code"));
}
