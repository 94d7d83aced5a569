// node-opcua's server with the plant's 2,000 variables, written at a steady rate.
//
//   node opcua_server.js PORT ROWS_PER_SECOND
//
// The twenty values of a row carry one source stamp, the time of the write. A line on
// stdin makes it print how many items it has written.
"use strict";
const path = require("node:path");
const modules = path.join(__dirname, "../peers/node_opcua/node_modules");
const { OPCUAServer, Variant, DataType, StatusCodes } = require(
  path.join(modules, "node-opcua"),
);

const ASSETS = 100;
const TAGS = 20;
const POOL = 997;
const [port, rate] = process.argv.slice(2).map(Number);
let items = 0;

// values with three decimals around a level per tag: the work does not depend on them
const pool = Array.from({ length: POOL }, (_, row) =>
  Array.from({ length: TAGS }, (_, tag) =>
    Number((10 + tag + Math.sin(row * (tag + 1)) * 0.7).toFixed(3)),
  ),
);

async function main() {
  const server = new OPCUAServer({
    port,
    hostname: "127.0.0.1",
    serverCapabilities: { maxMonitoredItemsPerCall: 1000 },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  const namespace = space.registerNamespace("urn:edge-agent:bench");
  if (namespace.index !== 2) throw new Error(`namespace index ${namespace.index}`);
  const variables = [];
  for (let a = 0; a < ASSETS; a += 1) {
    const name = `B${String(a).padStart(3, "0")}`;
    const parent = namespace.addObject({
      browseName: name,
      nodeId: `s=${name}`,
      organizedBy: space.rootFolder.objects,
    });
    variables.push(
      Array.from({ length: TAGS }, (_, t) => {
        const role = `tag_${String(t).padStart(2, "0")}`;
        return namespace.addVariable({
          componentOf: parent,
          browseName: role,
          nodeId: `s=${name}.${role}`,
          dataType: "Double",
          minimumSamplingInterval: 0,
          value: new Variant({ dataType: DataType.Double, value: 0 }),
        });
      }),
    );
  }
  await server.start();
  const began = Date.now();
  let row = 0;
  setInterval(() => {
    const due = Math.min(Math.floor(((Date.now() - began) * rate) / 1000) - row, 200);
    for (let i = 0; i < due; i += 1, row += 1) write(variables[row % ASSETS], row);
  }, 5);
  process.stdin.on("data", () => console.log(JSON.stringify({ items })));
  console.log("ready");
}

function write(tags, row) {
  const values = pool[row % POOL];
  const at = new Date();
  for (let t = 0; t < TAGS; t += 1) {
    tags[t].setValueFromSource(
      { dataType: DataType.Double, value: values[t] },
      StatusCodes.Good,
      at,
    );
  }
  items += TAGS;
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
