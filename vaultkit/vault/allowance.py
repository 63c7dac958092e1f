"""Which approvals let a contract take an amount of a token."""

from __future__ import annotations

from vaultkit.chain.abi import Contract


def approvals(token: Contract, owner: str, spender: str, amount: int) -> tuple[int, ...]:
    """Return the allowances that ``owner`` has to give, in order; none where the present one is enough.

    A smaller one that stands is taken back first: tokens such as USDT refuse to replace an allowance by another.
    """
    present = int(token.call("allowance", owner, spender))
    if present >= amount:
        return ()
    return (0, amount) if present else (amount,)
