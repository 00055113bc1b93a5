"""Bits of a number as attributes of their own: AD keeps whether an account is disabled in one of `userAccountControl`.

Written as a whole the number would lose what else it says: that a smart card is required, or a password never expires.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from isthmus.connectors.ldap.layout import Column, Layout
from isthmus.connectors.ldap.planning import Change
from isthmus.connectors.ldap.syntaxes import BOOLEAN, INTEGER, Codec
from isthmus.spi import AttributeDefinition, AttributeType

DISABLED = "accountDisabled"
CONTROL = "userAccountControl"
_ACCOUNTDISABLE = 0x2
_NORMAL_ACCOUNT = 0x200
"""What an account has that has no flags yet ([MS-ADTS] 2.2.16)."""


def disabled(control: Column) -> Column:
    """Return the attribute that is true where the account is disabled."""
    definition = AttributeDefinition(
        name=DISABLED,
        type=AttributeType.BOOLEAN,
        native_type=f"bit {_ACCOUNTDISABLE} of {CONTROL}",
        description=f"Whether the account is disabled; changing it leaves the other flags of {CONTROL} as they are.",
    )
    codec = Codec(BOOLEAN.type, BOOLEAN.encode, lambda raw: _number(raw) & _ACCOUNTDISABLE != 0)
    return Column(definition, control.wire, codec, searchable=False, flag_of=control, bit=_ACCOUNTDISABLE)


def into_new(layout: Layout, values: dict[str, list[bytes]]) -> None:
    """Put the bits into the numbers of a new entry, by column name."""
    for column in layout.columns.values():
        if column.flag_of is None or (given := values.pop(column.name, None)) is None:
            continue
        name = column.flag_of.name
        values[name] = [_with_bits(values.get(name, ()), _bits(column, given))]


def into_changes(planned: Sequence[Change]) -> list[Change]:
    """Return the changes with those of bits as changes of their numbers."""
    asked = {c.column.flag_of.name: _asked(c, c.column.flag_of) for c in planned if c.column.flag_of is not None}
    rest = []
    for change in planned:
        if change.column.flag_of is not None:
            continue
        bits = asked.pop(change.column.name, None)
        if bits is None:
            rest.append(change)
        else:  # both are asked for: the bit goes into the new number
            rest.append(Change(change.column, replace=[_with_bits(change.replace or (), bits.bits)]))
    return [*rest, *asked.values()]


def _asked(change: Change, number: Column) -> Change:
    return Change(number, bits=_bits(change.column, change.add if change.replace is None else change.replace))


def against(change: Change, present: Sequence[bytes]) -> Change:
    """Return the change of bits as one of the number that the entry has."""
    new = _with_bits(present, change.bits)
    if [new] == list(present):
        return Change(change.column, bits=change.bits)
    return Change(change.column, add=[new], remove=list(present), bits=change.bits)


def _bits(column: Column, given: Sequence[bytes] | None) -> tuple[int, int]:
    on = given == [BOOLEAN.encode(True)]
    return (column.bit, 0) if on else (0, column.bit)


def _with_bits(present: Sequence[bytes], bits: tuple[int, int] | None) -> bytes:
    assert bits is not None
    number = _number(present[0]) if present else _NORMAL_ACCOUNT
    return INTEGER.encode((number | bits[0]) & ~bits[1])


def _number(raw: bytes) -> int:
    number = INTEGER.decode(raw)
    assert isinstance(number, int)
    return number


def offered(columns: Mapping[str, Column]) -> bool:
    """Tell whether a type has the number, as one that can be read and written."""
    found = columns.get(CONTROL)
    return found is not None and found.codec is INTEGER and not (found.definition.readonly or found.definition.secret)
