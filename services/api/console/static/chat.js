// Chat completions as OpenAI's API streams them, and how fast they come.
import { Refusal, signIn } from "./api.js";
import { messages } from "./sse.js";

const csrf = document.querySelector("meta[name=csrf-token]").content;

/** A refusal of `/v1`. `reason` is its error object; it says how far the model is if that is not ready. */
export class Refused extends Refusal {
  constructor(status, reason) {
    super(status, { error: reason });
    this.reason = reason;
  }
}

/** Why `model` answers nothing now, as `/v1` tells it; null when it does answer (with one token, which is let go). */
export async function reasonOf(model) {
  try {
    await post({ model, max_tokens: 1, messages: [{ role: "user", content: "." }] });
    return null;
  } catch (error) {
    if (error.reason?.code !== "model_not_ready") throw error;
    return error.reason;
  }
}

/**
 * Calls `grown(text)` with all that is there of the answer, whenever it grows. Returns seconds `first` (to the first
 * token, null when there was none), `tokens` and tokens a second, `rate`, null where too few came to tell. Throws a
 * Refusal for an error, and for an answer that breaks off; AbortError when `signal` stopped it.
 */
export async function chat(model, talk, signal, grown) {
  const began = performance.now();
  const response = await post({ model, messages: talk, stream: true, stream_options: { include_usage: true } }, signal);
  let [text, pieces, usage, first, last, done] = ["", 0, null, null, null, false];
  for await (const data of messages(response.body)) {
    if (data === "[DONE]") {
      done = true;
      break;
    }
    const chunk = read(data);
    if (chunk.error) throw new Refused(response.status, chunk.error);
    usage = chunk.usage ?? usage;
    const { content, reasoning_content: thought, reasoning = thought } = chunk.choices[0]?.delta ?? {};
    if (!content && !reasoning) continue; // what is only thought takes its time too, and is counted by the worker
    last = performance.now();
    first ??= last;
    pieces += 1;
    if (content) grown((text += content));
  }
  if (!done) throw new Refused(response.status, { message: "The answer broke off before its end. Try again." });
  const tokens = usage?.completion_tokens ?? pieces;
  return {
    first: first === null ? null : (first - began) / 1000,
    tokens,
    rate: tokens > 1 && last > first ? ((tokens - 1) * 1000) / (last - first) : null,
  };
}

/** A worker may say anything. Throws a Refusal for what is neither an error nor a part of an answer. */
function read(data) {
  try {
    const chunk = JSON.parse(data);
    if (chunk.error || Array.isArray(chunk.choices)) return chunk;
  } catch {
    // it is not even JSON
  }
  throw new Refused(0, { message: "The worker's answer is not an answer of a model." });
}

async function post(body, signal) {
  let response;
  try {
    response = await fetch("/v1/chat/completions", {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-CSRF-Token": csrf },
      body: JSON.stringify(body),
      signal,
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Refused(0, { message: "The API does not answer. Try again in a moment." });
  }
  if (response.status === 401) signIn();
  if (!response.ok) {
    const { error } = await response.json().catch(() => ({}));
    throw new Refused(response.status, error ?? { message: `The API answered ${response.status}.` });
  }
  return response;
}
