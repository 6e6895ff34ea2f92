// The audit log comes with its page. Only its times are written for who reads them.
import { exact, moment } from "./format.js";
import { write } from "./live.js";

for (const time of document.querySelectorAll("#rows time")) {
  const at = Date.parse(time.dateTime);
  write(time, moment(at));
  time.title = exact(at);
}
