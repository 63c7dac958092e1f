"""What is refused before a vault is deployed: wrong pools, wrong pins, a model that cannot be pinned, false tokens."""

from __future__ import annotations

from typing import Final

from eth_utils.crypto import keccak

from vaultkit.book import AddressBook
from vaultkit.chain.abi import Contract, load_abi
from vaultkit.chain.pool_reader import block_timestamp
from vaultkit.chain.rpc import has_code, quantity
from vaultkit.errors import DeployFailed
from vaultkit.manifest import ArtefactManifest
from vaultkit.protocols import Rpc
from vaultkit.reference_strings import BASE_FIELD as BASE_FIELD
from vaultkit.settings import LOCAL_CHAIN_IDS
from vaultkit.shares import least_judged
from vaultkit.statement import COMMITMENT_BYTES
from vaultkit.tickmath import price_x128
from vaultkit.units import in_full
from vaultkit.vault.terms import ZERO_ADDRESS, VaultTerms
from vaultkit.vault.token_trial import answer_of, check_token

MAX_SCALE: Final = 64
MAX_INPUT_SCALE: Final = 20
MAX_BOUND: Final = 2**95
SPACING_BLOCKS: Final = 1_000
USUAL_SPACING: Final = 60


def check_deployment(rpc: Rpc, book: AddressBook, manifest: ArtefactManifest, terms: VaultTerms, code: str) -> None:
    """Refuse what a vault must not be made of.

    Parameters
    ----------
    code
        Runtime code of the compiled verifier, hex.

    Raises
    ------
    DeployFailed
        Naming the first thing that is wrong.
    """
    check_model(manifest, code)
    check_pool(rpc, book)
    check_cap(rpc, book, terms)
    check_cardinality(rpc, book, manifest, terms)
    for token in (book.pool.asset, book.pool.risk):
        check_token(rpc, token, holder=book.pool.pool)


def check_model(manifest: ArtefactManifest, code: str) -> None:
    """Refuse an artefact whose scales, commitments or verifier cannot be pinned.

    Raises
    ------
    DeployFailed
        When one of them cannot.
    """
    if len(code) <= 2:
        raise DeployFailed("the verifier has no code", got=code or "nothing", where="Verifier.sol")
    found = f"0x{keccak(hexstr=code).hex()}"
    if manifest.verifier_code_hash not in (None, found):
        raise DeployFailed(
            "the verifier compiles to other code than the artefact names",
            got=found,
            expected=manifest.verifier_code_hash,
            next_step="Compile the strategy again with this compiler",
        )
    for number, commitment in enumerate(manifest.commitments):
        raw = bytes.fromhex(commitment.removeprefix("0x"))
        fault = _fault_of_point(raw)
        if fault is not None:
            raise DeployFailed(
                "a weight commitment is malformed",
                got=fault,
                expected=f"{COMMITMENT_BYTES} bytes of a curve point",
                where=f"commitment {number}",
                next_step="Restore the artefact's manifest, or compile the strategy again",
            )
    scales = {
        "output scale": (manifest.output_scale, 0, MAX_SCALE),
        "output bound": (manifest.output_bound, 1, MAX_BOUND),
        "input scale": (manifest.window.input_scale, 0, MAX_INPUT_SCALE),
    }
    for name, (value, least, most) in scales.items():
        if not least <= value <= most:
            raise DeployFailed(f"the model's {name} cannot be used", got=value, expected=f"{least} to {most}")
    settings, gain = manifest.settings, manifest.gain_bits
    own = {
        "input scale": (settings["model_input_scales"][0], "of its settings"),
        "output scale": (settings["model_output_scales"][0] + gain, f"of its settings and {gain} bits of gain"),
    }
    for name, (value, whence) in own.items():
        if scales[name][0] != value:
            raise DeployFailed(
                f"the model's {name} is not its circuit's",
                got=scales[name][0],
                expected=f"{value}, {whence}",
                where="manifest.json",
                next_step="Restore the artefact's manifest, or compile the strategy again",
            )


def _fault_of_point(raw: bytes) -> str | None:
    """Return why 64 bytes are no point of BN254's first group, ``y**2 == x**3 + 3``, or None."""
    if len(raw) != COMMITMENT_BYTES:
        return f"{len(raw)} bytes"
    if not any(raw):
        return "the point at infinity"
    x, y = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big")
    if max(x, y) >= BASE_FIELD or (y * y - x**3 - 3) % BASE_FIELD:
        return "a point that is not on the curve"
    return None


def check_pool(rpc: Rpc, book: AddressBook) -> None:
    """Refuse a pool that is not the factory's, or is of other tokens, another fee or other decimals than the book says.

    Raises
    ------
    DeployFailed
        When the book does not describe the chain.
    """
    pool = book.pool
    places = {"pool": pool.pool, "factory": pool.factory, "asset": pool.asset, "risk token": pool.risk}
    for name, address in places.items():
        if int(address, 16) == int(ZERO_ADDRESS, 16):
            raise DeployFailed(f"the {name} is the zero address", where="address book")
        if not has_code(rpc, address):
            raise DeployFailed(f"there is no code at the {name}", got=address, where=f"chain {book.chain_id}")
    contract = Contract(rpc, pool.pool, load_abi("UniswapV3Pool"))
    tokens = {int(answer_of(contract, name), 16) for name in ("token0", "token1")}
    if tokens != {int(pool.asset, 16), int(pool.risk, 16)}:
        raise DeployFailed(
            "the pool is of another pair",
            got=", ".join(f"0x{token:040x}" for token in sorted(tokens)),
            expected=f"{pool.asset_symbol} {pool.asset} and {pool.risk_symbol} {pool.risk}",
        )
    fee = int(answer_of(contract, "fee"))
    if fee != pool.fee_pips:
        raise DeployFailed("the pool has another fee than the book says", got=fee, expected=pool.fee_pips)
    factory = Contract(rpc, pool.factory, load_abi("UniswapV3Factory"))
    genuine = str(answer_of(factory, "getPool", pool.asset, pool.risk, fee))
    if int(genuine, 16) != int(pool.pool, 16):
        raise DeployFailed("the pool is not its factory's", got=pool.pool, expected=genuine)
    for symbol, token, decimals in (
        (pool.asset_symbol, pool.asset, pool.asset_decimals),
        (pool.risk_symbol, pool.risk, pool.risk_decimals),
    ):
        found = int(answer_of(Contract(rpc, token, load_abi("InferenceVault")), "decimals"))
        if found != decimals:
            raise DeployFailed(f"{symbol} has other decimals than the book says", got=found, expected=decimals)


def check_cap(rpc: Rpc, book: AddressBook, terms: VaultTerms) -> None:
    """Refuse a cap below which the vault would share no gain and see no fall: its ``leastJudged``.

    Raises
    ------
    DeployFailed
        When deposits alone would never reach it at the pool's present price.
    """
    pool = book.pool
    spot = int(Contract(rpc, pool.pool, load_abi("UniswapV3Pool")).call("slot0")[0])
    least = least_judged(price_x128(spot, risk_is_token0=pool.risk_is_token0))
    if terms.deposit_cap <= least:
        raise DeployFailed(
            "a vault at its deposit cap would be worth too little for its gains and falls to be judged",
            got=f"{in_full(terms.deposit_cap, pool.asset_decimals)} {pool.asset_symbol}",
            expected=f"above {in_full(least, pool.asset_decimals)} {pool.asset_symbol}",
            where="--deposit-cap",
        )


def spaced(rpc: Rpc, chain_id: int, block_seconds: int | None) -> int:
    """Return the time between two observations of a pool that is reckoned with.

    Anybody can swap in every block, and each swap takes an observation's place: so it is never above the mean time of
    the chain's last thousand blocks. A local chain's blocks are mined at will: there a minute is always believed.

    Parameters
    ----------
    block_seconds
        As somebody asked for it; the chain's own, a minute at most, where None.

    Raises
    ------
    DeployFailed
        When more is asked for than the chain's blocks are apart.
    """
    head = quantity(rpc.call("eth_blockNumber"), rpc)
    blocks = min(head - 1, SPACING_BLOCKS)  # not from the first block on, which may be of another time
    most = USUAL_SPACING if chain_id in LOCAL_CHAIN_IDS else 1
    if blocks > 0:
        most = max(most, (block_timestamp(rpc, head) - block_timestamp(rpc, head - blocks)) // blocks)
    if block_seconds is None:
        return min(most, USUAL_SPACING)
    if block_seconds > most:
        raise DeployFailed(
            "observations of the pool are expected further apart than the chain's blocks",
            got=f"{block_seconds} s",
            expected=f"at most {most} s",
            where="--block-seconds (block_seconds)",
            next_step="Leave it out: a swap in every block is what the pool's observations must last for",
        )
    return block_seconds


def check_cardinality(rpc: Rpc, book: AddressBook, manifest: ArtefactManifest, terms: VaultTerms) -> None:
    """Refuse a pool that keeps too few observations, with a fifth in reserve.

    They must reach over window and age, which `TickWindow` checks too, and over the venue's mean, which nothing on the
    chain checks before the first trade.

    Raises
    ------
    DeployFailed
        When the pool keeps too few, naming what needs them, or as `spaced`.
    """
    window, every = manifest.window, spaced(rpc, book.chain_id, terms.block_seconds)
    reaches = {
        "window and age (CardinalityTooSmall)": (window.count + 1) * window.bar_seconds + terms.max_age_seconds,
        "the venue's mean price": terms.twap_seconds,
    }
    purpose, reach = max(reaches.items(), key=lambda one: one[1])
    needed = reach * 6 // (every * 5) + 1
    kept = int(Contract(rpc, book.pool.pool, load_abi("UniswapV3Pool")).call("slot0")[3])
    if kept < needed:
        raise DeployFailed(
            f"the pool keeps too few observations for {purpose}",
            got=kept,
            expected=f"at least {needed}: 1.2 x {reach} s at one in {every} s",
            where=book.pool.pool,
            next_step=f"Call increaseObservationCardinalityNext({needed}) on the pool and wait until it has filled",
        )
