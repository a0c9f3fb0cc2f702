// Times a function for the programs beside this file.
"use strict";

const REPEATS = 7;

function secondsFor(run, number) {
  const begin = process.hrtime.bigint();
  run(number);
  return Number(process.hrtime.bigint() - begin) / 1e9;
}

// `run(number)` does something `number` times.  For each of `count` things that it does then: the best of
// several repeats, because whatever disturbs a repeat only ever makes it slower.
exports.nanoseconds = function nanoseconds(run, seconds, count = 1) {
  let number = 1;
  let taken = secondsFor(run, number);
  while (taken < seconds / REPEATS / 4) {
    number *= 2;
    taken = secondsFor(run, number);
  }
  number = Math.max(1, Math.floor((number * seconds) / REPEATS / taken));
  let best = Infinity;
  for (let repeat = 0; repeat < REPEATS; repeat += 1) {
    best = Math.min(best, secondsFor(run, number));
  }
  return (best / number / count) * 1e9;
};
