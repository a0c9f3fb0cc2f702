'use strict';
// What finished() and pipeline() say of sockets that are over in one way or another: a table as JSON, by the names
// of tests/support/end_states.py.

const net = require('net');
const { finished, pipeline } = require('stream');

const SETTLED = 1000; // milliseconds after which a wait is taken for endless
const BULK = Buffer.alloc(16e6);
const half = { allowHalfOpen: true };
const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));
const event = (emitter, name) => new Promise((resolve) => emitter.once(name, resolve));
const heard = (socket) => socket.on('error', () => {});
const peers = new Map(); // by the port of the other end
let server;

async function pair() {
  const client = heard(net.connect({ port: server.address().port, host: '127.0.0.1', ...half }));
  await event(client, 'connect');
  while (!peers.has(client.localPort)) await sleep(1);
  return [client, peers.get(client.localPort)];
}

// A socket on a connection that has no other owner any more.
async function adopted(options) {
  const [client] = await pair();
  return heard(new net.Socket({ handle: client._handle, ...half, ...options }));
}

const STATES = {
  'never-connected': async () => heard(new net.Socket(half)),
  'connecting': async () => heard(net.connect({ port: 1, host: 'name', lookup() {}, ...half })),
  'failing-to-connect': async () => heard(net.connect({
    port: 1, host: 'name', lookup: (name, options, done) => process.nextTick(done, new Error('mine')),
  })),
  'open': async () => (await pair())[0],
  'paused': async () => (await pair())[0].pause(),
  'ending': async () => {
    const [socket, peer] = await pair();
    peer.pause();
    socket.write(BULK);
    return socket.end();
  },
  'finished': async () => {
    const [socket] = await pair();
    socket.end();
    await event(socket, 'finish');
    return socket;
  },
  'ended-by-the-peer': async () => {
    const [socket, peer] = await pair();
    peer.end();
    socket.resume();
    await event(socket, 'end');
    return socket;
  },
  'ended-with-a-rest': async () => {
    const [socket, peer] = await pair();
    peer.end('rest');
    while (socket.readableLength < 4) await sleep(1);
    return socket;
  },
  'closed': async () => {
    const [socket, peer] = await pair();
    peer.end();
    socket.resume().end();
    await event(socket, 'close');
    return socket;
  },
  'destroyed': async () => (await pair())[0].destroy(),
  'destroyed-and-closed': async () => {
    const socket = await STATES.destroyed();
    await event(socket, 'close');
    return socket;
  },
  'failed': async () => (await pair())[0].destroy(new Error('mine')),
  'failed-and-closed': async () => {
    const socket = await STATES.failed();
    await event(socket, 'close');
    return socket;
  },
  'finished-and-destroyed': async () => (await STATES.finished()).destroy(),
  'ended-and-destroyed': async () => (await STATES['ended-by-the-peer']()).destroy(),
  'without-a-writable-side': () => adopted({ readable: true, writable: false }),
  'without-a-readable-side': () => adopted({ readable: false, writable: true }),
};

const FINISHED = { finished: {}, read: { writable: false }, written: { readable: false } };
const PLACES = {
  'source': (socket, first, last) => [socket, last],
  'destination': (socket, first) => [first, socket],
  'fed-destination': (socket, first) => [first, socket],
  'fed-middle': (socket, first, last) => [first, socket, last],
};

const show = (error) => (error ? (error.code || error.message).replace(/^ERR_(STREAM_)?/, '') : 'ok');

async function outcome(begin) {
  const answers = [];
  const answered = new Promise((resolve) => {
    const done = (error) => {
      answers.push(show(error));
      setTimeout(resolve, 10);
    };
    try {
      begin(done);
    } catch (error) {
      answers.push(`raises ${show(error)}`);
      resolve();
    }
  });
  await Promise.race([answered, sleep(SETTLED)]);
  return answers.join() || 'waits';
}

async function finishedCell(state, options) {
  const socket = await STATES[state]();
  return outcome((done) => finished(socket, options, done));
}

async function pipelineCell(state, place) {
  const [first, sender] = await pair();
  const [last] = await pair();
  if (place.startsWith('fed-')) {
    sender.end('data');
    while (first.readableLength < 4) await sleep(1);
  }
  const streams = PLACES[place](await STATES[state](), first, last);
  const said = await outcome((done) => pipeline(...streams, done));
  return said === 'waits' ? said : said + streams.map((stream) => '-+'[Number(stream.destroyed)]).join('');
}

async function main() {
  server = net.createServer(half, (socket) => peers.set(socket.remotePort, heard(socket)));
  server.listen(0, '127.0.0.1', 1024);
  await event(server, 'listening');
  const cells = [];
  for (const state of Object.keys(STATES)) {
    for (const column of Object.keys(FINISHED)) cells.push([state, column, finishedCell(state, FINISHED[column])]);
    for (const place of Object.keys(PLACES)) cells.push([state, place, pipelineCell(state, place)]);
  }
  const table = {};
  for (const [state, column, cell] of cells) (table[state] ??= {})[column] = await cell;
  process.stdout.write(JSON.stringify(table), () => process.exit(0));
}

main();
