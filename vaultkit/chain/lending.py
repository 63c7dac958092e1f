"""`LendingMarket`: borrowers, a price feed and a liquidator on the local Aave, over as much chain time as is wanted.

Every six hours a block brings the feed's new prices; 12 seconds later another brings what the borrowers who look at
their loans that day do, and the liquidator, who pays more and comes first. The liquidator keeps a book of everybody,
asks the pool about those near liquidation, and calls what the pool itself allows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from vaultkit.chain.aave import PRICE_UNIT, RESERVES, VARIABLE_RATE, AaveDeployment, price_units
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.borrowers import WBTC, WETH, Action, Borrower
from vaultkit.chain.devnet import Devnet
from vaultkit.chain.prices import SimulatedPrices
from vaultkit.errors import DeployFailed

STEP_SECONDS: Final = 21_600
OPERATOR, BANK, LIQUIDATOR, FIRST_BORROWER = 0, 1, 2, 10
"""Indices of the unlocked accounts: owner and price feed, lender of last resort, liquidator, and the borrowers from
the tenth on. Everybody signs with a key: calls of impersonated accounts do not hash to their names."""

_BANK_USD: Final = (8e6, 8e6, 16e6, 16e6)
_ALL: Final = 2**256 - 1
_DEVIATION: Final = 0.005
_HEARTBEAT_STEPS: Final = 4
_NEAR: Final = 0.90
_ETHER: Final = hex(10**24)
_GAS: Final = hex(1_500_000)
_MAX_FEE: Final = hex(10**12)
_BLOCK_GAS: Final = hex(2 * 10**9)


class LendingPrices:
    """Seeded prices of the four assets: WETH, a WBTC that follows it by a half, and two dollars that are nearly one."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._ether = SimulatedPrices(seed, RESERVES[WETH].price_usd, annual_volatility=0.65)
        self._other = SimulatedPrices(seed + 1, 1.0, annual_volatility=0.4)
        self._pegs = (SimulatedPrices(seed + 2, 1.0, 0.002), SimulatedPrices(seed + 3, 1.0, 0.003))

    @property
    def label(self) -> str:
        """What they are, for people."""
        return self._ether.label

    @property
    def identity(self) -> str:
        """Text that differs where the prices differ."""
        return "lending:1:" + ":".join(source.identity for source in (self._ether, self._other, *self._pegs))

    def at(self, second: float) -> list[float]:
        """Return dollars by asset."""
        ether = self._ether.price(second)
        follows = (ether / RESERVES[WETH].price_usd) ** 0.5 * self._other.price(second)
        pegs = [min(max(peg.price(second), 0.995), 1.005) for peg in self._pegs]
        return [ether, RESERVES[WBTC].price_usd * follows, *pegs]


@dataclass(frozen=True, slots=True)
class Tally:
    """What was done: calls of the pool that were mined, those that it refused, and liquidations."""

    accepted: int
    refused: int
    liquidations: int


class LendingMarket:
    """The people of one local Aave, and the clock.

    Parameters
    ----------
    devnet
        Chain with automine off, and an unlocked account for everybody.
    aave
        What `vaultkit.chain.aave.deploy_aave` made on it.
    borrowers
        As `vaultkit.chain.borrowers.population`.
    start_timestamp
        Chain time of the simulation's second zero.
    """

    def __init__(
        self, devnet: Devnet, aave: AaveDeployment, prices: LendingPrices, borrowers: Sequence[Borrower],
        *, start_timestamp: int,
    ) -> None:  # fmt: skip
        self.devnet, self.aave, self.prices = devnet, aave, prices
        self.borrowers, self.start_timestamp = list(borrowers), start_timestamp
        self._pool = Contract(devnet.rpc, aave.pool, load_abi("Pool"))
        self._feed = Contract(devnet.rpc, aave.feed, load_abi("PriceOracle"))
        self._token = Contract(devnet.rpc, aave.tokens[0], load_abi("MintableERC20"))
        self._unlocked = devnet.accounts()
        accounts = self._unlocked[FIRST_BORROWER:]
        if len(accounts) < len(self.borrowers):
            raise DeployFailed("a chain has too few accounts", got=len(accounts), expected=len(self.borrowers))
        self._by_address = {accounts[b.number]: b for b in self.borrowers}
        self._nonces: dict[str, int] = {}
        self._queue: list[tuple[str, list[Any]]] = []
        self._posted = [terms.price_usd for terms in RESERVES]
        self._posted_step = [0] * len(RESERVES)
        self._accepted = self._refused = self._liquidations = 0

    @property
    def tally(self) -> Tally:
        """What was done so far."""
        return Tally(self._accepted, self._refused, self._liquidations)

    @property
    def people(self) -> Mapping[str, Borrower]:
        """The borrowers by address."""
        return self._by_address

    def prepare(self) -> None:
        """Give everybody tokens and allowances, and the pool what it lends; once."""
        rpc = self.devnet.rpc
        rpc.call("evm_setBlockGasLimit", [_BLOCK_GAS])
        bank, liquidator = self._unlocked[BANK], self._unlocked[LIQUIDATOR]
        for account in (bank, liquidator, *self._by_address):
            rpc.call("anvil_setBalance", [account, _ETHER])
        for asset, usd in enumerate(_BANK_USD):
            terms = RESERVES[asset]
            self._endow(bank, asset, 2 * usd / terms.price_usd)
            self._endow(liquidator, asset, 1e9 / terms.price_usd)
            amount = _units(asset, usd / terms.price_usd)
            self._send(bank, self.aave.pool, self._pool.encode("supply", self.aave.tokens[asset], amount, bank, 0))
        for address, borrower in self._by_address.items():
            used = {borrower.collateral} | (set() if borrower.debt is None else {borrower.debt})
            for asset in sorted(used):
                self._endow(address, asset, 100 * borrower.size_usd / RESERVES[asset].price_usd)
        statuses = self._mine(self.devnet.timestamp() + 12)
        if not all(statuses):
            raise DeployFailed(
                "the people of the local Aave could not be endowed", got=f"{statuses.count(False)} refused"
            )

    def run(self, seconds: float, progress: Callable[[float], None] | None = None) -> Tally:
        """Live through the simulation from its beginning and return what was done.

        Parameters
        ----------
        progress
            Called with the seconds lived.
        """
        for step in range(1, int(seconds // STEP_SECONDS) + 1):
            self.step(step)
            if progress is not None:
                progress(step * STEP_SECONDS)
        return self.tally

    def step(self, step: int) -> None:
        """Live through one quarter of a day."""
        now = step * STEP_SECONDS
        timestamp, prices = self.start_timestamp + now, self.prices.at(now)
        self._post(step, prices)
        self._mine(timestamp)
        due = [(address, b) for address, b in self._by_address.items() if b.next_look <= now]
        self._read_debts([(address, b) for address, b in due if b.owed])
        # Whoever is liquidated in this block looks at the loan some other day.
        seized = set(self._liquidate())
        planned = [
            (address, borrower, action)
            for address, borrower in due
            if address not in seized
            for action in borrower.look(now, self._posted)
        ]
        for address, _, action in planned:
            self._act(address, action)
        if not self._queue:
            return
        calls = len(self._queue)
        statuses = self._mine(timestamp + 12)
        for (_, borrower, action), fine in zip(planned, statuses[calls - len(planned) :], strict=True):
            if fine:
                borrower.book(action)

    def _post(self, step: int, prices: Sequence[float]) -> None:
        """Bring the prices that moved by half a percent, or are a day old, as a feed does."""
        for asset, price in enumerate(prices):
            old = step - self._posted_step[asset] >= _HEARTBEAT_STEPS
            if old or abs(price / self._posted[asset] - 1) > _DEVIATION:
                units = price_units(price)
                data = self._feed.encode("setAssetPrice", self.aave.tokens[asset], units)
                self._send(self._unlocked[OPERATOR], self.aave.feed, data, tip_gwei=9)
                self._posted[asset], self._posted_step[asset] = units / PRICE_UNIT, step

    def _read_debts(self, some: Sequence[tuple[str, Borrower]]) -> None:
        """Bring books up to the pool's debts, which have grown by interest."""
        for (_, borrower), account in zip(some, self._accounts([address for address, _ in some]), strict=True):
            owed = sum(value * self._posted[asset] for asset, value in borrower.owed.items())
            if owed > 0:
                borrower.owed = {a: v * account[1] / PRICE_UNIT / owed for a, v in borrower.owed.items()}

    def _liquidate(self) -> list[str]:
        """Send a liquidation of everybody whom the pool gives free, and return their addresses."""
        near = [a for a, b in self._by_address.items() if b.owed and b.utilization(self._posted) > _NEAR]
        found = []
        for address, account in zip(near, self._accounts(near), strict=True):
            borrower = self._by_address[address]
            if account[5] >= 10**18 or account[0] == 0:
                continue
            collateral, debt = self._greatest(borrower.held), self._greatest(borrower.owed)
            tokens = self.aave.tokens
            data = self._pool.encode("liquidationCall", tokens[collateral], tokens[debt], address, _ALL, False)
            self._send(self._unlocked[LIQUIDATOR], self.aave.pool, data, tip_gwei=7)
            found.append(address)
        return found

    def _greatest(self, amounts: Mapping[int, float]) -> int:
        return max(amounts, key=lambda asset: amounts[asset] * self._posted[asset])

    def _accounts(self, addresses: Sequence[str]) -> list[tuple[int, ...]]:
        if not addresses:
            return []
        answers = self.devnet.rpc.batch([self._pool.request("getUserAccountData", address) for address in addresses])
        return [self._pool.decode_output("getUserAccountData", answer) for answer in answers]

    def _act(self, address: str, action: Action) -> None:
        token = self.aave.tokens[action.asset]
        amount = _ALL if action.amount is None else _units(action.asset, action.amount)
        arguments: dict[str, tuple[Any, ...]] = {
            "supply": (token, amount, address, 0),
            "withdraw": (token, amount, address),
            "borrow": (token, amount, VARIABLE_RATE, 0, address),
            "repay": (token, amount, VARIABLE_RATE, address),
        }
        self._send(address, self.aave.pool, self._pool.encode(action.kind, *arguments[action.kind]))

    def _endow(self, account: str, asset: int, amount: float) -> None:
        token = self.aave.tokens[asset]
        self._send(
            self._unlocked[OPERATOR],
            token,
            self._token.encode("mint(address,uint256)", account, _units(asset, amount)),
            5,
        )
        self._send(account, token, self._token.encode("approve", self.aave.pool, _ALL))

    def _send(self, sender: str, to: str, data: str, tip_gwei: int = 1) -> None:
        """Queue a transaction; nonces are given, because the chain answers the calls of a batch in any order."""
        if sender not in self._nonces:
            self._nonces[sender] = int(self.devnet.rpc.call("eth_getTransactionCount", [sender, "latest"]), 16)
        fields = {"from": sender, "to": to, "data": data, "gas": _GAS, "nonce": hex(self._nonces[sender])}
        fields |= {"maxFeePerGas": _MAX_FEE, "maxPriorityFeePerGas": hex(tip_gwei * 10**9)}
        self._nonces[sender] += 1
        self._queue.append(("eth_sendTransaction", [fields]))

    def _mine(self, timestamp: int) -> list[bool]:
        """Mine what is queued and return, in its order, whether each succeeded; books take in the liquidations."""
        queued, self._queue = self._queue, []
        hashes = self.devnet.rpc.batch(queued) if queued else []
        self.devnet.mine(timestamp)
        if not hashes:
            return []
        receipts = {r["transactionHash"]: r for r in self.devnet.rpc.call("eth_getBlockReceipts", ["latest"])}
        if set(receipts) != set(hashes):
            raise DeployFailed("a block of the local Aave lacks a call", got=len(receipts), expected=len(hashes))
        for receipt in receipts.values():
            for log in receipt["logs"]:
                event = self._pool.decode_log(log)
                if event is not None and event.name == "LiquidationCall":
                    self._book_liquidation(event.args)
        statuses = [receipts[hash_]["status"] == "0x1" for hash_ in hashes]
        self._accepted += sum(statuses)
        self._refused += len(statuses) - sum(statuses)
        return statuses

    def _book_liquidation(self, args: dict[str, Any]) -> None:
        self._liquidations += 1
        places = {int(token, 16): asset for asset, token in enumerate(self.aave.tokens)}
        debt, collateral = places[int(args["debtAsset"], 16)], places[int(args["collateralAsset"], 16)]
        borrower = {int(address, 16): b for address, b in self._by_address.items()}[int(args["user"], 16)]
        borrower.book(Action("repay", debt, args["debtToCover"] / 10 ** RESERVES[debt].decimals))
        taken = args["liquidatedCollateralAmount"] / 10 ** RESERVES[collateral].decimals
        borrower.book(Action("withdraw", collateral, taken))


def _units(asset: int, amount: float) -> int:
    return int(amount * 10 ** RESERVES[asset].decimals)
