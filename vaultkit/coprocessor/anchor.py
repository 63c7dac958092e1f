"""Who vouches for a store's newest header; all before it follow from their links."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from vaultkit.chain.header import fetch_headers
from vaultkit.chain.sources import Sources
from vaultkit.errors import HeaderMismatch, ReorgDetected, UsageError
from vaultkit.manifest import ANCHOR_STRENGTH, Anchor, DatasetManifest
from vaultkit.protocols import Rpc


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A block whose hash the user trusts.

    Raises
    ------
    UsageError
        When the hash is not 32 bytes in hexadecimal with 0x.
    """

    number: int
    hash: str

    def __post_init__(self) -> None:
        if re.fullmatch(r"0x[0-9a-fA-F]{64}", self.hash) is None:
            raise UsageError("a checkpoint's hash is not 32 bytes in hexadecimal with 0x", got=self.hash)


def require_anchor(anchor: str) -> None:
    """Check that there is such an anchor.

    Raises
    ------
    UsageError
        When there is none of the name.
    """
    if anchor not in ANCHOR_STRENGTH:
        raise UsageError("there is no such anchor", got=anchor, expected=" or ".join(ANCHOR_STRENGTH))


@dataclass(frozen=True, slots=True)
class Evidence:
    """An anchor and what it needs.

    Parameters
    ----------
    anchor
        ``checkpoint`` needs a trusted block, ``quorum`` witnesses, ``single`` neither.
    witnesses
        Other endpoints that have to have the same newest block.

    Raises
    ------
    UsageError
        When the anchor lacks what it needs, or has what it does not.
    """

    anchor: Anchor = "single"
    checkpoint: Checkpoint | None = None
    witnesses: tuple[Rpc, ...] = ()

    def __post_init__(self) -> None:
        require_anchor(self.anchor)
        if (self.anchor == "checkpoint") != (self.checkpoint is not None):
            raise UsageError("the anchor `checkpoint` and a trusted block go together", got=self.anchor)
        if (self.anchor == "quorum") != bool(self.witnesses):
            raise UsageError("the anchor `quorum` and other endpoints go together", got=self.anchor)

    def require_others(self, sources: Sources) -> None:
        """Check that no endpoint is to be a witness of itself.

        Raises
        ------
        UsageError
            When one is.
        """
        own = {endpoint.rpc.label for endpoint in sources.endpoints}
        for witness in self.witnesses:
            if witness.label in own:
                raise UsageError(
                    "an endpoint is no witness of itself", got=witness.label, next_step="Give another party's endpoint"
                )

    def require_end(self, last: int) -> None:
        """Check that a range ends with the checkpoint, where there is one.

        Raises
        ------
        UsageError
            When it does not.
        """
        if self.checkpoint is not None and last != self.checkpoint.number:
            raise UsageError(
                "a checkpoint anchors the range that ends with it",
                got=f"a range up to {last}",
                expected=self.checkpoint.number,
            )


def anchored(store: Path, manifest: DatasetManifest, evidence: Evidence) -> DatasetManifest:
    """Return a store's manifest after checking and recording who vouches for its newest header.

    Raises
    ------
    HeaderMismatch
        When the checkpoint is not the newest block.
    ReorgDetected
        When a witness has another block there.
    """
    anchor, checkpoint = evidence.anchor, evidence.checkpoint
    if checkpoint is not None and checkpoint.hash.lower() != manifest.last_hash:
        raise HeaderMismatch(
            "the checkpoint is not on the chain that was indexed",
            got=manifest.last_hash,
            expected=checkpoint.hash,
            where=f"block {checkpoint.number}",
            next_step="Use another endpoint, or correct the checkpoint",
        )
    for witness in evidence.witnesses:
        header = Sources.of(witness).attempt(lambda rpc: fetch_headers(rpc, [manifest.last_block]))[0]
        if f"0x{header.hash.hex()}" != manifest.last_hash:
            raise ReorgDetected(
                "two endpoints disagree on the newest block",
                got=f"0x{header.hash.hex()}",
                expected=manifest.last_hash,
                where=f"block {manifest.last_block} of {witness.label}",
            )
    if manifest.anchor == anchor or (anchor == "single" and manifest.anchor != "single"):
        return manifest
    manifest = manifest.model_copy(update={"anchor": anchor})
    manifest.save(store)
    return manifest
