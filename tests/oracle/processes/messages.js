// Messages between a process and its children; messages.py is the same for uvnet.
'use strict';

const cluster = require('cluster');
const { fork } = require('child_process');
const { plain, play, scenario, trace, watch } = require('./stage.js');

const child = (options) => fork(process.argv[1], [scenario, 'child'], options);

play({
  'life of a child': {
    primary() {
      const it = child();
      watch('child', it, {
        spawn: (...given) => [given.length],
        message: (message, handle) => [message, handle],
        disconnect: (...given) => [given.length, it.connected],
        exit: (code, signal) => [code, signal, it.exitCode, it.signalCode],
        close: (code, signal) => [code, signal],
      });
      trace('forked', it.connected, it.killed, it.exitCode, it.signalCode, it.stdin, it.spawnargs.slice(-2));
      it.on('message', () => it.disconnect());
    },
    child() {
      watch('process', process, { disconnect: (...given) => [given.length, process.connected] });
      process.send({ text: 'ä€😀', numbers: [1, -2.5, 1e21], nothing: null, yes: true });
    },
  },
  'child disconnects': {
    primary() {
      const it = child();
      it.on('message', (message) => trace('message', message));
      it.on('disconnect', () => trace('disconnect', it.connected));
      it.on('exit', (code, signal) => trace('exit', code, signal));
    },
    child() {
      for (let number = 0; number < 3; number++) process.send(number);
      process.on('disconnect', () => trace('disconnect', process.connected));
      process.disconnect();
      trace('disconnect() has returned', process.connected);
    },
  },
  'child that listens to nothing': {
    // Nothing keeps it.
    primary() {
      const it = child();
      it.on('disconnect', () => trace('disconnect'));
      it.on('exit', (code, signal) => trace('exit', code, signal));
    },
    child() {
      trace('runs', process.connected);
    },
  },
  'child that listens': {
    // A listener for 'message' keeps it.
    primary() {
      const it = child();
      it.on('exit', (code, signal) => trace('exit', code, signal));
      setTimeout(() => it.send('end'), 200);
    },
    child() {
      process.on('message', (message) => {
        trace('message', message);
        process.disconnect();
      });
    },
  },
  'callbacks': {
    primary() {
      const it = child();
      it.send('one', (...given) => trace('callback', 1, given));
      it.send('two', null, (...given) => trace('callback', 2, given));
      it.send('three', null, {}, (...given) => {
        trace('callback', 3, given);
        it.disconnect();
      });
      trace('send() has returned');
    },
    child() {
      process.on('message', (message) => trace('message', message));
    },
  },
  'after the end': {
    primary() {
      const it = child();
      it.on('error', (error) => trace('error', plain(error)));
      it.on('disconnect', () => {
        trace('disconnect', it.connected);
        trace('send()', it.send('late', (error) => trace('callback', plain(error))));
        trace('without a callback', it.send('late'));
        trace('has returned');
      });
      it.disconnect();
      trace('disconnect() has returned', it.connected);
      trace('send()', it.send('early', (error) => trace('callback', plain(error))));
    },
    child() {
    },
  },
  'disconnect twice': {
    primary() {
      const it = child();
      it.on('error', (error) => trace('error', plain(error)));
      it.on('disconnect', () => trace('disconnect'));
      it.disconnect();
      it.disconnect();
      trace('has returned');
    },
    child() {
    },
  },
  'before there is a listener': {
    primary() {
      const it = child();
      setTimeout(() => it.on('message', (message) => trace('message', message)), 400);
    },
    child() {
      process.send('one');
      process.send('two');
      setTimeout(() => process.disconnect(), 800);
    },
  },
  'child without a listener yet': {
    primary() {
      const it = child();
      it.send('one');
      it.send('two');
      it.on('disconnect', () => trace('disconnect'));
    },
    child() {
      setTimeout(() => {
        process.on('message', (message) => {
          trace('message', message);
          if (message === 'two') setImmediate(() => process.disconnect());
        });
      }, 200);
    },
  },
  'much': {
    primary() {
      const it = child();
      const sent = [it.send('little')];
      const text = 'x'.repeat(1 << 20);
      sent.push(it.send(text), it.send(text));
      trace('returned', sent);
      it.on('message', (message) => {
        trace('message', message);
        it.disconnect();
      });
    },
    child() {
      const lengths = [];
      process.on('message', (message) => {
        lengths.push(message.length);
        if (lengths.length === 3) process.send(lengths);
      });
    },
  },
  'bad arguments': {
    primary() {
      const it = child();
      const attempt = (name, call) => {
        try {
          trace(name, call());
        } catch (error) {
          trace(name, plain(error)[0]);
        }
      };
      const cycle = [];
      cycle.push(cycle);
      attempt('a handle that is none', () => it.send('x', { a: 1 }));
      attempt('options', () => it.send('x', null, 'keepOpen'));
      attempt('kill', () => it.kill('SIGNOTHING'));
      it.disconnect();
    },
    child() {
    },
  },
  'kill': {
    primary() {
      const it = child();
      it.on('message', () => {
        trace('kill(0)', it.kill(0), it.killed);
        trace('kill()', it.kill('SIGKILL'), it.killed);
      });
      it.on('exit', (code, signal) => {
        trace('exit', code, signal, it.exitCode, it.signalCode, it.killed);
        trace('again', it.kill());
      });
      it.on('close', (code, signal) => trace('close', code, signal, it.connected));
    },
    child() {
      process.on('message', () => {});
      process.send('there');
    },
  },
  'no such program': {
    primary() {
      const it = fork(process.argv[1] + '.no', { silent: true });
      it.on('message', () => trace('message'));
      it.on('exit', (code, signal) => trace('exit', code !== 0, signal));
      it.on('close', (code, signal) => trace('close', code !== 0, signal));
    },
  },
  'silent': {
    primary() {
      const it = child({ silent: true });
      it.stdout.on('data', (data) => trace('stdout', String(data)));
      it.stdout.on('end', () => trace('stdout', 'end'));
      it.on('close', (code, signal) => trace('close', code, signal));
      it.stdin.end('given');
    },
    child() {
      let given = '';
      process.stdin.on('data', (data) => (given += data));
      process.stdin.on('end', () => process.stdout.write(given.toUpperCase()));
    },
  },
  'worker and primary': {
    primary() {
      const it = cluster.fork();
      it.on('message', (...given) => trace('worker', given));
      it.process.on('message', (...given) => trace('process', given));
      cluster.on('message', (of, message, handle) => {
        trace('cluster', of === it, message, handle);
        it.send(message === 'hello' ? 'answer' : 'end');
      });
    },
    worker() {
      cluster.worker.on('message', (message) => {
        trace('worker', message);
        if (message === 'end') cluster.worker.disconnect();
        else cluster.worker.send('well');
      });
      process.on('message', (message) => trace('process', message));
      process.send('hello');
    },
  },
});
