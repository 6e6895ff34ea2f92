// How one calls a model: its endpoint, and what calls it in three languages, to be copied. The key is a variable's.
import { joined } from "./arguments.js";
import { copies } from "./copy.js";
import { write } from "./live.js";

const byId = (id) => document.getElementById(id);
const quoted = JSON.stringify; // a string of JSON is one of Python and of JavaScript, too
const GENERATES = {
  path: "chat/completions",
  body: { messages: [{ role: "user", content: "Say hello." }] },
  call: "chat.completions.create",
  python: 'messages=[{"role": "user", "content": "Say hello."}],',
  js: 'messages: [{ role: "user", content: "Say hello." }],',
  answer: "answer.choices[0].message.content",
};
const EMBEDS = {
  path: "embeddings",
  body: { input: "Hello." },
  call: "embeddings.create",
  python: 'input="Hello.",',
  js: 'input: "Hello.",',
  answer: "answer.data[0].embedding",
};
const WRITTEN = { curl, python, js };
const NEEDS = { curl: "", python: "pip install openai", js: "npm install openai; Node runs it as a file that ends in .mjs." };
let used = null;

function curl({ base, model, asks }) {
  const parts = [`curl ${base}/${asks.path}`, '-H "Authorization: Bearer $COLDSTART_API_KEY"', "-H 'Content-Type: application/json'", `-d ${joined([quoted({ model, ...asks.body })])}`];
  return parts.join(" \\\n  ");
}

function python({ base, model, asks }) {
  return `import os

from openai import OpenAI

client = OpenAI(base_url=${quoted(base)}, api_key=os.environ["COLDSTART_API_KEY"])
answer = client.${asks.call}(
    model=${quoted(model)},
    ${asks.python}
)
print(${asks.answer})`;
}

function js({ base, model, asks }) {
  return `import OpenAI from "openai";

const client = new OpenAI({ baseURL: ${quoted(base)}, apiKey: process.env.COLDSTART_API_KEY });
const answer = await client.${asks.call}({
  model: ${quoted(model)},
  ${asks.js}
});
console.log(${asks.answer});`;
}

function draw() {
  if (!used) return;
  const language = byId("languages").querySelector(":checked").value;
  write(byId("endpoint"), used.base);
  write(byId("code"), WRITTEN[language](used));
  write(byId("needs"), NEEDS[language]);
}

/** Of this model; `words` are said before. */
export function showUse({ model, task, words }) {
  used = { base: `${location.origin}/v1`, model, asks: task === "embed" ? EMBEDS : GENERATES };
  write(byId("use-words"), words);
  draw();
}

byId("languages").addEventListener("change", draw);
copies(byId("copy-endpoint"), () => byId("endpoint"));
copies(byId("copy-code"), () => byId("code"));
