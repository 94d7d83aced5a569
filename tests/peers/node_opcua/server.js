// A real OPC UA server of another make, driven by JSON lines on stdin.
//
//   first line   {"variables": ["P-101.pressure", ...]}  or {"name": "Float", ...}
//                optional: "port", "security": true, "folder" (its pki), "trustAll",
//                "users": {"name": "password"}, "limits": {"maxMonitoredItemsPerCall": 2}
//   it answers   {"ready": "opc.tcp://127.0.0.1:PORT", "namespace": 2}
//   then lines   {"time": ms or ISO, "values": {"P-101.pressure": 1.23, ...}}
//                {"time": ..., "values": {...}, "status": "BadSensorFailure"}
//                {"add": {"name": "Double"}}   {"remove": ["name"]}
//                {"state": "Suspended"}        {"terminate": "subscriptions"}
//                {"sync": 7}                   answered with {"synced": 7}
//                {"stats": true}               answered with {"stats": {...}}
//
// Node ids are ns=2;s=NAME in the namespace urn:edge:test, under Objects/Plant. Values
// keep the line's time as their source time. A client that asks for sampling
// interval 0 gets every value that was set; the server's queues hold as many as the
// client asks for. The server ends with its stdin.

"use strict";

console.log = console.warn = console.error; // stdout is for the answers alone

const fs = require("node:fs");
const os = require("node:os");
const path = require("node:path");
const readline = require("node:readline");
const {
  DataType,
  MessageSecurityMode,
  OPCUACertificateManager,
  OPCUAServer,
  SecurityPolicy,
  ServerState,
  StatusCodes,
  Variant,
  VariantArrayType,
  coerceLocalizedText,
} = require("node-opcua");

const NAMESPACE = "urn:edge:test";
const say = (message) => process.stdout.write(JSON.stringify(message) + "\n");

function typed(names) {
  return Array.isArray(names)
    ? Object.fromEntries(names.map((name) => [name, "Double"]))
    : names;
}

function variant(kind, value) {
  if (kind.endsWith("[]")) {
    return new Variant({ dataType: DataType[kind.slice(0, -2)], arrayType: VariantArrayType.Array, value });
  }
  if (kind === "LocalizedText") value = coerceLocalizedText(value);
  if (kind === "Int64" || kind === "UInt64") {
    const big = BigInt.asUintN(64, BigInt(value));
    value = [Number(big >> 32n), Number(big & 0xffffffffn)];
  }
  if (kind === "DateTime") value = new Date(value);
  return new Variant({ dataType: DataType[kind], arrayType: VariantArrayType.Scalar, value });
}

const INITIAL = { String: "", LocalizedText: "", Boolean: false, DateTime: 0 };

class Plant {
  constructor(server) {
    this.space = server.engine.addressSpace;
    this.namespace = this.space.registerNamespace(NAMESPACE);
    this.folder = this.namespace.addFolder("ObjectsFolder", { browseName: "Plant" });
    this.nodes = new Map();
  }

  add(names) {
    for (const [name, kind] of Object.entries(typed(names))) {
      const array = kind.endsWith("[]");
      const node = this.namespace.addVariable({
        componentOf: this.folder,
        browseName: name,
        nodeId: `s=${name}`,
        dataType: array ? kind.slice(0, -2) : kind,
        valueRank: array ? 1 : -1,
        minimumSamplingInterval: 0,
      });
      node.setValueFromSource(variant(kind, array ? [] : INITIAL[kind] ?? 0));
      this.nodes.set(name, { node, kind });
    }
  }

  remove(names) {
    for (const name of names) {
      this.namespace.deleteNode(this.nodes.get(name).node);
      this.nodes.delete(name);
    }
  }

  set({ time, values, status }) {
    const stamp = time === undefined ? new Date() : new Date(time);
    const code = StatusCodes[status ?? "Good"];
    for (const [name, value] of Object.entries(values)) {
      const { node, kind } = this.nodes.get(name);
      node.setValueFromSource(variant(kind, value), code, stamp);
    }
  }
}

async function started(options) {
  const folder = options.folder ?? fs.mkdtempSync(path.join(os.tmpdir(), "node-opcua-"));
  const certificates = new OPCUACertificateManager({
    rootFolder: path.join(folder, "pki"),
    automaticallyAcceptUnknownCertificate: options.trustAll === true,
  });
  await certificates.initialize();
  const users = options.users;
  const server = new OPCUAServer({
    port: options.port ?? 0,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    serverCertificateManager: certificates,
    userCertificateManager: certificates,
    allowAnonymous: users === undefined,
    userManager: users && { isValidUser: (name, given) => users[name] === given },
    securityModes: options.security
      ? [MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt]
      : [MessageSecurityMode.None],
    securityPolicies: options.security
      ? [
          SecurityPolicy.Basic256Sha256,
          SecurityPolicy.Aes128_Sha256_RsaOaep,
          SecurityPolicy.Aes256_Sha256_RsaPss,
        ]
      : [SecurityPolicy.None],
    serverCapabilities: {
      maxSessions: 20,
      maxMonitoredItemsQueueSize: 100000,
      minSupportedSampleRate: 0, // sampling 0 means every value that is set
      operationLimits: options.limits ?? {},
    },
    buildInfo: { productName: "edge-agent test peer" },
  });
  await server.initialize();
  return server;
}

function terminateSubscriptions(server) {
  for (const session of Object.values(server.engine._sessions)) {
    for (const { id } of session.publishEngine.subscriptions) {
      session.deleteSubscription(id);
    }
  }
}

async function obey(server, plant, line) {
  const order = JSON.parse(line);
  if (order.values) plant.set(order);
  if (order.add) plant.add(order.add);
  if (order.remove) plant.remove(order.remove);
  if (order.state) server.engine.setServerState(ServerState[order.state]);
  if (order.terminate === "subscriptions") terminateSubscriptions(server);
  if (order.sync !== undefined) say({ synced: order.sync });
  if (order.stats) {
    say({
      stats: {
        sessions: server.engine.currentSessionCount,
        subscriptions: server.engine.currentSubscriptionCount,
      },
    });
  }
}

async function main() {
  const lines = readline.createInterface({ input: process.stdin });
  const waiting = [];
  let wake = () => {};
  lines.on("line", (line) => (waiting.push(line), wake()));
  lines.on("close", () => (waiting.push(null), wake()));
  const next = async () => {
    while (waiting.length === 0) await new Promise((done) => (wake = done));
    return waiting.shift();
  };
  const options = JSON.parse(await next());
  const server = await started(options);
  const plant = new Plant(server);
  plant.add(options.variables);
  await server.start();
  const port = server.endpoints[0].port;
  say({ ready: `opc.tcp://127.0.0.1:${port}`, namespace: plant.namespace.index });
  for (let line = await next(); line !== null; line = await next()) {
    if (line.trim()) await obey(server, plant, line);
  }
  await server.shutdown(0);
  process.exit(0);
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
