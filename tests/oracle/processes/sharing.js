// Workers that listen at the same place; sharing.py is the same for uvnet.
'use strict';

const cluster = require('cluster');
const fs = require('fs');
const net = require('net');
const { place, plain, play, trace } = require('./stage.js');

const worker = () => cluster.worker;
const HOST = '127.0.0.1';

// Ask for a connection, which is answered with one chunk.
function ask(where, callback) {
  let text = '';
  const client = typeof where === 'string' ? net.connect(where) : net.connect(where, HOST);
  client.on('data', (data) => (text += data));
  client.on('error', (error) => trace('client', error.code));
  client.on('close', () => callback(text));
}

function askOften(where, count, callback, answers = []) {
  if (answers.length === count) return callback(answers);
  ask(where, (answer) => askOften(where, count, callback, [...answers, answer]));
}

// Fork so many, and call back with what they said once each has said something.
function forkAndHear(count, callback) {
  const said = {};
  const workers = [];
  cluster.on('message', function listener(it, message) {
    said[it.id] = message;
    if (Object.keys(said).length < count) return;
    cluster.off('message', listener);
    callback(Object.values(said), workers);
  });
  for (let number = 0; number < count; number++) workers.push(cluster.fork());
}

const serve = () => net.createServer((socket) => socket.end(String(worker().id)));

// Two servers, one after the other, and how each fared.
function listenTwice(first, second, callback) {
  const fared = [];
  const done = (server, error) => {
    fared.push(error ? plain(error) : server.address());
    if (fared.length === 2) callback(fared, servers);
    else start(second);
  };
  const servers = [];
  const start = (where) => {
    const server = serve();
    servers.push(server);
    server.on('error', (error) => done(server, error));
    server.listen(where, () => done(server));
  };
  start(first);
}

play({
  'one port': {
    primary() {
      forkAndHear(2, (ports) => {
        trace('same', ports[0] === ports[1]);
        askOften(ports[0], 10, (answers) => {
          trace('answers', answers.filter((answer) => answer === '1').length, answers.filter((answer) => answer === '2').length);
          cluster.disconnect();
        });
      });
    },
    worker() {
      const server = serve();
      trace('before', server.listen(0, HOST) === server, server.listening, server.address());
      server.on('listening', () => {
        trace('listening', server.listening, server.address().address, server.address().family);
        worker().send(server.address().port);
      });
    },
  },
  'two ports': {
    // listen(0) again is another socket, for all workers the same.
    primary() {
      forkAndHear(2, (ports) => {
        trace('same', ports[0][0] === ports[1][0], ports[0][1] === ports[1][1], ports[0][0] === ports[0][1]);
        cluster.disconnect();
      });
    },
    worker() {
      listenTwice({ port: 0, host: HOST }, { port: 0, host: HOST }, (fared) => {
        worker().send(fared.map((each) => each.port));
      });
    },
  },
  'exclusive': {
    primary() {
      forkAndHear(2, (ports) => {
        trace('same', ports[0] === ports[1]);
        cluster.disconnect();
      });
    },
    worker() {
      const server = serve();
      server.listen({ port: 0, host: HOST, exclusive: true }, () => worker().send(server.address().port));
      trace('at once', server.listening);
      worker().on('disconnect', () => server.close());
    },
  },
  'the primary has it': {
    primary() {
      const server = net.createServer().listen(0, HOST, () => {
        cluster.on('listening', () => trace('listening'));
        const it = cluster.fork({ PORT: String(server.address().port) });
        it.on('exit', () => server.close());
      });
    },
    worker() {
      const port = Number(process.env.PORT);
      const tell = (name, options, next) => {
        const server = serve();
        server.on('error', (error) => {
          const told = [error.code, error.syscall, error.address, error.port === port];
          trace(name, told, error.message.replace(String(port), 'PORT'), server.listening);
          next();
        });
        server.listen({ port, host: HOST, ...options });
      };
      tell('shared', {}, () => tell('exclusive', { exclusive: true }, () => worker().disconnect()));
    },
  },
  'the same port again': {
    // Its own, by another server of the same worker.
    primary() {
      cluster.on('listening', () => trace('listening'));
      cluster.fork();
    },
    worker() {
      const first = serve();
      first.listen(0, HOST, () => {
        const { port } = first.address();
        const second = serve();
        second.on('error', (error) => {
          trace([error.code, error.syscall, error.address, error.port === port], error.message.replace(String(port), 'PORT'));
          first.close(() => {
            const third = serve().listen(port, HOST, () => {
              trace('then', third.address().port === port);
              worker().disconnect();
            });
          });
        });
        second.listen(port, HOST);
      });
    },
  },
  'a path': {
    primary() {
      forkAndHear(2, (said) => {
        const there = () => fs.existsSync(place('socket'));
        askOften(place('socket'), 4, (answers) => {
          trace('said', said);
          trace('answers', answers.filter((answer) => answer === '1').length, there());
          cluster.disconnect();
        });
        cluster.once('exit', () => cluster.once('exit', () => trace('afterwards', there())));
      });
      let count = 0;
      cluster.on('listening', (it, address) => {
        if (++count === 2) trace('listening', address.address === place('socket'));
      });
    },
    worker() {
      const server = serve();
      server.listen(place('socket'), () => worker().send(server.address() === place('socket')));
      trace('before', server.listening);
    },
  },
  'one of two closes': {
    primary() {
      forkAndHear(2, (ports, workers) => {
        workers[0].once('message', () => {
          askOften(ports[0], 4, (answers) => {
            trace('answers', answers);
            cluster.disconnect();
          });
        });
        workers[0].send('close');
      });
    },
    worker() {
      const server = serve();
      server.listen(0, HOST, () => worker().send(server.address().port));
      worker().on('message', () => server.close(() => worker().send('closed')));
    },
  },
  'the last one closes': {
    // Then the port is free.
    primary() {
      forkAndHear(1, ([port], [it]) => {
        it.once('message', () => {
          const server = net.createServer();
          server.on('error', (error) => trace('error', error.code));
          server.listen(port, HOST, () => {
            trace('listening');
            server.close();
            it.disconnect();
          });
        });
        it.send('close');
      });
    },
    worker() {
      const server = serve();
      server.listen(0, HOST, () => worker().send(server.address().port));
      worker().on('message', () => server.close(() => {
        trace('closed', server.address(), server.listening);
        // What was said before it has come by then.
        setTimeout(() => worker().send('closed'), 100);
      }));
    },
  },
  'listening again': {
    primary() {
      let count = 0;
      cluster.on('listening', (it, address) => {
        trace('listening', address.address);
        if (++count === 2) it.disconnect();
      });
      cluster.fork();
    },
    worker() {
      const server = serve();
      server.listen(0, HOST, () => setImmediate(() => {
        const { port } = server.address();
        server.close(() => server.listen(port, HOST, () => trace('again', server.address().port === port)));
      }));
    },
  },
  'closed before it listens': {
    primary() {
      const it = cluster.fork();
      cluster.on('listening', () => trace('listening'));
      it.on('message', () => it.disconnect());
    },
    worker() {
      const server = serve();
      server.listen(0, HOST);
      server.on('listening', () => trace('listening'));
      server.close((error) => {
        trace('closed', error ? error.code : null, server.listening);
        setTimeout(() => worker().send('done'), 100);
      });
    },
  },
  'a limit': {
    // Who is beyond it waits until there is room.
    primary() {
      forkAndHear(1, ([port], [it]) => {
        const first = net.connect(port, HOST);
        first.on('data', (data) => {
          trace('first', String(data));
          const second = net.connect(port, HOST);
          second.on('data', (data) => trace('second', String(data)));
          second.on('error', () => {});
          second.on('close', () => {
            trace('second', 'close');
            first.destroy();
            it.disconnect();
          });
          setTimeout(() => first.destroy(), 1500);
        });
      });
    },
    worker() {
      const server = net.createServer((socket) => socket.end('welcome'));
      server.maxConnections = 1;
      server.listen(0, HOST, () => worker().send(server.address().port));
      let dropped = 0;
      server.on('drop', () => dropped++);
      server.on('close', () => trace('dropped', dropped));
    },
  },
  'all accept': {
    primary() {
      cluster.schedulingPolicy = cluster.SCHED_NONE;
      forkAndHear(2, (ports) => {
        trace('same', ports[0] === ports[1]);
        askOften(ports[0], 6, (answers) => {
          trace('answers', answers.every((answer) => answer === '1' || answer === '2'));
          cluster.disconnect();
        });
      });
    },
    worker() {
      const server = serve();
      server.listen(0, HOST, () => worker().send(server.address().port));
    },
  },
  'unreferenced': {
    primary() {
      const it = cluster.fork();
      it.on('listening', (address) => trace('listening', address.address));
      it.on('exit', (code) => trace('exit', code));
      it.on('disconnect', () => trace('disconnect', it.exitedAfterDisconnect));
      it.on('message', () => it.disconnect());
    },
    worker() {
      const server = serve();
      server.listen(0, HOST, () => worker().send('listening'));
      trace('unref', server.unref() === server);
    },
  },
});
