"""The reference lists each option once, with its type, and every call that takes options links to their list."""

from __future__ import annotations

import ast
import inspect
import re
from typing import Any

import pytest
from harness import Player
from places import DOCS

import uvnet
from uvnet.arguments import keywords
from uvnet.transports.server_options import ConnectionOptions, ServerOptions

REFERENCE = (DOCS / "reference.md").read_text()


def annotations_of(kind: Any) -> dict[str, str]:
    """The fields of a TypedDict with their types as they are written; not evaluated, on any Python."""
    found: dict[str, str] = {}
    for name, annotation in kind.__annotations__.items():
        found[name] = getattr(annotation, "__forward_arg__", annotation)
    return found


def parameters_of(function: Any) -> dict[str, str]:
    return {
        name: parameter.annotation
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


def without_limits(options: dict[str, str]) -> dict[str, str]:
    return {name: kind for name, kind in options.items() if name not in LIMITS}


SOCKET = annotations_of(keywords.SocketKeywords)
CONNECT = annotations_of(keywords.ConnectKeywords)
LIMITS = annotations_of(keywords.LimitKeywords)
PLAIN = {**CONNECT, **annotations_of(keywords.ServerKeywords)}
TLS = {
    name: kind
    for keywords_of in ("SecureContext", "TLSSocket", "TLSConnect", "Open", "TLSServer")
    for name, kind in annotations_of(getattr(keywords, f"{keywords_of}Keywords")).items()
    if name not in PLAIN
}
QUIC_CONNECT = annotations_of(keywords.QuicConnectKeywords)
QUIC_LISTEN = annotations_of(keywords.QuicListenKeywords)
LISTS: dict[str, dict[str, str]] = {
    "Options of a server": without_limits(annotations_of(keywords.ServerKeywords)),
    "Options about limits": LIMITS,
    "Options of listen()": annotations_of(keywords.ListenKeywords),
    "Options of a socket": SOCKET,
    "Options of connect()": {name: kind for name, kind in CONNECT.items() if name not in SOCKET},
    "Options of TLS": TLS,
    "Options of create_proxy()": parameters_of(uvnet.create_proxy),
    "Options of loop_factory()": without_limits(
        {**annotations_of(ConnectionOptions), **annotations_of(ServerOptions)}
    ),
    "Options of create_quic_socket()": annotations_of(keywords.QuicSocketKeywords),
    "Options of add_endpoint()": annotations_of(keywords.QuicEndpointKeywords),
    "Options of QUIC's listen()": {name: kind for name, kind in QUIC_LISTEN.items() if name not in QUIC_CONNECT},
    "Options of QUIC's connect()": {name: kind for name, kind in QUIC_CONNECT.items() if name not in QUIC_LISTEN},
    "Options of QUIC's listen() and connect()": {
        name: kind for name, kind in QUIC_CONNECT.items() if name in QUIC_LISTEN
    },
    "Option onread": annotations_of(keywords.OnRead),
    "What 'drop' tells": annotations_of(keywords.Drop),
}

LINKS = {
    ".. autofunction:: uvnet.create_server": {"server"},
    ".. autofunction:: uvnet.connect": {"connect", "socket"},
    ".. function:: create_connection": {"connect", "socket"},
    ".. autofunction:: uvnet.open_connection": {"connect", "socket", "tls"},
    ".. autofunction:: uvnet.create_proxy": {"proxy", "server"},
    ".. autofunction:: uvnet.create_quic_socket": {"quic"},
    ".. autofunction:: uvnet.loop_factory": {"loop"},
    ".. autofunction:: uvnet.tls.create_server": {"tls", "server"},
    ".. autofunction:: uvnet.tls.connect": {"tls", "connect", "socket"},
    ".. autofunction:: uvnet.tls.create_secure_context": {"tls"},
    ".. autoclass:: uvnet.tls.Server": {"tls", "server"},
    ".. autoclass:: uvnet.tls.TLSSocket": {"tls", "socket"},
    ".. autoclass:: uvnet.Server": {"server"},
    ".. automethod:: uvnet.Server.listen": {"listen"},
    ".. autoclass:: uvnet.Socket": {"socket"},
    ".. automethod:: uvnet.Socket.connect": {"connect", "socket"},
}


def section(title: str) -> str:
    found = re.search(rf"^### {re.escape(title)}\n([\s\S]*?)(?=^#|\Z)", REFERENCE, re.MULTILINE)
    assert found is not None, title
    return found[1]


def rows(title: str) -> list[list[str]]:
    """The cells of the table of a section, without its head."""
    lines = [line for line in section(title).splitlines() if line.startswith("|")]
    return [re.split(r"(?<!\\) \| ", line.strip("| ")) for line in lines[2:]]


def spelled(annotation: str) -> str:
    """A type as the tables have it: "`int` or `None`"."""
    parts: list[str] = []

    def take(node: ast.expr) -> None:
        if isinstance(node, ast.BinOp):
            take(node.left)
            take(node.right)
        elif isinstance(node, ast.Subscript) and ast.unparse(node.value) == "Literal":
            values = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
            parts.extend(ast.unparse(value).replace("'", '"') for value in values)
        else:
            parts.append(ast.unparse(node).replace(" | ", r" \| "))

    take(ast.parse(annotation, mode="eval").body)
    return " or ".join(f"`{part}`" for part in parts)


@pytest.mark.parametrize("title", LISTS)
def test_each_option_is_listed_once_with_its_type(title: str) -> None:
    listed = [(cells[0], cells[1]) for cells in rows(title)]
    assert sorted(listed) == sorted((f"`{name}`", spelled(kind)) for name, kind in LISTS[title].items())


@pytest.mark.parametrize("title", LISTS)
def test_each_has_a_default_and_a_meaning(title: str) -> None:
    for cells in rows(title):
        assert len(cells) == (4 if title.startswith("Options") else 3), cells
        assert all(cell.strip() for cell in cells)


def test_every_type_of_options_is_listed() -> None:
    listed = {name for names in LISTS.values() for name in names}
    for kind in keywords.__all__:
        assert set(getattr(keywords, kind).__annotations__) <= listed, kind


def test_what_upstream_may_be() -> None:
    (names,) = re.findall(r"`upstream` may be a mapping [^:]*: ([^.]*)\.", section("Options of create_proxy()"))
    assert re.findall(r"`(\w+)`", names) == sorted(keywords.UpstreamKeywords.__annotations__)


@pytest.mark.parametrize("directive", LINKS)
def test_calls_link_to_their_options(directive: str) -> None:
    found = re.search(rf"^{re.escape(directive)}(?:\(.*)?\n((?:\n|   .*\n)*)", REFERENCE, re.MULTILINE)
    assert found is not None
    linked = re.findall(r":ref:`(\w+)-options`", found[1])
    assert set(linked) == LINKS[directive]
    for label in linked:
        assert f"\n({label}-options)=\n" in REFERENCE


def test_every_call_with_options_is_known() -> None:
    """A signature with **keywords of a TypedDict is one that needs a link."""
    functions = {
        f"{module.__name__}.{name}": found
        for module in (uvnet, uvnet.tls)
        for name in module.__all__
        if inspect.isfunction(found := getattr(module, name))
    }
    taking = {
        name
        for name, function in functions.items()
        if any(parameter.kind is parameter.VAR_KEYWORD for parameter in inspect.signature(function).parameters.values())
    }
    linked = {directive.rpartition(" ")[2] for directive in LINKS if "function::" in directive}
    assert taking == {name if "." in name else f"uvnet.{name}" for name in linked}


def _defaults(title: str) -> dict[str, str]:
    return {cells[0].strip("`"): cells[2].strip("`") for cells in rows(title)}


def test_defaults_of_a_proxy() -> None:
    listed = _defaults("Options of create_proxy()")
    for name, parameter in inspect.signature(uvnet.create_proxy).parameters.items():
        if parameter.kind is parameter.KEYWORD_ONLY:
            assert listed[name] == str(parameter.default)


def test_defaults_that_can_be_asked_for(play: Player) -> None:
    async def scenario() -> None:
        asked: list[tuple[str, Any, tuple[str, ...]]] = [
            (
                "Options of a socket",
                uvnet.Socket(),
                ("readable_high_water_mark", "writable_high_water_mark", "allow_half_open", "max_buffered"),
            ),
            ("Options of a server", uvnet.create_server(), ("allow_half_open", "pause_on_connect")),
        ]
        for title, holder, names in asked:
            listed = _defaults(title)
            for name in names:
                assert listed[name].replace(",", "") == str(getattr(holder, name))
        listed = _defaults("Options of connect()")
        assert listed["auto_select_family"] == str(uvnet.get_default_auto_select_family())
        attempt = uvnet.get_default_auto_select_family_attempt_timeout()
        assert listed["auto_select_family_attempt_timeout"] == str(attempt)

    play(scenario)
