"""A plan tried before it is sent: every constructor runs in a simulation, and what all of it will cost is reckoned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from vaultkit.chain.abi import as_reverted, load_code
from vaultkit.chain.rpc import quantity
from vaultkit.errors import DeployFailed, RpcRefused
from vaultkit.protocols import Rpc
from vaultkit.vault.plan import DeployPlan
from vaultkit.vault.token_trial import PROBE

CALLS_GAS: Final = {"deployer": 590_000, "owner": 640_000, "timelock": 1_040_000}
"""Gas of everything that a plan sends after its contracts, by whose the registry is in the end.

Measured with two weight commitments: 585,271, 633,093 and 1,030,416.
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """What a plan costs: gas, what one costs now, and what the deployer has."""

    gas: int
    price_wei: int
    balance_wei: int

    @property
    def wei(self) -> int:
        """The whole at the present price."""
        return self.gas * self.price_wei


def run_constructors(rpc: Rpc, plan: DeployPlan) -> int:
    """Run every constructor on the newest state, each beside the ones before it, and return their gas.

    Nothing is sent.

    Raises
    ------
    DeployFailed
        With the error's name, where a constructor refuses.

    Notes
    -----
    A constructor's returned code stands in for the contract in the later ones. What it stored does not: none of them
    asks for it.
    """
    code: dict[str, dict[str, str]] = {}
    gas = 0
    for creation in plan.creations:
        fields = {"from": PROBE, "data": creation.init_code()}  # not the deployer: its next address is overridden here
        try:
            made = rpc.call("eth_call", [fields, "latest", dict(code)])
            gas += quantity(rpc.call("eth_estimateGas", [fields, "latest", dict(code)]), rpc)
        except RpcRefused as refusal:
            named = as_reverted(refusal, load_code(creation.name).abi)
            if named is None:
                raise
            arguments = ", ".join(f"{key}={value}" for key, value in named.args_.items())
            raise DeployFailed(
                "a contract refuses to be made",
                got=f"{named.name}({arguments})",
                where=f"constructor of {creation.name}",
                next_step="Nothing was sent; change the terms, the pool or the artefact",
            ) from refusal
        code[creation.address] = {"code": made}
    return gas


def cost_of(rpc: Rpc, plan: DeployPlan, constructors_gas: int) -> Cost:
    """Return what a plan costs at the chain's present price."""
    price, balance = rpc.batch([("eth_gasPrice", []), ("eth_getBalance", [plan.deployer, "latest"])])
    return Cost(constructors_gas + CALLS_GAS[plan.registry_to], quantity(price, rpc), quantity(balance, rpc))


def require_funds(cost: Cost, deployer: str) -> None:
    """Refuse to begin what the deployer cannot pay to the end.

    Raises
    ------
    DeployFailed
        When its balance is below the cost at the present price.
    """
    if cost.balance_wei < cost.wei:
        raise DeployFailed(
            "the deployer cannot pay for all of it",
            got=f"{cost.balance_wei / 1e18:.6f} ether",
            expected=f"{cost.wei / 1e18:.6f}: {cost.gas:,} gas at {cost.price_wei / 1e9:.3f} gwei",
            where=deployer,
            next_step="Nothing was sent; fund the account, or wait for a lower price",
        )
