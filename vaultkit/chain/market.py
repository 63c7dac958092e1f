"""`Market`: agents who trade on the local pool, and the only owner of the local chain's time.

At irregular moments, about two minutes apart, a block is mined with its true timestamp. In it an arbitrageur takes the
pool to the edge of the fee band around the reference price, a noise trader may push it off again, and somebody may
transfer tokens without trading. Whatever else lies in the mempool is mined along.

Every agent swaps up to a price limit, so the pool's price after a block of theirs alone is known exactly without
reading it back: that is what makes weeks of history cheap to build.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from vaultkit.book import PoolBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.prices import PriceSource
from vaultkit.chain.uniswap import WETH_UNIT, price_to_sqrt_x96, sqrt_x96_to_price, transact_unlocked
from vaultkit.errors import DeployFailed

ARBITRAGEUR, NOISE_TRADER, BYSTANDER = 9, 8, 7
"""Indices of the unlocked accounts that the market uses; the others are free for deployers, depositors and keepers."""

_RICHES: Final = 10**7 * WETH_UNIT
_STABLE_RICHES: Final = 10**17
_SWAP_GAS: Final = hex(400_000)
_MAX_FEE: Final = hex(10**12)
_MIN_SQRT, _MAX_SQRT = 4295128740, 1461446703485210103287273052203988822378723970341


@dataclass(frozen=True, slots=True)
class Habits:
    """How the agents behave.

    Parameters
    ----------
    mean_gap_seconds
        Mean time between blocks; gaps are multiples of 12 seconds.
    noise_chance, noise_ticks
        Chance that a noise trader acts in a block, and the mean size of the push in ticks.
    transfer_chance
        Chance of a token transfer that is no trade.
    """

    mean_gap_seconds: float = 120.0
    noise_chance: float = 0.5
    noise_ticks: float = 4.0
    transfer_chance: float = 0.25


@dataclass(frozen=True, slots=True)
class Moment:
    """What chance decided for one block, whatever the pool's state is then."""

    second: int
    noise_ticks: float
    transfer: bool


def moments(seed: int, habits: Habits) -> Iterator[Moment]:
    """Yield the endless sequence of blocks that a seed stands for; seconds count from the market's beginning."""
    random = np.random.default_rng([seed, 2**31])
    second = 0
    while True:
        second += 12 * max(1, round(random.exponential(habits.mean_gap_seconds) / 12))
        acts, size, side, transfer = random.random(), random.exponential(habits.noise_ticks), *random.random(2)
        ticks = math.copysign(size, side - 0.5) if acts < habits.noise_chance else 0.0
        yield Moment(second, float(ticks), bool(transfer < habits.transfer_chance))


class Market:
    """The agents of one pool, and the clock.

    Parameters
    ----------
    devnet
        Local chain with automine off.
    pool
        The pool they trade on.
    prices
        Reference prices.
    seed
        Of the moments and the noise.
    start_timestamp
        Chain time of the market's second zero.
    exclusive
        Promise that nobody else trades, so that the pool's price need not be read before each block.
    """

    def __init__(
        self,
        devnet: Devnet,
        pool: PoolBook,
        prices: PriceSource,
        *,
        seed: int,
        start_timestamp: int,
        habits: Habits | None = None,
        exclusive: bool = False,
    ) -> None:
        self.devnet, self.book, self.prices = devnet, pool, prices
        self.start_timestamp, self.exclusive = start_timestamp, exclusive
        self._pool = Contract(devnet.rpc, pool.pool, load_abi("UniswapV3Pool"))
        self._router = Contract(devnet.rpc, pool.router, load_abi("SwapRouter"))
        self._stable = Contract(devnet.rpc, pool.asset, load_abi("StableToken"))
        accounts = devnet.accounts()
        self._arbitrageur, self._noise, self._bystander = (
            accounts[index] for index in (ARBITRAGEUR, NOISE_TRADER, BYSTANDER)
        )
        self._moments = moments(seed, habits or Habits())
        self._next = self._after(devnet.timestamp())
        self._sqrt_price: int = self.read_sqrt_price()

    def fund(self) -> None:
        """Give the agents balances and allowances; once, on a chain that nobody else uses yet."""
        wrapped = Contract(self.devnet.rpc, self.book.risk, load_abi("WETH9"))

        def transact(sender: str, to: str, data: str, value: int = 0) -> None:
            transact_unlocked(self.devnet, sender, to, data, value, mine=self.devnet.mine)

        for agent in (self._arbitrageur, self._noise, self._bystander):
            self.devnet.rpc.call("anvil_setBalance", [agent, hex(2 * _RICHES)])
            transact(agent, self.book.asset, self._stable.encode("mint", agent, _STABLE_RICHES))
            transact(agent, self.book.risk, wrapped.encode("deposit"), _RICHES)
            for token in (self.book.asset, self.book.risk):
                transact(agent, token, self._stable.encode("approve", self.book.router, 2**256 - 1))
        self._next = self._after(self.devnet.timestamp(), self._next)

    @property
    def next_timestamp(self) -> int:
        """Chain time of the next block."""
        return self.start_timestamp + self._next.second

    def read_sqrt_price(self) -> int:
        """Return the pool's square-root price now."""
        return int(self._pool.call("slot0")[0])

    def step(self) -> int:
        """Let the agents act, mine the next block and return its timestamp.

        Moments that somebody else's block has passed by are left out, unless the market is exclusive.

        Raises
        ------
        DataError
            When a price file has ended; nothing is mined then.
        """
        if not self.exclusive:
            self._next = self._after(self.devnet.timestamp(), self._next)
            self._sqrt_price = self.read_sqrt_price()
        moment, timestamp = self._next, self.next_timestamp
        reference = self.prices.price(moment.second)
        orders = self._orders(moment, reference)
        if len(orders) == 1:
            self.devnet.rpc.call(*orders[0])
        else:
            self.devnet.rpc.batch(orders)
        self.devnet.mine(timestamp)
        self._next = next(self._moments)
        return timestamp

    def run_until(self, timestamp: int, progress: Callable[[int], None] | None = None) -> int:
        """Mine every block up to ``timestamp`` and return how many there were.

        Parameters
        ----------
        progress
            Called with the chain time after each block.

        Raises
        ------
        DeployFailed
            When the pool is not where exclusive agents must have left it: a swap of theirs failed.
        """
        count = 0
        while self.next_timestamp <= timestamp:
            now = self.step()
            count += 1
            if progress is not None:
                progress(now)
        if self.exclusive and self.read_sqrt_price() != self._sqrt_price:
            raise DeployFailed(
                "the local market lost track of the pool's price",
                got=self.read_sqrt_price(),
                expected=self._sqrt_price,
            )
        return count

    def _after(self, timestamp: int, first: Moment | None = None) -> Moment:
        """Return the first moment after a chain time, skipping those before it."""
        moment = first or next(self._moments)
        while self.start_timestamp + moment.second <= timestamp:
            moment = next(self._moments)
        return moment

    def _orders(self, moment: Moment, reference: float) -> list[tuple[str, list[Any]]]:
        """Return the requests of one block; tips fix their order: arbitrageur, noise, transfer."""
        orders = []
        order_is_token0 = self.book.risk_is_token0
        price = sqrt_x96_to_price(self._sqrt_price, risk_is_token0=order_is_token0)
        fee = self.book.fee_pips / 1e6
        if abs(math.log(reference / price)) > fee:
            edge = reference * (1 - fee if reference > price else 1 + fee)
            orders += self._swap(self._arbitrageur, price_to_sqrt_x96(edge, risk_is_token0=order_is_token0), 3)
        if moment.noise_ticks:
            orders += self._swap(self._noise, int(self._sqrt_price * math.exp(moment.noise_ticks / 20_000)), 2)
        if moment.transfer:
            data = self._stable.encode("transfer", self._arbitrageur, 1 + moment.second)
            orders.append(_transaction(self._bystander, self.book.asset, data, 1))
        return orders

    def _swap(self, agent: str, sqrt_limit: int, tip_gwei: int) -> list[tuple[str, list[Any]]]:
        """Return the request that takes the pool to a price, none where it is there already."""
        sqrt_limit = min(max(sqrt_limit, _MIN_SQRT), _MAX_SQRT)
        if sqrt_limit == self._sqrt_price:
            return []
        tokens = sorted((self.book.asset, self.book.risk), key=lambda token: int(token, 16))
        zero_for_one = sqrt_limit < self._sqrt_price
        token_in, token_out = tokens if zero_for_one else reversed(tokens)
        riches = _STABLE_RICHES if token_in == self.book.asset else _RICHES
        order = (token_in, token_out, self.book.fee_pips, agent, 2**63, riches // 10, 0, sqrt_limit)
        self._sqrt_price = sqrt_limit
        return [_transaction(agent, self.book.router, self._router.encode("exactInputSingle", order), tip_gwei)]


def _transaction(sender: str, to: str, data: str, tip_gwei: int) -> tuple[str, list[Any]]:
    fields = {"from": sender, "to": to, "data": data, "gas": _SWAP_GAS}
    fields |= {"maxFeePerGas": _MAX_FEE, "maxPriorityFeePerGas": hex(tip_gwei * 10**9)}
    return "eth_sendTransaction", [fields]
