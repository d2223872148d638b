"""Samples that are read when they are looked at, so that memory holds one file at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import overload

from edgekit.consistency.samples import Sample


@dataclass(slots=True)
class FileSamples(Sequence[Sample]):
    """The samples of some files, in order.

    Attributes:
        places: For each sample the file and its number in it.
        read: Reads all samples of a file.
    """

    places: Sequence[tuple[str, int]]
    read: Callable[[str], Sequence[Sample]]
    _held: tuple[str, Sequence[Sample]] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> FileSamples: ...
    def __getitem__(self, index: int | slice) -> Sample | FileSamples:
        if isinstance(index, slice):
            return FileSamples(self.places[index], self.read)
        name, number = self.places[index]
        if self._held is None or self._held[0] != name:
            self._held = (name, self.read(name))
        return self._held[1][number]


@dataclass(slots=True)
class YieldedSamples(Sequence[Sample]):
    """The samples that a function yields; it is called anew to go back.

    Attributes:
        make: Starts it.
        length: How many it yields.
        start: The first one that counts.
    """

    make: Callable[[], Iterator[Sample]]
    length: int
    start: int = 0
    _running: tuple[int, Iterator[Sample]] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        return self.length

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Sample]: ...
    def __getitem__(self, index: int | slice) -> Sample | Sequence[Sample]:
        if isinstance(index, slice):
            first, last, step = index.indices(self.length)
            if step != 1:
                return [self[i] for i in range(first, last, step)]
            return YieldedSamples(self.make, max(0, last - first), self.start + first)
        wanted = range(self.length)[index] + self.start
        at, running = self._running or (0, self.make())
        if at > wanted:
            at, running = 0, self.make()
        for _ in range(wanted - at):
            next(running)
        sample = next(running)
        self._running = (wanted + 1, running)
        return sample


@dataclass(frozen=True, slots=True)
class Picked(Sequence[Sample]):
    """Some of other samples, which stay where they are.

    Attributes:
        samples: All of them.
        places: Which, in order.
    """

    samples: Sequence[Sample]
    places: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.places)

    @overload
    def __getitem__(self, index: int) -> Sample: ...
    @overload
    def __getitem__(self, index: slice) -> Picked: ...
    def __getitem__(self, index: int | slice) -> Sample | Picked:
        if isinstance(index, slice):
            return Picked(self.samples, self.places[index])
        return self.samples[self.places[index]]
