"""Whether a GPU is there, and whether a process really used it: what ``nvidia-smi`` says, asked again and again.

A prover that was built with CUDA falls back to the processor without a word. So use is never assumed: it is seen, as a
process of the prover's group in the driver's own list, or it is reported as not seen.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from dataclasses import dataclass
from types import TracebackType
from typing import Final

SMI: Final = "nvidia-smi"
_POLL_SECONDS: Final = 0.05
_ANSWER_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class GpuUse:
    """What was seen of one process group while it ran.

    Parameters
    ----------
    seen
        Whether the driver listed a process of the group.
    peak_mib
        Most GPU memory that the group held, in MiB.
    looks
        How often the driver was asked.
    """

    seen: bool
    peak_mib: int
    looks: int


def gpu_names(smi: str = SMI) -> tuple[str, ...]:
    """Return the names of the GPUs that the driver lists; none where there is no driver."""
    return tuple(_ask(smi, "--query-gpu=name"))


class GpuWatch:
    """Watches a process group from entering until leaving; `use` tells what was seen.

    Parameters
    ----------
    group
        Process group of the prover.
    smi
        The driver's tool; its process numbers must be those of this machine, so inside some containers nothing shows.
    """

    def __init__(self, group: int, smi: str = SMI) -> None:
        self._group, self._smi = group, smi
        self._seen, self._peak, self._looks = False, 0, 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="gpu-watch", daemon=True)

    @property
    def use(self) -> GpuUse:
        """Return what was seen so far."""
        return GpuUse(self._seen, self._peak, self._looks)

    def __enter__(self) -> GpuWatch:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._over.is_set():
            held = 0
            for line in _ask(self._smi, "--query-compute-apps=pid,used_gpu_memory"):
                pid, _, memory = line.partition(",")
                if _group_of(pid) == self._group:
                    self._seen = True
                    held += int(memory) if memory.strip().isdigit() else 0
            self._peak = max(self._peak, held)
            self._looks += 1
            self._over.wait(_POLL_SECONDS)


def _ask(smi: str, query: str) -> list[str]:
    try:
        done = subprocess.run(
            [smi, query, "--format=csv,noheader,nounits"],
            capture_output=True,
            text=True,
            timeout=_ANSWER_SECONDS,
            check=True,
        )
    except (OSError, subprocess.SubprocessError):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()]


def _group_of(pid: str) -> int | None:
    with contextlib.suppress(ValueError, ProcessLookupError):
        return os.getpgid(int(pid))
    return None
