// Echo on Node; the argument chooses how: `data` (a listener that writes) or `pipe`.
"use strict";

const net = require("node:net");

// The load generator leaves with messages in flight; that is no error here.
const ignoreError = () => {};

const echo = {
  data: (socket) => socket.on("data", (chunk) => socket.write(chunk)),
  pipe: (socket) => socket.pipe(socket),
}[process.argv[2]];

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("error", ignoreError);
  echo(socket);
});

server.listen(0, "127.0.0.1", 1024, () => {
  console.log("listening", server.address().port);
});
