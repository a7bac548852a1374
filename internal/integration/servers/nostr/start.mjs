// Starts a Nostr relay that keeps its events in memory, and says where it is. It
// ends when its standard input does.
import { EventRepository } from "@nostr-relay/common";
import { NostrRelay } from "@nostr-relay/core";
import { WebSocketServer } from "ws";

class Memory extends EventRepository {
  events = new Map();

  isSearchSupported() {
    return false;
  }

  upsert(event) {
    const isDuplicate = this.events.has(event.id);
    this.events.set(event.id, event);
    return { isDuplicate };
  }

  find(filter) {
    const found = [...this.events.values()].filter(
      (e) =>
        (!filter.ids || filter.ids.includes(e.id)) &&
        (!filter.authors || filter.authors.includes(e.pubkey)) &&
        (!filter.kinds || filter.kinds.includes(e.kind)) &&
        (filter.since === undefined || e.created_at >= filter.since) &&
        (filter.until === undefined || e.created_at <= filter.until) &&
        Object.entries(filter).every(
          ([key, values]) => !key.startsWith("#") || e.tags.some(([name, value]) => name === key.slice(1) && values.includes(value)),
        ),
    );
    found.sort((a, b) => b.created_at - a.created_at || (a.id < b.id ? -1 : 1));
    return found.slice(0, filter.limit ?? found.length);
  }

  async destroy() {}
}

const server = new WebSocketServer({ host: "127.0.0.1", port: 0 });
const relay = new NostrRelay(new Memory());
server.on("connection", (ws) => {
  relay.handleConnection(ws);
  ws.on("message", (data) => {
    let message;
    try {
      message = JSON.parse(data.toString());
    } catch {
      ws.send(JSON.stringify(["NOTICE", "invalid: not JSON"]));
      return;
    }
    relay.handleMessage(ws, message).catch((err) => ws.send(JSON.stringify(["NOTICE", `error: ${err.message}`])));
  });
  ws.on("close", () => relay.handleDisconnect(ws));
});
server.on("listening", () => console.log("READY " + JSON.stringify({ url: `ws://127.0.0.1:${server.address().port}` })));
process.stdin.on("end", () => process.exit(0)).resume();
