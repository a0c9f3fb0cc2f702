"""Which tests speak of which module, and the mutants that nothing can tell from the original."""

from __future__ import annotations

# File names without "test_"; those of one module are all run, the quickest tests first.
TESTS = {
    "proxying": "proxy_arguments proxy_events proxy_headers proxy_upstream proxy mistaken_addresses",
    "proxy_protocol": "proxy_protocol proxy_headers",
    "aio": "socket_finished waits_leave_nothing end_states settling async_callbacks",
    "deadline": "waits_leave_nothing shutdown shutdown_listeners settling end_states end_states_events",
    "scopes": "waits_leave_nothing awaiting_connection leaving_a_server shutdown shutdown_listeners open_connection_timeout settling end_states_events slow",
    "events": "waits_leave_nothing events end_states_events settling async_callbacks",
    "connecting": "looking_up socket_connect attempts arguments lives_apart block_list_reached",
    "attempts": "attempts block_list_reached socket_connect lives_apart looking_up saying",
    "listening": "option_limits server_listen server_paths server_handles arguments mistaken_addresses server_processes",
    "options": "option_limits arguments socket_connect socket_construction server_listen server_options error_shapes looking_up "
    "max_buffered socket_options socket_timeout mistaken_addresses attempts",
    "piping": "socket_piping piping_resumed close_is_last relay socket_finished take_over",
    "encoding": "encoding socket_reading socket_writing socket_construction awaiting error_shapes",
    "run": "run_unheard run_writes loops isolated next_tick",
    "drops": "drops server_drop",
    "activation": "listen_fds",
    "connect": "socket_connect open_connection_timeout awaiting_connection server_options arguments",
    "address": "mistaken_addresses saying",
    "host_port": "mistaken_addresses proxy_arguments arguments",
    "errors": "error_shapes arguments attempts saying looking_up",
    "_cli.endpoint": "command_line command_line_proxy",
    "_cli.program": "command_line command_line_cat command_line_proxy",
    "_cli.standard": "command_line_cat",
    "_cli.traffic": "command_line_cat command_line_proxy",
    "_cli.echo": "command_line command_line_proxy",
    "_cli.cat": "command_line_cat",
    "_cli.proxy": "command_line_proxy",
    "_cli.info": "command_line",
    "_cli.main": "command_line",
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
