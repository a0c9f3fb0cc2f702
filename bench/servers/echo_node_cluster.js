// Echo on Node in several processes: POLICY (one, none, rr) WORKERS; the primary says when all of them listen.
"use strict";

const cluster = require("node:cluster");
const net = require("node:net");

const policies = { none: cluster.SCHED_NONE, rr: cluster.SCHED_RR };
const [policy, workers] = process.argv.slice(2);

// The load generator leaves with messages in flight; that is no error here.
const ignoreError = () => {};

if (policy !== "one" && cluster.isPrimary) {
  let listening = 0;
  cluster.schedulingPolicy = policies[policy];
  cluster.on("listening", (_worker, address) => {
    listening += 1;
    if (listening === Number(workers)) console.log("listening", address.port);
  });
  for (let number = 0; number < Number(workers); number += 1) cluster.fork();
} else {
  const server = net.createServer({ noDelay: true }, (socket) => {
    socket.on("error", ignoreError);
    socket.on("data", (chunk) => socket.write(chunk));
  });
  server.listen(0, "127.0.0.1", 1024, () => {
    if (policy === "one") console.log("listening", server.address().port);
  });
}
