"""What a vault must not be made of is refused by name, and before anything is sent."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.contracts.test_client import verb
from tests.contracts.test_deploy import words
from tests.fixtures.vault import VaultSetup
from vaultkit.book import AddressBook
from vaultkit.errors import DataError, DeployFailed, RpcRefused, SettingsError
from vaultkit.manifest import ArtefactManifest
from vaultkit.vault.preflight import BASE_FIELD, check_cap, check_cardinality, check_model, check_pool, spaced
from vaultkit.vault.terms import Fees, VaultTerms
from vaultkit.vault.token_trial import check_token
from vaultkit.vault.verification import recompiled, standard_input

SOURCE = Path(__file__).parent / "sources" / "HostileToken.sol"
KINDS = (
    "honest", "fee on transfer", "rebases with time", "returns false", "returns nothing", "refuses transfers",
    "takes more from the sender", "fee on the way back",
    "fee on transferFrom", "refuses transferFrom", "false for transferFrom", "transferFrom for anybody",
    "refuses approvals", "has rebased up", "has rebased down",
)  # fmt: skip
REFUSED = {
    "fee on transfer": "takes a fee on transfer",
    "rebases with time": "rebasing",
    "returns false": "returns false",
    "refuses transfers": "refuses an ordinary transfer",
    "takes more from the sender": "takes a fee on transfer, or moves another amount",
    "fee on the way back": "on the way back",
    "fee on transferFrom": "takes a fee on transferFrom",
    "refuses transferFrom": "refuses transferFrom",
    "false for transferFrom": "returns false for transferFrom",
    "transferFrom for anybody": "did not approve",
    "refuses approvals": "refuses an approval",
    "has rebased up": "changed by themselves \\(rebasing\\): got 501",
    "has rebased down": "changed by themselves \\(rebasing\\)",
}
CODE = "0x6001"


@pytest.fixture(scope="module")
def token_code() -> str:
    return recompiled("HostileToken", standard_input("HostileToken", SOURCE))[0]


def token(vault: VaultSetup, code: str, kind: str) -> str:
    data = code + KINDS.index(kind).to_bytes(32, "big").hex()
    return str(vault.send(vault.actors.owner, None, data)["contractAddress"])


@pytest.mark.parametrize("kind", KINDS)
def test_a_token_is_tried_before_it_is_trusted(vault: VaultSetup, token_code: str, kind: str):
    address = token(vault, token_code, kind)
    if kind not in REFUSED:
        check_token(vault.rpc, address, holder=vault.actors.owner)
        return
    with pytest.raises(DeployFailed, match=REFUSED[kind]):
        check_token(vault.rpc, address, holder=vault.actors.owner)


def test_the_real_tokens_pass_and_a_token_that_nobody_holds_cannot_be_tried(vault: VaultSetup):
    for address in (vault.asset.address, vault.risk.address):
        check_token(vault.rpc, address, holder=vault.pool.address)
    with pytest.raises(DeployFailed, match="cannot be tried"):
        check_token(vault.rpc, vault.asset.address, holder="0x" + "12" * 20)


def test_trying_a_token_moves_nothing(vault: VaultSetup):
    before = vault.asset.call("balanceOf", vault.pool.address)
    check_token(vault.rpc, vault.asset.address, holder=vault.pool.address)
    vault.devnet.mine()
    assert vault.asset.call("balanceOf", vault.pool.address) == before


def test_a_node_that_cannot_simulate_stops_the_deployment(vault: VaultSetup, monkeypatch: pytest.MonkeyPatch):
    call = type(vault.rpc).call

    def without(self: Any, method: str, params: Any = ()) -> Any:
        if method == "eth_simulateV1":
            raise RpcRefused("the node refused", got="method not found", code=-32601)
        return call(self, method, params)

    monkeypatch.setattr(type(vault.rpc), "call", without)
    with pytest.raises(DeployFailed, match="does not simulate"):
        check_token(vault.rpc, vault.asset.address, holder=vault.pool.address)


def book(vault: VaultSetup, **changes: Any) -> AddressBook:
    return vault.book.model_copy(update={"pool": vault.book.pool.model_copy(update=changes)})


def test_the_pool_of_the_book_passes(vault: VaultSetup):
    check_pool(vault.rpc, vault.book)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"pool": "0x" + 40 * "0"}, "the pool is the zero address"),
        ({"asset": "0x" + 40 * "0"}, "the asset is the zero address"),
        ({"risk": "0x" + "12" * 20}, "no code at the risk token"),
        ({"factory": "0x" + "12" * 20}, "no code at the factory"),
        ({"fee_pips": 3_000}, "another fee"),
        ({"asset_decimals": 18}, "USDC has other decimals"),
        ({"risk_decimals": 6}, "WETH has other decimals"),
    ],
)
def test_a_book_that_does_not_describe_the_chain_is_refused(vault: VaultSetup, changes: dict[str, Any], said: str):
    with pytest.raises(DeployFailed, match=said):
        check_pool(vault.rpc, book(vault, **changes))


def test_a_pool_of_another_pair_or_factory_is_refused(vault: VaultSetup, token_code: str):
    other = token(vault, token_code, "honest")
    with pytest.raises(DeployFailed, match="another pair"):
        check_pool(vault.rpc, book(vault, asset=other))
    with pytest.raises(DeployFailed, match="does not answer as it should"):
        check_pool(vault.rpc, book(vault, pool=other))
    stranger = vault.create("UniswapV3Factory").address
    with pytest.raises(DeployFailed, match="not its factory's"):
        check_pool(vault.rpc, book(vault, factory=stranger))


def manifest(circuit: Any, **changes: Any) -> ArtefactManifest:
    return ArtefactManifest.load(circuit.folder).model_copy(update={"verifier_code_hash": None, **changes})


def test_a_cap_that_no_judged_vault_could_have_is_refused_and_one_above_it_passes(vault: VaultSetup):
    check_cap(vault.rpc, vault.book, VaultTerms(deposit_cap=10**6 + 1))
    with pytest.raises(DeployFailed, match=r"too little.*got 1 USDC, expected above 1 USDC.*--deposit-cap"):
        check_cap(vault.rpc, vault.book, VaultTerms(deposit_cap=10**6))


def test_too_few_observations_are_refused_with_the_number_that_is_needed(vault: VaultSetup, circuit: Any):
    terms = VaultTerms(block_seconds=60)
    check_cardinality(vault.rpc, vault.book, manifest(circuit), terms)
    with pytest.raises(DeployFailed, match="CardinalityTooSmall") as refused:
        check_cardinality(vault.rpc, vault.book, manifest(circuit), replace(terms, block_seconds=12))
    assert "increaseObservationCardinalityNext(1231)" in str(refused.value)


def test_too_few_observations_for_the_venues_mean_are_refused_by_name(vault: VaultSetup, circuit: Any):
    """720 are kept: at one a minute, 1.2 x 35,999 s need 720 and 1.2 x 36,000 s one more."""
    terms = VaultTerms(block_seconds=60, twap_seconds=35_999)
    check_cardinality(vault.rpc, vault.book, manifest(circuit), terms)
    with pytest.raises(DeployFailed, match="venue's mean price") as refused:
        check_cardinality(vault.rpc, vault.book, manifest(circuit), replace(terms, twap_seconds=36_000))
    assert "increaseObservationCardinalityNext(721)" in str(refused.value)


def test_what_is_refused_for_too_few_observations_is_what_the_contract_refuses(vault: VaultSetup, circuit: Any):
    from vaultkit.errors import Reverted

    for seconds in range(18, 26):
        terms = VaultTerms(block_seconds=seconds)
        try:
            check_cardinality(vault.rpc, vault.book, manifest(circuit), terms)
            passed = True
        except DeployFailed:
            passed = False
        try:
            vault.create("TickWindow", vault.spec_tuple(), terms.max_age_seconds, seconds)
            made = True
        except Reverted:
            made = False
        assert passed == made, seconds


class Blocks:
    """A chain of so many blocks, so far apart; its first one is of another time, as mainnet's is."""

    label = "a test's"

    def __init__(self, seconds: float, head: int = 20_000_000) -> None:
        self.seconds, self.head = seconds, head

    def call(self, method: str, params: Any = ()) -> Any:
        if method == "eth_blockNumber":
            return hex(self.head)
        number = int(params[0], 16)
        return {"timestamp": hex(10**9 + int(number * self.seconds) if number else 0)}


@pytest.mark.parametrize(
    ("chain_id", "seconds", "head", "least", "usual"),
    [(1, 12.3, 20_000_000, 12, 12), (42161, 0.25, 10**8, 1, 1), (1, 12, 3, 12, 12), (1, 12, 0, 1, 1),
     (99, 300, 5_000, 300, 60), (31337, 1, 900, 60, 60), (31337, 119, 900, 119, 60)],
)  # fmt: skip
def test_no_more_time_between_observations_is_believed_than_the_chain_s_blocks_are_apart(
    chain_id: int, seconds: float, head: int, least: int, usual: int
):
    chain: Any = Blocks(seconds, head)
    assert spaced(chain, chain_id, None) == usual
    assert [spaced(chain, chain_id, asked) for asked in (1, least)] == [1, least]
    with pytest.raises(DeployFailed, match=rf"got {least + 1} s, expected at most {least} s \(--block-seconds"):
        spaced(chain, chain_id, least + 1)


def test_a_great_time_between_swaps_does_not_make_few_observations_enough(
    vault: VaultSetup, circuit: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    asked = words(vault, circuit, tmp_path / "book.json", "--dry", "--block-seconds", "100000")
    assert verb(*asked) == DeployFailed.exit_code
    assert "further apart than the chain's blocks: got 100000 s" in json.loads(capsys.readouterr().out)["message"]


@pytest.mark.parametrize(
    ("changes", "code", "said"),
    [
        ({}, "0x", "verifier has no code"),
        ({"verifier_code_hash": "0x" + "ab" * 32}, CODE, "compiles to other code"),
        ({"commitments": ("0x" + "11" * 63,)}, CODE, "commitment is malformed"),
        ({"commitments": ("0x" + "00" * 64,)}, CODE, "point at infinity"),
        ({"commitments": (f"0x{1:064x}{3:064x}",)}, CODE, "not on the curve"),
        ({"commitments": (f"0x{1 + BASE_FIELD:064x}{2:064x}",)}, CODE, "not on the curve"),
        ({"output_scale": 65}, CODE, "output scale cannot be used"),
        ({"output_bound": 0}, CODE, "output bound cannot be used"),
        ({"output_bound": 2**128}, CODE, "output bound cannot be used"),
        ({"output_scale": 11}, CODE, "output scale is not its circuit's: got 11, expected 12"),
        ({"gain_bits": 1}, CODE, "output scale is not its circuit's: got 12, expected 13"),
    ],
)
def test_a_model_that_cannot_be_pinned_is_refused(circuit: Any, changes: dict[str, Any], code: str, said: str):
    with pytest.raises(DeployFailed, match=said):
        check_model(manifest(circuit, **changes), code)


def test_the_curve_s_generator_and_the_artefact_s_own_commitments_are_points(circuit: Any):
    check_model(manifest(circuit), CODE)
    check_model(manifest(circuit, commitments=(f"0x{1:064x}{2:064x}",)), CODE)
    (own,) = manifest(circuit).commitments
    turned = f"{own[:-1]}{(int(own[-1], 16) + 1) % 16:x}"
    with pytest.raises(DeployFailed, match="not on the curve"):
        check_model(manifest(circuit, commitments=(turned,)), CODE)


def test_a_wrong_input_scale_is_refused(circuit: Any):
    found = manifest(circuit)
    for scale, said in ((21, "input scale cannot be used"), (8, "input scale is not its circuit's: got 8, expected 7")):
        wrong = found.model_copy(update={"window": found.window.model_copy(update={"input_scale": scale})})
        with pytest.raises(DeployFailed, match=said):
            check_model(wrong, CODE)
    check_model(found.model_copy(update={"verifier_code_hash": f"0x{keccak(hexstr=CODE).hex()}"}), CODE)


@pytest.mark.parametrize(
    "terms",
    [
        VaultTerms(guardian="nobody"),
        VaultTerms(owner="0x" + 40 * "0"),
        VaultTerms(owner="0xF39Fd6e51aad88F6F4ce6aB8827279cffFb92266"),
        VaultTerms(fees=Fees(performance_pips=1, performance_recipient="0x12")),
    ],
)
def test_a_mistyped_account_among_the_terms_is_refused(terms: VaultTerms):
    with pytest.raises(DataError, match="address"):
        terms.check(period_seconds=14_400, fee_pips=500)


@pytest.mark.parametrize("seconds", [0, 90 * 86_400 + 1])
def test_terms_without_a_delay_or_with_one_over_90_days_are_refused(seconds: int):
    VaultTerms(delay_seconds=1).check(period_seconds=14_400, fee_pips=500)
    with pytest.raises(SettingsError, match="delay_seconds"):
        VaultTerms(delay_seconds=seconds).check(period_seconds=14_400, fee_pips=500)
