// Times Node's isIP and prints nanoseconds per call as one JSON object.
//
// usage: ip_node.js SECONDS_PER_CASE
"use strict";

const { isIP } = require("node:net");
const { nanoseconds } = require("./timing.js");

const texts = {
  ipv4: "192.168.100.200",
  ipv6: "2001:db8::8a2e:370:7334",
  long_ipv6: "2001:0db8:85a3:0000:0000:8a2e:0370:7334",
  name: "www.example.com",
};

// Counting keeps the optimising compiler from removing the call.
let found = 0;
const seconds = Number(process.argv[2]);
const results = {};
for (const [name, text] of Object.entries(texts)) {
  const run = (number) => {
    for (let index = 0; index < number; index += 1) found += isIP(text);
  };
  results[name] = nanoseconds(run, seconds);
}
console.log(JSON.stringify(results));
