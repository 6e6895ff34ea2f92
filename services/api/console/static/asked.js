// Who asked for something, in words.
const WORDS = {
  key: (name) => `asked for by key ${name}`,
  session: (name) => `asked for by ${name} in the console`,
  service: (name) => `asked for by service ${name}`,
};

/** Of `requested_by`; empty if nobody asked, or nobody recorded it. */
export const askedBy = (actor) => (actor ? WORDS[actor.kind](actor.name) : "");
