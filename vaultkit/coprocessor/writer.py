"""A store brought up to a block: chunk by chunk, each counted once it is whole, the next fetched meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from vaultkit.chain.rpc import chain_id, quantity
from vaultkit.chain.sources import Sources
from vaultkit.coprocessor.anchor import Evidence, anchored
from vaultkit.coprocessor.chunk import Chunk, Reader
from vaultkit.coprocessor.lock import LOCK_NAME, writing
from vaultkit.coprocessor.merkle import commitment
from vaultkit.coprocessor.rollback import agreeing_manifest, sound_manifest
from vaultkit.coprocessor.selection import Selection
from vaultkit.coprocessor.store import sweep, write_tables
from vaultkit.coprocessor.tables import SCHEMAS
from vaultkit.errors import RangeMissing, StoreError, UsageError
from vaultkit.manifest import MANIFEST_NAME, DatasetManifest
from vaultkit.schema import TABLES

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes one store.

    Parameters
    ----------
    chunk_blocks
        Blocks in one file: what a restart repeats at most.
    finality_blocks
        Deepest reorganization that is followed; the chain's own where left out.
    progress
        Called with the blocks done and in all.
    """

    reader: Reader
    store: Path
    evidence: Evidence
    chunk_blocks: int
    finality_blocks: int | None = None
    progress: Progress | None = None

    def run(self, first: int | None, last: int | None, start: int) -> DatasetManifest:
        """Bring the store up to a block and return its manifest.

        Parameters
        ----------
        first, last
            Inclusive range; from where the store ends, or ``start``, to the checkpoint or the newest block where None.
        start
            First block of a new store where ``first`` is None.
        """
        if self.chunk_blocks < 1 or (self.finality_blocks or 0) < 0:
            raise UsageError(
                "a number of blocks is too small",
                got=f"chunks of {self.chunk_blocks}, finality of {self.finality_blocks}",
                expected="chunks of at least 1, finality of at least 0",
            )
        self.evidence.require_others(self.reader.sources)
        created = not self.store.exists()
        with writing(self.store):
            try:
                return self._write(first, last, start)
            finally:
                if created and not (self.store / MANIFEST_NAME).exists():
                    _remove_empty(self.store)

    def _write(self, first: int | None, last: int | None, start: int) -> DatasetManifest:
        sources, checkpoint = self.reader.sources, self.evidence.checkpoint
        head = quantity(sources.call("eth_blockNumber"), sources)
        held = sound_manifest(self.store)
        if held is not None:
            _check_same(held, self.reader.selection, chain_id(sources))
            sweep(self.store, held)
            held = agreeing_manifest(self._jury(), self.store, held, head, finality_blocks=self.finality_blocks)
        if last is None:
            last = checkpoint.number if checkpoint is not None else max(head, held.last_block if held else 0)
        begin = _first_missing(held, start, first)
        self.evidence.require_end(max(begin - 1, last))
        if last > head and begin <= last:
            raise RangeMissing("the chain does not reach the last block yet", got=f"newest {head}", expected=last)
        manifest = held
        parent = (held.last_block, bytes.fromhex(held.last_hash[2:])) if held else None
        for chunk in self.reader.chunks(begin, last, self.chunk_blocks, parent):
            manifest = self._save(manifest, chunk)
            if self.progress is not None:
                self.progress(chunk.headers[-1].number - begin + 1, last - begin + 1)
        if manifest is None:
            raise UsageError("there is no block to index", got=f"{begin} to {last}")
        return anchored(self.store, manifest, self.evidence)

    def _jury(self) -> Reader:
        """Return a reader whose endpoints all have to agree before anything is dropped."""
        if not self.evidence.witnesses:
            return self.reader
        rpcs = [endpoint.rpc for endpoint in self.reader.sources.endpoints]
        return Reader(Sources([*rpcs, *self.evidence.witnesses]), self.reader.selection)

    def _save(self, before: DatasetManifest | None, chunk: Chunk) -> DatasetManifest:
        selection = self.reader.selection
        first, last = chunk.headers[0], chunk.headers[-1]
        files = write_tables(self.store, first.number, last.number, chunk.tables)
        every = {**(before.files if before else {}), **files}
        hashes = _hashes(selection, before)
        manifest = DatasetManifest(
            format=2,
            network=self.store.name,
            chain_id=before.chain_id if before else chain_id(self.reader.sources),
            anchor="single",
            address=selection.addresses[0] if len(selection.addresses) == 1 else "",
            first_block=before.first_block if before else first.number,
            last_block=last.number,
            last_hash=f"0x{last.hash.hex()}",
            blocks_positive=chunk.opened + (before.blocks_positive if before else 0),
            files=every,
            addresses=selection.addresses,
            tables=selection.tables,
            transaction_hashes=hashes,
            proven=_proven(selection, hashes),
            blooms=selection.blooms or (before is not None and before.blooms),
            slots=_words(selection),
            slots_every=selection.slots_every,
            commitment=commitment(every),
        )
        manifest.save(self.store)
        return manifest


def _words(selection: Selection) -> tuple[str, ...]:
    return tuple(f"0x{slot:064x}" for slot in selection.slots)


def _proven(selection: Selection, hashes: str) -> dict[str, tuple[str, ...]]:
    """Return the columns of each table that follow from hashed headers."""
    word = () if hashes == "verified" else ("transaction_hash",)
    return {table: tuple(name for name in SCHEMAS[table] if name not in word) for table in selection.tables}


def _hashes(selection: Selection, before: DatasetManifest | None) -> Any:
    proven = selection.transaction_hashes and (before is None or before.transaction_hashes == "verified")
    return "verified" if proven else "node"


def _check_same(held: DatasetManifest, selection: Selection, chain: int) -> None:
    addresses = tuple(address.lower() for address in held.addresses or ((held.address,) if held.address else ()))
    tables = set(held.tables or TABLES)
    if (held.chain_id, set(addresses)) != (chain, set(selection.addresses)):
        raise StoreError(
            "the store holds another pool or chain",
            got=f"{', '.join(addresses) or 'any contract'} on chain {held.chain_id}",
            expected=f"{', '.join(selection.addresses) or 'any contract'} on chain {chain}",
            next_step="Give another folder",
        )
    if tables != set(selection.tables):
        raise StoreError(
            "the store holds other tables",
            got=", ".join(sorted(tables)),
            expected=", ".join(sorted(selection.tables)),
            next_step="Give another folder",
        )
    if (held.slots, held.slots_every) != (_words(selection), selection.slots_every):
        raise StoreError(
            "the store holds other slots, or at other blocks",
            got=f"{len(held.slots)} slots at every {held.slots_every} blocks",
            expected=f"{len(selection.slots)} slots at every {selection.slots_every} blocks",
            next_step="Give another folder",
        )


def _first_missing(held: DatasetManifest | None, start: int, first: int | None) -> int:
    if held is None:
        return start if first is None else first
    if first is not None and not held.first_block <= first <= held.last_block + 1:
        raise StoreError(
            "a store grows at its end only, without a gap",
            got=f"first {first}",
            expected=f"{held.first_block} to {held.last_block + 1}",
            next_step="Give another folder",
        )
    return held.last_block + 1


def _remove_empty(store: Path) -> None:
    """Take away a folder that was made for nothing."""
    (store / LOCK_NAME).unlink(missing_ok=True)
    if not any(store.iterdir()):
        store.rmdir()
