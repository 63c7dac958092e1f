from __future__ import annotations

from pathlib import Path

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from vaultkit.book import PoolBook
from vaultkit.chain.abi import Contract, as_reverted, decode_revert, load_abi, load_code
from vaultkit.chain.devnet import Devnet
from vaultkit.errors import Reverted, RpcRefused, RpcUnavailable, ToolMissing, UsageError

TOO_BIG = {
    "type": "error",
    "name": "TooBig",
    "inputs": [{"name": "got", "type": "uint256"}, {"name": "who", "type": "address"}],
}


@pytest.fixture
def contract(chain: Devnet, pool: PoolBook) -> Contract:
    return Contract(chain.rpc, pool.pool, load_abi("UniswapV3Pool"))


def test_a_custom_error_is_raised_with_its_name_and_arguments() -> None:
    who = "0x" + "11" * 20
    data = keccak(text="TooBig(uint256,address)")[:4] + encode(["uint256", "address"], [7, who])
    error = decode_revert(data, [TOO_BIG])
    assert (error.name, error.args_) == ("TooBig", {"got": 7, "who": who})


def test_an_unknown_error_keeps_its_selector() -> None:
    assert decode_revert("0xdeadbeef" + "00" * 32).name == "0xdeadbeef"


def test_a_panic_is_named() -> None:
    data = keccak(text="Panic(uint256)")[:4] + encode(["uint256"], [0x11])
    assert decode_revert(data).args_ == {"code": 0x11}


def test_truncated_arguments_of_a_known_error_still_give_its_name() -> None:
    assert decode_revert(keccak(text="TooBig(uint256,address)")[:4] + b"\x00", [TOO_BIG]).name == "TooBig"


def test_errors_of_the_projects_contracts_are_known_without_an_abi(chain: Devnet, pool: PoolBook) -> None:
    token = Contract(chain.rpc, pool.asset, load_abi("StableToken"))
    poor = "0x" + "12" * 20
    with pytest.raises(Reverted) as caught:
        Contract(chain.rpc, pool.asset, load_abi("ERC20")).call("transfer", chain.accounts()[0], 5, sender=poor)
    assert caught.value.name == "ERC20InsufficientBalance"
    assert caught.value.args_["needed"] == 5
    assert token.call("decimals") == 6


def test_a_string_revert_is_raised_with_its_message(contract: Contract) -> None:
    with pytest.raises(Reverted, match="OLD") as caught:
        contract.call("observe", [10**7])
    assert caught.value.args_ == {"message": "OLD"}


def test_a_refusal_that_is_no_revert_stays_one() -> None:
    assert as_reverted(RpcRefused("x", code=-32601, got="method not found")) is None


def test_calldata_decodes_to_what_was_encoded(contract: Contract) -> None:
    args = ("0x" + "11" * 20, True, -5, 2**100, b"\x01\x02")
    name, found = contract.decode_input(contract.encode("swap", *args))
    assert (name, tuple(found.values())) == ("swap", args)


def test_calldata_of_another_contract_is_refused(contract: Contract) -> None:
    with pytest.raises(UsageError):
        contract.decode_input("0x00000000")


def test_a_call_to_an_address_without_code_is_not_read_as_zero(chain: Devnet) -> None:
    with pytest.raises(RpcUnavailable, match="deployed"):
        Contract(chain.rpc, "0x" + "13" * 20, load_abi("UniswapV3Pool")).call("liquidity")


def test_ape_in_the_same_process_does_not_loosen_the_decoding(contract: Contract) -> None:
    import ape.utils.abi  # noqa: F401  it replaces a decoder that all users of eth_abi share

    for short in ("0x", "0x" + "01" * 31):
        with pytest.raises(RpcUnavailable, match="deployed"):
            contract.decode_output("liquidity", short)


def test_a_log_decodes_to_the_event(chain: Devnet, contract: Contract, pool: PoolBook) -> None:
    query = {"address": pool.pool, "topics": [contract.event_topic("Initialize")], "fromBlock": "0x0"}
    (log,) = chain.rpc.call("eth_getLogs", [query])
    event = contract.decode_log(log)
    assert event is not None
    assert (event.name, event.block_number, set(event.args)) == (
        "Initialize",
        pool.from_block,
        {"sqrtPriceX96", "tick"},
    )
    assert Contract(chain.rpc, pool.asset, contract.abi).decode_log(log) is None


def test_a_contract_that_is_nowhere_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolMissing, match="NoSuchContract"):
        load_code("NoSuchContract", tmp_path)


def test_missing_npm_packages_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "contracts").mkdir()
    (tmp_path / "contracts" / "package.json").write_text("{}")
    monkeypatch.setenv("VAULTKIT_HOME", str(tmp_path))
    with pytest.raises(ToolMissing, match="npm ci"):
        load_code("UniswapV3Pool")
