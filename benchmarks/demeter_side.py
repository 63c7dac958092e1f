"""The same year of bars in zelos-demeter, run by the Python of an environment of its own.

Called by bench_backtest.py with a CSV of ``time, tick, liquidity, weight, decides``. Decisions are given, so demeter is
spared them; it executes at the pool's price less the fee, in decimals, without price impact, limits or the contract's
rounding.
"""

import json
import logging
import sys
import time
from decimal import Decimal

import pandas as pd
from demeter import Actuator, MarketInfo, MarketTypeEnum, Snapshot, Strategy, TokenInfo
from demeter.uniswap import UniLpMarket, UniV3Pool

DEADBAND = Decimal("0.02")


class Target(Strategy):
    """Trade toward the weight of the bar when it is further off than the deadband."""

    def __init__(self, weights: list[float], decides: list[bool]) -> None:
        super().__init__()
        self.weights, self.decides, self.trades = [Decimal(weight) for weight in weights], decides, 0

    def on_bar(self, snapshot: Snapshot) -> None:
        if not self.decides[snapshot.row_id]:
            return
        market = self.broker.markets[KEY]
        price = market.market_status.data.price
        held = self.broker.get_token_balance(RISK) * price
        value = held + self.broker.get_token_balance(ASSET)
        target = min(max(self.weights[snapshot.row_id], Decimal(0)), Decimal("0.995"))
        change = target - held / value
        if abs(change) < DEADBAND:
            return
        self.trades += 1
        if change > 0:
            market.buy(change * value / price)
        else:
            market.sell(-change * value / price)


ASSET, RISK = TokenInfo("usdc", 6), TokenInfo("weth", 18)
KEY = MarketInfo("pool", MarketTypeEnum.uniswap_v3)


def main(path: str) -> None:
    logging.disable(logging.INFO)
    rows = pd.read_csv(path)
    index = pd.to_datetime(rows["time"], unit="s")
    pool = UniV3Pool(RISK, ASSET, 0.05, ASSET)
    market = UniLpMarket(KEY, pool)
    zeros = [0] * len(rows)
    data = pd.DataFrame(
        {
            "netAmount0": zeros, "netAmount1": zeros, "closeTick": rows["tick"], "openTick": rows["tick"],
            "lowestTick": rows["tick"], "highestTick": rows["tick"], "inAmount0": zeros, "inAmount1": zeros,
            "currentLiquidity": [int(value) for value in rows["liquidity"]],
        }
    )  # fmt: skip
    data.index = index
    market.add_statistic_column(data)
    market.data = data
    actuator = Actuator()
    actuator.broker.add_market(market)
    actuator.broker.set_balance(ASSET, 50_000)
    price = market.data["price"].iloc[0]
    actuator.broker.set_balance(RISK, Decimal(50_000) / Decimal(price))
    strategy = Target(rows["weight"].tolist(), rows["decides"].tolist())
    actuator.strategy = strategy
    actuator.set_price(market.get_price_from_data())
    begun = time.process_time()
    actuator.run(False)
    took = time.process_time() - begun
    value = float(actuator.final_status.net_value)
    print(json.dumps({"seconds": took, "bars": len(rows), "value": value, "trades": strategy.trades}))


if __name__ == "__main__":
    main(sys.argv[1])
