// Prints every event, from the first one that is kept.
import { connect } from "nats";

const { host, username, password } = new URL(process.env.NATS_URL);
const connection = await connect({ servers: host, user: username, pass: decodeURIComponent(password) });
const consumer = await connection.jetstream().consumers.get("LIFECYCLE", { filterSubjects: ["lifecycle.>"] });

for await (const message of await consumer.consume()) {
  const { time, type, data } = message.json();
  console.log(time, type, (data.instance ?? data.deployment).status);
}
