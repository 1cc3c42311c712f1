"""Bytes to messages, one message a line: pure, whatever the pieces in which the bytes come."""

from collections import deque
from typing import final

from attrs import define, field
from msgspec import Struct

from . import LineTooLong, NoiseBudgetSpent

LINE_LIMIT = 64 * 1024 * 1024
NOISE_BUDGET = 1000

_SAMPLES = 10  # noise lines kept
_EXCERPT = 200  # bytes of a line that an error or a sample shows
_OPENINGS = (b"{", b"[")
_BLANK = b" \t\r\n\v\f"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@final
class Noise(Struct, frozen=True):
    """What a peer wrote between its messages: how many lines so far, and how the last of them read."""

    count: int
    samples: tuple[str, ...]


@final
@define(eq=False, repr=False)
class LineFraming:
    """Cuts a stream into lines and sorts messages from noise. No I/O; the result does not depend on the cuts.

    A message is a line whose first byte that is no blank is ``{`` or ``[``; ``\\r\\n`` ends a line as ``\\n``
    does, blank lines are skipped, and every other line is noise: counted, its last samples kept, never fatal
    until `noise_budget` lines of it come in a row without a message. Then, or when a line is longer than
    `line_limit` bytes, `failure` is set, the lines before it are still returned, and all that follows is
    dropped.
    """

    line_limit: int = LINE_LIMIT
    noise_budget: int = NOISE_BUDGET
    failure: LineTooLong | NoiseBudgetSpent | None = field(default=None, init=False)
    _begun: bytearray = field(factory=bytearray, init=False)  # the line that has no end yet
    _noise: int = field(default=0, init=False)
    _noise_in_a_row: int = field(default=0, init=False)
    _samples: deque[bytes] = field(factory=lambda: deque(maxlen=_SAMPLES), init=False)

    @property
    def noise(self) -> Noise:
        return Noise(self._noise, tuple(_readable(sample) for sample in self._samples))

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that `data` completes, without their line ends."""
        if self.failure is not None:
            return []
        lines = data.split(b"\n")
        rest = lines.pop()
        if lines and self._begun:
            self._begun += lines[0]
            lines[0] = bytes(self._begun)
            self._begun.clear()
        messages = self._sort(lines)
        if rest and self.failure is None:
            self._begun += rest
            if len(self._begun) > self.line_limit:
                self._too_long(self._begun)
        return messages

    def finish(self) -> None:
        """The stream has ended: a line without its end is no message, and is kept as noise to be shown."""
        line = self._begun.strip(_BLANK)
        self._begun.clear()
        if line:
            self._add_noise(line)

    def _sort(self, lines: list[bytes]) -> list[bytes]:
        messages = []
        for line in lines:
            if len(line) > self.line_limit:
                self._too_long(line)
                break
            if line.startswith(_OPENINGS):  # nearly every line
                messages.append(line.removesuffix(b"\r"))
                self._noise_in_a_row = 0
                continue
            bare = line.removeprefix(_BYTE_ORDER_MARK).strip(_BLANK)
            if bare.startswith(_OPENINGS):
                messages.append(bare)
                self._noise_in_a_row = 0
            elif bare:
                self._add_noise(bare)
                if self._noise_in_a_row > self.noise_budget:
                    self.failure = NoiseBudgetSpent(self.noise_budget, self.noise.samples)
                    break
        return messages

    def _add_noise(self, line: bytes | bytearray) -> None:
        self._noise += 1
        self._noise_in_a_row += 1
        self._samples.append(bytes(line[:_EXCERPT]))

    def _too_long(self, line: bytes | bytearray) -> None:
        self.failure = LineTooLong(self.line_limit, _readable(bytes(line[: min(_EXCERPT, self.line_limit)])))
        self._begun.clear()


@final
@define(eq=False, repr=False)
class Tail:
    """The last lines of a stream that never ends, in bounded memory: so many lines, each cut at `width` bytes.

    A last line without its end counts as a line.
    """

    limit: int = 200
    width: int = 2000
    _lines: deque[bytes] = field(init=False)
    _begun: bytes = field(default=b"", init=False)  # the line that has no end yet, cut

    def __attrs_post_init__(self) -> None:
        self._lines = deque(maxlen=self.limit)

    @property
    def lines(self) -> tuple[str, ...]:
        lines = [*self._lines, self._begun] if self._begun else [*self._lines]
        return tuple(_readable(line.removesuffix(b"\r")) for line in lines[-self.limit :])

    def feed(self, data: bytes) -> None:
        # At most `limit` whole lines are cut from the end: of a flood only its last lines are worth the work.
        first, *rest = data.rsplit(b"\n", self.limit + 1)
        if len(rest) <= self.limit:
            rest.insert(0, self._begun + first[: self.width])
        self._begun = rest.pop()[: self.width]
        self._lines.extend(line[: self.width] for line in rest)


def _readable(line: bytes) -> str:
    return line.decode("utf-8", "replace")
