// Servers and sockets that are sent; handles.py is the same for uvnet.
'use strict';

const { fork } = require('child_process');
const net = require('net');
const { all, plain, play, scenario, trace } = require('./stage.js');

const HOST = '127.0.0.1';
const child = () => fork(process.argv[1], [scenario, 'child']);

// A server, and a client that is connected to it: callback(server, socket, client).
function connection(options, callback) {
  const server = net.createServer(options, (socket) => {
    socket.on('error', () => {});
    callback(server, socket, client);
  });
  let client;
  server.listen(0, HOST, () => {
    client = net.connect(server.address().port, HOST);
    client.on('error', () => {});
  });
}

const PAUSED = { pauseOnConnect: true };

play({
  'a server': {
    primary() {
      const it = child();
      const server = net.createServer();
      server.listen(0, HOST, () => {
        const { port } = server.address();
        it.send('server', server, (error) => {
          trace('sent', error, server.listening);
        });
        it.once('message', (message) => {
          trace('message', message.port === port, message.listening);
          server.close(() => {
            trace('closed');
            net.connect(port, HOST).on('data', (data) => trace('data', String(data))).on('close', () => it.disconnect());
          });
        });
      });
      it.on('exit', (code) => trace('exit', code));
    },
    child() {
      process.on('message', (message, server) => {
        trace('message', message, server instanceof net.Server, server.listening);
        server.on('connection', (socket) => {
          socket.end('from the child');
          server.close(() => trace('closed'));
        });
        process.send({ port: server.address().port, listening: server.listening });
      });
    },
  },
  'a socket': {
    primary() {
      const it = child();
      connection(PAUSED, (server, socket, client) => {
        socket.on('close', () => trace('socket', 'close'));
        socket.on('end', () => trace('socket', 'end'));
        const returned = it.send('socket', socket, (error) => trace('sent', error, socket.destroyed));
        trace('send() has returned', returned, socket.destroyed, socket.pending, socket.remoteAddress);
        client.write('to the child');
        client.on('data', (data) => {
          trace('client', 'data', String(data));
          client.end();
        });
        client.on('close', () => it.disconnect());
        server.close(() => trace('server', 'closed'));
      });
    },
    child() {
      process.on('message', (message, socket) => {
        trace('message', message, socket instanceof net.Socket, socket.readable, socket.writable, socket.remoteAddress);
        socket.on('data', (data) => {
          trace('data', String(data));
          socket.write('from the child');
        });
        socket.on('end', () => trace('end'));
        socket.on('close', () => trace('close'));
      });
    },
  },
  'a socket that is kept': {
    primary() {
      const it = child();
      connection(PAUSED, (server, socket, client) => {
        it.send('socket', socket, { keepOpen: true }, (error) => {
          trace('sent', error, socket.destroyed, socket.pending, socket.writable);
        });
        it.on('message', () => {
          socket.write('and the parent');
        });
        let text = '';
        client.on('data', (data) => {
          text += data;
          if (text === 'the child and the parent') {
            trace('client', text);
            socket.destroy();
            client.destroy();
            server.close();
            it.disconnect();
          }
        });
      });
    },
    child() {
      process.on('message', (message, socket) => {
        trace('message', socket.writable);
        socket.write('the child ', () => {
          process.send('written');
          socket.destroy();
        });
      });
    },
  },
  'the count over processes': {
    primary() {
      const it = child();
      connection(PAUSED, (server, socket, client) => {
        const count = (next) => server.getConnections((error, number) => {
          trace('connections', error, number);
          next();
        });
        count(() => {
          it.send('socket', socket);
          it.once('message', () => count(() => {
            server.close(() => {
              trace('server', 'closed');
              it.disconnect();
            });
            setTimeout(() => {
              trace('not yet');
              client.end();
            }, 200);
          }));
        });
      });
    },
    child() {
      process.on('message', (message, socket) => {
        socket.resume();
        process.send('got it');
      });
    },
  },
  'a dead receiver': {
    primary() {
      const it = child();
      it.on('exit', () => {
        connection(PAUSED, (server, socket, client) => {
          it.on('error', (error) => trace('error', plain(error)));
          trace('send()', it.send('socket', socket, (error) => {
            trace('callback', plain(error), socket.destroyed, socket.pending);
            socket.end('still here');
          }));
          client.on('data', (data) => trace('client', String(data)));
          client.on('close', () => server.close());
        });
      });
    },
    child() {
    },
  },
  'a closed server': {
    primary() {
      const it = child();
      it.on('error', (error) => trace('error', error.code));
      const server = net.createServer();
      try {
        trace('send()', it.send('server', server));
      } catch (error) {
        trace('raised', error.code);
      }
      it.on('message', (message) => {
        trace('message', message);
        it.disconnect();
      });
      it.send('end');
    },
    child() {
      process.on('message', (message, handle) => {
        trace('message', message, handle === undefined || handle === null);
        if (message === 'end') process.send('heard');
      });
    },
  },
  'there and back': {
    primary() {
      const it = child();
      connection(PAUSED, (server, socket, client) => {
        server.close();
        it.send('socket', socket);
        it.on('message', (message, back) => {
          trace('message', message, back === socket, back.remoteAddress);
          let text = '';
          back.on('data', (data) => {
            text += data;
            if (text === 'after') {
              trace('data', text);
              back.end('done');
            }
          });
          client.write('after');
        });
        client.on('data', (data) => trace('client', String(data)));
        client.on('end', () => {
          client.end();
          it.disconnect();
        });
      });
    },
    child() {
      process.on('message', (message, socket) => process.send('back', socket));
    },
  },
  'to a worker that serves': {
    primary() {
      const it = child();
      const server = net.createServer(PAUSED);
      let number = 0;
      const done = all([0, 1, 2], () => server.close(() => {
        trace('closed');
        it.disconnect();
      }));
      server.on('connection', (socket) => it.send(number++, socket));
      server.listen(0, HOST, () => {
        for (let index = 0; index < 3; index++) {
          const client = net.connect(server.address().port, HOST);
          client.end(`request ${index}`);
          let text = '';
          client.on('data', (data) => (text += data));
          client.on('close', () => {
            if (text !== `answer to request ${index}`) trace('wrong', text);
            done(index);
          });
        }
      });
    },
    child() {
      process.on('message', (message, socket) => {
        trace('message', message);
        let text = '';
        socket.on('data', (data) => (text += data));
        socket.on('end', () => socket.end(`answer to ${text}`));
      });
    },
  },
  'the receiver ends': {
    // A socket that the child had when it died is gone, and no more counted.
    primary() {
      const it = child();
      connection(PAUSED, (server, socket, client) => {
        it.on('message', () => it.kill('SIGKILL'));
        it.send('socket', socket);
        client.on('close', () => trace('client', 'close'));
        client.resume();
        server.close(() => trace('server', 'closed'));
        it.on('exit', (code, signal) => trace('exit', code, signal));
      });
    },
    child() {
      process.on('message', (message, socket) => {
        socket.on('close', () => {});
        process.send('got it');
      });
    },
  },
});
