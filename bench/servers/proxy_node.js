// A proxy on Node: two sockets piped into each other. The argument is the port of the upstream.
"use strict";

const net = require("node:net");

const options = { noDelay: true, allowHalfOpen: true };
const upstreamOptions = { host: "127.0.0.1", port: Number(process.argv[2]), ...options };

const server = net.createServer(options, (client) => {
  const upstream = net.connect(upstreamOptions);
  client.on("error", () => upstream.destroy());
  upstream.on("error", () => client.destroy());
  client.pipe(upstream);
  upstream.pipe(client);
});

server.listen(0, "127.0.0.1", 1024, () => {
  console.log("listening", server.address().port);
});
