"""What a child finds in its environment: little, and always whose child it is."""

import fnmatch
from collections.abc import Iterable, Mapping
from typing import Final, final

from attrs import frozen

# What a program needs to find its tools, its user, its language and its way to the network; nothing of it is a
# secret by intention. Everything else a server gets only by its configuration.
PASSED: Final = (
    *("PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_*", "TZ", "TMPDIR", "XDG_*"),
    *("HTTP_PROXY", "HTTPS_PROXY", "FTP_PROXY", "ALL_PROXY", "NO_PROXY"),
    *("http_proxy", "https_proxy", "ftp_proxy", "all_proxy", "no_proxy"),
    *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS"),
    *("PIP_CERT", "GIT_SSL_CAINFO", "AWS_CA_BUNDLE"),
)
MARKER_VARIABLE: Final = "GREENROOM_HOST"


@final
@frozen
class Marker:
    """Says of a process which host started it, as which incarnation of which server.

    It travels in the environment, so that it reaches whatever the child starts in turn, also across a
    ``setsid`` that takes a process out of its group. The value opens with the host's id and a semicolon, by
    which the guard knows a host's processes; further ``key=value`` parts follow, the server's name last
    because it may hold any character. `spawn` is another for each child of a host. `lock` is the absolute path of
    the file that the host holds a lock on while it lives (see `lock`); empty: nobody can tell whether it lives.
    """

    host_id: str
    server: str = ""
    incarnation: int = 0
    spawn: int = 0
    lock: str = ""

    def __str__(self) -> str:
        lock = self.lock.replace("%", "%25").replace(";", "%3B")
        numbers = f"incarnation={self.incarnation};spawn={self.spawn}"
        return f"{self.host_id};{numbers};lock={lock};server={self.server}"

    @property
    def entry(self) -> str:
        """The variable as it stands in an environment."""
        return f"{MARKER_VARIABLE}={self}"

    @classmethod
    def parse(cls, text: str) -> "Marker | None":
        """The marker that a value stands for; parts that are not known are passed over. None: it is none of ours."""
        head, ours, server = text.partition(";server=")
        host_id, *parts = head.split(";")
        if not ours or not host_id:
            return None
        said = dict(part.partition("=")[::2] for part in parts)
        try:
            incarnation, spawn = int(said.get("incarnation", 0)), int(said.get("spawn", 0))
        except ValueError:
            return None
        lock = said.get("lock", "").replace("%3B", ";").replace("%25", "%")
        return cls(host_id, server, incarnation, spawn, lock)


def child_environment(
    environ: Mapping[str, str], *, inherit: Iterable[str] = (), extra: Mapping[str, str] | None = None
) -> dict[str, str]:
    """The child's variables: those of `environ` that are always passed or match a glob in `inherit`, then `extra`.

    The marker is no part of it: it is set where the child is spawned, and one found in `environ` (this host
    may be a child of another) is that other host's business.
    """
    patterns = (*PASSED, *inherit)
    passed = {
        name: value
        for name, value in environ.items()
        if name != MARKER_VARIABLE and any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)
    }
    return passed | dict(extra or {})
