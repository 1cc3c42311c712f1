"""Who holds a port: by the kernel's tables, with real sockets and processes."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from runtime.transports import ports as ports_module
from runtime.transports import proc
from runtime.transports.environment import Marker
from runtime.transports.lock import HostLock
from runtime.transports.ports import Holder, Ports, PortTaken, PortUnusable, Whose, classify, parse_listeners
from tests.processes import ended

SERVER = str(Path(__file__).parents[2] / "servers" / "listen.py")


@pytest.fixture
def ports(command) -> Iterator[Ports]:
    with Ports() as ports:
        yield ports


@pytest.fixture
def listen(command, marker_variable) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    """Starts a process that listens at a port, and returns once it does."""
    started = []

    def listen(port: int, marker: Marker | None = None, way: str = "ok") -> subprocess.Popen[bytes]:
        env = {**command.env, **({} if marker is None else {marker_variable: str(marker)})}
        run = [sys.executable, "-I", "-S", SERVER, way, str(port)]
        process = subprocess.Popen(run, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(process)
        assert process.stdout.readline() == b"listening\n"
        return process

    yield listen
    for process in started:
        with process:
            process.kill()


def connects(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


# The port of a server


async def test_a_server_keeps_its_port(ports):
    one = await ports.reserve("one", "127.0.0.1", None)
    two = await ports.reserve("two", "127.0.0.1", None)
    assert one.port != two.port
    assert await ports.reserve("one", "127.0.0.1", None) is one
    one.release()
    assert await ports.reserve("one", "127.0.0.1", None) is one
    assert await ports.reserve("one", "127.0.0.1", one.port) is one
    ports.forget("one")
    assert await ports.reserve("three", "127.0.0.1", one.port) is not one


async def test_a_port_that_is_held_is_nobody_elses_and_refuses_connections(ports):
    held = await ports.reserve("one", "127.0.0.1", None)
    assert held.hold()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", held.port))
    assert not connects(held.port)
    assert held.holder() is None


async def test_a_port_is_held_though_connections_linger_on_it(ports):
    """A server that is killed leaves them, for a minute; one that shares its address can be started all the same."""
    reserved = await ports.reserve("one", "127.0.0.1", None)
    reserved.release()
    with socket.socket() as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        server.bind(("127.0.0.1", reserved.port))
        server.listen()
        with socket.create_connection(("127.0.0.1", reserved.port)):
            accepted, _ = server.accept()
            accepted.close()
    assert reserved.hold()


async def test_localhost_is_every_address_that_it_stands_for(ports):
    reserved = await ports.reserve("one", "localhost", None)
    assert {str(address) for address in reserved.addresses} <= {"127.0.0.1", "::1"}
    reserved.release()
    for address in reserved.addresses:
        with socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6) as other:
            other.bind((str(address), reserved.port))
            assert not reserved.hold()
    assert reserved.hold()


@pytest.mark.parametrize("host", ["192.0.2.1", "2001:db8::1", "no-such-host.invalid"])
async def test_an_address_that_is_not_here_has_no_ports_for_us(ports, host):
    with pytest.raises(PortUnusable, match=host):
        await ports.reserve("one", host, 8000)


async def test_two_servers_do_not_share_a_port(ports):
    one = await ports.reserve("one", "127.0.0.1", None)
    with pytest.raises(PortUnusable, match="that of server 'one'"):
        await ports.reserve("two", "localhost", one.port)


async def test_a_port_that_we_may_not_have_says_so(ports, monkeypatch):
    def refused(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    reserved = await ports.reserve("one", "127.0.0.1", 80)
    monkeypatch.setattr(ports_module, "_bind", refused)
    with pytest.raises(PortUnusable, match=r"port 80 of 127\.0\.0\.1 cannot be had: Permission denied"):
        await reserved.prepare()


async def test_where_nobody_tells_who_listens_no_server_is_started(ports, monkeypatch):
    monkeypatch.setattr(ports_module, "_TABLE", "/no/such/table")
    with pytest.raises(PortUnusable, match="on Linux alone"):
        await ports.reserve("one", "127.0.0.1", None)


async def test_where_no_port_is_left_none_is_reserved(ports, monkeypatch):
    monkeypatch.setattr(ports_module, "_bind", lambda *_: None)
    with pytest.raises(PortUnusable, match="none is left"):
        await ports.reserve("one", "127.0.0.1", None)


# Preparing it


async def reserved_and_let_go(ports: Ports):
    reserved = await ports.reserve("one", "127.0.0.1", None)
    reserved.release()
    return reserved


async def test_a_free_port_is_prepared_at_once(ports):
    reserved = await reserved_and_let_go(ports)
    assert await reserved.prepare() == 1
    assert not connects(reserved.port)


async def test_a_port_that_a_stranger_holds_is_left_to_it_and_named(ports, listen, monkeypatch):
    monkeypatch.setattr(ports_module, "_WAIT", 0.001)
    reserved = await reserved_and_let_go(ports)
    process = listen(reserved.port)
    with trio.fail_after(10), pytest.raises(PortTaken) as taken:
        await reserved.prepare()
    holder = Holder(process.pid, proc.command_name(process.pid), Whose.FOREIGN)
    assert (taken.value.port, taken.value.holder) == (reserved.port, holder)
    assert f"python (process {process.pid}); end that process" in str(taken.value).replace("python3", "python")
    assert process.poll() is None


async def test_a_port_that_gets_free_meanwhile_is_taken_at_once(ports, listen, monkeypatch):
    monkeypatch.setattr(ports_module, "_WAIT", 1000)
    reserved = await reserved_and_let_go(ports)
    process = listen(reserved.port)
    attempts = []

    async def prepare() -> None:
        attempts.append(await reserved.prepare())

    with trio.fail_after(10):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(prepare)
            await trio.testing.wait_all_tasks_blocked()
            process.kill()
    assert attempts == [2]


async def test_a_port_that_we_hold_ourselves_is_told_to_be_ours(ports, monkeypatch):
    monkeypatch.setattr(ports_module, "_WAIT", 0.001)
    reserved = await reserved_and_let_go(ports)
    with socket.socket() as server:
        server.bind(("127.0.0.1", reserved.port))
        server.listen()
        with trio.fail_after(10), pytest.raises(PortTaken, match="this program itself"):
            await reserved.prepare()


async def test_an_orphan_that_holds_the_port_is_ended_for_it(ports, listen, tmp_path):
    (tmp_path / "dead.lock").touch()
    reserved = await reserved_and_let_go(ports)
    process = listen(reserved.port, Marker("dead", "files", 1, 1, str(tmp_path / "dead.lock")))
    with trio.fail_after(10):
        assert await reserved.prepare() == 1
        await ended([process.pid])


async def test_a_server_of_a_living_host_is_left_alone_and_named(ports, listen, tmp_path, monkeypatch):
    monkeypatch.setattr(ports_module, "_WAIT", 0.001)
    lock = HostLock.take(tmp_path, "held")
    reserved = await reserved_and_let_go(ports)
    process = listen(reserved.port, Marker("held", "files", 1, 1, str(lock.path)))
    with trio.fail_after(10), pytest.raises(PortTaken, match="server 'files' of a host that runs") as taken:
        await reserved.prepare()
    assert taken.value.holder.whose is Whose.OURS
    assert process.poll() is None
    lock.remove()


async def test_a_holder_that_cannot_be_seen_is_nobody_by_name(ports, monkeypatch):
    monkeypatch.setattr(ports_module, "_WAIT", 0.001)
    reserved = await reserved_and_let_go(ports)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", reserved.port))  # and does not listen
        with trio.fail_after(10), pytest.raises(PortTaken, match="a process that is not ours to see"):
            await reserved.prepare()


async def test_five_attempts_are_made_with_growing_waits(ports, monkeypatch, autojump_clock):
    reserved = await reserved_and_let_go(ports)
    monkeypatch.setattr(type(reserved), "hold", lambda self: False)
    began = trio.current_time()
    with pytest.raises(PortTaken):
        await reserved.prepare()
    assert trio.current_time() - began == pytest.approx(0.2 + 0.4 + 0.6 + 0.8)


# Whose it is


async def test_a_listener_is_checked_to_be_of_the_child(ports, listen):
    reserved = await reserved_and_let_go(ports)
    assert reserved.check(lambda: [os.getpid()]) is None
    process = listen(reserved.port)
    assert reserved.check(lambda: [os.getpid(), process.pid]).pid == process.pid
    with pytest.raises(PortTaken) as taken:
        reserved.check(lambda: [os.getpid()])
    assert taken.value.holder.pid == process.pid


async def test_who_shares_the_childs_port_is_no_more_trusted_than_who_has_it(ports, listen):
    """Two sockets of one user may listen at one port, and the kernel chooses whom a connection goes to."""
    reserved = await reserved_and_let_go(ports)
    process = listen(reserved.port, way="shares")
    assert reserved.check(lambda: [process.pid]).pid == process.pid
    with socket.socket() as ours:
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        ours.bind(("127.0.0.1", reserved.port))
        ours.listen()
        with pytest.raises(PortTaken):
            reserved.check(lambda: [process.pid])
        assert reserved.check(lambda: [process.pid, os.getpid()])


async def test_a_listener_that_was_handed_on_while_we_looked_is_looked_for_again(ports, listen):
    reserved = await reserved_and_let_go(ports)
    process = listen(reserved.port)
    members = iter([[os.getpid()], [process.pid]])
    assert reserved.check(lambda: next(members)).pid == process.pid


@pytest.mark.parametrize(
    ("pid", "marker", "whose"),
    [(1, Marker("a"), Whose.US), (2, Marker("a"), Whose.OURS), (2, None, Whose.FOREIGN)],
)
def test_whose_a_process_is(pid, marker, whose):
    assert classify(pid, marker, us=1) is whose


TABLE = b"""\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 11 1 0 100 0 0 10 0
   1: 00000000:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 12 1 0 100 0 0 10 0
   2: 0200A8C0:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 13 1 0 100 0 0 10 0
   3: 0100007F:1F90 0100007F:B2A6 01 00000000:00000000 00:00000000 00000000  1000        0 14 1 0 100 0 0 10 0
   4: 0100007F:B2A6 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1000        0 15 1 0 100 0 0 10 0
"""
TABLE_6 = b"""\
   0: 00000000000000000000000001000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  0 0 21 1 0
   1: 00000000000000000000000000000000:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  0 0 22 1 0
   2: 0000000000000000FFFF00000100007F:1F90 00000000000000000000000000000000:0000 0A 0:0 00:0 0  0 0 23 1 0
"""


@pytest.mark.skipif(sys.byteorder != "little", reason="the tables are of a little-endian machine")
@pytest.mark.parametrize(
    ("table", "address", "port", "inodes"),
    [
        (TABLE, "127.0.0.1", 8080, {11, 12}),
        (TABLE, "192.168.0.2", 8080, {12, 13}),
        (TABLE, "127.0.0.1", 8081, set()),
        (TABLE_6, "::1", 8080, {21, 22}),
        (TABLE_6, "127.0.0.1", 8080, {22, 23}),
        (b"", "127.0.0.1", 8080, set()),
    ],
)
def test_the_kernels_table_tells_who_answers_at_an_address(table, address, port, inodes):
    assert parse_listeners(table, [ip_address(address)], port) == inodes


@given(st.ip_addresses())
def test_an_address_is_read_as_the_kernel_writes_it(address):
    words = [int.from_bytes(address.packed[at : at + 4], sys.byteorder) for at in range(0, len(address.packed), 4)]
    assert ports_module._address(b"".join(b"%08X" % word for word in words)) == address
