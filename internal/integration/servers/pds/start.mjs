// Starts a Bluesky PDS with a directory of identities in memory, makes one
// account, and says where they are. It ends when its standard input does.
import crypto from "node:crypto";
import fs from "node:fs";
import os from "node:os";
import path from "node:path";
import { Database, PlcServer } from "@did-plc/server";
import { PDS, envToCfg, envToSecrets, readEnv } from "@atproto/pds";

const handle = "postroom.test";
const password = crypto.randomBytes(12).toString("hex");

async function freePort() {
  const net = await import("node:net");
  return new Promise((done) => {
    const s = net.createServer().listen(0, "127.0.0.1", () => {
      const { port } = s.address();
      s.close(() => done(port));
    });
  });
}

const plc = PlcServer.create({ db: Database.mock(), port: await freePort() });
const plcURL = `http://localhost:${(await plc.start()).address().port}`;

const port = await freePort();
const dir = fs.mkdtempSync(path.join(os.tmpdir(), "pds-"));
process.on("exit", () => fs.rmSync(dir, { recursive: true, force: true }));
Object.assign(process.env, {
  PDS_PORT: String(port),
  PDS_HOSTNAME: "localhost",
  PDS_DEV_MODE: "true",
  PDS_DATA_DIRECTORY: dir,
  PDS_BLOBSTORE_DISK_LOCATION: path.join(dir, "blobs"),
  PDS_DID_PLC_URL: plcURL,
  PDS_SERVICE_HANDLE_DOMAINS: ".test",
  PDS_INVITE_REQUIRED: "false",
  PDS_DISABLE_SSRF_PROTECTION: "true",
  PDS_JWT_SECRET: crypto.randomBytes(16).toString("hex"),
  PDS_ADMIN_PASSWORD: crypto.randomBytes(16).toString("hex"),
  PDS_PLC_ROTATION_KEY_K256_PRIVATE_KEY_HEX: crypto.randomBytes(32).toString("hex"),
  LOG_ENABLED: "false",
});
const env = readEnv();
const pds = await PDS.create(envToCfg(env), envToSecrets(env));
await pds.start();

const url = `http://localhost:${port}`;
const made = await fetch(`${url}/xrpc/com.atproto.server.createAccount`, {
  method: "POST",
  headers: { "content-type": "application/json" },
  body: JSON.stringify({ handle, email: "team@postroom.test", password }),
});
if (!made.ok) throw new Error(`createAccount: ${made.status} ${await made.text()}`);
const { did } = await made.json();

console.log("READY " + JSON.stringify({ url, handle, password, did }));
process.stdin.on("end", () => process.exit(0)).resume();
