"""`Devnet`: a local chain in a child process, with a clock that only its owner moves.

The native anvil binary is started, not its JavaScript wrapper, so that stopping the process stops the node.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final

from vaultkit.chain.rpc import HttpRpc, quantity
from vaultkit.errors import PortBusy, RpcUnavailable, SetupError, ToolMissing
from vaultkit.settings import DEFAULT_CHAIN_ID, contracts_dir

HARDFORK: Final = "prague"
LOOPBACK: Final = "127.0.0.1"
STOP_SECONDS: Final = 30.0
DUMP_SECONDS: Final = 300.0

_PR_SET_PDEATHSIG: Final = 1
# Loaded before any fork: between fork and exec nothing may be imported.
_LIBC: Final = ctypes.CDLL(None)


def anvil_path() -> Path:
    """Return the native anvil binary that npm installed.

    Raises
    ------
    ToolMissing
        When the Node parts are not installed.
    """
    found = sorted((contracts_dir() / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"))
    if not found:
        raise ToolMissing(
            "anvil is not installed",
            where="contracts/node_modules",
            next_step="Install Node 20 and run `npm ci` in contracts/",
        )
    return found[0]


def free_port() -> int:
    """Return a loopback port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def require_free(port: int) -> None:
    """Check that nothing listens on a loopback port.

    Raises
    ------
    PortBusy
        When something does.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            raise PortBusy(
                "the port is taken", got=port, next_step="Give another with --port, or leave it out for a free one"
            ) from error


def end_with_parent() -> None:
    """Ask Linux to end the child when the thread that started it is gone, so that SIGKILL leaves no orphan.

    To be called in the child, as ``preexec_fn``; elsewhere than on Linux it does nothing.
    """
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class Devnet:
    """A local chain, alive inside its ``with`` block.

    Parameters
    ----------
    port
        Loopback port; a free one where left out.
    automine
        Mine a block for every transaction. Off, blocks come only from `mine`.
    timestamp
        Timestamp of the genesis block in seconds; ignored where a state is loaded.
    load_state, dump_state
        Files of chain state to begin with and to write when the chain stops. Blocks, transactions, receipts and logs
        are kept in them, the state of blocks before the last is not.
    states
        Number of recent blocks whose state can still be read, those that `revert` undid counted; ``None`` keeps all,
        on disk past some hundreds.
    hardfork
        Rules of the blocks it makes.
    accounts
        Number of unlocked accounts, each funded at genesis and with a key of its own.

    Raises
    ------
    ToolMissing
        When anvil is not installed.
    PortBusy
        When ``port`` was given and is taken.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        automine: bool = True,
        timestamp: int | None = None,
        load_state: Path | None = None,
        dump_state: Path | None = None,
        states: int | None = 1_000,
        hardfork: str = HARDFORK,
        chain_id: int = DEFAULT_CHAIN_ID,
        accounts: int = 10,
    ) -> None:
        self._binary = anvil_path()
        if port is not None:
            require_free(port)
        self._port_was_chosen = port is not None
        self.port = port if port is not None else free_port()
        self.chain_id = chain_id
        self._load_state, self._dump_state = load_state, dump_state
        arguments = ["--host", LOOPBACK, "--chain-id", str(chain_id), "--hardfork", hardfork]
        arguments += ["--quiet", "--order", "fees", "--accounts", str(accounts)]
        arguments += [] if automine else ["--no-mining"]
        arguments += ["--timestamp", str(timestamp)] if timestamp is not None and load_state is None else []
        arguments += ["--load-state", str(load_state)] if load_state is not None else []
        arguments += ["--dump-state", str(dump_state)] if dump_state is not None else []
        arguments += ["--prune-history", str(states)] if states is not None else []
        self._arguments = arguments
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Any = None
        self.rpc = HttpRpc(self.url)

    @property
    def url(self) -> str:
        """Where the chain listens."""
        return f"http://{LOOPBACK}:{self.port}"

    @property
    def pid(self) -> int | None:
        """Process id while it runs."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Devnet:
        """Start the chain and wait until it answers."""
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the chain."""
        self.stop()

    def start(self, timeout_seconds: float = 60.0) -> None:
        """Start the process and wait until it answers.

        Raises
        ------
        SetupError
            When it ends or does not answer in time.
        """
        deadline = time.monotonic() + timeout_seconds
        self._spawn()
        while True:
            if self._process is not None and self._process.poll() is not None:
                said = self._last_words()
                self._release()
                if "in use" not in said or self._port_was_chosen or time.monotonic() > deadline:
                    raise SetupError("anvil ended at once", got=said or "no message")
                # Somebody took the free port between finding it and listening on it.
                self.port = free_port()
                self.rpc = HttpRpc(self.url)
                self._spawn()
            try:
                self.rpc.call("eth_chainId")
                break
            except RpcUnavailable:
                if time.monotonic() > deadline:
                    self.stop()
                    raise
                time.sleep(0.02)
        if self._load_state is not None:
            # A loaded chain would go on at the host's clock, which may be before or after its own.
            self.rpc.call("anvil_setTime", [self.timestamp()])

    def stop(self) -> None:
        """Stop the process, writing its state where that was asked for.

        Raises
        ------
        SetupError
            When the state could not be written whole.
        """
        process, self._process = self._process, None
        torn = False
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_SECONDS if self._dump_state is None else DUMP_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            torn = self._dump_state is not None and process.returncode != 0
        self._release()
        if torn:
            raise SetupError("the state of the local chain could not be written", where=str(self._dump_state))

    def _spawn(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process that writes to it
        self._process = subprocess.Popen(
            [str(self._binary), "--port", str(self.port), *self._arguments],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "NO_COLOR": "1"},
            start_new_session=True,
            preexec_fn=end_with_parent,
        )

    def _last_words(self) -> str:
        self._log.seek(0)
        return str(self._log.read()[-300:].decode(errors="replace").strip())

    def _release(self) -> None:
        self._process = None
        self.rpc.close()
        if self._log is not None:
            self._log.close()
            self._log = None

    def alive(self) -> bool:
        """Return whether the process runs."""
        return self._process is not None and self._process.poll() is None

    def accounts(self) -> list[str]:
        """Return the unlocked accounts, funded at genesis."""
        return [str(account) for account in self.rpc.call("eth_accounts")]

    def block_number(self) -> int:
        """Return the number of the newest block."""
        return quantity(self.rpc.call("eth_blockNumber"), self.rpc)

    def timestamp(self) -> int:
        """Return the timestamp of the newest block."""
        return quantity(self.rpc.call("eth_getBlockByNumber", ["latest", False])["timestamp"], self.rpc)

    def mine(self, timestamp: int | None = None) -> None:
        """Mine one block with everything in the mempool.

        Parameters
        ----------
        timestamp
            Its timestamp, after the newest block's; 12 seconds after it where left out.
        """
        self.rpc.call("evm_mine", [self.timestamp() + 12 if timestamp is None else timestamp])

    def set_automine(self, enabled: bool) -> None:
        """Turn mining at every transaction on or off."""
        self.rpc.call("evm_setAutomine", [enabled])

    def snapshot(self) -> str:
        """Return a handle of the present state for `revert`."""
        return str(self.rpc.call("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Go back to a snapshot, which is used up by it; the clock goes back too."""
        self.rpc.call("evm_revert", [snapshot])
        self.rpc.call("anvil_setTime", [self.timestamp()])
