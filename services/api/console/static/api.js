// Talking to the API as the signed-in person, and what time it is there.
const csrf = document.querySelector("meta[name=csrf-token]")?.content ?? "";
let ahead = 0;

/** What the API says no with: `message` is for people, `errors` name the fields that they are about. */
export class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail ?? problem.error?.message ?? `The API answered ${status}.`);
    this.status = status;
    this.title = problem.title ?? "That did not work";
    this.errors = problem.errors ?? [];
  }
}

const unanswered = () => new Refusal(0, { title: "No answer", detail: "The API does not answer. Try again in a moment." });

/**
 * The response, whole; throws a Refusal for an error. A session that has ended leads to the sign-in page, unless the
 * page `stays`: what it asks by itself takes nobody from what they read or type.
 */
export async function ask(path, { method = "GET", body, headers = {}, signal, stays = false } = {}) {
  const sent = { ...headers, "X-CSRF-Token": csrf };
  if (body !== undefined) sent["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers: sent, body: body === undefined ? undefined : JSON.stringify(body), signal });
  } catch {
    throw unanswered();
  }
  const date = Date.parse(response.headers.get("date"));
  if (date) ahead = Math.abs(date - Date.now()) > 2000 ? date - Date.now() : 0;
  if (response.status === 401 && !stays) signIn();
  if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => ({})));
  return response;
}

/** What a response says; throws a Refusal where it breaks off. */
export async function read(response) {
  try {
    return await response.json();
  } catch {
    throw unanswered();
  }
}

export const get = async (path, options) => read(await ask(path, options));

/** All that there is in a list, page by page. */
export async function all(path) {
  const items = [];
  let cursor = "";
  do {
    const page = await get(`${path}?limit=200${cursor && `&cursor=${encodeURIComponent(cursor)}`}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor);
  return items;
}

/** Milliseconds by the server's clock, should this machine's be wrong. */
export const now = () => Date.now() + ahead;

export const signInAddress = () => `/sign-in?next=${encodeURIComponent(location.pathname + location.search)}`;

export function signIn() {
  location.assign(signInAddress());
}
