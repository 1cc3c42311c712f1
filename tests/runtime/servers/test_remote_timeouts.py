"""How long a connection to an endpoint may keep us waiting is what the configuration says, on every way."""

from __future__ import annotations

import pytest

from runtime.config import Remote, Timeouts, load
from runtime.servers.link_remote import Renewal, open_endpoint
from runtime.transports.web import HttpTimeouts
from runtime.transports.websocket import WebSocketTimeouts

SAID = {"connect": 1, "write": 2, "answer": 3, "acknowledge": 4, "ping": 5, "pong": 6, "close": 7}


@pytest.mark.parametrize(
    ("module", "opener", "url", "expected"),
    [
        ("http", "open_http", "http://127.0.0.1:1/mcp", HttpTimeouts(1, 2, 3, 4, 7)),
        ("websocket", "open_websocket", "ws://127.0.0.1:1/mcp", WebSocketTimeouts(1, 5, 6, 7)),
    ],
)
def test_the_transport_is_opened_with_the_configured_times(monkeypatch, module, opener, url, expected):
    opened = {}
    monkeypatch.setattr(f"runtime.transports.{module}.{opener}", lambda _, **options: opened.update(options))
    spec = load({"mcpServers": {"far": {"url": url, "timeouts": SAID}}}).servers["far"]
    assert isinstance(spec.reach, Remote)
    open_endpoint(spec, spec.reach, url, {}, {}, Renewal())
    assert opened["timeouts"] == expected


def test_what_is_not_configured_is_what_the_transports_think_best():
    ours = Timeouts()
    http = HttpTimeouts(ours.connect, ours.write, ours.answer, ours.acknowledge, ours.close)
    assert http == HttpTimeouts()
    assert WebSocketTimeouts(ours.connect, ours.ping, ours.pong, ours.close) == WebSocketTimeouts()
