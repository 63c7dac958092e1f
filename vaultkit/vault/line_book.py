"""`LineBook`: where one credit line and its parts live. It holds no secret."""

from __future__ import annotations

from typing import ClassVar, Literal

from vaultkit.model_file import ModelFile


class LineBook(ModelFile):
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

    absent: ClassVar = "there is no credit line's address book"
    next_step: ClassVar = "Start the local chain with its lines by `vaultkit credit run`"

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
