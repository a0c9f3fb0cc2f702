// An end of QUIC on Cloudflare's quiche (npm: @matrixai/quic), for test_quiche.py.
//
//   quiche.mjs MODULE server PORT PEM CA          echoes streams; its servers always send a Retry
//   quiche.mjs MODULE client PORT PEM CA WHAT     asks for an echo; WHAT: "done" or "closed", which waits for the end

import crypto from 'node:crypto';
import fs from 'node:fs';

const [module, role, port, pem, authority, what] = process.argv.slice(2);
const { QUICClient, QUICServer, events, errors } = await import(module);
const PROTOCOL = 'test';
const body = Buffer.alloc(300000);
for (let number = 0; number < body.length; number++)
  body[number] = (number * number) % 251;

async function serve() {
  const key = crypto.randomBytes(32);
  const digest = (data) => crypto.createHmac('sha256', key).update(Buffer.from(data)).digest();
  const bare = (data) => data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength);
  const server = new QUICServer({
    crypto: {
      key: bare(key),
      ops: {
        sign: async (_, data) => bare(digest(data)),
        verify: async (_, data, signature) => digest(data).equals(Buffer.from(signature)),
      },
    },
    config: {
      key: fs.readFileSync(pem, 'utf8'),
      cert: fs.readFileSync(pem, 'utf8'),
      verifyPeer: false,
      applicationProtos: [PROTOCOL],
      maxIdleTimeout: 10000,
    },
  });
  server.addEventListener(events.EventQUICServerConnection.name, (made) => {
    const connection = made.detail;
    connection.addEventListener(events.EventQUICConnectionStream.name, (opened) => {
      const stream = opened.detail;
      stream.readable.pipeTo(stream.writable).catch(() => {});
    });
    connection.addEventListener(events.EventQUICConnectionClose.name, (closed) => {
      console.log('code:', closed.detail.data?.errorCode, closed.detail.data?.isApp);
    });
  });
  await server.start({ host: '127.0.0.1', port: Number(port) });
  console.log('listening');
}

async function talk() {
  const client = await QUICClient.createQUICClient({
    host: '127.0.0.1',
    localHost: '127.0.0.1',
    serverName: 'localhost',
    port: Number(port),
    crypto: { ops: { randomBytes: async (data) => { crypto.randomFillSync(new Uint8Array(data)); } } },
    config: {
      ca: fs.readFileSync(authority, 'utf8'),
      verifyPeer: true,
      applicationProtos: [PROTOCOL],
      maxIdleTimeout: 10000,
    },
  });
  const stream = client.connection.newStream('bidi');
  const writing = (async () => {
    const writer = stream.writable.getWriter();
    await writer.write(body);
    await writer.close();
  })();
  const pieces = [];
  for await (const piece of stream.readable)
    pieces.push(piece);
  await writing;
  if (!Buffer.concat(pieces).equals(body))
    throw new Error('something else came back');
  if (what === 'closed') {
    const closed = new Promise((resolve) =>
      client.connection.addEventListener(events.EventQUICConnectionClose.name, resolve));
    console.log('waiting');
    const { detail } = await closed;
    console.log('code:', detail.data?.errorCode, detail.data?.isApp);
  } else {
    await client.destroy({ isApp: true, errorCode: 5, reason: Buffer.from('done') });
    console.log('done');
  }
  process.exit(0);
}

await (role === 'server' ? serve() : talk());
