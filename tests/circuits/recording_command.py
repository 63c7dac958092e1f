"""Stands where an ezkl for GPUs would: records how it was called, then makes the proof with the installed wheel."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import time
from pathlib import Path

HERE = Path(sys.argv[0]).resolve().parent


def main(words: list[str]) -> None:
    if words == ["--version"]:
        print(f"ezkl {(HERE / 'version').read_text()}")
        return
    options = dict(zip(words[1::2], words[2::2], strict=True))
    record = {"words": words, "pid": os.getpid(), "backend": os.environ.get("ICICLE_BACKEND_INSTALL_DIR")}
    (HERE / "record.json").write_text(json.dumps(record))
    behaviour = (HERE / "behaviour").read_text()
    if behaviour == "hang":
        time.sleep(600)
    if behaviour == "fail":
        print("CUDA error: out of memory")
        sys.exit(3)
    import ezkl

    async def prove() -> None:
        done = ezkl.prove(
            witness=options["--witness"],
            model=options["--compiled-circuit"],
            pk_path=options["--pk-path"],
            proof_path=options["--proof-path"],
            srs_path=options["--srs-path"],
        )
        if inspect.isawaitable(done):
            await done

    asyncio.run(prove())
    sys.stdout.flush()
    os._exit(0)


main(sys.argv[1:])
