// Echo on Node's tls: a listener that writes; the argument is a certificate with its key.
"use strict";

const fs = require("node:fs");
const tls = require("node:tls");

// The load generator leaves with messages in flight; that is no error here.
const ignoreError = () => {};

const pem = fs.readFileSync(process.argv[2]);
const server = tls.createServer({ noDelay: true, cert: pem, key: pem }, (socket) => {
  socket.on("error", ignoreError);
  socket.on("data", (chunk) => socket.write(chunk));
});
server.on("tlsClientError", ignoreError);

server.listen(0, "127.0.0.1", 1024, () => {
  console.log("listening", server.address().port);
});
