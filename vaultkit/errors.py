"""Every error that vaultkit raises on purpose.

::

    VaultkitError                        1
    ├── UsageError                       2   the caller gave something that cannot be used
    │   ├── WindowError                      a window specification or its points
    │   ├── StrategyError                    a strategy file or class
    │   ├── DataError                        NaN, infinity, wrong dtype or shape
    │   └── SettingsError                    a configuration file or option
    ├── SetupError                       3   the machine lacks something
    │   ├── ToolMissing                      Node, anvil, solc, a Python extra
    │   ├── PortBusy                         a port that was asked for is taken
    │   └── CacheError                       a cache that is half built or of another version
    ├── ChainError                       4   the node, or what it says
    │   ├── RpcUnavailable                   no answer, or a refusal (retryable)
    │   ├── RpcRefused                       an answer that is an error of the node
    │   ├── WrongChain                       another chain id than the one configured
    │   └── ReorgDetected                    the chain changed under the reader (retryable)
    ├── VerificationError                5   bytes that do not hash to what they should
    │   ├── HeaderMismatch                   header, parent link or block hash
    │   ├── ReceiptsMismatch                 receipts do not rebuild receiptsRoot
    │   ├── StateMismatch                    an account or slot that its proof does not show
    │   ├── LogsMismatch                     a log that no verified receipt holds, or one left out
    │   ├── WindowDisputed                   the pool's window is not the one of the indexed swaps
    │   ├── ProofInvalid                     an inference proof that does not verify
    │   ├── AttestationRefused               a request that an attester's own index does not show
    │   └── AuditFailed                      a past epoch that was not the model's
    ├── StoreError                       6   Parquet files and manifests
    │   ├── ManifestMismatch                 a file is not the one its manifest names
    │   ├── RangeMissing                     blocks that are asked for and not held
    │   └── AnchorTooWeak                    a reader requires a stronger anchor
    ├── CircuitError                     7   export, compilation, proving
    │   ├── UnsupportedOperator              an ONNX operator outside the allow-list
    │   ├── ExportMismatch                   torch, ONNX and circuit disagree
    │   ├── FidelityTooLow                   quantization flips too many decisions
    │   ├── EnvelopeExceeded                 an input outside the declared clip bound
    │   ├── ArtefactMismatch                 an artefact folder was changed or is incomplete
    │   ├── UnsafeSrs                        a locally generated SRS off a local chain
    │   ├── ProverFailed                     the prover crashed (retryable)
    │   └── ProverTimeout                    the prover passed its deadline (retryable)
    ├── VaultError                       8   contracts and deployment
    │   ├── CompileFailed                    solc refused the sources
    │   ├── DeployFailed                     a deployment or its checks
    │   └── Reverted                         a call reverted with a named error
    └── KeeperError                      9   the keeper process
        ├── JournalError                     the journal is torn, locked or of another vault
        ├── KeeperLocked                     another keeper holds the lock
        └── SubmissionFailed                 the transaction was refused or never mined

A class's number is the exit code of its family. ``retryable`` decides what the keeper does.
"""

from __future__ import annotations

from typing import Any, ClassVar


class VaultkitError(Exception):
    """Base of every deliberate error.

    Parameters
    ----------
    what
        One clause that says what is wrong.
    got, expected
        The value met and the value wanted; left out of the message where ``None``.
    where
        File, block, field or contract. Never a URL with credentials: pass ``Rpc.label``.
    next_step
        One sentence in the imperative.
    """

    exit_code: ClassVar[int] = 1
    retryable: ClassVar[bool] = False

    def __init__(
        self,
        what: str,
        *,
        got: Any = None,
        expected: Any = None,
        where: Any = None,
        next_step: str | None = None,
    ) -> None:
        self.what, self.got, self.expected = what, got, expected
        self.where, self.next_step = where, next_step
        super().__init__(self._message())

    def _message(self) -> str:
        text = self.what.rstrip(".")
        parts = []
        if self.got is not None:
            parts.append(f"got {self.got}")
        if self.expected is not None:
            parts.append(f"expected {self.expected}")
        if parts:
            text += ": " + ", ".join(parts)
        if self.where is not None:
            text += f" ({self.where})"
        text += "."
        if self.next_step:
            text += " " + self.next_step.rstrip(".") + ("" if self.next_step.endswith("?") else ".")
        return text


class UsageError(VaultkitError):
    """The caller gave something that cannot be used."""

    exit_code = 2


class WindowError(UsageError):
    """A window specification, or the points given to it, cannot be used."""


class StrategyError(UsageError):
    """A strategy file or class lacks a part or has a wrong one."""


class DataError(UsageError):
    """Data with NaN, infinity, a wrong dtype or a wrong shape."""


class SettingsError(UsageError):
    """A configuration file or option cannot be used."""


class SetupError(VaultkitError):
    """The machine lacks something that the kit needs."""

    exit_code = 3


class ToolMissing(SetupError):
    """Node, anvil, solc or a Python extra is not installed."""


class PortBusy(SetupError):
    """A port that was asked for by number is taken."""


class CacheError(SetupError):
    """A cache is half built, damaged or of another version."""


class ChainError(VaultkitError):
    """The node, or what it says, cannot be used."""

    exit_code = 4


class RpcUnavailable(ChainError):
    """The endpoint gave no answer or refused the connection.

    ``retry_after`` is what the endpoint asked to wait, in seconds; ``too_much`` says that asking for less may help, as
    after a time-out or an answer that was cut off.
    """

    retryable = True

    def __init__(self, what: str, *, retry_after: float | None = None, too_much: bool = False, **kwargs: Any) -> None:
        self.retry_after, self.too_much = retry_after, too_much
        super().__init__(what, **kwargs)


class RpcRefused(ChainError):
    """The endpoint answered with a JSON-RPC error."""

    def __init__(self, what: str, *, code: int | None = None, data: Any = None, **kwargs: Any):
        self.code, self.data = code, data
        super().__init__(what, **kwargs)


class WrongChain(ChainError):
    """The endpoint serves another chain id than the one configured."""


class ReorgDetected(ChainError):
    """The chain changed under the reader."""

    retryable = True


class VerificationError(VaultkitError):
    """Bytes do not hash to what they should."""

    exit_code = 5


class HeaderMismatch(VerificationError):
    """A header does not hash to its block hash or to its child's parent hash."""


class ReceiptsMismatch(VerificationError):
    """Receipts do not rebuild the header's ``receiptsRoot``."""


class StateMismatch(VerificationError):
    """A proof of an account or a storage slot does not hold."""


class LogsMismatch(VerificationError):
    """A delivered log is in no verified receipt, or a verified one was left out."""


class WindowDisputed(VerificationError):
    """The pool's own window is not the one that the indexed swaps give."""


class ProofInvalid(VerificationError):
    """An inference proof does not verify, or speaks of another statement."""


class AttestationRefused(VerificationError):
    """An attester does not sign: its own verified history does not show what a request says."""


class AuditFailed(VerificationError):
    """A past epoch cannot be shown to be the model's."""


class StoreError(VaultkitError):
    """A Parquet store or its manifest cannot be used."""

    exit_code = 6


class ManifestMismatch(StoreError):
    """A file is not the one that its manifest names."""


class RangeMissing(StoreError):
    """Blocks that are asked for are not in the store."""


class AnchorTooWeak(StoreError):
    """The store's headers are anchored more weakly than the reader requires."""


class CircuitError(VaultkitError):
    """Export, compilation or proving failed."""

    exit_code = 7


class UnsupportedOperator(CircuitError):
    """The ONNX graph holds an operator outside the allow-list."""


class ExportMismatch(CircuitError):
    """Torch, ONNX and circuit give different outputs."""


class FidelityTooLow(CircuitError):
    """Quantization changes more decisions than the limit allows."""


class EnvelopeExceeded(CircuitError):
    """An input is outside the clip bound that the model was trained under."""


class ArtefactMismatch(CircuitError):
    """An artefact folder was changed, or a file of it is missing."""


class UnsafeSrs(CircuitError):
    """A locally generated SRS is used off a local chain."""


class ProverFailed(CircuitError):
    """The prover crashed or gave no proof."""

    retryable = True


class ProverTimeout(CircuitError):
    """The prover passed its deadline and was killed."""

    retryable = True


class VaultError(VaultkitError):
    """A contract call, compilation or deployment failed."""

    exit_code = 8


class CompileFailed(VaultError):
    """The Solidity compiler refused the sources."""


class DeployFailed(VaultError):
    """A deployment, or a check made before or after it, failed."""


class Reverted(VaultError):
    """A call reverted; ``name`` and ``args_`` are the contract's error.

    Parameters
    ----------
    name
        Solidity error name, for example ``EpochNotLatest``.
    args_
        Decoded arguments of the error by name.
    """

    def __init__(self, name: str, args_: dict[str, Any] | None = None, **kwargs: Any) -> None:
        self.name, self.args_ = name, dict(args_ or {})
        shown = {k: f"0x{v.hex()}" if isinstance(v, bytes) else v for k, v in self.args_.items()}
        kwargs.setdefault("got", ", ".join(f"{k}={v}" for k, v in shown.items()) or None)
        super().__init__(f"the contract refused with {name}", **kwargs)


class KeeperError(VaultkitError):
    """The keeper process cannot go on."""

    exit_code = 9


class JournalError(KeeperError):
    """The journal is torn, unwritable or belongs to another vault."""


class KeeperLocked(KeeperError):
    """Another keeper holds the lock of this journal."""


class SubmissionFailed(KeeperError):
    """A transaction was refused, reverted after simulation, or never mined."""


__all__ = sorted(
    name for name, value in list(globals().items()) if isinstance(value, type) and issubclass(value, VaultkitError)
)
