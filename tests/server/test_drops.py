"""How often masses of one thing are told of, and what is said (rule 1.8.2)."""

from __future__ import annotations

import logging

import pytest

from uvnet._accept import drops


def test_once_per_second(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first at once, the others together when the second is over; each is told of once."""
    now = 100.0
    monkeypatch.setattr(drops.time, "monotonic", lambda: now)
    counter = drops.OncePerSecond()
    told = []
    for moment in (100.0, 100.0, 100.5, 100.999, 101.0, 101.5, 101.999, 102.5, 103.4, 103.5):
        now = moment
        told.append(counter.count())
    assert told == [1, 0, 0, 0, 4, 0, 0, 3, 0, 2]


def test_out_of_descriptors(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    now = 0.0
    monkeypatch.setattr(drops.time, "monotonic", lambda: now)
    said = drops.DropLog("out of file descriptors", "raise the limit")
    with caplog.at_level(logging.WARNING, "uvnet"):
        for moment in (0.0, 0.1, 0.2, 1.1):
            now = moment
            said.count("the server")
    messages = [record.getMessage() for record in caplog.records]
    assert [message.split(" closed at once")[0] for message in messages] == [
        "out of file descriptors: 1 connections to 'the server'",
        "out of file descriptors: 3 connections to 'the server'",
    ]


def test_what_a_drop_says() -> None:
    local, remote = ("::1", "IPv6", 1), ("127.0.0.1", "IPv4", 2)
    assert drops.describe_drop("a reason", local, remote) == {
        "reason": "a reason",
        "local_address": "::1", "local_family": "IPv6", "local_port": 1,
        "remote_address": "127.0.0.1", "remote_family": "IPv4", "remote_port": 2,
    }  # fmt: skip
    for names in ((None, None), (local, None), (None, remote)):
        assert drops.describe_drop("another", *names) == {"reason": "another"}
