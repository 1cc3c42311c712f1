"""The runtime as a program meets it: open it on a configuration, call tools, look at it, act on it."""

from runtime.host.face import Runtime
from runtime.host.opening import open_over, open_runtime

__all__ = ["Runtime", "open_over", "open_runtime"]
