// Asks the router everything that OpenAI's own client can, and prints what came of it as one JSON document.
import OpenAI from "openai";

const { BASE_URL, API_KEY, MODEL, EMBEDDING_MODEL } = process.env;
const client = new OpenAI({ baseURL: BASE_URL, apiKey: API_KEY, maxRetries: 0 });
const messages = [{ role: "user", content: "hello" }];

async function failure(asking) {
  try {
    await asking;
    return null;
  } catch (error) {
    return { kind: error.constructor.name, status: error.status, code: error.code, param: error.param };
  }
}

const stream = await client.chat.completions.create({ model: MODEL, messages, stream: true });
let streamed = "";
let usageSeen = false;
for await (const chunk of stream) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usageSeen ||= chunk.usage != null;
}

const models = [];
for await (const model of client.models.list()) models.push(model.id);

const stranger = new OpenAI({ baseURL: BASE_URL, apiKey: "wrong", maxRetries: 0 });
console.log(
  JSON.stringify({
    chat: (await client.chat.completions.create({ model: MODEL, messages })).choices[0].message.content,
    streamed,
    usageSeen,
    completion: (await client.completions.create({ model: MODEL, prompt: "The capital is" })).choices[0].text,
    embedding: (await client.embeddings.create({ model: EMBEDDING_MODEL, input: "hello", encoding_format: "float" }))
      .data[0].embedding,
    models: models.sort(),
    model: (await client.models.retrieve(MODEL)).owned_by,
    unauthorized: await failure(stranger.models.list()),
    unknown: await failure(client.chat.completions.create({ model: "nobody/nothing", messages })),
    mismatched: await failure(client.embeddings.create({ model: MODEL, input: "x" })),
  }),
);
