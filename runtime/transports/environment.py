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
    which the guard knows a host's processes; further ``key=value`` parts may follow, the server's name last
    because it may hold any character.
    """

    host_id: str
    server: str = ""
    incarnation: int = 0

    def __str__(self) -> str:
        return f"{self.host_id};incarnation={self.incarnation};server={self.server}"


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
