// Header, body and trailer for each request, on Node: three writes in one 'data' listener.
"use strict";

const net = require("node:net");

const reply = Buffer.from(Array.from({ length: 64 + 1024 + 64 }, (_, index) => index % 251));
const header = reply.subarray(0, 64);
const body = reply.subarray(64, 64 + 1024);
const trailer = reply.subarray(64 + 1024);

// The load generator leaves with requests in flight; that is no error here.
const ignoreError = () => {};

const server = net.createServer({ noDelay: true }, (socket) => {
  socket.on("error", ignoreError);
  socket.on("data", () => {
    socket.write(header);
    socket.write(body);
    socket.write(trailer);
  });
});

server.listen(0, "127.0.0.1", 1024, () => {
  console.log("listening", server.address().port);
});
