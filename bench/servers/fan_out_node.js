// Fan-out on Node. A new connection gets the message at once; a byte from any connection sends it to
// all of them.
"use strict";

const net = require("node:net");

const message = Buffer.from(Array.from({ length: 128 }, (_, index) => index));
const sockets = new Set();

// The load generator leaves in the middle of a round; that is no error here.
const ignoreError = () => {};

function deliver() {
  for (const socket of sockets) socket.write(message);
}

const server = net.createServer({ noDelay: true }, (socket) => {
  sockets.add(socket);
  socket.on("error", ignoreError);
  socket.on("close", () => sockets.delete(socket));
  socket.on("data", deliver);
  socket.write(message);
});

server.listen(0, "127.0.0.1", 1024, () => {
  console.log("listening", server.address().port);
});
