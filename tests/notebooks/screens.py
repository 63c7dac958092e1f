"""Pictures of notebooks in JupyterLab, by a headless Chromium: ``python -m tests.notebooks.screens [NAME ...]``."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import sync_playwright

from tests.notebooks.refresh import FOLDER, ROOT

OUT = ROOT / "build" / "screens"
WIDTH, HEIGHT = 1_100, 1_400


def main(names: list[str]) -> None:
    """Write one picture a screenful of every named notebook, of all where none is named."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        raise SystemExit("There is no Chromium on this machine: install it with the system's packages.")
    OUT.mkdir(parents=True, exist_ok=True)
    options = ["--no-browser", "--ServerApp.token=", "--ServerApp.port=0", f"--notebook-dir={FOLDER}", "--allow-root"]
    command = [sys.executable, "-m", "jupyterlab", *options]
    server = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        url = _address(server)
        with sync_playwright() as play:
            page = play.chromium.launch(executable_path=browser, args=["--no-sandbox"]).new_page(
                viewport={"width": WIDTH, "height": HEIGHT}
            )
            for path in sorted(FOLDER.glob("*.ipynb")):
                if not names or any(path.stem.startswith(name) for name in names):
                    _shoot(page, url, path)
    finally:
        server.terminate()
        server.wait(30)


def _address(server: subprocess.Popen[str]) -> str:
    assert server.stderr is not None
    for line in server.stderr:
        found = re.search(r"http://(127\.0\.0\.1|localhost):(\d+)/lab", line)
        if found:
            return f"http://127.0.0.1:{found[2]}"
    raise SystemExit("JupyterLab did not start.")


def _shoot(page: object, url: str, path: Path) -> None:
    page.goto(f"{url}/doc/tree/{path.name}")
    page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=60_000)
    page.wait_for_timeout(3_000)
    scroll = ".jp-WindowedPanel-outer"
    height = page.evaluate(f"document.querySelector('{scroll}').scrollHeight")
    for number, top in enumerate(range(0, max(1, height), HEIGHT - 200), 1):
        page.evaluate(f"document.querySelector('{scroll}').scrollTop = {top}")
        page.wait_for_timeout(800)
        target = OUT / f"{path.stem}-{number}.png"
        page.screenshot(path=str(target))
        print(target.relative_to(ROOT))


if __name__ == "__main__":
    main(sys.argv[1:])
