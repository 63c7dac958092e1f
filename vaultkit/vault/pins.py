"""What a deployment was to be, compared with what the chain says that it is."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from eth_utils.crypto import keccak

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.errors import DeployFailed
from vaultkit.protocols import Rpc
from vaultkit.vault.terms import ZERO_ADDRESS, ModelPins, VaultTerms


def check_pins(
    rpc: Rpc, book: AddressBook, vault_book: VaultBook, pins: ModelPins, terms: VaultTerms, *, period_seconds: int
) -> None:
    """Compare what the chain now says with what was meant.

    Raises
    ------
    DeployFailed
        Naming the first pin that differs.
    """

    def contract(name: str, address: str) -> Contract:
        return Contract(rpc, address, load_abi(name))

    vault = contract("InferenceVault", vault_book.vault)
    registry = contract("ModelRegistry", vault_book.registry)
    venue = contract("UniswapV3Venue", vault_book.venue)
    code = rpc.call("eth_getCode", [pins.verifier, "latest"])
    offered = terms.owner if terms.timelock_seconds is None else None
    if offered is not None and int(str(registry.call("owner")), 16) == int(offered, 16):
        offered = None  # it has accepted already
    model_id = pins.model_id()
    checks: dict[str, tuple[Any, Any]] = {
        "verifier code": (keccak(hexstr=code), pins.verifier_code_hash),
        "window": (contract("TickWindow", pins.source).call("specHash"), pins.source_spec_hash),
        "gate's registry": (contract("ZkGate", pins.gate).call("registry"), vault_book.registry),
        "active model": (registry.call("activeModel"), model_id),
        "model": (registry.call("modelOf", model_id), pins.as_tuple()),
        "delay": (registry.call("delay"), terms.delay_seconds),
        "vault's registry": (vault.call("registry"), vault_book.registry),
        "vault's venue": (vault.call("venue"), vault_book.venue),
        "vault's asset": (vault.call("asset"), book.pool.asset),
        "vault's risk token": (vault.call("risk"), book.pool.risk),
        "venue's pool": (venue.call("pool"), book.pool.pool),
        "period": (vault.call("period"), period_seconds),
        "max age": (vault.call("maxAge"), terms.max_age_seconds),
        "policy": (vault.call("policy"), tuple(asdict(terms.policy).values())),
        "safeguards": (vault.call("safeguards"), tuple(asdict(terms.safeguards).values())),
        "fees": (vault.call("fees"), tuple(asdict(terms.fees).values())),
        "owner to be": (registry.call("pendingOwner"), offered or ZERO_ADDRESS),
        "guardian": (registry.call("guardian"), terms.guardian),
    }
    for name, (got, expected) in checks.items():
        if _plain(got) != _plain(expected):
            raise DeployFailed("a deployed pin differs", got=got, expected=expected, where=name)


def _plain(value: Any) -> Any:
    """Return a value with addresses in lower case, since nodes and books write them differently."""
    if isinstance(value, str):
        return value.lower()
    return tuple(_plain(item) for item in value) if isinstance(value, tuple) else value
