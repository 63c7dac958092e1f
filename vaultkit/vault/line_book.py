"""`LineBook`: where one credit line and its parts live. It holds no secret."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from vaultkit.errors import SettingsError


class LineBook(BaseModel):
    """A deployed credit line and the parts it is pinned to.

    Parameters
    ----------
    mode
        Whether its scores are of attested hidden features, or of features that it keeps itself.
    asset, collateral
        Tokens that are lent and that secure loans.
    oracle
        Prices both.
    attester
        Whose signature a private line wants.
    output_scale
        A score is log-odds times ``2**output_scale``.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    chain_id: int
    mode: Literal["private", "public"]
    line: str
    registry: str
    gate: str
    source: str
    verifier: str
    asset: str
    asset_decimals: int
    asset_symbol: str
    collateral: str
    collateral_decimals: int
    collateral_symbol: str
    oracle: str
    attester: str | None
    model_id: str
    output_scale: int
    from_block: int

    @classmethod
    def load(cls, path: Path) -> LineBook:
        """Return the book stored at ``path``.

        Raises
        ------
        SettingsError
            When the file is absent or no book of a line.
        """
        try:
            return cls.model_validate_json(path.read_text())
        except (OSError, ValueError, ValidationError) as error:
            raise SettingsError(
                "there is no credit line's address book",
                where=path.name,
                next_step="Start the local chain with its lines by `vaultkit credit run`",
            ) from error

    def save(self, path: Path) -> None:
        """Write the book so that a reader sees the old one or the new one, never a part."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_text(self.model_dump_json(indent=2) + "\n")
        os.replace(partial, path)
