"""A TCP port for a server of ours: kept over its restarts, free before each of them, and surely its own afterwards.

While no process of the server lives, we hold the port ourselves, bound and not listening: who connects is refused, and
nobody is given it by chance. It is let go right before the start. Who holds a port is read in ``/proc`` (Linux).
"""

import errno
import os
import socket
import sys
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from enum import Enum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Final, TypeAlias, final

import trio
from attrs import define, field, frozen

from . import proc
from .environment import Marker
from .sweep import end_orphan, marker_of

__all__ = ["Holder", "Listener", "PortTaken", "PortUnusable", "Ports", "Reservation", "Whose"]

ATTEMPTS: Final = 5
_WAIT = 0.2  # seconds, times the number of the attempt
_FIRST_LOOK, _LAST_LOOK = 0.005, 0.1
_LOOKS = 3  # at whose the listeners are: processes fork and end while one looks
_TRIES = 100  # at ports that the kernel says are free

Address: TypeAlias = IPv4Address | IPv6Address

_TABLE: Final = "/proc/net/tcp"
_LISTENING = b"0A"
_LOCAL = ("localhost", "localhost.localdomain", "ip6-localhost")


@final
class Whose(Enum):
    """Whose process holds a port."""

    US = "us"
    OURS = "ours"
    """A server that a host of Greenroom has started, this one or another, living or dead."""
    FOREIGN = "foreign"


@final
@frozen
class Holder:
    """A process that holds a port. `server` is its name with the host that started it, where one did."""

    pid: int
    program: str
    whose: Whose
    server: str = ""

    def __str__(self) -> str:
        match self.whose:
            case Whose.US:
                return f"this program itself (process {self.pid})"
            case Whose.OURS:
                server = f"server {self.server!r}" if self.server else "a server"
                return f"{server} of a host that runs, or may still do so ({self.program}, process {self.pid})"
            case Whose.FOREIGN:
                return f"{self.program} (process {self.pid})"


@final
@frozen
class Listener:
    """A socket that a process listens by, as that process knows it."""

    pid: int
    descriptor: int
    inode: int

    def is_there(self) -> bool:
        """Whether the process still has it. Cheap, and no process that was given its id since passes for it."""
        with suppress(OSError):
            return os.readlink(f"/proc/{self.pid}/fd/{self.descriptor}") == f"socket:[{self.inode}]"
        return False


@final
@define(repr=False)
class PortTaken(Exception):
    """A server's port is another's, which was left alone. `holder` None: nobody that we may see.

    Before the start, the server was not started; afterwards, nothing was sent to it.
    """

    host: str
    port: int
    holder: Holder | None

    @property
    def remedy(self) -> str:
        end = "end that process" if self.holder is None or self.holder.whose is Whose.FOREIGN else "stop that"
        return f"{end}, or give this server another port in its url"

    def __str__(self) -> str:
        who = "a process that is not ours to see" if self.holder is None else str(self.holder)
        return f"port {self.port} of {self.host} is held by {who}; {self.remedy}"


@final
@define(repr=False)
class PortUnusable(Exception):
    """No server of ours can ever listen there, whoever else does. `port` None: any would have done."""

    host: str
    port: int | None
    reason: str

    def __str__(self) -> str:
        port = "a port" if self.port is None else f"port {self.port}"
        return f"{port} of {self.host} cannot be had: {self.reason}"


@final
@define(eq=False, repr=False)
class Ports:
    """The ports of one host's servers. The block closes it: then nothing is held any more."""

    _reservations: "dict[str, Reservation]" = field(factory=dict, init=False)

    async def reserve(self, server: str, host: str, port: int | None) -> "Reservation":
        """The port of a server at an address of this machine: the same one each time; None: any that is free.

        Raises `PortUnusable`.
        """
        await trio.lowlevel.checkpoint()
        if not os.access(_TABLE, os.R_OK):
            raise PortUnusable(host, port, "who listens there can be told on Linux alone")
        known = self._reservations.get(server)
        if known is not None and known.host == host and port in (None, known.port):
            return known
        addresses = await _addresses(host)
        for name, other in self._reservations.items():
            if name != server and other.port == port and not set(addresses).isdisjoint(other.addresses):
                raise PortUnusable(host, port, f"it is that of server {name!r}")
        self.forget(server)
        made = _any_port(host, addresses) if port is None else Reservation(host, addresses, port)
        self._reservations[server] = made
        return made

    def forget(self, server: str) -> None:
        """The server is no longer there."""
        if (known := self._reservations.pop(server, None)) is not None:
            known.release()

    def close(self) -> None:
        for server in list(self._reservations):
            self.forget(server)

    def __enter__(self) -> "Ports":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@final
@define(eq=False, repr=False)
class Reservation:
    """The port of one server, and who else holds it."""

    host: str
    addresses: tuple[Address, ...]
    port: int
    _held: list[socket.socket] = field(factory=list, init=False)

    def hold(self) -> bool:
        """Takes the port where nobody else has it; whether it is held now. Raises `PortUnusable`."""
        if self._held:
            return True
        for address in self.addresses:
            try:
                bound = _bind(address, self.port)
            except OSError as error:  # a port below 1024, say
                self.release()
                raise PortUnusable(self.host, self.port, error.strerror or str(error)) from error
            if bound is None:
                self.release()
                return False
            self._held.append(bound)
        return True

    def release(self) -> None:
        """Lets go of it, for the server to take."""
        while self._held:
            self._held.pop().close()

    async def prepare(self) -> int:
        """Waits until the port is free, and holds it; returns how many attempts that took, at most five.

        Orphans of dead hosts are ended for it, and nobody else is. Between two attempts there are 0.2 s, 0.4 s, and so
        on, unless it gets free before. Raises `PortTaken`, `PortUnusable`.
        """
        await trio.lowlevel.checkpoint()
        holder: Holder | None = None
        for attempt in range(1, ATTEMPTS + 1):
            if self.hold():
                return attempt
            holder = await trio.to_thread.run_sync(self.holder)
            ended = holder is not None and holder.whose is Whose.OURS
            if ended and await trio.to_thread.run_sync(end_orphan, holder.pid) and self.hold():  # type: ignore[union-attr]
                return attempt
            if attempt < ATTEMPTS:
                with trio.move_on_after(_WAIT * attempt):
                    await self._free()
        raise PortTaken(self.host, self.port, holder)

    async def _free(self) -> None:
        pause = _FIRST_LOOK
        while not self.hold():
            await trio.sleep(pause)
            pause = min(2 * pause, _LAST_LOOK)

    def holder(self) -> Holder | None:
        """A process that listens here now; None: there is none that we may see."""
        found = _listening(self._listeners(), proc.pids())
        holders = [_holder(pid) for pid in found]
        return next((holder for holder in holders if holder.whose is Whose.FOREIGN), next(iter(holders), None))

    def check(self, members: Callable[[], Iterable[int]]) -> "Listener | None":
        """Sees to it that whoever answers here is one of these processes, and returns who; None: nobody listens yet.

        Raises `PortTaken`.
        """
        for _ in range(_LOOKS):
            listeners = self._listeners()
            if not listeners:
                return None
            found = _listening(listeners, members())
            if listeners <= set().union(*found.values()):
                pid, sockets = next(iter(found.items()))
                inode, descriptor = next(iter(sockets.items()))
                return Listener(pid, descriptor, inode)
        raise PortTaken(self.host, self.port, self.holder())

    def _listeners(self) -> set[int]:
        return _read_listeners(self.addresses, self.port)


# What /proc tells


def parse_listeners(table: bytes, addresses: Collection[Address], port: int) -> set[int]:
    """The inodes of the sockets of a ``/proc/net/tcp`` or ``tcp6`` that answer at one of the addresses."""
    found = set()
    wanted = b":%04X" % port
    for line in table.splitlines():
        if wanted not in line:
            continue
        _, local, _, state, *_, inode = line.split()[:10]
        if state == _LISTENING and local.endswith(wanted):
            bound = _address(local.removesuffix(wanted))
            if bound.is_unspecified or any(bound == address or _mapped(bound) == address for address in addresses):
                found.add(int(inode))
    return found


def _mapped(address: Address) -> IPv4Address | None:
    return address.ipv4_mapped if isinstance(address, IPv6Address) else None


def _address(digits: bytes) -> Address:
    """An address as the kernel writes it: words of 32 bits in the machine's own order."""
    words = (int(digits[at : at + 8], 16) for at in range(0, len(digits), 8))
    return ip_address(b"".join(word.to_bytes(4, sys.byteorder) for word in words))


def _read_listeners(addresses: Collection[Address], port: int) -> set[int]:
    tables = (proc.read(table) for table in (_TABLE, f"{_TABLE}6"))
    return set().union(*(parse_listeners(table, addresses, port) for table in tables))


def _listening(inodes: Collection[int], pids: Iterable[int]) -> dict[int, dict[int, int]]:
    """Which of these processes hold which of these sockets, by which descriptor; who holds none is left out."""
    found: dict[int, dict[int, int]] = {}
    wanted = {f"socket:[{inode}]": inode for inode in inodes}
    for pid in pids if wanted else ():
        with suppress(OSError):  # it has ended, or is another user's
            for descriptor in os.listdir(f"/proc/{pid}/fd"):
                with suppress(OSError):  # closed meanwhile
                    if (inode := wanted.get(os.readlink(f"/proc/{pid}/fd/{descriptor}"))) is not None:
                        found.setdefault(pid, {})[inode] = int(descriptor)
    return found


def classify(pid: int, marker: Marker | None, us: int) -> Whose:
    """Whose process it is, by the marker that it carries."""
    if pid == us:
        return Whose.US
    return Whose.FOREIGN if marker is None else Whose.OURS


def _holder(pid: int) -> Holder:
    marker = marker_of(pid)
    server = "" if marker is None else marker.server
    return Holder(pid, proc.command_name(pid), classify(pid, marker, os.getpid()), server)


# Addresses


async def _addresses(host: str) -> tuple[Address, ...]:
    """What a host name stands for, as far as this machine has it. Raises `PortUnusable` where it does not."""
    if host in _LOCAL:
        named: list[Address] = [IPv4Address("127.0.0.1"), IPv6Address("::1")]
    else:
        try:
            named = [ip_address(host.strip("[]"))]
        except ValueError:
            try:
                found = await trio.socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            except OSError as error:
                raise PortUnusable(host, None, error.strerror or str(error)) from error
            named = list(dict.fromkeys(ip_address(str(at[0]).partition("%")[0]) for *_, at in found))
    if here := tuple(address for address in named if _is_here(address)):
        return here
    raise PortUnusable(host, None, "it is no address of this machine")


def _is_here(address: Address) -> bool:
    try:
        with _socket(address) as probe:
            probe.bind((str(address), 0))
    except OSError:
        return False
    return True


def _any_port(host: str, addresses: tuple[Address, ...]) -> Reservation:
    """A port that nobody has at any of the addresses, held."""
    for _ in range(_TRIES):
        with _socket(addresses[0]) as first:
            first.bind((str(addresses[0]), 0))
            made = Reservation(host, addresses, first.getsockname()[1])
        if made.hold():
            return made
    raise PortUnusable(host, None, "none is left")


def _bind(address: Address, port: int) -> socket.socket | None:
    """A socket that holds a port, without listening; None where another does."""
    # Alone if possible. Connections that are on their last legs keep a port from that, though not from a server.
    for shared in (False, True):
        bound = _socket(address)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, shared)
            bound.bind((str(address), port))
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE:
                raise
        else:
            return bound
    return None


def _socket(address: Address) -> socket.socket:
    made = socket.socket(socket.AF_INET if address.version == 4 else socket.AF_INET6, socket.SOCK_STREAM)
    if address.version == 6:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    return made
