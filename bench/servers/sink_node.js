// One-way receive on Node: a 'data' listener that counts; the count is the answer at the end.
"use strict";

const net = require("node:net");

const server = net.createServer({ noDelay: true, allowHalfOpen: true }, (socket) => {
  let received = 0;
  socket.on("data", (chunk) => {
    received += chunk.length;
  });
  socket.on("end", () => socket.end(String(received)));
});

server.listen(0, "127.0.0.1", 1024, () => {
  console.log("listening", server.address().port);
});
