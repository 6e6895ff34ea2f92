// A command line's words, as a shell takes them apart.
const PART = /(\\\r?\n|\s+)|'([^']*)'|"((?:[^"\\]|\\.)*)"|\\(.)|([^\s'"\\]+)|(['"\\])/gs;

/** These words as a command line. */
export const joined = (words) => words.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`)).join(" ");

/** Quotes keep words together, a backslash takes the meaning of what follows; null where a quote has no end. */
export function split(text) {
  const words = [];
  let word = null;
  for (const [, gap, single, double, escaped, plain, odd] of text.matchAll(PART)) {
    if (odd) return null;
    if (gap === undefined) word = (word ?? "") + (single ?? double?.replace(/\\(["\\$`])/g, "$1") ?? escaped ?? plain);
    else if (/^\s/.test(gap) && word !== null) {
      words.push(word);
      word = null;
    }
  }
  return word === null ? words : [...words, word];
}
