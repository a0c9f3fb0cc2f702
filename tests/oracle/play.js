'use strict';
// Plays scenarios (see language.py) on Node.js.  The argument is a JSON file that says which, and where the
// traces go.  play.py is the same program for uvnet; the two must agree step by step.

const fs = require('fs');
const net = require('net');
const tls = require('tls');
const nodePath = require('path');

const ofTls = (code) => /^ERR_(SSL|TLS|OSSL)_|^UNABLE_TO_|CERT/.test(code);
const UNSAID = ['alpnProtocol', 'servername'];

class Play {
  constructor(scenario, directory, job) {
    this.scenario = scenario;
    this.directory = directory;
    this.job = job;
    this.trace = [];
    this.names = {};
    this.objects = new Map();
    this.listeners = new Map();
    this.accepted = 0;
    this.open = true;
    this.barriers = [];
    this.done = new Promise((resolve) => { this.resolve = resolve; });
  }

  async play() {
    const limit = setTimeout(() => { this.log('process', 'time limit'); this.resolve(); }, this.job.limit * 1000);
    this.begin();
    await this.done;
    clearTimeout(limit);
    this.open = false;
    this.cleanUp();
    await new Promise((resolve) => setImmediate(resolve));
    return this.played();
  }

  // Until nothing keeps the process alive.
  playToTheEnd(ended) {
    setTimeout(() => { this.log('process', 'time limit'); process.exit(0); }, this.job.limit * 1000).unref();
    process.on('exit', () => ended(this.played()));
    this.begin();
  }

  played() {
    const missed = this.barriers.map(({ left }) => left);
    return { name: this.scenario.name, trace: this.trace, names: this.names, missed };
  }

  begin() {
    const { server, steps, until } = this.scenario;
    if (until.length) this.barrier(until, () => this.do_finish({}, this.job.settle));
    if (server === null) {
      process.nextTick(() => this.take(steps, {}));
    } else {
      this.do_make({}, 'server', 'server', server);
      this.objects.get('server').once('listening', () => this.take(steps, {}));
      this.do_serve({}, 'server', {}, []);
    }
  }

  cleanUp() {
    for (const object of this.objects.values()) {
      if (object instanceof net.Socket) {
        object.on('error', () => {});
        object.destroy();
      } else {
        object.on('error', () => {});
        object.close();
      }
    }
  }

  // The trace.

  log(who, what, ...values) {
    if (!this.open) return;
    this.learnPorts();
    this.trace.push([who, what, ...values.map((value) => this.plain(value))]);
    this.noticed(`${who} ${what}`);
  }

  learnPorts() {
    for (const [name, object] of this.objects) {
      let port;
      if (object instanceof net.Server) {
        const address = object.listening ? object.address() : null;
        port = address === null ? undefined : address.port;
      } else if (!object.connecting && !object.destroyed) {
        port = object.localPort;
      }
      if (port !== undefined && !(port in this.names)) this.names[port] = name;
    }
  }

  plain(value) {
    if (value === undefined || value === null) return null;
    if (Buffer.isBuffer(value)) return { $bytes: value.toString('latin1') };
    if (value instanceof Error) return { $error: this.plainError(value) };
    if (typeof value === 'number') return Number.isFinite(value) ? value : String(value);
    if (typeof value === 'function') return '<function>';
    if (typeof value !== 'object') return value;
    for (const [name, object] of this.objects) if (object === value) return `<${name}>`;
    if (value instanceof net.Socket || value instanceof net.Server) return '<somebody>';
    if (Array.isArray(value)) return value.map((item) => this.plain(item));
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.plain(item)]));
  }

  plainError(error) {
    // OpenSSL's words differ from version to version.
    if (ofTls(error.code)) return { code: error.code.replace('_SSL/TLS_', '_SSLV3_') };
    const found = {};
    for (const key of ['code', 'syscall', 'address', 'port', 'hostname', 'host', 'localAddress', 'localPort']) {
      if (error[key] !== undefined && error[key] !== null) found[key] = this.plain(error[key]);
    }
    if (typeof error.errno === 'number' && error.syscall !== 'getaddrinfo') found.errno = Math.abs(error.errno);
    if (error.errors !== undefined) found.errors = error.errors.map((one) => this.plainError(one));
    else if (error.name === 'Error') found.message = error.message.replace(' Canceled because of SSL destruction', '');
    return found;
  }

  // Entries that are waited for.

  barrier(entries, action) {
    this.barriers.push({ left: [...entries], action });
  }

  noticed(entry) {
    for (const barrier of [...this.barriers]) {
      const index = barrier.left.indexOf(entry);
      if (index < 0) continue;
      barrier.left.splice(index, 1);
      if (barrier.left.length) continue;
      this.barriers.splice(this.barriers.indexOf(barrier), 1);
      this.later(1, barrier.action);
    }
  }

  later(milliseconds, action) {
    let turns = this.job.turns;
    const turn = () => (turns-- > 0 ? setImmediate(turn) : action());
    setTimeout(turn, milliseconds);
  }

  // Arguments.

  value(given, env, who = null) {
    if (Array.isArray(given)) return given.map((item) => this.value(item, env, who));
    if (given === null || typeof given !== 'object') return given;
    switch (given.$) {
      case undefined:
        return Object.fromEntries(Object.entries(given).map(([key, item]) => [key, this.value(item, env, who)]));
      case 'callback':
        return this.callback(given, env, who);
      case 'time':
        return given.value;
      case 'bytes':
        return Buffer.from(given.text.repeat(given.times), 'latin1');
      case 'options':
        return this.value(given.value, env, who);
      case 'object':
        return this.objects.get(this.name(given.who, env));
      case 'port':
        return this.objects.get(given.who).address().port;
      case 'path':
        return given.prefix + nodePath.join(this.directory, given.name);
      case 'error':
        return new Error(given.text);
      case 'number':
        return Number(given.text);
      case 'lookup':
        return this.lookup(given, env, who);
      case 'onread':
        return this.onread(given, env, who);
      default:
        throw new Error(`no such argument: ${given.$}`);
    }
  }

  callback({ label, steps, side }, env, who) {
    return (...args) => {
      // What stands for "no error" is null, undefined or nothing at all.
      while (args.length && (args[args.length - 1] === undefined || args[args.length - 1] === null)) args.pop();
      this.log(side || who, label, ...args);
      this.take(steps, env);
    };
  }

  lookup({ answer, fails, how, steps }, env, who) {
    return (host, { family, all }, callback) => {
      this.log(who, 'lookup()', host, family || 0, Boolean(all));
      this.take(steps, env);
      const respond = () => {
        if (!fails) return callback(null, ...answer);
        const error = new Error(`getaddrinfo ${fails} ${host}`);
        return callback(Object.assign(error, { code: fails, syscall: 'getaddrinfo', hostname: host }));
      };
      if (how === 'sync') respond();
      else if (how === 'tick') process.nextTick(respond);
      else if (how === 'wait') setTimeout(respond, 5);
    };
  }

  onread({ size, steps, goOn }, env, who) {
    const callback = (count, buffer) => {
      this.log(who, 'onread', count, Buffer.from(buffer.subarray(0, count)));
      this.take(steps, env);
      return goOn;
    };
    return { buffer: Buffer.alloc(size), callback };
  }

  name(who, env) {
    return who === 'it' ? env.it : who;
  }

  // Steps.

  take(steps, env) {
    for (const [word, ...args] of steps) {
      if (!this.open) return;
      this[`do_${word}`](env, ...args);
    }
  }

  attempt(who, what, show, action) {
    let result;
    try {
      result = action();
    } catch (error) {
      this.log(who, `${what}!`, error);
      return;
    }
    if (show) this.log(who, `${what} =`, result);
  }

  do_make(env, who, kind, options) {
    this.attempt(who, 'new', false, () => {
      const given = this.value(options, env, who);
      const module = this.scenario.tls ? tls : net;
      this.add(who, kind === 'server' ? module.createServer(given) : new net.Socket(given));
    });
  }

  do_create(env, who, func, args) {
    const module = this.scenario.tls ? tls : net;
    this.attempt(who, func, false, () => this.add(who, module[func](...this.value(args, env, who))));
  }

  add(who, object) {
    this.objects.set(who, object);
    if (object instanceof net.Server) {
      const event = this.scenario.tls ? 'secureConnection' : 'connection';
      object.on(event, (socket) => {
        this.accepted += 1;
        const it = this.accepted === 1 ? 'peer' : `peer${this.accepted}`;
        this.objects.set(it, socket);
        this.log(who, event, socket);
        this.take(this.scenario.accept, { it });
      });
    }
  }

  do_dial(env, who, to, options, more) {
    let where;
    if (to === 'nobody') {
      where = this.scenario.transport === 'tcp' ? { port: 1, host: '127.0.0.1' } :
        { path: nodePath.join(this.directory, 'nobody') };
    } else {
      const address = this.objects.get(to).address();
      where = typeof address === 'string' ? { path: address } : { port: address.port, host: '127.0.0.1' };
    }
    const given = { ...where, ...this.value(options, env, who) };
    this.attempt(who, 'connect', false, () => this.objects.get(who).connect(given, ...this.value(more, env, who)));
  }

  do_serve(env, who, options, more) {
    const where = this.scenario.transport === 'tcp' ? { port: 0, host: '127.0.0.1' } :
      { path: nodePath.join(this.directory, who) };
    const given = { ...where, ...this.value(options, env, who) };
    this.attempt(who, 'listen', false, () => this.objects.get(who).listen(given, ...this.value(more, env, who)));
  }

  do_call(env, who, method, args, show) {
    who = this.name(who, env);
    this.attempt(who, method, show, () => this.objects.get(who)[method](...this.value(args, env, who)));
  }

  do_get(env, who, properties, label) {
    who = this.name(who, env);
    const object = this.objects.get(who);
    // What is not there is false in Node's tls.
    const found = (name) => (object[name] === false && UNSAID.includes(name) ? null : this.plain(object[name]));
    this.log(who, label, Object.fromEntries(properties.map((name) => [name, found(name)])));
  }

  do_set(env, who, name, value) {
    who = this.name(who, env);
    this.objects.get(who)[name] = this.value(value, env, who);
  }

  do_watch(env, who, events) {
    for (const event of events) this.do_on(env, who, event, [], event, 'on');
  }

  do_on(env, who, event, steps, label, how) {
    who = this.name(who, env);
    const listener = (...args) => {
      if (event === 'unpipe') args.length = 1;  // The second argument is not documented.
      if (event === 'session') args = [];
      this.log(who, label, ...args);
      this.take(steps, env);
    };
    this.listeners.set(`${who} ${event} ${label}`, listener);
    this.objects.get(who)[how](event, listener);
  }

  do_off(env, who, event, label) {
    who = this.name(who, env);
    this.objects.get(who).removeListener(event, this.listeners.get(`${who} ${event} ${label}`));
  }

  do_tick(env, who, label, steps) {
    who = this.name(who, env);
    process.nextTick(() => {
      this.log(who, label);
      this.take(steps, env);
    });
  }

  do_mark(env, who, label) {
    this.log(this.name(who, env), label);
  }

  do_file(env, who, where) {
    let mode = null;
    try {
      mode = (fs.lstatSync(this.value(where, env)).mode & 0o7777).toString(8);
    } catch {}
    this.log(who, 'file =', mode);
  }

  do_put(env, who, where) {
    const path = this.value(where, env);
    fs.rmSync(path, { force: true });
    fs.writeFileSync(path, '');
  }

  async do_iterate(env, who, steps, leave) {
    who = this.name(who, env);
    const loop = `${who} loop`;
    let chunks = 0;
    try {
      for await (const chunk of this.objects.get(who)) {
        this.log(loop, 'chunk', chunk);
        this.take(steps, env);
        chunks += 1;
        if (chunks === leave) break;
      }
      this.log(loop, 'over');
    } catch (error) {
      this.log(loop, 'raised', error);
    }
  }

  do_idle(env, milliseconds, steps) {
    setTimeout(() => this.take(steps, env), milliseconds).unref();
  }

  do_wait(env, milliseconds, steps) {
    this.later(milliseconds, () => this.take(steps, env));
  }

  do_when(env, entries, steps) {
    this.barrier(entries, () => this.take(steps, env));
  }

  do_module(env, func, args) {
    const module = this.scenario.tls ? tls : net;
    this.attempt('module', func, true, () => module[func](...this.value(args, env, 'module')));
  }

  do_throw(env, text) {
    throw new Error(text);
  }

  do_finish(env, settle) {
    this.later(settle, () => this.resolve());
  }
}

async function main() {
  const job = JSON.parse(fs.readFileSync(process.argv[2], 'utf8'));
  const traces = [];
  let current = null;
  process.on('uncaughtException', (error) => {
    if (current !== null && current.open) current.log('process', 'uncaught', error);
  });
  for (const [index, scenario] of job.scenarios.entries()) {
    const directory = nodePath.join(job.directory, String(index));
    current = new Play(scenario, directory, job);
    if (scenario.ends) {
      current.playToTheEnd((played) => fs.writeFileSync(job.output, JSON.stringify([{ directory, ...played }])));
      return;
    }
    traces.push({ directory, ...await current.play() });
  }
  fs.writeFileSync(job.output, JSON.stringify(traces));
  process.exit(0);
}

main();
