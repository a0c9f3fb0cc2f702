// Times Node's BlockList and prints nanoseconds per call as one JSON object.
//
// usage: blocklist_node.js SECONDS_PER_CASE
"use strict";

const { spawnSync } = require("node:child_process");
const { BlockList } = require("node:net");
const path = require("node:path");
const { nanoseconds } = require("./timing.js");

const METHODS = { address: "addAddress", range: "addRange", subnet: "addSubnet" };
// Node asks rule after rule: with so many, more questions would take minutes and tell nothing more.
const FEWER_QUESTIONS = 8;

const written = spawnSync("python3", [path.join(__dirname, "rules.py")], { maxBuffer: 1 << 28 });
const lists = JSON.parse(written.stdout);
const sizes = Object.keys(lists).map(Number);
const large = Math.max(...sizes);

// Counting keeps the optimising compiler from removing the call.
let found = 0;
const seconds = Number(process.argv[2]);
const results = {};
for (const size of sizes) {
  const { rules, questions } = lists[size];
  const begin = process.hrtime.bigint();
  const list = new BlockList();
  for (const [kind, given, family] of rules) list[METHODS[kind]](...given, family);
  list.check(...questions[0]);
  if (size === large) results.add = Number(process.hrtime.bigint() - begin) / size;
  const asked = size === large ? questions.slice(0, FEWER_QUESTIONS) : questions;
  const run = (number) => {
    for (let index = 0; index < number; index += 1) {
      for (const [address, family] of asked) found += list.check(address, family);
    }
  };
  results[`check_${size}`] = nanoseconds(run, seconds, asked.length);
}
results.ratio = results[`check_${large}`] / results[`check_${Math.min(...sizes)}`];
console.log(JSON.stringify(results));
