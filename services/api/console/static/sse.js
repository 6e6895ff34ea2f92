// Server-sent events out of the body of a fetch (https://html.spec.whatwg.org/#parsing-an-event-stream).

/** The `data` of one message after the other, however the bytes are cut; a line that breaks ends them too. */
export async function* messages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let data = [];
  try {
    for (;;) {
      const { done, value } = await reader.read().catch(broken);
      if (done) return;
      const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
      rest = lines.pop();
      for (const line of lines) {
        if (line.startsWith("data:")) data.push(line.slice(line[5] === " " ? 6 : 5));
        else if (line === "" && data.length) {
          yield data.join("\n");
          data = [];
        }
      }
    }
  } finally {
    await reader.cancel().catch(() => null); // whoever stops reading stops the answer
  }
}

function broken(error) {
  if (error.name === "AbortError") throw error;
  return { done: true };
}
