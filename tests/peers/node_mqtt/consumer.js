// Prints every message it receives as one JSON line; the tests read them.
//
//   node consumer.js URL FILTER... [--version 4|5]
//
// First line: {"ready": true} once the broker has granted every filter. Then
// {"topic", "payload", "qos", "retain"} a message, the payload as text. Ends with
// status 1 and the error on standard error when the broker refuses or is gone.

"use strict";

const mqtt = require("mqtt");

const words = process.argv.slice(2);
const at = words.indexOf("--version");
const protocolVersion = at < 0 ? 5 : Number(words.splice(at, 2)[1]);
const [url, ...filters] = words;

if (!url || filters.length === 0) {
  console.error("usage: node consumer.js URL FILTER... [--version 4|5]");
  process.exit(2);
}

function fail(reason) {
  console.error(String(reason));
  process.exit(1);
}

function print(line) {
  process.stdout.write(JSON.stringify(line) + "\n");
}

const client = mqtt.connect(url, { protocolVersion, reconnectPeriod: 0 });

client.on("message", (topic, payload, packet) => {
  const { qos, retain } = packet;
  print({ topic, payload: payload.toString("utf8"), qos, retain });
});
client.on("connect", () => {
  client.subscribe(filters, { qos: 1 }, (error, granted) => {
    const refused = (granted || []).filter((each) => each.qos > 2);
    if (error || refused.length) fail(error || JSON.stringify(refused));
    print({ ready: true });
  });
});
client.on("error", fail);
client.on("close", () => fail("the broker closed the connection"));
process.on("SIGTERM", () => process.exit(0));
