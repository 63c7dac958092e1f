"""Every check of the contracts says which one it is, and is met by a test that names it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.contracts.broken_contracts import load
from tests.contracts.mutation import NOTES
from vaultkit.chain.abi import load_abi
from vaultkit.settings import contracts_dir
from vaultkit.vault.compile import compile_contracts

ROOT = contracts_dir()
CODE = [path for folder in ("", "libraries/", "credit/") for path in ROOT.glob(f"{folder}*.sol")]
IMPORTED = set(re.findall(r"interfaces/(\w+\.sol)", "\n".join(path.read_text() for path in CODE)))
SOURCES = sorted(
    [*CODE, *(path for path in ROOT.glob("interfaces/*.sol") if path.name in IMPORTED)], key=lambda path: path.name
)
TEXT = {path.name: re.sub(r"//.*", "", path.read_text()) for path in SOURCES}
TESTS = "\n".join(path.read_text() for folder in ("fuzz", "fuzz_credit") for path in ROOT.glob(f"{folder}/*.t.sol"))
ACTORS = "\n".join(path.read_text() for path in ROOT.glob("fuzz/*.sol") if not path.name.endswith(".t.sol"))
IN_PYTHON = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
CREDIT = {path.name for path in ROOT.glob("credit/*.sol")}
CREDIT_TESTS = "\n".join(
    path.read_text() for name in ("anchor", "credit") for path in Path(__file__).parent.glob(f"test_{name}*.py")
)
PROMISES = re.findall(r'"invariant (\d+): ', "\n".join(path.read_text() for path in ROOT.glob("fuzz/*.sol")))
DECLARED = sorted({name for text in TEXT.values() for name in re.findall(r"\berror (\w+)\(", text)})


def checks(text: str) -> list[str]:
    """Return the arguments of every ``require``."""
    found = []
    for match in re.finditer(r"\brequire\(", text):
        depth, end = 1, match.end()
        while depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        found.append(text[match.end() : end - 1])
    return found


def test_every_check_ends_with_an_error_of_its_own():
    """No words, no bare reverts: an error with the values that were compared."""
    known = {*DECLARED, "ERC4626ExceededMaxDeposit", "ERC4626ExceededMaxMint", "ERC4626ExceededMaxRedeem",
             "ERC4626ExceededMaxWithdraw"}  # fmt: skip
    total = 0
    for name, text in TEXT.items():
        assert not re.search(r"\brevert\b(?! [A-Z])", text) and "assert(" not in text, name
        for check in checks(text):
            named = re.findall(r"(?:\w+\.)?([A-Z]\w+)\(", check)
            assert any(one in known for one in named), (name, check)
            total += 1
    assert total > 60


@pytest.mark.parametrize("name", DECLARED)
def test_every_error_is_thrown_somewhere_and_named_in_a_test(name):
    """A forge test; for the lending contracts, whose proofs come from a chain, one in Python will do."""
    thrown = {file for file, text in TEXT.items() if re.search(rf"(?<!error )\b{name}\(", text)}
    assert thrown, f"{name} is never thrown"
    in_python = thrown <= CREDIT and re.search(rf"\b{name}\b", CREDIT_TESTS)
    assert in_python or re.search(rf"\b{name}(\.selector\b|\()", TESTS), f"no test expects {name}"


def changing(contract: str) -> list[str]:
    """Return the names of the functions of a compiled contract that may change something."""
    compile_contracts()
    functions = [item for item in load_abi(contract) if item["type"] == "function"]
    return sorted({item["name"] for item in functions if item["stateMutability"] not in ("view", "pure")})


@pytest.mark.parametrize("contract", ["ExitRouter", "InferenceVault", "ModelRegistry", "UniswapV3Venue", "ZkGate"])
def test_every_function_that_changes_something_is_called_by_a_test(contract):
    called = TESTS + ACTORS
    missed = [name for name in changing(contract) if not re.search(rf"\.{name}[({{]", called)]
    assert not [name for name in missed if f'"{name}"' not in IN_PYTHON]


def test_every_numbered_property_has_a_broken_contract():
    """``make broken`` runs them and requires that each is noticed."""
    invariants = {int(number) for number in PROMISES}
    invariants |= {int(number) for number in re.findall(r"_invariant_(\d+)_", TESTS)}
    erc4626 = {f"erc4626_{number}" for number in re.findall(r"testFuzz_erc4626_(\d+)_", TESTS)}
    assert invariants == {*range(1, 14), 15} and len(erc4626) == 26
    assert {
        one for one in (broken.property for broken in load()) if one in invariants | erc4626
    } == invariants | erc4626


def test_every_broken_contract_still_applies_to_its_source():
    for broken in load():
        source = (ROOT / broken.file).read_text()
        assert source.count(broken.before) == 1 and broken.before != broken.after, broken.name


def test_every_note_on_a_surviving_mutant_still_applies_to_a_line():
    sources = {" ".join(line.split()) for path in SOURCES for line in path.read_text().splitlines()}
    for change in json.loads(NOTES.read_text()):
        before = change.split("  =>  ")[0]
        assert before in sources or any(before in " ".join(path.read_text().split()) for path in SOURCES), change
