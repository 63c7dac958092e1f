"""The history that scores are of is that of the chain that runs, however often it begins again."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from vaultkit.chain.lending_cache import open_lending
from vaultkit.credit.history import CreditHistory
from vaultkit.credit.place import CreditPlace
from vaultkit.errors import DataError, ReorgDetected

STRANGER = "0x000000000000000000000000000000000000dEaD"


@pytest.mark.slow
def test_a_chain_that_begins_again_is_indexed_again_and_never_read_beyond_its_head(
    lending_folder: Path, tmp_path: Path
) -> None:
    place = CreditPlace(tmp_path / "credit")
    shutil.copytree(lending_folder, place.aave)
    seen = []
    for blocks in (12, 3, 20):
        with open_lending(place.aave) as (devnet, manifest):
            for _ in range(blocks):
                devnet.mine()
            if blocks == 3:
                with pytest.raises(ReorgDetected, match="beyond the chain's newest block"):
                    CreditHistory.of_pool(devnet.rpc, manifest.aave, place.store)
            history = place.history(devnet.rpc)
            assert history.last_block == devnet.block_number() == manifest.block_number + blocks
            assert history.at(history.last_block).timestamp == devnet.timestamp()
            seen.append(history.features(manifest.block_number).sort("wallet"))
    assert seen[0].equals(seen[1]) and seen[1].equals(seen[2])
    with pytest.raises(DataError, match="no history"):
        history.codes(STRANGER, history.last_block)
