"""Every verb speaks the same way: help, JSON, one-sentence errors, an exit code by family."""

import json
import signal
import subprocess
import sys

import pytest
import typer

from vaultkit import cli
from vaultkit.book import AddressBook
from vaultkit.cli import keeper, output
from vaultkit.errors import ArtefactMismatch, Reverted, RpcUnavailable, SettingsError, VaultkitError


def verbs(command=None, path: tuple[str, ...] = ()):
    command = command or typer.main.get_command(cli.build_app())
    children = getattr(command, "commands", None)
    if children is None:
        yield path, command
        return
    for name, child in children.items():
        yield from verbs(child, (*path, name))


def test_every_named_verb_is_there():
    assert {path[0] for path, _ in verbs()} == set(cli.VERBS)


@pytest.mark.parametrize(
    ("path", "command"), list(verbs()), ids=lambda value: "-".join(value) if isinstance(value, tuple) else ""
)
def test_every_verb_has_help_and_json(path, command):
    options = {option for parameter in command.params for option in parameter.opts}
    assert "--json" in options, path
    assert command.help and command.help.split("\n")[0].strip().endswith("."), path
    for parameter in command.params:
        assert parameter.name == "help" or getattr(parameter, "help", None), f"{path} {parameter.name} has no help"


def run(monkeypatch, error: VaultkitError, *flags: str) -> int:
    def failing_app():
        def call(words):
            raise error

        return call

    monkeypatch.setattr(cli, "build_app", failing_app)
    with pytest.raises(SystemExit) as exit_:
        cli.main(["anything", *flags])
    return exit_.value.code


@pytest.fixture(autouse=True)
def own_signals():
    """Give the test runner its signal handlers back."""
    held = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield
    for number, handler in held.items():
        signal.signal(number, handler)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (SettingsError("no book"), 2),
        (RpcUnavailable("no answer"), 4),
        (ArtefactMismatch("a file was changed"), 7),
        (Reverted("EpochUsed", {"epoch": 1}), 8),
    ],
)
def test_exit_code_is_the_family_s(monkeypatch, capsys, error, code):
    assert run(monkeypatch, error) == code
    out, err = capsys.readouterr()
    assert out == "" and type(error).__name__ in err and str(error) in err
    assert "Traceback" not in err


def test_json_error_is_one_object_on_standard_output(monkeypatch, capsys):
    run(monkeypatch, SettingsError("no book", next_step="Make one"), "--json")
    assert json.loads(capsys.readouterr().out) == {"error": "SettingsError", "message": "no book. Make one."}


def test_debug_gives_the_traceback(monkeypatch):
    with pytest.raises(SettingsError):
        run(monkeypatch, SettingsError("no book"), "--debug")


def test_what_stands_in_brackets_is_shown_and_not_taken_for_a_style(capsys):
    output.emit({"[account]": "passphrase_file in the [account] table"}, as_json=False)
    output.emit_rows(("check", "found"), [("account", "see [prover]")], as_json=False)
    shown = capsys.readouterr().out
    assert shown.count("[account]") == 2 and "[prover]" in shown


def test_a_missed_epoch_says_what_a_person_can_do():
    assert keeper.advice("low_balance", "0xabc") == {"next": "send ether to 0xabc"}
    assert "--speed" in keeper.advice("too_late", "0xabc")["next"]
    assert keeper.advice("model_rotated", "0xabc") == {}


def test_an_absent_address_book_names_both_steps_that_write_it(tmp_path):
    with pytest.raises(SettingsError, match=r"market build.*then.*market run"):
        AddressBook.load(tmp_path / "book.json")


def test_an_unknown_verb_exits_with_usage(capsys):
    with pytest.raises(SystemExit) as exit_:
        cli.main(["depositt"])
    assert exit_.value.code == 2
    assert "depositt" in capsys.readouterr().err


@pytest.mark.parametrize(("module", "extra"), sorted(cli.EXTRAS.items()))
def test_a_missing_extra_is_named(monkeypatch, capsys, module, extra):
    error = ModuleNotFoundError(f"No module named '{module}'", name=f"{module}.part")
    assert run(monkeypatch, error) == 3
    assert f"vaultkit[{extra}]" in capsys.readouterr().err


def test_a_module_of_nobody_is_not_blamed_on_an_extra(monkeypatch):
    with pytest.raises(ModuleNotFoundError):
        run(monkeypatch, ModuleNotFoundError("No module named 'x'", name="x"))


def test_sigterm_leaves_through_every_context(tmp_path):
    script = (
        "import sys, time\n"
        "from pathlib import Path\n"
        "from contextlib import contextmanager\n"
        "from vaultkit import cli\n"
        "def build_app():\n"
        "    def call(words):\n"
        "        try:\n"
        "            print('ready', flush=True)\n"
        "            time.sleep(60)\n"
        "        finally:\n"
        "            Path(sys.argv[1]).write_text('left')\n"
        "    return call\n"
        "cli.build_app = build_app\n"
        "cli.main(['anything'])\n"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "trace")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "ready\n"
        process.terminate()
        assert process.wait(30) == 143
    assert (tmp_path / "trace").read_text() == "left"
