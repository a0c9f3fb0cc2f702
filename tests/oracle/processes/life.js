// Workers from their beginning to their end; life.py is the same for uvnet.
'use strict';

const cluster = require('cluster');
const net = require('net');
const { play, scenario, trace, watch } = require('./stage.js');

const worker = () => cluster.worker;
const listen = (callback) => net.createServer().listen(0, '127.0.0.1', callback);
const state = (it) => [it.isConnected(), it.isDead(), it.exitedAfterDisconnect];

// Every event of a cluster and of one worker, with what is known of it then.
function watchAll(it) {
  watch('worker', it, {
    online: (...given) => [given.length, state(it)],
    listening: (address) => [address.address, address.addressType, state(it)],
    disconnect: (...given) => [given.length, state(it)],
    exit: (code, signal) => [code, signal, it.isDead(), it.exitedAfterDisconnect],
  });
  watch('cluster', cluster, {
    fork: (of) => [of === it, state(of)],
    online: (of) => [of === it],
    listening: (of, address) => [of === it, address.address],
    disconnect: (of) => [of === it, state(of)],
    exit: (of, code, signal) => [of === it, code, signal, of.isDead()],
  });
}

// Trace all that comes, as one.
function hear(name, stream) {
  let text = '';
  stream.on('data', (data) => (text += data));
  stream.on('end', () => trace(name, text.trim()));
}

play({
  'primary disconnects': {
    primary() {
      const it = cluster.fork();
      trace('forked', state(it), it.id, it.process.connected);
      watchAll(it);
      it.on('listening', () => trace('disconnect()', it.disconnect() === it, state(it)));
    },
    worker() {
      trace('knows', cluster.isPrimary, cluster.isWorker, worker().id, worker().process === process);
      watch('worker', worker(), { disconnect: (...given) => [given.length, worker().isConnected()] });
      watch('process', process, { disconnect: (...given) => [given.length] });
      listen().on('close', () => trace('server', 'close'));
    },
  },
  'worker disconnects': {
    primary() {
      watchAll(cluster.fork());
    },
    worker() {
      watch('worker', worker(), {
        disconnect: () => [worker().exitedAfterDisconnect, worker().isConnected(), worker().isDead()],
      });
      listen(() => setImmediate(() => {
        trace('disconnect()', worker().disconnect() === worker(), worker().exitedAfterDisconnect);
      }));
    },
  },
  'nothing to do': {
    // A worker stays for as long as it is connected.
    primary() {
      const it = cluster.fork();
      watchAll(it);
      it.on('online', () => setTimeout(() => it.disconnect(), 200));
    },
    worker() {
      trace('runs');
    },
  },
  'all disconnect': {
    primary() {
      const workers = [cluster.fork(), cluster.fork()];
      let listening = 0;
      const gone = [];
      cluster.on('disconnect', (it) => gone.push(it.id));
      cluster.on('exit', (it, code, signal) => {
        gone.push([code, signal]);
        if (workers.every((each) => each.isDead())) trace('none left', Object.keys(cluster.workers).length);
      });
      cluster.on('listening', () => {
        if (++listening < 2) return;
        cluster.disconnect((...given) => {
          trace('callback', given.length, gone.filter(Number.isInteger).sort());
          trace(workers.map((each) => each.isConnected()));
        });
        trace('disconnect() has returned', gone);
      });
    },
    worker() {
      listen();
    },
  },
  'the table of workers': {
    primary() {
      const it = cluster.fork();
      const tell = (when) => trace(when, it.id in cluster.workers);
      tell('forked');
      it.on('listening', () => {
        it.disconnect();
        tell('disconnect()');
      });
      it.on('disconnect', () => tell('disconnect'));
      it.on('exit', () => tell('exit'));
    },
    worker() {
      listen();
    },
  },
  'nobody to disconnect': {
    primary() {
      cluster.disconnect((...given) => trace('callback', given.length));
      trace('disconnect() has returned');
    },
  },
  'primary kills': {
    primary() {
      const it = cluster.fork();
      it.on('exit', (code, signal) => {
        trace('exit', code, signal, it.exitedAfterDisconnect, it.process.killed, it.process.signalCode, it.process.exitCode);
        trace('again', it.process.kill(), it.isDead());
      });
      it.on('listening', () => it.kill());
    },
    worker() {
      listen();
    },
  },
  'primary kills with a signal': {
    primary() {
      const it = cluster.fork();
      it.on('exit', (code, signal) => trace('exit', code, signal, it.exitedAfterDisconnect));
      it.on('listening', () => it.kill('SIGKILL'));
    },
    worker() {
      listen();
    },
  },
  'worker kills itself': {
    primary() {
      watchAll(cluster.fork());
    },
    worker() {
      listen(() => setImmediate(() => worker().kill()));
    },
  },
  'worker exits': {
    primary() {
      const it = cluster.fork();
      it.on('exit', (code, signal) => trace('exit', code, signal, it.exitedAfterDisconnect));
      it.on('disconnect', () => trace('disconnect', it.exitedAfterDisconnect));
      it.on('listening', () => it.send('go'));
    },
    worker() {
      listen();
      process.on('message', () => process.exit(3));
    },
  },
  'connections are waited for': {
    primary() {
      const it = cluster.fork();
      it.on('listening', (address) => {
        const client = net.connect(address.port, '127.0.0.1');
        client.on('data', (data) => {
          trace('client', String(data), it.isConnected(), it.isDead());
          client.end();
        });
        it.on('message', (message) => {
          trace('message', message);
          if (message === 'connection') it.disconnect();
          else client.write('more');
        });
      });
      it.on('disconnect', () => trace('disconnect', it.exitedAfterDisconnect));
      it.on('exit', (code, signal) => trace('exit', code, signal));
    },
    worker() {
      const server = net.createServer((socket) => {
        socket.on('data', () => socket.write('answer'));
        socket.on('close', () => trace('socket', 'close', worker().isConnected()));
        worker().send('connection');
        setTimeout(() => worker().send(['after disconnect()', server.listening]), 200);
      });
      server.listen(0, '127.0.0.1');
      server.on('close', () => trace('server', 'close', worker().isConnected()));
      worker().on('disconnect', () => trace('disconnect'));
    },
  },
  'settings': {
    primary() {
      cluster.on('setup', (settings) => trace('setup', settings.args, Boolean(settings.silent)));
      cluster.setupPrimary({ exec: process.argv[1], args: [scenario, 'special'] });
      trace('setupPrimary() has returned', cluster.settings.args);
      cluster.setupPrimary({ silent: true });
      const it = cluster.fork({ MORE: 'given' });
      for (const name of ['stdout', 'stderr']) hear(name, it.process[name]);
      it.process.on('close', (code, signal) => trace('close', code, signal));
    },
    special() {
      trace('arguments', process.argv.slice(2), process.env.MORE, cluster.isWorker);
      process.stdout.write('out\n', () => process.stderr.write('error\n', () => worker().disconnect()));
    },
  },
  'policy': {
    primary() {
      trace(cluster.schedulingPolicy === cluster.SCHED_RR, [cluster.SCHED_NONE, cluster.SCHED_RR]);
      trace(cluster.isPrimary, cluster.isWorker, cluster.worker, Object.keys(cluster.workers), Object.keys(cluster.settings));
    },
  },
});
