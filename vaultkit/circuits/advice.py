"""ezkl's messages, of its exceptions, panics and log, as the kit's errors with what to do about them.

ezkl names a cause only in passing: a panic says ``left: 2048, right: 512``, and the log what the exception left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from vaultkit.errors import (
    ArtefactMismatch,
    CircuitError,
    DataError,
    EnvelopeExceeded,
    ProverFailed,
    VaultkitError,
)


@dataclass(frozen=True, slots=True)
class Advice:
    """What a message means: ``pattern`` is looked for in exception and log together."""

    pattern: str
    error: type[VaultkitError]
    what: str
    next_step: str


_COMPILE_AGAIN: Final = "Compile again with `vaultkit compile --fresh`"

ADVICE: Final = (
    Advice(
        r"too large to be represented",
        EnvelopeExceeded,
        "a value left the range of the circuit",
        "Clip the inputs to the window's bound, or let `vaultkit compile --tune` find more decomposition legs",
    ),
    Advice(
        r"os error 2[78]|No space left|File too large",
        ProverFailed,
        "ezkl could not write a file",
        "Free some disk space; nothing half written was kept",
    ),
    Advice(
        r"k = \d+ is too small|divide by zero",
        CircuitError,
        "a circuit has too few rows",
        "Leave logrows to the kit: " + _COMPILE_AGAIN.lower(),
    ),
    Advice(
        r"failed to (read|load) srs",
        ArtefactMismatch,
        "a structured reference string is missing or cut short",
        "Delete a local one, or import the ceremony's again with `vaultkit srs import FILE.ptau`",
    ),
    Advice(
        r"failed to load pk",
        ArtefactMismatch,
        "a proving key is missing or damaged",
        "Delete pk.key: it is made again when a proof needs it",
    ),
    Advice(r"failed to load vk", ArtefactMismatch, "a verifying key is missing or damaged", _COMPILE_AGAIN),
    Advice(
        r"failed to ser/deser model|failed to load compiled model",
        ArtefactMismatch,
        "a compiled circuit is missing, damaged or another version's",
        _COMPILE_AGAIN,
    ),
    Advice(
        r"assertion `left == right` failed",
        ArtefactMismatch,
        "circuit, proving key and reference string are not of one size",
        "Do not mix files of artefacts: `vaultkit artefact check FOLDER` names the one that is wrong",
    ),
    Advice(
        r"Cannot reshape tensor",
        DataError,
        "a row has another number of inputs than the circuit",
        "Give the window that the artefact's manifest names",
    ),
    Advice(
        r"\[json\] (expected value|invalid number)",
        DataError,
        "a row holds NaN or infinity",
        "Give integers, as windows hold",
    ),
)
"""Messages that were provoked with ezkl 23.0.5; the tests provoke them again."""

_NOISE: Final = re.compile(
    r"SRS for poly commit|low scale values|RUST_BACKTRACE|^at |^stack backtrace|^\d+: |^note:", re.IGNORECASE
)
_KILLED: Final = -9


def spoken_lines(text: str) -> list[str]:
    """Return the lines of a log that say something, without colours, backtraces and standing warnings."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", text)
    return [line.strip() for line in plain.splitlines() if line.strip() and not _NOISE.search(line.strip())]


def error_of(call: str, message: str, last_words: str) -> VaultkitError:
    """Return the error for a call of ezkl that failed.

    A failed verification is never explained: whatever a forged proof makes ezkl say, it is a proof that does not hold.
    """
    said = " ".join(message.split())[:300] + (f" ({last_words})" if last_words and last_words not in message else "")
    if call != "verify":
        for advice in ADVICE:
            if re.search(advice.pattern, said):
                return advice.error(advice.what, got=said, where=call, next_step=advice.next_step)
    return ProverFailed("ezkl failed", got=said, where=call)


def error_of_death(code: int, last_words: str) -> VaultkitError:
    """Return the error for a worker process that ended without an answer."""
    next_step = "The system may have run out of memory: use fewer workers or a smaller circuit"
    return ProverFailed(
        "the ezkl process died",
        got=f"exit code {code}: {last_words}",
        next_step=next_step if code == _KILLED else None,
    )
