// What the programs of Node share; stage.py is the same for uvnet.
'use strict';

const cluster = require('cluster');
const fs = require('fs');
const path = require('path');

const [scenario, role] = process.argv.slice(2);
const who = role || (cluster.isWorker ? `worker ${cluster.worker.id}` : 'primary');
const file = path.join(process.env.TRACES, who);

// One line of the trace of this process.
function trace(...words) {
  fs.appendFileSync(file, JSON.stringify(words.map((word) => (word === undefined ? null : word))) + '\n');
}

// An error, or null.
function plain(error) {
  return error ? [error.code, error.message] : null;
}

// Trace the events of an emitter: `events` are functions of the arguments, which give the words.
function watch(name, emitter, events) {
  for (const [event, words] of Object.entries(events)) {
    emitter.on(event, (...given) => trace(name, event, ...words(...given)));
  }
}

// Call back once all have been said.
function all(words, callback) {
  const missing = new Set(words);
  return (word) => {
    missing.delete(word);
    if (missing.size === 0) callback();
  };
}

// Each role of a scenario is a function.
function play(scenarios) {
  const roles = scenarios[scenario];
  roles[role || (cluster.isWorker ? 'worker' : 'primary')]();
}

const place = (name) => path.join(process.env.TRACES, name);

module.exports = { all, place, plain, play, scenario, trace, watch };
