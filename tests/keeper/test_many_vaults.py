"""A hundred real vaults, one real proof, one process and one account."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.fixtures.vault import VaultSetup
from tests.keeper.many_vaults import keep, many_vaults
from vaultkit.keeper import facts
from vaultkit.keeper.journal import read_journal

VAULTS = 100


@pytest.mark.slow
def test_a_hundred_vaults_are_kept_in_one_epoch_by_one_proof(vault: VaultSetup, circuit: Any, tmp_path: Path) -> None:
    vaults = many_vaults(vault, circuit, tmp_path, VAULTS)
    with vaults.process() as process:
        for keeper in process.keepers:
            keeper.turn()
        epoch = vaults.close_epoch()
        keep(vaults, process, 1, block_seconds=1.0)
        proofs = process.proofs
        assert (proofs.proven, proofs.shared) == (1, VAULTS - 1)
        signed = [
            entry.fact
            for journal in process.journals
            for entry in read_journal(journal)[1]
            if isinstance(entry.fact, facts.Signed)
        ]
    topic = vault.vault.event_topic("Rebalanced")
    logs = vault.rpc.call("eth_getLogs", [{"topics": [topic], "fromBlock": "0x0"}])
    logs = [log for log in logs if int(log["topics"][1], 16) == epoch]
    assert Counter(log["address"] for log in logs) == {made.vault.address.lower(): 1 for made in vaults.setups}
    assert len({fact.nonce for fact in signed}) == VAULTS
