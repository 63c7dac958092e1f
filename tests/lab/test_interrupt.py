"""Interrupting a cell leaves nothing half-written, and the same cell run again ends well."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from vaultkit.coprocessor.check import verify_store
from vaultkit.manifest import ArtefactManifest

CELLS = {
    "market": "lab = Lab(days=2, folder=FOLDER)",
    "index": "history = lab.index()",
    "fit": "fitted = lab.fit('momentum', evaluate=False)",
    "compile": "circuit = lab.compile(fitted)",
    "deploy": "vault = lab.deploy(circuit)",
}
DELAYS = (0.2, 0.7, 1.5, 3.0, 6.0)
"""Seconds after which a cell is interrupted; a step that is done by then was met by the earlier ones."""


class Kernel:
    """A clean kernel in which cells are run, and interrupted as the stop button does it."""

    def __init__(self, folder: Path) -> None:
        self.manager = KernelManager(kernel_name="python3")
        self.manager.start_kernel()
        self.client: BlockingKernelClient = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=60)
        # An interrupted import is Python's to lose: the modules of the steps are loaded before.
        assert self.run("import ape, ezkl, sympy, torch._dynamo, vaultkit.lab.session") == "ok"
        assert self.run(f"from pathlib import Path; from vaultkit import Lab; FOLDER = Path({str(folder)!r})") == "ok"

    def run(self, code: str, interrupt_after: float | None = None) -> str:
        """Return ``ok`` or the name of the error that ended the cell."""
        message = self.client.execute(code)
        if interrupt_after is not None:
            time.sleep(interrupt_after)
            self.manager.interrupt_kernel()
        while True:
            reply = self.client.get_shell_msg(timeout=300)
            if reply["parent_header"].get("msg_id") == message:
                content = reply["content"]
                return "ok" if content["status"] == "ok" else f"{content['ename']}: {content['evalue']}"

    def end(self) -> None:
        self.run("lab.close()")
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel(tmp_path: Path) -> Iterator[Kernel]:
    kernel = Kernel(tmp_path)
    yield kernel
    kernel.end()


def half_written(folder: Path) -> list[str]:
    """Return what stands there under a name that only unfinished work has."""
    return [str(path.relative_to(folder)) for path in folder.rglob("*") if "partial" in path.name or "tmp" in path.name]


def whole(folder: Path) -> None:
    """Check whatever of a store and an artefact is there."""
    assert half_written(folder) == []
    for manifest in folder.rglob("artefacts/*/manifest.json"):
        ArtefactManifest.load(manifest.parent)
    for manifest in folder.rglob("data/local/manifest.json"):
        verify_store(manifest.parent)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_every_step_can_be_interrupted_and_run_again(kernel: Kernel, tmp_path: Path) -> None:
    interrupted = dict.fromkeys(CELLS, 0)
    for name, code in CELLS.items():
        for delay in DELAYS:
            ended = kernel.run(code, interrupt_after=delay)
            if ended == "ok":
                break
            assert ended.startswith("KeyboardInterrupt"), f"{name} after {delay} s: {ended}"
            interrupted[name] += 1
            whole(tmp_path)
        assert kernel.run(code) == "ok", name
        whole(tmp_path)
    assert all(interrupted[name] for name in ("market", "index", "compile", "deploy")), interrupted
    assert kernel.run("assert lab.keep(vault, epochs=1)") == "ok"
