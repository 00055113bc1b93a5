"""The objects of an import's page, decoded when they are asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Generic, TypeVar, overload

from isthmus.spi import ConnectorObject

R = TypeVar("R")


class Decoded(Sequence[ConnectorObject], Generic[R]):
    """What `decode` makes of each of `found`, made anew each time it is asked for."""

    __slots__ = ("_decode", "_found")

    def __init__(self, found: Sequence[R], decode: Callable[[R], ConnectorObject]) -> None:
        self._found = found
        self._decode = decode

    def __len__(self) -> int:
        return len(self._found)

    @overload
    def __getitem__(self, index: int) -> ConnectorObject: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ConnectorObject]: ...
    def __getitem__(self, index: int | slice) -> ConnectorObject | Sequence[ConnectorObject]:
        if isinstance(index, slice):
            return Decoded(self._found[index], self._decode)
        return self._decode(self._found[index])
