"""The contract's reading of proofs against Python's: honest ones, and many in which one thing is wrong."""

from __future__ import annotations

import random

import pytest
import rlp

from tests.contracts.anchor_cases import call_many, compared, flipped, mutated, refusal
from tests.contracts.anchor_corpus import aave_cases, made_cases, mainnet_cases, weth_cases
from tests.contracts.conftest import CALL_GAS, Harness
from vaultkit.chain.header import encode_header, verify_header
from vaultkit.chain.lending_cache import open_lending

SLACK = ("not canonical RLP", "malformed path")
"""Where hashes are forged, Python refuses more: what the contract has no need to read is not canonical."""


@pytest.fixture(scope="module")
def proofs(quiet_chain):
    return Harness(quiet_chain, "ProofHarness").contract


@pytest.fixture(scope="module")
def aave(lending_folder):
    """Proofs of the local Aave; a block is mined first, since a node has no state of a history that it loaded."""
    with open_lending(lending_folder) as (devnet, manifest):
        devnet.mine()
        yield aave_cases(devnet, manifest, logs=40)


@pytest.fixture(scope="module")
def corpus(aave):
    return [*aave, *made_cases(seed=3, count=60), *weth_cases(), *mainnet_cases(logs_a_block=10)]


def test_honest_proofs_say_the_same_on_both_sides(proofs, corpus):
    """Accounts, slots, empty ones too, and logs; accounts that are absent and transactions that failed are refused."""
    shown: dict[str, int] = {}
    for outcome in compared(proofs, CALL_GAS, [("honest", case) for case in corpus]):
        assert outcome.agrees, (outcome.case.kind, outcome.why, outcome.error)
        if outcome.contract is None:
            assert outcome.error in ("AccountAbsent", "TransactionNotSuccessful", "LogMissing"), outcome.error
        shown[outcome.case.kind] = shown.get(outcome.case.kind, 0) + (outcome.contract is not None)
    assert shown["account"] > 60 and shown["slot"] > 200 and shown["log"] > 60
    zeros = sum(outcome.contract == 0 for outcome in compared(proofs, CALL_GAS, [("", c) for c in corpus]))
    assert zeros > 60


def differences(proofs, corpus, count, seed):
    """Hold both sides to each other, and return how many were accepted by class."""
    accepted: dict[str, int] = {}
    for outcome in compared(proofs, CALL_GAS, mutated(random.Random(seed), corpus, count)):
        accepted[outcome.name] = accepted.get(outcome.name, 0) + (outcome.contract is not None)
        if outcome.agrees:
            continue
        said = (outcome.name, outcome.case, outcome.python, outcome.why, outcome.contract, outcome.error)
        assert outcome.name.startswith("forged"), said
        # Never two values; the contract may accept what it need not read, and refuse what no trie can hold.
        assert outcome.python is None or outcome.contract is None, said
        assert any(words in outcome.why for words in SLACK) or outcome.error == "ProofInvalid", said
    return accepted


def test_mutated_proofs_are_judged_alike(proofs, corpus):
    accepted = differences(proofs, corpus, 1_050, seed=1)
    assert len(accepted) == 21
    loose = {"another key", "another log index"}
    for name, count in accepted.items():
        assert count == 0 or name in loose or name.startswith("forged"), name
    assert sum(count for name, count in accepted.items() if name.startswith("forged")) > 60


@pytest.mark.slow
def test_twenty_thousand_mutated_proofs_are_judged_alike(proofs, corpus):
    differences(proofs, corpus, 21_000, seed=2)


def test_mutated_headers_are_refused_by_the_anchor(quiet_chain, proofs):
    """Headers of this chain with a bit turned, cut, extended, or with an item changed: none is any block's."""
    quiet_chain.rpc.call("anvil_mine", [hex(20)])
    anchor = Harness(quiet_chain, "InputAnchor").contract
    head, g = quiet_chain.block_number(), random.Random(4)
    blocks = [quiet_chain.rpc.call("eth_getBlockByNumber", [hex(number), False]) for number in range(head - 18, head)]
    honest = [encode_header(fields) for fields in blocks]
    wrong = []
    while len(wrong) < 600:
        header = g.choice(honest)
        items = rlp.decode(header)
        place = g.randrange(len(items))
        match len(wrong) % 4:
            case 0:
                header = flipped(g, header)
            case 1:
                header = header[: g.randrange(len(header))]
            case 2:
                items[place] = flipped(g, items[place]) if items[place] else b"\x01"
                header = rlp.encode(items)
            case _:
                items.insert(place, g.randbytes(32))
                header = rlp.encode(items)
        if header not in honest:
            wrong.append(header)
    calls = [anchor.encode("verifyHeader", header) for header in [*honest, *wrong]]
    answers = call_many(proofs, CALL_GAS, anchor.address, calls)
    for fields, (fine, answer) in zip(blocks, answers, strict=False):
        known = verify_header(fields)
        assert fine
        assert anchor.decode_output("verifyHeader", answer) == (
            known.number, known.timestamp, known.state_root, known.receipts_root,
        )  # fmt: skip
    names = {refusal(answer, anchor) for fine, answer in answers[len(honest) :] if not fine}
    assert not any(fine for fine, _ in answers[len(honest) :])
    assert names >= {"HeaderMismatch", "BlockUnknown", "RLPInvalidEncoding"}
    assert names <= {"HeaderMismatch", "BlockUnknown", "RLPInvalidEncoding", "FieldSize", "Panic"}
