"""Mutants of a Solidity source: one operator, literal, statement, condition or modifier changed at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

SWAPS: Final = {
    "<": ("<=", ">="), "<=": ("<", ">"), ">": (">=", "<="), ">=": (">", "<"), "==": ("!=",), "!=": ("==",),
    "&&": ("||",), "||": ("&&",), "+": ("-",), "-": ("+",), "*": ("/",), "/": ("*",), "%": ("*",), "<<": (">>",),
    ">>": ("<<",), "&": ("|",), "|": ("&",), "**": ("*",), "+=": ("-=",), "-=": ("+=",),
}  # fmt: skip
NAMES: Final = {"min": "max", "max": "min", "Ceil": "Floor"}
SKIPPED: Final = {"typeDescriptions", "overrides", "documentation", "loopExpression"}
MODIFIERS: Final = {"nonReentrant", "nonReentrantView", "onlyOwner"}
LARGEST_LITERAL: Final = 2**32
"""Larger ones are the factors of the tick table, which shared vectors hold to 200 decimal places."""


@dataclass(frozen=True)
class Mutant:
    """A change of one span of a file: ``start`` and ``length`` in bytes."""

    file: str
    start: int
    length: int
    text: str
    kind: str

    def apply(self, source: bytes) -> bytes:
        return source[: self.start] + self.text.encode() + source[self.start + self.length :]

    def describe(self, source: bytes) -> str:
        """Return the line before and after the change, for the report."""
        first = source.rfind(b"\n", 0, self.start) + 1
        last = source.find(b"\n", self.start + self.length)
        old = b" ".join(source[first:last].split()).decode()
        changed = source[first : self.start] + self.text.encode() + source[self.start + self.length : last]
        return f"{old}  =>  {b' '.join(changed.split()).decode()}"


def _span(node: dict[str, Any]) -> tuple[int, int]:
    start, length, _ = (int(part) for part in node["src"].split(":"))
    return start, length


class Mutator:
    """Walks the compiler's syntax tree of one file."""

    def __init__(self, file: str, source: bytes, tree: dict[str, Any]) -> None:
        self.file, self.source, self.tree = file, source, tree

    def mutants(self) -> list[Mutant]:
        found = dict.fromkeys(self._walk(self.tree, inside=False))
        return sorted(found, key=lambda mutant: (mutant.start, mutant.length, mutant.text))

    def declaration(self, mutant: Mutant) -> tuple[str, int, int]:
        """Return name, start and length in bytes of the member of a contract, or of the file, that has the mutant."""
        nodes, path = self.tree["nodes"], ""
        while True:
            node = next(one for one in nodes if self._has(one, mutant))
            path += node.get("name") or node.get("kind") or node["nodeType"]
            if node["nodeType"] != "ContractDefinition":
                return path, *_span(node)
            nodes, path = node["nodes"], path + "."

    @staticmethod
    def _has(node: dict[str, Any], mutant: Mutant) -> bool:
        start, length = _span(node)
        return start <= mutant.start and mutant.start + mutant.length <= start + length

    def _walk(self, node: Any, *, inside: bool) -> Iterator[Mutant]:
        if isinstance(node, list):
            for one in node:
                yield from self._walk(one, inside=inside)
        elif isinstance(node, dict):
            kind = node.get("nodeType", "")
            inside = inside or kind == "FunctionDefinition" or (kind == "VariableDeclaration" and node.get("constant"))
            if inside:
                yield from self._of(node, kind)
            for key, value in node.items():
                # The last part of a loop is what ends it.
                if isinstance(value, dict | list) and key not in SKIPPED:
                    yield from self._walk(value, inside=inside)

    def _change(self, start: int, length: int, text: str, kind: str) -> Mutant:
        return Mutant(self.file, start, length, text, kind)

    def _between(self, node: dict[str, Any], left: str, right: str, operator: str) -> tuple[int, int]:
        first, length = _span(node[left])
        second, _ = _span(node[right])
        gap = self.source[first + length : second].decode()
        # Brackets may stand between an operand and its operator.
        return first + length + gap.index(operator), len(operator)

    def _of(self, node: dict[str, Any], kind: str) -> Iterator[Mutant]:
        start, length = _span(node) if "src" in node else (0, 0)
        if kind == "BinaryOperation":
            place = self._between(node, "leftExpression", "rightExpression", node["operator"])
            for other in SWAPS.get(node["operator"], ()):
                yield self._change(*place, other, "operator")
        elif kind == "Assignment" and node["operator"] in SWAPS:
            place = self._between(node, "leftHandSide", "rightHandSide", node["operator"])
            for other in SWAPS[node["operator"]]:
                yield self._change(*place, other, "operator")
        elif kind == "UnaryOperation" and node["operator"] in "-!~":
            yield self._change(start, 1, "", "negation")
        elif kind == "Literal" and node["kind"] in ("number", "bool"):
            yield from self._literal(node, start, length)
        elif kind == "IfStatement":
            for text in ("true", "false"):
                yield self._change(*_span(node["condition"]), text, "condition")
        elif kind == "Conditional":
            for branch in ("trueExpression", "falseExpression"):
                first, size = _span(node[branch])
                yield self._change(start, length, self.source[first : first + size].decode(), "condition")
        elif kind in ("ExpressionStatement", "EmitStatement"):
            # Its semicolon stays, and Solidity has no empty statement.
            yield self._change(start, length, "0", "statement")
        elif kind == "MemberAccess" and node["memberName"] in NAMES:
            name = node["memberName"]
            yield self._change(start + length - len(name), len(name), NAMES[name], "name")
        elif kind == "ModifierInvocation" and node["modifierName"]["name"] in MODIFIERS:
            yield self._change(start, length, "", "modifier")

    def _literal(self, node: dict[str, Any], start: int, length: int) -> Iterator[Mutant]:
        text = self.source[start : start + length].decode()
        if node["kind"] == "bool":
            yield self._change(start, length, "false" if text == "true" else "true", "literal")
            return
        try:
            value = int(text.replace("_", ""), 0)
        except ValueError:  # 1e18, or a number with a unit
            yield self._change(start, length, f"({text} + 1)", "literal")
            return
        if value < LARGEST_LITERAL:
            yield self._change(start, length, str(value + 1), "literal")
