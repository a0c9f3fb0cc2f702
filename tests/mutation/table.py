"""Which tests speak of which module, and the mutants that nothing can tell from the original."""

from __future__ import annotations

# Rooms and file names without "test_"; those of one module are all run, the quickest tests first.
TESTS = {
    "proxy.proxying": "proxy/arguments proxy/events proxy/headers proxy/upstream proxy/forwarding addresses/mistaken",
    "proxy.proxy_protocol": "proxy/protocol proxy/headers",
    "streams.finishing": "streams/finished integration/waits_leave_nothing integration/end_states "
    "integration/settling loop/async_callbacks",
    "server.shutdown": "integration/waits_leave_nothing server/shutdown server/shutdown_listeners "
    "integration/settling integration/end_states integration/end_states_events",
    "socket.closing": "integration/waits_leave_nothing server/shutdown integration/settling integration/end_states",
    "server.scope": "integration/waits_leave_nothing server/leaving server/shutdown server/shutdown_listeners "
    "integration/settling integration/end_states_events loop/slow",
    "socket.scope": "integration/waits_leave_nothing socket/awaiting_connection socket/open_connection_timeout "
    "integration/settling integration/end_states_events",
    "events.first": "integration/waits_leave_nothing socket/awaiting_connection server/leaving "
    "socket/open_connection_timeout integration/settling",
    "events.once_and_on": "integration/waits_leave_nothing events/once_and_on integration/end_states_events "
    "integration/settling loop/async_callbacks",
    "socket.connecting": "addresses/looking_up socket/connect socket/open_connection_timeout "
    "socket/awaiting_connection arguments/bad_input addresses/block_list_reached socket/attempts",
    "socket.attempts": "socket/attempts addresses/block_list_reached socket/connect addresses/looking_up "
    "integration/saying",
    "server.listening": "arguments/limits server/listen server/paths server/handles arguments/bad_input "
    "addresses/mistaken server/processes",
    "arguments.checks": "arguments/limits arguments/bad_input socket/construction server/options errors/shapes "
    "streams/max_buffered socket/options socket/timeout",
    "addresses.endpoint": "arguments/limits arguments/bad_input socket/connect server/listen addresses/looking_up "
    "addresses/mistaken",
    "socket.options": "arguments/limits arguments/bad_input socket/connect socket/construction errors/shapes "
    "addresses/looking_up addresses/mistaken socket/attempts",
    "streams.piping": "streams/piping streams/piping_resumed socket/close_is_last socket/relay streams/finished "
    "socket/take_over",
    "streams.encoding": "streams/encoding streams/reading streams/writing socket/construction streams/awaiting "
    "errors/shapes",
    "_loop.running": "loop/run_coroutine loop/run_unheard loop/run_writes loop/loops_and_threads "
    "integration/isolated events/next_tick",
    "_accept.drops": "server/drops server/drop",
    "server.activation": "server/listen_fds",
    "socket.opening": "socket/connect socket/open_connection_timeout socket/awaiting_connection arguments/bad_input",
    "server.creating": "server/options arguments/bad_input",
    "addresses.address": "addresses/mistaken integration/saying",
    "addresses.host_port": "addresses/mistaken proxy/arguments arguments/bad_input",
    "errors.codes": "errors/shapes arguments/bad_input socket/attempts integration/saying addresses/looking_up",
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
PROGRAMS = {"_loop.running", "server.activation", *(module for module in TESTS if module.startswith("_cli"))}

# module: {("function: line", before, after): why it is equivalent}
EQUIVALENT: dict[str, dict[tuple[str, str, str], str]] = {
    "proxy.proxy_protocol": {
        (r'_parse_text: end = data.find(b"\r\n", 0, LONGEST_TEXT)', "0", "1"): "the first byte is a P",
        ("_parse_text: if end < 0:", "end < 0", "end <= 0"): "as before",
        ("_parse_text: if end < 0:", "0", "1"): "as before",
    },
    "proxy.proxying": {
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
    "socket.closing": {
        ('_Deadline.start: self.emitter._observe("close", closed, once=True, first=True)', "True", "False"): "whoever "
        "awaits goes on after all listeners, and 'close' comes once",
    },
    "server.shutdown": {
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
    "_cli.endpoint": {
        (": port: int = 0", "0", "1"): "where there is a path nobody looks at the port",
        ("_check_port: port = int(text) if len(text) <= 9 else -1", "9", "10"): "how many zeros may stand before a port is as "
        "may be",
        ("_check_port: port = int(text) if len(text) <= 9 else -1", "len(text) <= 9", "len(text) < 9"): "as before",
    },
    "_cli.cat": {
        ("_cat: telling.cancel()", "telling.cancel()", "pass"): "run() cancels what is left",
        ("_join: sending.cancel()", "sending.cancel()", "pass"): "as before",
        ("_send: raise", "raise", "pass"): "finished() raises it as well",
        ("_receive: socket.destroy(error)", "socket.destroy(error)", "pass"): "an iteration that is given up does so",
    }
    | {
        (
            f"{function}: socket.on('error', _heard_elsewhere)".replace("'", '"'),
            "socket.on('error', _heard_elsewhere)",
            "pass",
        ): "only between two turns is nobody else there to hear of one"
        for function in ("_connect", "_accept")
    },
    "_cli.program": {
        ("_until_signal: loop.add_signal_handler(number, stop, code)", "loop.add_signal_handler(number, stop, code)", "pass"):
        "an exception says the same, where Python does not drop it",
        ("_until_signal: raise", "raise", "pass"): "nobody else cancels it",
        ("_fill_standard_descriptors: while null <= 2:", "2", "3"): "one more that is taken for a moment",
        ("_is_of_stdout: return any(events & (select.POLLERR | select.POLLHUP) for _, events in poll.poll(0))", "0", "1"): "a "
        "millisecond",
        ("_flush_if_possible: os.close(null)", "os.close(null)", "pass"): "the program ends",
    }
    | {
        (
            "peer_of: if address is None or family is None or port is None:",
            "address is None or family is None or port is None",
            after,
        ): "all are None, or none"
        for after in (
            "address is None and family is None and (port is None)",
            "family is None or port is None",
            "address is None or port is None",
            "address is None or family is None",
        )
    },
    "_cli.proxy": {
        ("_who: if address is None or port is None:", "address is None or port is None", after): "both are None, or neither"
        for after in ("address is None and port is None", "port is None", "address is None")
    },
    "_loop.running": {
        ("run: asyncio.set_event_loop(loop)", "asyncio.set_event_loop(loop)", "pass"): "asyncio asks for the loop that runs",
        ("_cancelled_by_sigint: loop.call_soon_threadsafe(lambda: None)", "loop.call_soon_threadsafe(lambda: None)", "pass"):
        "uvloop wakes up for signals itself",
        ("_cancel_tasks: return", "return", "pass"): "of no tasks: waiting for none is soon over",
    },
    "socket.connecting": {
        ("Connector.__init__: self.many = False", "self.many = False", "pass"): "_look_up() sets it before it is read",
        ("Connector.__init__: self.many = False", "False", "True"): "as before",
        ("Connector.cancel: self.lookup_request.cancel()", "self.lookup_request.cancel()", "pass"): "it spares a thread work, "
        "where none has begun yet",
    }
    | {
        (f"{function}: self.{name} = None", f"self.{name} = None", "pass"): "what is over is cancelled once more, to no effect"
        for function, name in (
            ("Connector.cancel", "lookup_request"),
            ("Connector.cancel", "task"),
            ("Connector._lookup_task_done", "task"),
            ("Connector._looked_up", "lookup_request"),
        )
    },
    "socket.attempts": {
        ("Attempts.__init__: self.several = False", "self.several = False", "pass"): "start() sets it before it is read",
        ("Attempts.__init__: self.several = False", "False", "True"): "as before",
        ("Attempts._try_next: self._be_on(under_way[-1])", "1", "0"): "it moves to the one that connects, whichever it is on",
        ("Attempts._close: attempt.handle = None", "attempt.handle = None", "pass"): "what is closed is not closed again",
    }
    | {
        (f"{function}: self.timer = None", "self.timer = None", "pass"): "what is over is cancelled once more, to no effect"
        for function in ("Attempts._delay_over", "Attempts._stop_timer")
    },
    "socket.options": {
        ('parse_connect_options: if options.get("port", 0) is None:', "0", "1"): "any default that is not None",
    }
    | {
        ('parse_connect_options: return ConnectOptions(path, "", 0, 0, 0, None, None, 0, False, 0)', before, after):
        "nobody looks at the rest where there is a path"
        for before, after in (("0", "1"), ("False", "True"))
    },
    "server.listening": {
        ("unlink_if_same: if new and inode is None:", "new and inode is None", "new"): "a new one's inode is the same",
    }
    | {
        (f"parse_listen_options: return ListenOptions({what}, 0, None, backlog, **flags), callback", "0", "1"): "nobody looks at "
        "the port then"
        for what in ("handle, None", "None, path")
    },
    "events.once_and_on": {
        ("_Inbox.never_comes: raise StopAsyncIteration", "raise StopAsyncIteration", "pass"): "take() does so a tick later",
        ("_Inbox.never_comes: self.stop()", "self.stop()", "pass"): "whoever gives the iterator or coroutine up stops it",
    },
    "streams.encoding": {
        ('encode: return base64.b64decode(text + "=" * (-len(text) % 4))', "-len(text)", "len(text)"): "too much padding "
        "is taken",
        (": def decode(self, data: bytes, final: bool = False) -> str:", "False", "True"): "of _Ascii and _Hex, which hold "
        "nothing back",
    },
    "events.first": {
        ("first_of: emitter._observe(event, function, first=True)", "True", "False"): "what is waited for is looked at "
        "after all listeners",
    },
    "server.scope": {
        ("enter_server: server.shutdown(0)", "0", "1"): "nobody is connected yet",
    },
    "streams.finishing": {
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
