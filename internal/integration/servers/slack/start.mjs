// Starts a Slack emulator and says where its incoming webhook is, and how to read
// what came in. It ends when its standard input does.
import { createEmulator } from "emulate";

const token = "xoxb-integration";
const slack = await createEmulator({
  service: "slack",
  port: 0,
  seed: { slack: { tokens: [{ token }] } },
});
const listed = await (await fetch(`${slack.url}/api/conversations.list`, { method: "POST", headers: { authorization: `Bearer ${token}` } })).json();
if (!listed.ok) throw new Error(`conversations.list: ${JSON.stringify(listed)}`);
const channel = listed.channels.find((c) => c.name === "general").id;

console.log("READY " + JSON.stringify({ url: slack.url, webhook: `${slack.url}/services/T000000001/B000000001/X000000001`, token, channel }));
process.stdin.on("end", () => process.exit(0)).resume();
