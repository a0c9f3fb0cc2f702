"""Which tests speak of which module, and the mutants that nothing can tell from the original."""

from __future__ import annotations

# Rooms and file names without "test_"; those of one module are all run, the quickest tests first.
TESTS = {
    "proxying": "proxy/arguments proxy/events proxy/headers proxy/upstream proxy/forwarding addresses/mistaken",
    "proxy_protocol": "proxy/protocol proxy/headers",
    "aio": "streams/finished integration/waits_leave_nothing integration/end_states integration/settling "
    "loop/async_callbacks",
    "deadline": "integration/waits_leave_nothing server/shutdown server/shutdown_listeners integration/settling "
    "integration/end_states integration/end_states_events",
    "scopes": "integration/waits_leave_nothing socket/awaiting_connection server/leaving server/shutdown "
    "server/shutdown_listeners socket/open_connection_timeout integration/settling integration/end_states_events "
    "loop/slow",
    "events": "integration/waits_leave_nothing events/once_and_on integration/end_states_events "
    "integration/settling loop/async_callbacks",
    "connecting": "addresses/looking_up socket/connect socket/attempts arguments/bad_input "
    "integration/lives_apart addresses/block_list_reached",
    "attempts": "socket/attempts addresses/block_list_reached socket/connect integration/lives_apart "
    "addresses/looking_up integration/saying",
    "listening": "arguments/limits server/listen server/paths server/handles arguments/bad_input "
    "addresses/mistaken server/processes",
    "options": "arguments/limits arguments/bad_input socket/connect socket/construction server/listen "
    "server/options errors/shapes addresses/looking_up streams/max_buffered socket/options socket/timeout "
    "addresses/mistaken socket/attempts",
    "piping": "streams/piping streams/piping_resumed socket/close_is_last socket/relay streams/finished "
    "socket/take_over",
    "encoding": "streams/encoding streams/reading streams/writing socket/construction streams/awaiting errors/shapes",
    "run": "loop/run_unheard loop/run_writes loop/loops_and_threads integration/isolated events/next_tick",
    "drops": "server/drops server/drop",
    "activation": "server/listen_fds",
    "connect": "socket/connect socket/open_connection_timeout socket/awaiting_connection server/options "
    "arguments/bad_input",
    "address": "addresses/mistaken integration/saying",
    "host_port": "addresses/mistaken proxy/arguments arguments/bad_input",
    "errors": "errors/shapes arguments/bad_input socket/attempts integration/saying addresses/looking_up",
    "_cli.endpoint": "cli/main cli/proxy",
    "_cli.program": "cli/main cli/cat cli/proxy",
    "_cli.standard": "cli/cat",
    "_cli.traffic": "cli/cat cli/proxy",
    "_cli.echo": "cli/main cli/proxy",
    "_cli.cat": "cli/cat",
    "_cli.proxy": "cli/proxy",
    "_cli.info": "cli/main",
    "_cli.main": "cli/main",
}

# Their tests run programs, in which no line is seen to be reached.
PROGRAMS = {"run", "activation", *(module for module in TESTS if module.startswith("_cli"))}

# module: {("function: line", before, after): why it is equivalent}
EQUIVALENT: dict[str, dict[tuple[str, str, str], str]] = {
    "proxy_protocol": {
        (r'_parse_text: end = data.find(b"\r\n", 0, LONGEST_TEXT)', "0", "1"): "the first byte is a P",
        ("_parse_text: if end < 0:", "end < 0", "end <= 0"): "as before",
        ("_parse_text: if end < 0:", "0", "1"): "as before",
    },
    "proxying": {
        (
            "_Proxy.pass_on_for: if header.source is not None and header.destination is not None:",
            "header.source is not None and header.destination is not None",
            after,
        ): "both are None, or neither"
        for after in (
            "header.source is not None or header.destination is not None",
            "header.destination is not None",
            "header.source is not None",
        )
    }
    | {
        (
            "_cut: if socket.destroyed or (not had_error and socket.writable_ended and socket.readable_ended):",
            "socket.destroyed or (not had_error and socket.writable_ended and socket.readable_ended)",
            "not had_error and socket.writable_ended and socket.readable_ended",
        ): "what is destroyed is not destroyed again",
        ("_Proxy.connect: upstream.destroy()", "upstream.destroy()", "pass"): "the client's 'close' cuts it as well, "
        "unless memory is short",
    }
    | {
        (f"_Proxy.join: {line}", "True", "False"): "no socket of a proxy connects or closes twice"
        for line in (
            'upstream._observe("connect", connected, once=True)',
            'upstream._observe("close", closed, once=True)',
            'client._observe("close", lambda had_error: _cut(upstream, had_error), once=True)',
        )
    }
    | {
        (
            f"{function}: return None if address is None or port is None else (address, port)",
            "address is None or port is None",
            after,
        ): "both are None, or neither"
        for function in ("_remote", "_local")
        for after in ("address is None and port is None", "port is None", "address is None")
    },
    "deadline": {
        ('_Deadline.start: self.emitter._observe("close", closed, once=True, first=True)', "True", "False"): "whoever "
        "awaits goes on after all listeners, and 'close' comes once",
        (
            "_Shutdown.__init__: self.awaited = 0  # connections that close, and listeners that run",
            "self.awaited = 0",
            "pass",
        ): "look() sets it before it is read",
        ("_Shutdown.look: return", "return", "pass"): "what is over is completed once more, to no effect",
        (
            '_Shutdown.look: socket._observe("close", lambda _: self.server._next_tick(self.one_is_over), once=True)',
            "True",
            "False",
        ): "'close' comes once",
        ("_Shutdown.__init__: self.awaited = 0  # connections that close, and listeners that run", "0", "1"): "as before",
    },
    "listening": {
        ("unlink_if_same: if new and inode is None:", "new and inode is None", "new"): "a new one's inode is the same",
    },
    "events": {
        ("_Inbox.never_comes: raise StopAsyncIteration", "raise StopAsyncIteration", "pass"): "take() does so a tick later",
        ("_Inbox.never_comes: self.stop()", "self.stop()", "pass"): "whoever gives the iterator or coroutine up stops it",
    },
    "encoding": {
        ('encode: return base64.b64decode(text + "=" * (-len(text) % 4))', "-len(text)", "len(text)"): "too much padding "
        "is taken",
        (": def decode(self, data: bytes, final: bool = False) -> str:", "False", "True"): "of _Ascii and _Hex, which hold "
        "nothing back",
    },
    "scopes": {
        ("_first: emitter._observe(event, function, first=True)", "True", "False"): "what is waited for is looked at "
        "after all listeners",
        ("enter_server: server.shutdown(0)", "0", "1"): "nobody is connected yet",
    },
    "aio": {
        (
            "_Watch.refuse_data: if self.done is not None and not self.stream.readable_ended and not self.stream.destroyed:",
            "self.done is not None and (not self.stream.readable_ended) and (not self.stream.destroyed)",
            "not self.stream.readable_ended and (not self.stream.destroyed)",
        ): "who is done has ended or is destroyed",
        ("_Pipeline.look: return", "return", "pass"): "of look(): what is over by then has ended, or look() has nothing to do",
        ("_Pipeline.over: self.chain[0]._next_tick(self.watches[index - 1].refuse_data)", "0", "1"): "all have the same queue",
        ("pipeline: _Pipeline(chain, _caller(chain[-1], callback)).start()", "-1", "1"): "any stream sees to a coroutine",
        ("pipeline: _Pipeline(chain, _caller(chain[-1], callback)).start()", "1", "0"): "as before",
    },
}
