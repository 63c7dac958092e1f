"""`Selection`: which tables of which contracts are wanted, and so which blocks have to be opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from vaultkit.chain.header import Header
from vaultkit.chain.logs import LogFilter
from vaultkit.chain.trie import EMPTY_ROOT
from vaultkit.coprocessor.tables import EVENT_TABLES, require_tables
from vaultkit.coprocessor.tables.event import EventTable, topics_of
from vaultkit.errors import UsageError


@dataclass(frozen=True)
class Selection:
    """Tables and contracts.

    Parameters
    ----------
    tables
        Names, ``blocks`` among them always.
    addresses
        Lower-case with ``0x``; logs of any contract where empty.
    blooms
        Whether the chain fills its headers' blooms; without them every block with transactions is opened.
    transaction_hashes
        Whether transaction hashes are shown by ``transactionsRoot``, which costs the transactions of every block that
        has a row. Else they are one node's word.
    slots
        Storage slots of each contract for the table ``slots``, in order.
    slots_every
        They are read at blocks whose numbers it divides.
    """

    tables: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    blooms: bool = True
    transaction_hashes: bool = True
    slots: tuple[int, ...] = ()
    slots_every: int = 1

    @classmethod
    def of(
        cls,
        tables: Iterable[str],
        addresses: Iterable[str] = (),
        *,
        blooms: bool = True,
        transaction_hashes: bool = True,
        slots: Iterable[int] = (),
        slots_every: int = 1,
    ) -> Selection:
        """Return a checked selection.

        Raises
        ------
        UsageError
            When a table is unknown, an address is none, or slots and the table of them do not go together.
        """
        if isinstance(tables, str) or isinstance(addresses, str):
            raise UsageError("tables and addresses are lists", got=tables if isinstance(tables, str) else addresses)
        names = require_tables(["blocks", *tables])
        who, asked = tuple(dict.fromkeys(_address(text) for text in addresses)), set(slots)
        if not all(isinstance(slot, int) for slot in asked):
            raise UsageError("a slot is no integer", got=asked)
        places = tuple(sorted(asked))
        if ("slots" in names) != bool(places) or (places and not who):
            raise UsageError(
                "the table `slots`, numbers of slots and addresses of contracts go together",
                got=f"{len(places)} slots of {len(who)} contracts",
                next_step="Say which slots of which contracts",
            )
        if places and not (places[0] >= 0 and places[-1] < 2**256):
            raise UsageError("a slot is no number of 256 bits", got=places[0] if places[0] < 0 else places[-1])
        if slots_every < 1:
            raise UsageError("slots are read at every so many blocks", got=slots_every, expected="at least 1")
        return cls(names, who, blooms, transaction_hashes, places, slots_every)

    @cached_property
    def event_tables(self) -> tuple[EventTable, ...]:
        """The tables that are decoded from logs."""
        return tuple(EVENT_TABLES[name] for name in self.tables if name in EVENT_TABLES)

    @cached_property
    def log_filter(self) -> LogFilter | None:
        """Logs that some table needs; None where none needs any."""
        if "logs" in self.tables:
            return LogFilter.of(self.addresses)
        if not self.event_tables:
            return None
        return LogFilter.of(self.addresses, topics_of(self.event_tables))

    def slots_due(self, header: Header) -> bool:
        """Return whether storage is read at a block."""
        return bool(self.slots) and header.number % self.slots_every == 0

    def must_open(self, header: Header) -> bool:
        """Return whether a block's receipts are needed: a bloom that says no is a proof that they are not."""
        if header.receipts_root == EMPTY_ROOT:
            return False
        if "receipts" in self.tables:
            return True
        if self.log_filter is None:
            return False
        return not self.blooms or self.log_filter.may_be_in(header)


def _address(text: str) -> str:
    try:
        if len(bytes.fromhex(text.removeprefix("0x"))) != 20:
            raise ValueError
    except (AttributeError, TypeError, ValueError) as error:
        raise UsageError("an address is not 20 bytes in hexadecimal", got=text) from error
    return f"0x{text.removeprefix('0x').lower()}"
