"""The options about TLS on the command line, and what they mean to the calls of uvnet.tls."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

import uvnet
from uvnet._cli.program import say

if TYPE_CHECKING:
    from uvnet.arguments.keywords import TLSKeywords, TLSServerKeywords

__all__ = ["add_client_options", "add_server_options", "client_options", "server_options", "tell_security"]


def add_server_options(parser: argparse.ArgumentParser, when: str = "") -> None:
    parser.add_argument("--cert", metavar="FILE", help=f"{when}the certificate to show (PEM), with --tls")
    parser.add_argument("--key", metavar="FILE", help="its private key (PEM), where --cert does not have it")


def add_client_options(parser: argparse.ArgumentParser, with_tls: str = "--tls") -> None:
    parser.add_argument(
        "--ca", metavar="FILE", help=f"with {with_tls}: certificates to trust (PEM), instead of the system's"
    )
    parser.add_argument("--servername", metavar="NAME", help="whom the certificate must name (default: the host)")
    parser.add_argument("--insecure", action="store_true", help="connect to anybody, without verifying who it is")


def server_options(arguments: argparse.Namespace) -> TLSServerKeywords:
    """The options of tls.create_server(); where there is no certificate that says so."""
    return {"cert": arguments.cert, "key": arguments.key}


def client_options(arguments: argparse.Namespace) -> TLSKeywords:
    """The options of tls.connect()."""
    return {
        "ca": arguments.ca,
        "servername": arguments.servername,
        "reject_unauthorized": not arguments.insecure,
    }


def tell_security(socket: uvnet.Socket) -> None:
    """Say the version, the cipher and whose certificate it is, of a connection with TLS."""
    if not isinstance(socket, uvnet.tls.TLSSocket):
        return
    say(f"{socket.get_protocol()}, {socket.get_cipher()['name']}")
    certificate = socket.get_peer_certificate()
    if certificate is None:
        return
    verified = "verified" if socket.authorized else "not verified"
    say(f"certificate of {_name(certificate.get('subject'))}, signed by {_name(certificate.get('issuer'))}, {verified}")
    say(f"for {certificate.get('subject_alt_name', 'no names')}; until {certificate.get('valid_to')}")
    say(f"SHA-256 {certificate['fingerprint256']}")


def _name(parts: dict[str, Any] | None) -> str:
    if not parts:
        return "nobody"
    return ", ".join(f"{key}={value}" for key, value in parts.items())
