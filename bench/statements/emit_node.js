// Times Node's EventEmitter and prints nanoseconds per statement as one JSON object.
//
// usage: emit_node.js SECONDS_PER_CASE
"use strict";

const EventEmitter = require("node:events");
const { nanoseconds } = require("./timing.js");

const CHUNK = Buffer.alloc(1024);

// Counting keeps the optimising compiler from removing the call.
let calls = 0;
const listener = () => {
  calls += 1;
};

function emitting(event, count) {
  const emitter = new EventEmitter();
  for (let index = 0; index < count; index += 1) {
    emitter.on(event, () => {
      calls += 1;
    });
  }
  return (number) => {
    for (let index = 0; index < number; index += 1) emitter.emit(event, CHUNK);
  };
}

function changing(step) {
  const emitter = new EventEmitter();
  return (number) => {
    for (let index = 0; index < number; index += 1) step(emitter);
  };
}

const cases = {
  one_listener: emitting("data", 1),
  one_listener_own_name: emitting("tick", 1),
  three_listeners: emitting("data", 3),
  no_listener: emitting("data", 0),
  once_and_emit: changing((emitter) => {
    emitter.once("data", listener);
    emitter.emit("data", CHUNK);
  }),
  on_and_remove: changing((emitter) => {
    emitter.on("data", listener);
    emitter.removeListener("data", listener);
  }),
};

const seconds = Number(process.argv[2]);
const results = {};
for (const [name, run] of Object.entries(cases)) results[name] = nanoseconds(run, seconds);
console.log(JSON.stringify(results));
