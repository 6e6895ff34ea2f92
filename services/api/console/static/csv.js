// Tables as CSV (RFC 4180), safe to be opened in a spreadsheet.
const FORMULA = /^[=+\-@\t\r]/; // https://owasp.org/www-community/attacks/CSV_Injection

/** Rows of texts, numbers and nulls. A text that a spreadsheet would take for a formula gets an apostrophe before it. */
export const csv = (rows) => rows.map((row) => `${row.map(cell).join(",")}\r\n`).join("");

function cell(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

export function download(name, rows) {
  const address = URL.createObjectURL(new Blob([csv(rows)], { type: "text/csv;charset=utf-8" }));
  const link = Object.assign(document.createElement("a"), { href: address, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(address)); // the browser has begun to read it by then
}
