"""The written plan of a deployment: every contract with its address and arguments, and every call, before any is sent.

Addresses follow from the deployer and its nonce, so each contract's arguments are known beforehand, and every
constructor can be run in a simulation: what would be refused is refused for free.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import rlp
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from vaultkit.book import AddressBook, VaultBook
from vaultkit.chain.abi import load_code
from vaultkit.errors import SettingsError
from vaultkit.manifest import ArtefactManifest
from vaultkit.vault.compile import load_artifact
from vaultkit.vault.terms import ModelPins, VaultTerms
from vaultkit.vault.verification import encode_arguments
from vaultkit.window import WindowSpec


@dataclass(frozen=True, slots=True)
class Creation:
    """One contract to be deployed."""

    name: str
    address: str
    arguments: tuple[Any, ...]
    says: str

    def init_code(self) -> str:
        """Return creation code with the constructor's arguments, hex."""
        return load_code(self.name).bytecode + encode_arguments(self.name, self.arguments).hex()


@dataclass(frozen=True, slots=True)
class DeployPlan:
    """What a deployment does, in order.

    Parameters
    ----------
    deployer, nonce
        Who sends it, and its first transaction's number.
    creations
        Contracts, in order of their nonces.
    calls
        What is sent after them, in words.
    book
        Addresses as they will be.
    pins
        The first model.
    registry_to
        Whose the registry is in the end.
    """

    deployer: str
    nonce: int
    creations: tuple[Creation, ...]
    calls: tuple[str, ...]
    book: VaultBook
    pins: ModelPins
    registry_to: Literal["deployer", "owner", "timelock"] = "deployer"

    def creation(self, name: str) -> Creation:
        """Return the creation of a contract by name."""
        return next(one for one in self.creations if one.name == name)


def created_address(sender: str, nonce: int) -> str:
    """Return where a contract comes to that an account creates by its ``nonce``-th transaction."""
    number = nonce.to_bytes((nonce.bit_length() + 7) // 8, "big")
    return to_checksum_address(keccak(rlp.encode([bytes.fromhex(sender[2:]), number]))[12:])


def nonce_of(sender: str, address: str, count: int) -> int | None:
    """Return by which of its first ``count`` transactions an account created a contract, or None; the newest first."""
    wanted = int(address, 16)
    return next((one for one in range(count - 1, -1, -1) if int(created_address(sender, one), 16) == wanted), None)


def window_spec(book: AddressBook, manifest: ArtefactManifest) -> WindowSpec:
    """Return the artefact's window bound to the book's pool."""
    return WindowSpec(pool=book.pool.pool, sign=book.pool.sign, **manifest.window.model_dump())


def pins_of(
    book: AddressBook, manifest: ArtefactManifest, verifier: str, gate: str, source: str, address: str
) -> ModelPins:
    """Return an artefact's model behind given contracts.

    Parameters
    ----------
    verifier, address
        Name of the compiled verifier, and where it is.
    """
    return ModelPins(
        gate=gate,
        source=source,
        source_spec_hash=window_spec(book, manifest).spec_hash(),
        verifier=address,
        verifier_code_hash=keccak(hexstr=load_artifact(verifier)["deployedBytecode"]),
        commitments=b"".join(bytes.fromhex(one.removeprefix("0x")) for one in manifest.commitments),
        output_scale=manifest.output_scale,
        output_bound=manifest.output_bound,
        bundle_hash=manifest.bundle_hash(),
    )


def make_plan(
    deployer: str,
    nonce: int,
    book: AddressBook,
    manifest: ArtefactManifest,
    terms: VaultTerms,
    verifier: str,
    *,
    artefact: Path,
    first_block: int,
) -> DeployPlan:
    """Return the plan of a vault for one artefact.

    Parameters
    ----------
    verifier
        Name of the compiled verifier in ``build/contracts``.
    first_block
        Block from which the vault's history is read.

    Raises
    ------
    SettingsError
        When the one who is to run the timelock is the deployer, who gives up every role of it.
    """
    if terms.timelock_seconds is not None and terms.owner is not None and int(terms.owner, 16) == int(deployer, 16):
        raise SettingsError(
            "nobody would run the timelock: the deployer gives up every role of it",
            got=f"owner {terms.owner}, who is the deployer",
            expected="a multisig or another account",
            where="owner",
            next_step="Name another --owner, or leave --timelock out and keep the registry",
        )
    pool, spec = book.pool, window_spec(book, manifest)
    shape = (spec.pool, spec.bar_seconds, spec.count, spec.clip, spec.sign, spec.input_scale)
    names: tuple[str, ...] = (
        verifier,
        "TickWindow",
        "UniswapV3Venue",
        "ModelRegistry",
        "ZkGate",
        "InferenceVault",
        "ExitRouter",
    )
    if terms.timelock_seconds is not None:
        names += ("TimelockController",)
    at = {name: created_address(deployer, nonce + index) for index, name in enumerate(names)}
    parts: dict[str, tuple[tuple[Any, ...], str]] = {
        verifier: ((), "the circuit's verifier"),
        "TickWindow": ((shape, terms.max_age_seconds, terms.block_seconds), "the model's inputs, from the pool"),
        "UniswapV3Venue": ((pool.factory, pool.pool, pool.asset, terms.twap_seconds), "prices and swaps"),
        "ModelRegistry": ((deployer, terms.delay_seconds, terms.guardian), "models, behind their delay"),
        "ZkGate": ((at["ModelRegistry"],), "what believes a proof"),
        "InferenceVault": (
            (terms.config(at["UniswapV3Venue"], at["ModelRegistry"], manifest.period_seconds),),
            "the vault",
        ),
        "ExitRouter": ((), "exits with a floor of the leaver's own"),
        "TimelockController": ((0, [deployer], [deployer], deployer), "the owner to be, handed over below"),
    }
    pins = pins_of(book, manifest, verifier, at["ZkGate"], at["TickWindow"], at[verifier])
    calls = [
        f"propose model 0x{pins.model_id().hex()} to the registry; by its author's word it reads {spec.count} bars of "
        f"{spec.bar_seconds} s clipped to {spec.clip} ticks, every {manifest.period_seconds} s, and gives weights with "
        f"{manifest.output_scale} bits after the point",
        f"wait {terms.delay_seconds} s of chain time",
        "activate the model",
    ]
    if terms.timelock_seconds is not None:
        calls += [
            "offer the registry to the timelock, which accepts it",
            f"set the timelock's delay to {terms.timelock_seconds} s",
            f"make {terms.owner} its proposer, canceller and executor, and give up every role of the deployer",
        ]
    elif terms.owner is not None:
        calls.append(f"offer the registry to {terms.owner}, who has to call acceptOwnership")
    result = VaultBook(
        vault=at["InferenceVault"],
        registry=at["ModelRegistry"],
        gate=pins.gate,
        source=pins.source,
        venue=at["UniswapV3Venue"],
        verifier=pins.verifier,
        exit_router=at["ExitRouter"],
        timelock=at.get("TimelockController"),
        model_id=f"0x{pins.model_id().hex()}",
        from_block=first_block,
        artefact=str(artefact.resolve()),
    )
    creations = tuple(Creation(name, at[name], *parts[name]) for name in names)
    to: Literal["deployer", "owner", "timelock"] = "deployer" if terms.owner is None else "owner"
    if terms.timelock_seconds is not None:
        to = "timelock"
    return DeployPlan(deployer, nonce, creations, tuple(calls), result, pins, to)
