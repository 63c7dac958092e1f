from __future__ import annotations

import math
from itertools import islice
from pathlib import Path

import pytest

from vaultkit.book import PoolBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.market import Habits, Market, moments
from vaultkit.chain.market_cache import START_TIMESTAMP, MarketCache, MarketSettings, build_market, open_market
from vaultkit.chain.uniswap import CARDINALITY, price_to_sqrt_x96, sqrt_x96_to_price
from vaultkit.errors import CacheError, DataError, PortBusy

TINY = MarketSettings(days=0.02)


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory, compiled_token: None) -> Path:
    folder = tmp_path_factory.mktemp("tiny") / "devnet"
    build_market(folder, TINY)
    return folder


def test_the_pool_is_uniswaps_with_enough_observations(chain: Devnet, pool: PoolBook) -> None:
    contract = Contract(chain.rpc, pool.pool, load_abi("UniswapV3Pool"))
    slot0 = contract.call("slot0")
    assert (slot0[3], slot0[4], contract.call("fee")) == (CARDINALITY, CARDINALITY, 500)
    assert contract.call("factory").lower() == pool.factory.lower()
    assert {contract.call("token0").lower(), contract.call("token1").lower()} == {pool.asset.lower(), pool.risk.lower()}


@pytest.mark.parametrize("name", ["market", "reversed_market"])
def test_either_token_order_is_made_and_priced_alike(name: str, request: pytest.FixtureRequest) -> None:
    market: Market = request.getfixturevalue(name)
    assert market.book.risk_is_token0 == (name == "reversed_market")
    price = sqrt_x96_to_price(market.read_sqrt_price(), risk_is_token0=market.book.risk_is_token0)
    second = market.devnet.timestamp() - START_TIMESTAMP
    # Half a percent leaves room for the fee band, noise and the move since the last block with an arbitrage.
    assert price == pytest.approx(market.prices.price(second), rel=5e-3)


@pytest.mark.parametrize("risk_is_token0", [True, False])
def test_prices_survive_the_way_to_square_roots_and_back(risk_is_token0: bool) -> None:
    sqrt_price = price_to_sqrt_x96(2_345.67, risk_is_token0=risk_is_token0)
    assert sqrt_x96_to_price(sqrt_price, risk_is_token0=risk_is_token0) == pytest.approx(2_345.67, rel=1e-12)


def test_blocks_come_at_irregular_moments_about_two_minutes_apart() -> None:
    seconds = [moment.second for moment in islice(moments(7, Habits()), 4_000)]
    gaps = [later - earlier for earlier, later in zip([0, *seconds], seconds, strict=False)]
    assert all(gap >= 12 and gap % 12 == 0 for gap in gaps)
    assert 110 < sum(gaps) / len(gaps) < 130
    assert len(set(gaps)) > 30


def test_the_chain_has_a_block_at_every_moment_of_the_history(market_folder: Path) -> None:
    cache = MarketCache.load(market_folder)
    with open_market(market_folder) as market:
        stamps = [
            int(market.devnet.rpc.call("eth_getBlockByNumber", [hex(number), False])["timestamp"], 16)
            for number in range(cache.block_number - 50, cache.block_number + 1)
        ]
    expected = []
    for moment in moments(cache.settings.seed, Habits()):
        if START_TIMESTAMP + moment.second > stamps[-1]:
            break
        expected.append(START_TIMESTAMP + moment.second)
    assert stamps == expected[-51:]


def test_an_arbitrageur_keeps_the_pool_within_the_fee_of_the_reference(chain: Devnet, market: Market) -> None:
    habits = Habits(noise_chance=0.0)
    quiet = Market(chain, market.book, market.prices, seed=99, start_timestamp=START_TIMESTAMP, habits=habits)
    handle = chain.snapshot()
    for _ in range(20):
        now = quiet.step()
        price = sqrt_x96_to_price(quiet.read_sqrt_price(), risk_is_token0=False)
        assert abs(math.log(price / market.prices.price(now - START_TIMESTAMP))) <= 0.000501
    chain.revert(handle)


def test_the_market_mines_what_others_left_in_the_mempool(chain: Devnet, market: Market) -> None:
    alice, bob = chain.accounts()[3:5]
    transaction = chain.rpc.call("eth_sendTransaction", [{"from": alice, "to": bob, "value": "0x1"}])
    now = market.step()
    receipt = chain.rpc.call("eth_getTransactionReceipt", [transaction])
    assert int(receipt["blockNumber"], 16) == chain.block_number()
    assert chain.timestamp() == now


def test_the_market_goes_on_after_a_block_of_somebody_else(chain: Devnet, market: Market, snapshot: None) -> None:
    passed = market.next_timestamp + 1_000
    chain.mine(passed)
    assert market.step() > passed
    assert chain.timestamp() > passed


def test_two_builds_give_the_same_chain(tiny: Path, tmp_path: Path) -> None:
    cache, built = build_market(tmp_path / "again", TINY)
    assert built
    other = MarketCache.load(tiny)
    assert (cache.block_hash, cache.book, cache.key) == (other.block_hash, other.book, other.key)


def test_a_built_market_is_used_again(tiny: Path) -> None:
    before = (tiny / "market.json").stat().st_mtime_ns
    _, built = build_market(tiny, TINY)
    assert not built
    assert (tiny / "market.json").stat().st_mtime_ns == before


def test_other_settings_replace_the_market(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path)
    cache, built = build_market(folder, TINY.model_copy(update={"seed": 8}))
    assert built
    assert MarketCache.load(folder) == cache != MarketCache.load(tiny)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_build_that_fails_leaves_the_old_market(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path)

    def fail(done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build_market(folder, TINY.model_copy(update={"seed": 8}), fail)
    assert MarketCache.load(folder) == MarketCache.load(tiny)
    assert list(tmp_path.iterdir()) == [folder]


def test_a_half_built_market_is_refused_and_built_again(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path)
    (folder / "market.json").unlink()
    with pytest.raises(CacheError, match="half built"), open_market(folder):
        pass
    _, built = build_market(folder, TINY)
    assert built
    with open_market(folder) as market:
        market.step()


def test_no_market_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CacheError, match="market build"), open_market(tmp_path / "nothing"):
        pass


@pytest.mark.parametrize("name", ["state.json", "market.json"])
def test_a_damaged_market_is_refused_and_built_again(tiny: Path, tmp_path: Path, name: str) -> None:
    folder = _copy(tiny, tmp_path)
    content = bytearray((folder / name).read_bytes())
    content[len(content) // 2] ^= 1
    (folder / name).write_bytes(content)
    with pytest.raises(CacheError), open_market(folder):
        pass
    assert build_market(folder, TINY)[1]


def test_a_taken_port_is_refused(tiny: Path, chain: Devnet) -> None:
    with pytest.raises(PortBusy), open_market(tiny, port=chain.port):
        pass


def test_given_prices_are_replayed_and_the_market_stops_with_them(tmp_path: Path, compiled_token: None) -> None:
    series = tmp_path / "series.csv"
    series.write_text("time,price\n" + "".join(f"{60 * minute},{2_000 + minute}\n" for minute in range(121)))
    cache, _ = build_market(tmp_path / "devnet", MarketSettings(days=0.05, prices=series))
    assert not cache.simulated
    assert "series.csv" in cache.prices_label
    series.unlink()  # the market keeps a copy
    with open_market(tmp_path / "devnet") as market, pytest.raises(DataError, match="ended"):
        for _ in range(1_000):
            market.step()
    with pytest.raises(DataError, match="cannot be read"):
        MarketSettings(days=0.05, prices=series).key()


def test_a_vault_of_an_earlier_run_is_not_in_the_book_of_the_next(tiny: Path, tmp_path: Path) -> None:
    folder = _copy(tiny, tmp_path)
    (folder / "book.json").write_text("of an earlier run")
    with open_market(folder):
        assert (folder / "book.json").read_text() == MarketCache.load(folder).book.model_dump_json(indent=2) + "\n"


def _copy(folder: Path, tmp_path: Path) -> Path:
    target = tmp_path / "devnet"
    target.mkdir()
    for name in ("state.json", "market.json"):
        (target / name).write_bytes((folder / name).read_bytes())
    return target
