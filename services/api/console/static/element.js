// Elements made by hand.

/** With this text, these attributes and children. */
export function element(tag, { text = "", ...attributes } = {}, ...children) {
  const made = document.createElement(tag);
  made.append(text, ...children);
  for (const [named, value] of Object.entries(attributes)) made.setAttribute(named, value);
  return made;
}

/** Its children are these, in this order; what is at its place already is not moved, so it keeps the focus. */
export function arrange(parent, children) {
  for (const child of [...parent.children]) if (!children.includes(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}
