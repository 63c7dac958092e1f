"""The tree of errors is complete, drawn as it is, and every message says what to do."""

import inspect
import re
from pathlib import Path

import pytest

from vaultkit import errors
from vaultkit.errors import Reverted, RpcUnavailable, VaultkitError


def all_errors() -> list[type[VaultkitError]]:
    found, queue = [], [VaultkitError]
    while queue:
        cls = queue.pop()
        found.append(cls)
        queue.extend(cls.__subclasses__())
    return [cls for cls in found if cls.__module__ == "vaultkit.errors"]


def drawn_tree() -> dict[str, str]:
    """Return child -> parent as drawn in the module's docstring."""
    parents, stack = {}, []
    for line in inspect.getdoc(errors).splitlines():
        match = re.match(r"^    ([│├└─ ]*)([A-Z]\w+)(\s{2,}.*)?$", line)
        if not match or not hasattr(errors, match[2]):
            continue
        depth = len(match[1]) // 4
        stack[depth:] = [match[2]]
        if depth:
            parents[match[2]] = stack[depth - 1]
    return parents


def test_drawn_tree_equals_the_classes():
    real = {cls.__name__: cls.__bases__[0].__name__ for cls in all_errors() if cls is not VaultkitError}
    assert drawn_tree() == real


def test_every_error_is_exported_and_sorted():
    assert errors.__all__ == sorted(cls.__name__ for cls in all_errors())


def test_every_error_has_a_sentence_as_docstring():
    for cls in all_errors():
        assert inspect.getdoc(cls).split("\n")[0].endswith("."), cls


def test_exit_codes_are_one_a_family():
    families = VaultkitError.__subclasses__()
    codes = [family.exit_code for family in families]
    assert sorted(codes) == list(range(2, 2 + len(families)))
    for family in families:
        assert {cls.exit_code for cls in all_errors() if issubclass(cls, family)} == {family.exit_code}


def test_message_says_what_got_expected_where_and_next():
    error = VaultkitError("a thing is wrong", got=1, expected=2, where="block 7", next_step="Mend it")
    assert str(error) == "a thing is wrong: got 1, expected 2 (block 7). Mend it."


def test_message_keeps_a_value_of_zero():
    assert str(VaultkitError("a count is wrong", got=0, expected=3)) == "a count is wrong: got 0, expected 3."


def test_reverted_carries_the_contract_error():
    error = Reverted("EpochUsed", {"epoch": 12})
    assert (error.name, error.args_) == ("EpochUsed", {"epoch": 12})
    assert "EpochUsed" in str(error) and "epoch=12" in str(error)


def test_reverted_shows_bytes_as_hex():
    assert "modelId=0x04ff" in str(Reverted("ModelUnknown", {"modelId": b"\x04\xff"}))


def test_retryable_errors_are_those_that_time_may_heal():
    assert {cls.__name__ for cls in all_errors() if cls.retryable} == {
        "RpcUnavailable",
        "ReorgDetected",
        "ProverFailed",
        "ProverTimeout",
    }


def test_an_error_can_be_caught_by_its_family():
    with pytest.raises(errors.ChainError):
        raise RpcUnavailable("the endpoint gave no answer")


def test_every_leaf_is_raised_by_the_package_and_named_by_a_test():
    root = Path(__file__).parents[2]
    raised = "\n".join(path.read_text() for path in (root / "vaultkit").rglob("*.py") if path.name != "errors.py")
    tested = "\n".join(path.read_text() for path in (root / "tests").rglob("*.py"))
    for cls in all_errors():
        if not cls.__subclasses__():
            word = re.compile(rf"\b{cls.__name__}\b")
            assert word.search(raised), f"nothing raises {cls.__name__}"
            assert word.search(tested), f"no test names {cls.__name__}"
