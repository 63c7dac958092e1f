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
    """

    tables: tuple[str, ...]
    addresses: tuple[str, ...] = ()
    blooms: bool = True
    transaction_hashes: bool = True

    @classmethod
    def of(
        cls,
        tables: Iterable[str],
        addresses: Iterable[str] = (),
        *,
        blooms: bool = True,
        transaction_hashes: bool = True,
    ) -> Selection:
        """Return a checked selection.

        Raises
        ------
        UsageError
            When a table is unknown or cannot be indexed by range, or an address is none.
        """
        names = require_tables(["blocks", *tables])
        if "slots" in names:
            raise UsageError(
                "storage is read slot by slot", got="slots", next_step="Use vaultkit.coprocessor.slots.collect_slots"
            )
        return cls(names, tuple(_address(text) for text in addresses), blooms, transaction_hashes)

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
    except ValueError as error:
        raise UsageError("an address is not 20 bytes in hexadecimal", got=text) from error
    return f"0x{text.removeprefix('0x').lower()}"
