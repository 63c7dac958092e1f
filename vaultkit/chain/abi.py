"""Contract interfaces: where their ABIs come from, and a light caller with decoded reverts.

ABIs are read from ``build/contracts`` (the project's own, written when they are compiled) and from the npm packages of
Uniswap and Aave (the real counterparties).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from eth_abi.codec import ABICodec
from eth_abi.decoding import UnsignedIntegerDecoder
from eth_abi.encoding import UnsignedIntegerEncoder
from eth_abi.exceptions import DecodingError
from eth_abi.registry import BaseEquals, registry
from eth_utils.abi import (
    abi_to_signature,
    collapse_if_tuple,
    event_abi_to_log_topic,
    function_abi_to_4byte_selector,
)
from eth_utils.address import to_checksum_address

from vaultkit.errors import Reverted, RpcRefused, RpcUnavailable, ToolMissing, UsageError
from vaultkit.protocols import Rpc
from vaultkit.settings import build_dir, contracts_dir

Abi = Sequence[Mapping[str, Any]]
Block = int | str

_UNISWAP: Final = "node_modules/@uniswap"
_AAVE: Final = "node_modules/@aave/core-v3/artifacts/contracts"
_AAVE_FILES: Final = {
    name: f"{_AAVE}/{folder}/{name}.sol/{name}.json"
    for folder, names in {
        "protocol/configuration": ("PoolAddressesProvider", "ACLManager"),
        "protocol/pool": ("Pool", "PoolConfigurator", "DefaultReserveInterestRateStrategy"),
        "protocol/tokenization": ("AToken", "StableDebtToken", "VariableDebtToken"),
        "protocol/libraries/logic": (
            "BorrowLogic", "BridgeLogic", "ConfiguratorLogic", "EModeLogic", "FlashLoanLogic", "LiquidationLogic",
            "PoolLogic", "SupplyLogic",
        ),
        "misc": ("AaveOracle", "AaveProtocolDataProvider"),
        "mocks/oracle": ("PriceOracle",),
        "mocks/tokens": ("MintableERC20",),
    }.items()
    for name in names
}  # fmt: skip
_NPM: Final[dict[str, str]] = {
    "WETH9": f"{_UNISWAP}/v2-periphery/build/WETH9.json",
    "UniswapV3Factory": f"{_UNISWAP}/v3-core/artifacts/contracts/UniswapV3Factory.sol/UniswapV3Factory.json",
    "UniswapV3Pool": f"{_UNISWAP}/v3-core/artifacts/contracts/UniswapV3Pool.sol/UniswapV3Pool.json",
    "SwapRouter": f"{_UNISWAP}/v3-periphery/artifacts/contracts/SwapRouter.sol/SwapRouter.json",
    "QuoterV2": f"{_UNISWAP}/v3-periphery/artifacts/contracts/lens/QuoterV2.sol/QuoterV2.json",
    "NonfungiblePositionManager": (
        f"{_UNISWAP}/v3-periphery/artifacts/contracts/NonfungiblePositionManager.sol/NonfungiblePositionManager.json"
    ),
    "ERC20": f"{_UNISWAP}/v2-core/build/IERC20.json",
    "TimelockController": "node_modules/@openzeppelin/contracts/build/contracts/TimelockController.json",
    **_AAVE_FILES,
}
_STANDARD_ERRORS: Final[Abi] = (
    {"type": "error", "name": "Error", "inputs": [{"name": "message", "type": "string"}]},
    {"type": "error", "name": "Panic", "inputs": [{"name": "code", "type": "uint256"}]},
)


@dataclass(frozen=True, slots=True)
class ContractCode:
    """An ABI with the creation code that deploys it."""

    name: str
    abi: Abi
    bytecode: str


@dataclass(frozen=True, slots=True)
class Event:
    """A decoded log: the event's name, its arguments by name, and where it stands."""

    name: str
    args: dict[str, Any]
    address: str
    block_number: int
    transaction_hash: str
    log_index: int


def load_code(name: str, folder: Path | None = None) -> ContractCode:
    """Return ABI and creation code of a contract by name; the project's own win over npm's.

    Parameters
    ----------
    name
        Solidity name, for example ``InferenceVault`` or ``UniswapV3Pool``.
    folder
        Where compiled contracts are; ``build/contracts`` where left out.

    Raises
    ------
    ToolMissing
        When neither holds it.
    """
    own = (folder or build_dir() / "contracts") / f"{name}.json"
    candidates = [own] + ([contracts_dir() / _NPM[name]] if name in _NPM else [])
    for path in candidates:
        if path.is_file():
            return _read(path, path.stat().st_mtime_ns)
    if name in _NPM:
        raise ToolMissing(
            f"the npm artefact of {name} is not installed",
            where="contracts/node_modules",
            next_step="Run `npm ci` in contracts/",
        )
    raise ToolMissing(
        f"the contract {name} is not compiled", where="build/contracts", next_step="Run `vaultkit deploy`"
    )


def load_abi(name: str, folder: Path | None = None) -> Abi:
    """Return the ABI of a contract by name, as `load_code` finds it."""
    return load_code(name, folder).abi


@lru_cache(maxsize=256)
def _read(path: Path, _mtime: int) -> ContractCode:
    artefact = json.loads(path.read_text())
    code = artefact.get("bytecode", "")
    code = code.get("object", "") if isinstance(code, dict) else code
    return ContractCode(path.stem, artefact["abi"], code if code.startswith("0x") else f"0x{code}")


def _strict_codec() -> ABICodec:
    """Return a codec that reads no short answer as a number, whatever another library registered for all.

    Ape replaces the shared decoder of unsigned integers by one that pads: an empty answer would read as zero.
    """
    own = registry.copy()  # type: ignore[no-untyped-call]
    own.unregister("uint")
    own.register(BaseEquals("uint"), UnsignedIntegerEncoder, UnsignedIntegerDecoder, label="uint")  # type: ignore[no-untyped-call]
    return ABICodec(own)


_CODEC: Final = _strict_codec()


def _types(parameters: Sequence[Mapping[str, Any]]) -> list[str]:
    return [collapse_if_tuple(dict(parameter)) for parameter in parameters]


def _errors(abi: Abi) -> dict[bytes, Mapping[str, Any]]:
    return {function_abi_to_4byte_selector(dict(item)): item for item in abi if item.get("type") == "error"}  # type: ignore[arg-type]


def project_errors() -> dict[bytes, Mapping[str, Any]]:
    """Return every custom error of the compiled contracts by selector, with Solidity's own two."""
    pooled = _errors(_STANDARD_ERRORS)
    for path in sorted((build_dir() / "contracts").glob("*.json")):
        pooled.update(_errors(_read(path, path.stat().st_mtime_ns).abi))
    return pooled


def decode_revert(data: str | bytes, abi: Abi = (), **context: Any) -> Reverted:
    """Return the error that revert data stands for; what is not known by any ABI keeps its selector as name.

    Parameters
    ----------
    data
        Return data of the reverted call.
    abi
        Searched first, before the project's pooled errors.
    context
        Passed on to `Reverted`, for example ``where``.
    """
    raw = bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else bytes(data)
    selector = raw[:4]
    if not raw:
        return Reverted("no reason", **context)
    item = _errors(abi).get(selector) or project_errors().get(selector)
    if item is None:
        return Reverted(f"0x{selector.hex()}", {"data": f"0x{raw[4:].hex()}"}, **context)
    try:
        values = _CODEC.decode(_types(item["inputs"]), raw[4:])
    except (DecodingError, OverflowError):
        return Reverted(item["name"], {"data": f"0x{raw[4:].hex()}"}, **context)
    names = [parameter["name"] or str(index) for index, parameter in enumerate(item["inputs"])]
    return Reverted(item["name"], dict(zip(names, values, strict=True)), **context)


def as_reverted(refusal: RpcRefused, abi: Abi = (), **context: Any) -> Reverted | None:
    """Return the named revert inside a node's refusal, or None where it was refused for another reason."""
    data = refusal.data
    if isinstance(data, dict):  # some nodes wrap it
        data = data.get("data") or data.get("result")
    if isinstance(data, str) and data.startswith("0x"):
        return decode_revert(data, abi, **context)
    if refusal.code == 3 or "revert" in str(refusal).lower():
        return Reverted("no reason", **context)
    return None


class Contract:
    """A deployed contract: encodes, calls, and decodes results, logs and reverts.

    Parameters
    ----------
    rpc
        Endpoint that answers ``eth_call``.
    address
        Where it lives.
    abi
        Its interface.
    """

    def __init__(self, rpc: Rpc, address: str, abi: Abi) -> None:
        self.rpc, self.address, self.abi = rpc, to_checksum_address(address), abi
        self._functions: dict[str, Mapping[str, Any]] = {}
        for item in sorted(abi, key=lambda item: len(item.get("inputs", ()))):
            if item.get("type") == "function":
                self._functions.setdefault(item["name"], item)
                self._functions[abi_to_signature(dict(item))] = item  # type: ignore[arg-type]
        self._events = {
            event_abi_to_log_topic(dict(item)): item  # type: ignore[arg-type]
            for item in abi
            if item.get("type") == "event" and not item.get("anonymous")
        }

    def __repr__(self) -> str:
        return f"Contract({self.address})"

    def encode(self, name: str, *args: Any) -> str:
        """Return calldata as 0x-prefixed hex.

        Parameters
        ----------
        name
            Function name, or its signature; of overloaded ones the name stands for the one with the fewest arguments.
        """
        item = self._function(name)
        data = function_abi_to_4byte_selector(dict(item)) + _CODEC.encode(_types(item["inputs"]), args)  # type: ignore[arg-type]
        return f"0x{data.hex()}"

    def decode_input(self, data: str | bytes) -> tuple[str, dict[str, Any]]:
        """Return the function's name and its arguments by name from calldata.

        Raises
        ------
        UsageError
            When no function of the ABI has its selector.
        """
        raw = bytes.fromhex(data.removeprefix("0x")) if isinstance(data, str) else bytes(data)
        for item in self._functions.values():
            if function_abi_to_4byte_selector(dict(item)) == raw[:4]:  # type: ignore[arg-type]
                values = _CODEC.decode(_types(item["inputs"]), raw[4:])
                names = [parameter["name"] or str(index) for index, parameter in enumerate(item["inputs"])]
                return item["name"], dict(zip(names, values, strict=True))
        raise UsageError("calldata is of no function of this contract", got=f"0x{raw[:4].hex()}", where=self.address)

    def decode_output(self, name: str, data: str) -> Any:
        """Return what a call returned: one value, or a tuple where the function returns several."""
        outputs = self._function(name)["outputs"]
        try:
            values = _CODEC.decode(_types(outputs), bytes.fromhex(data.removeprefix("0x")))
        except (DecodingError, OverflowError, ValueError) as error:
            raise RpcUnavailable(
                f"the answer to {name} cannot be decoded; is the contract deployed there?",
                got=f"{data[:20]}",
                where=self.address,
            ) from error
        return values[0] if len(values) == 1 else values

    def request(
        self, name: str, *args: Any, block: Block = "latest", sender: str | None = None
    ) -> tuple[str, list[Any]]:
        """Return the ``eth_call`` that `call` would make, for a batch."""
        fields = {"to": self.address, "data": self.encode(name, *args)}
        if sender is not None:
            fields["from"] = sender
        return "eth_call", [fields, hex(block) if isinstance(block, int) else block]

    def call(self, name: str, *args: Any, block: Block = "latest", sender: str | None = None) -> Any:
        """Return the decoded result of a view call at ``block``.

        Raises
        ------
        Reverted
            When the contract refuses, with the error's name and arguments.
        """
        method, params = self.request(name, *args, block=block, sender=sender)
        try:
            data = self.rpc.call(method, params)
        except RpcRefused as refusal:
            reverted = as_reverted(refusal, self.abi, where=f"{name} of {self.address}")
            if reverted is None:
                raise
            raise reverted from refusal
        return self.decode_output(name, data)

    def event_topic(self, name: str) -> str:
        """Return topic0 of an event by name."""
        for topic, item in self._events.items():
            if item["name"] == name:
                return f"0x{topic.hex()}"
        raise UsageError("the contract has no such event", got=name, where=self.address)

    def decode_log(self, log: Mapping[str, Any]) -> Event | None:
        """Return the event that a JSON-RPC log stands for, or None where it is another contract's or unknown."""
        if int(log["address"], 16) != int(self.address, 16) or not log["topics"]:
            return None
        item = self._events.get(bytes.fromhex(log["topics"][0][2:]))
        if item is None:
            return None
        args: dict[str, Any] = {}
        topics = iter(log["topics"][1:])
        plain = [parameter for parameter in item["inputs"] if not parameter["indexed"]]
        values = iter(_CODEC.decode(_types(plain), bytes.fromhex(log["data"][2:])))
        for parameter in item["inputs"]:
            if parameter["indexed"]:
                word = bytes.fromhex(next(topics)[2:])
                kind = collapse_if_tuple(dict(parameter))
                dynamic = kind in ("string", "bytes") or kind.endswith("]") or kind.startswith("(")
                args[parameter["name"]] = word if dynamic else _CODEC.decode([kind], word)[0]
            else:
                args[parameter["name"]] = next(values)
        return Event(
            item["name"],
            args,
            self.address,
            int(log["blockNumber"], 16),
            log["transactionHash"],
            int(log["logIndex"], 16),
        )

    def _function(self, name: str) -> Mapping[str, Any]:
        item = self._functions.get(name)
        if item is None:
            raise UsageError("the contract has no such function", got=name, where=self.address)
        return item
