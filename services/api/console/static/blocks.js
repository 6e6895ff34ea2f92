// A long list in blocks of rows. The browser skips a block that is out of view, at the price of one element.
const SIZE = 20; // rows; a screen shows a dozen

export class Blocks {
  #container;
  #block;
  #shown = new Set();
  #order = [];
  #watching;

  /** `block`: an empty one, to be copied. `entered(rows)` is called with the rows of blocks that come near the view. */
  constructor(container, block, entered) {
    this.#container = container;
    this.#block = block;
    this.#watching = new IntersectionObserver((entries) => entered(this.#noted(entries)), { rootMargin: "200px" });
  }

  /** The rows of the blocks that are in view, or near it. */
  *shown() {
    for (const block of this.#shown) yield* block.children;
  }

  /** These rows, in this order: as few as possible are moved, and the focus stays where it is. */
  arrange(rows) {
    const touched = new Set();
    const kept = new Set(rows);
    const focused = document.activeElement;
    for (const row of this.#order) if (!kept.has(row)) this.#remove(row, touched);
    const stay = unmoved(this.#order.filter((row) => kept.has(row)), rows);
    let before = null;
    for (const row of rows) {
      if (!stay.has(row)) {
        if (row.parentElement) this.#remove(row, touched);
        this.#insert(row, before, touched);
      }
      before = row;
    }
    for (const block of touched) this.#count(block);
    this.#order = rows;
    if (focused !== document.activeElement && this.#container.contains(focused)) focused.focus({ preventScroll: true });
  }

  #remove(row, touched) {
    touched.add(row.parentElement);
    row.remove();
  }

  #insert(row, before, touched) {
    let block = before ? before.parentElement : (this.#container.firstElementChild ?? this.#add(null));
    if (!before) block.prepend(row);
    else if (before !== block.lastElementChild || block.childElementCount < SIZE) before.after(row);
    else {
      const next = block.nextElementSibling;
      block = next && next.childElementCount < SIZE ? next : this.#add(block);
      block.prepend(row);
    }
    touched.add(block);
    if (block.childElementCount <= 2 * SIZE) return;
    const half = this.#add(block);
    half.append(...[...block.children].slice(SIZE));
    touched.add(half);
  }

  #add(before) {
    const block = this.#block.cloneNode();
    if (before) before.after(block);
    else this.#container.prepend(block);
    this.#watching.observe(block);
    return block;
  }

  /** How high it is while it is skipped follows from the number of its rows. */
  #count(block) {
    block.style.setProperty("--rows", block.childElementCount);
    if (block.childElementCount) return;
    this.#watching.unobserve(block);
    this.#shown.delete(block);
    block.remove();
  }

  #noted(entries) {
    const entered = new Set();
    for (const { target: block, isIntersecting } of entries) {
      if (isIntersecting && block.isConnected) entered.add(block);
      else entered.delete(block);
      if (entered.has(block)) this.#shown.add(block);
      else this.#shown.delete(block);
    }
    return [...entered].flatMap((block) => [...block.children]);
  }
}

/** Those that need not move to get from one order to the other: a longest increasing subsequence. */
function unmoved(from, to) {
  let [first, last] = [0, from.length];
  while (first < last && from[first] === to[first]) first++;
  for (let end = to.length; last > first && from[last - 1] === to[end - 1]; end--) last--;
  const place = new Map(to.map((row, at) => [row, at]));
  const ends = []; // of each length, the subsequence that ends earliest
  for (const row of from.slice(first, last)) {
    const at = place.get(row);
    let [low, high] = [0, ends.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (ends[middle].at < at) low = middle + 1;
      else high = middle;
    }
    ends[low] = { row, at, before: ends[low - 1] };
  }
  const stay = new Set([...from.slice(0, first), ...from.slice(last)]);
  for (let end = ends.at(-1); end; end = end.before) stay.add(end.row);
  return stay;
}
