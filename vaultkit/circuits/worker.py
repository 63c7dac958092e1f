"""The process that speaks to ezkl: ``python -m vaultkit.circuits.worker [FD]``, a request a line until its input ends.

ezkl holds the interpreter's lock while it proves, can panic, can hang and writes to standard output, so it never runs
in the caller's process. A request names a file of steps, calls of ezkl by name, and a file for the answer: a list of
their values, or the name of the step that failed with its message. A line goes out when the answer is written.
`vaultkit.circuits.ezkl_calls` starts this module.
"""

from __future__ import annotations

import asyncio
import faulthandler
import fcntl
import inspect
import json
import os
import select
import sys
import time
from pathlib import Path
from typing import Any

import ezkl

CALLS = frozenset(
    {
        "calibrate_settings",
        "compile_circuit",
        "create_evm_verifier",
        "gen_settings",
        "gen_srs",
        "gen_witness",
        "mock",
        "poseidon_hash",
        "prove",
        "setup",
        "verify",
    }
)

_ANSWERS = frozenset({"mock", "poseidon_hash", "verify", "witness_outputs"})
"""Calls whose value matters; of the others it is enough that they did not fail."""


async def _call(name: str, arguments: dict[str, Any]) -> Any:
    if name == "gen_settings":
        run_args = ezkl.PyRunArgs()
        for field, value in arguments.pop("run_args").items():
            setattr(run_args, field, value)
        arguments["py_run_args"] = run_args
    result = getattr(ezkl, name)(**arguments)
    return await result if inspect.isawaitable(result) else result


async def _witness_outputs(model: str, rows: str, data: str) -> list[list[str]]:
    """Return the output felts of many input rows, one witness after the other."""
    outputs = []
    for row in json.loads(Path(rows).read_text()):
        Path(data).write_text(json.dumps({"input_data": row}))
        witness = await _call("gen_witness", {"data": data, "model": model})
        outputs.append([felt for tensor in witness["outputs"] for felt in tensor])
    return outputs


async def _run(steps: list[dict[str, Any]]) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    for step in steps:
        name, arguments = step["call"], dict(step["arguments"])
        started = time.perf_counter()
        try:
            if name == "witness_outputs":
                value: Any = await _witness_outputs(**arguments)
            elif name in CALLS:
                value = await _call(name, arguments)
            else:
                raise ValueError(f"{name} is not a step")
        except BaseException as error:  # a Rust panic derives from BaseException
            if not step.get("may_fail"):
                return {"failed": name, "message": f"{type(error).__name__}: {error}"}
            value = f"{type(error).__name__}: {error}"
        keep = value if name in _ANSWERS or step.get("may_fail") else bool(value)
        results.append({"call": name, "value": keep, "seconds": time.perf_counter() - started})
    return {"results": results}


def end_with_caller(lifeline: int) -> None:
    """Let the system end this process when the caller's end of a pipe closes: while ezkl works, no Python here looks.

    A pipe that changes sends SIGIO, which ends who does not handle it; into this one nothing is ever written.
    """
    fcntl.fcntl(lifeline, fcntl.F_SETOWN, os.getpid())
    fcntl.fcntl(lifeline, fcntl.F_SETFL, fcntl.fcntl(lifeline, fcntl.F_GETFL) | os.O_ASYNC)
    closed = select.poll()
    closed.register(lifeline, 0)
    if closed.poll(0):  # it closed before
        os._exit(1)


def main() -> None:
    """Answer requests until the caller closes the pipe or dies."""
    answers = os.dup(1)
    os.dup2(2, 1)  # ezkl prints: what it says belongs in the log
    for line in sys.stdin:
        steps_path, result_path = json.loads(line)
        answer = asyncio.run(_run(json.loads(Path(steps_path).read_text())))
        partial = Path(result_path + ".partial")
        partial.write_text(json.dumps(answer, default=str))
        os.replace(partial, result_path)
        sys.stdout.flush()
        os.write(answers, b"\n")


if __name__ == "__main__":
    if len(sys.argv) > 1:  # not when it is started by hand
        end_with_caller(int(sys.argv[1]))
    faulthandler.enable()
    main()
    os._exit(0)  # ezkl's threads outlive the interpreter and crash it while it closes
