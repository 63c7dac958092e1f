"""Forgeries of one honest proof, by class, without end: each is a request that must not be believed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from tests.contracts.test_real_proofs import Honest
from vaultkit.protocols import Proof
from vaultkit.statement import instances
from vaultkit.units import FIELD_ORDER

BASE_ORDER: Final = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Order of the field that BN254's points have their coordinates in."""
Request = tuple[str, list[Any]]


@dataclass
class Forger:
    """What forgers have: an honest case, another honest proof of it, and a proof by other weights of the same key."""

    honest: Honest
    second: Proof
    others: Proof
    random: Random

    @property
    def proof(self) -> bytes:
        return self.honest.proof.proof

    def words(self) -> list[int]:
        """Return places of the proof's words of 32 bytes."""
        return list(range(0, len(self.proof) - 31, 32))

    def patched(self, at: int, word: int) -> bytes:
        return self.proof[:at] + word.to_bytes(32, "big") + self.proof[at + 32 :]

    # -- the proof's bytes

    def flipped_bits(self) -> Iterator[Request]:
        while True:
            forged = bytearray(self.proof)
            for _ in range(self.random.choice((1, 1, 2, 8))):
                position = self.random.randrange(8 * len(forged))
                forged[position // 8] ^= 1 << position % 8
            yield self.honest.request(bytes(forged))

    def replaced_words(self) -> Iterator[Request]:
        """Zeros, orders, other words of the proof, and negatives: what a careless reader of words would take."""
        while True:
            at, other = self.random.choice(self.words()), self.random.choice(self.words())
            word = int.from_bytes(self.proof[at : at + 32], "big")
            taken = int.from_bytes(self.proof[other : other + 32], "big")
            choices = [0, 1, FIELD_ORDER, BASE_ORDER, 2**256 - 1, taken, word ^ 1, (BASE_ORDER - word) % BASE_ORDER,
                       self.random.randrange(FIELD_ORDER)]  # fmt: skip
            chosen = self.random.choice([one for one in choices if one != word])
            yield self.honest.request(self.patched(at, chosen))

    def words_beyond_their_field(self) -> Iterator[Request]:
        """The same residue, written otherwise: a word plus a multiple of an order."""
        while True:
            at = self.random.choice(self.words())
            word = int.from_bytes(self.proof[at : at + 32], "big")
            raised = word + self.random.choice((FIELD_ORDER, BASE_ORDER)) * self.random.randint(1, 4)
            if raised < 2**256:
                yield self.honest.request(self.patched(at, raised))

    def spliced_proofs(self) -> Iterator[Request]:
        """Two honest proofs of one statement, cut at a word; neither whole."""
        while True:
            cut = self.random.choice(self.words())
            for first, then in ((self.proof, self.second.proof), (self.second.proof, self.proof)):
                forged = first[:cut] + then[cut:]
                if forged not in (self.proof, self.second.proof):
                    yield self.honest.request(forged)

    def other_lengths(self) -> Iterator[Request]:
        while True:
            if self.random.random() < 0.5:
                yield self.honest.request(self.proof[: -self.random.randint(1, len(self.proof))])
            else:
                yield self.honest.request(self.proof + self.random.randbytes(self.random.randint(1, 256)))

    # -- weights

    def other_weights(self) -> Iterator[Request]:
        """A proof by other weights, which the verifier itself takes: whole, or with what is pinned put before it."""
        head = self.honest.head
        while True:
            cut = self.random.choice([at for at in self.words() if at >= head])
            for forged in (
                self.others.proof,
                self.proof[:head] + self.others.proof[head:],
                self.others.proof[:head] + self.proof[head:],
                self.proof[:cut] + self.others.proof[cut:],
                self.others.proof[:cut] + self.proof[cut:],
            ):
                for outputs in (self.others.outputs, self.honest.proof.outputs):
                    if forged != self.proof:
                        yield self.honest.request(forged, outputs=list(outputs))

    def other_commitments(self) -> Iterator[Request]:
        """The pinned commitments moved, negated or made anew, before the rest of the honest proof."""
        head = self.honest.head
        while True:
            at = self.random.randrange(0, head, 64)
            x, y = (int.from_bytes(self.proof[at + i : at + i + 32], "big") for i in (0, 32))
            points = [
                (x, BASE_ORDER - y),
                (0, 0),
                (1, 2),
                (y, x),
                (x, y + BASE_ORDER),
                (self.random.randrange(BASE_ORDER), y),
            ]
            left, right = self.random.choice([p for p in points if max(p) < 2**256])
            forged = self.proof[:at] + left.to_bytes(32, "big") + right.to_bytes(32, "big") + self.proof[at + 64 :]
            yield self.honest.request(forged)

    # -- the statement

    def other_outputs(self) -> Iterator[Request]:
        bound, own = self.honest.vault.pins.output_bound, self.honest.proof.outputs[0]
        while True:
            output = self.random.choice(
                (own + 1, own - 1, -own, self.random.randint(-bound, bound), own + FIELD_ORDER, own - FIELD_ORDER)
            )
            if output != own:
                yield self.honest.request(outputs=[output])

    def other_windows(self) -> Iterator[Request]:
        """One input moved, all shifted, signs turned, the field order added, one too many or too few."""
        own = list(self.honest.proof.inputs)
        while True:
            moved = list(own)
            moved[self.random.randrange(len(own))] += self.random.choice((-1, 1, 7, -128, FIELD_ORDER, -FIELD_ORDER))
            shuffled = self.random.sample(own, len(own))
            at_random = [self.random.randint(-128, 128) for _ in own]
            choices = (
                moved,
                [*own[1:], 0],
                [0, *own[:-1]],
                [-one for one in own],
                shuffled,
                at_random,
                [*own, 0],
                own[:-1],
            )
            inputs = self.random.choice([one for one in choices if one != own])
            yield self.honest.request(inputs=inputs)

    def other_beneficiaries(self) -> Iterator[Request]:
        own = int(self.honest.proof.beneficiary, 16)
        while True:
            taken = own ^ self.random.choice((1 << self.random.randrange(160), self.random.randrange(1, 2**160)))
            yield self.honest.request(beneficiary=f"0x{taken:040x}")

    def other_models(self) -> Iterator[Request]:
        own = self.honest.vault.pins.model_id()
        while True:
            forged = bytearray(own)
            forged[self.random.randrange(32)] ^= self.random.randrange(1, 256)
            yield self.honest.request(model_id=bytes(forged) if self.random.random() < 0.9 else bytes(32))

    # -- what the verifier is asked itself

    def instances_beyond_the_field(self) -> Iterator[Request]:
        """Instances plus multiples of the field's order, put to the verifier without the gate."""
        one = self.honest.proof
        own = list(instances(one.inputs, one.beneficiary, one.outputs))
        while True:
            alias = list(own)
            alias[self.random.randrange(len(own))] += FIELD_ORDER * self.random.randint(1, 4)
            if max(alias) < 2**256:
                yield self.honest.verifier.request("verifyProof", self.proof, alias)

    def bent_calldata(self) -> Iterator[Request]:
        """The honest call with one of its own words (offsets, lengths, the padding of an address) changed.

        Vault and epoch are left alone: the gate is told them by the vault, and the proof does not speak of them.
        """
        method, params = self.honest.request()
        data = bytes.fromhex(params[0]["data"].removeprefix("0x"))
        evidence = data.index(self.proof)
        places = [at for at in range(4, evidence, 32) if at not in (68, 132)]
        while True:
            at = self.random.choice(places)
            word = int.from_bytes(data[at : at + 32], "big")
            bent = word ^ (1 << self.random.choice((0, 3, 5, 6, 8, 159, 160, 200, 255)))
            changed = data[:at] + bent.to_bytes(32, "big") + data[at + 32 :]
            yield method, [params[0] | {"data": "0x" + changed.hex()}, *params[1:]]

    def classes(self) -> dict[str, tuple[int, Callable[[], Iterator[Request]]]]:
        """Return each class's share of ten thousand, and what makes its forgeries."""
        return {
            "flipped bits": (1_800, self.flipped_bits),
            "replaced words": (1_500, self.replaced_words),
            "words beyond their field": (700, self.words_beyond_their_field),
            "spliced from two honest proofs": (500, self.spliced_proofs),
            "other lengths": (500, self.other_lengths),
            "other weights under the same key": (700, self.other_weights),
            "other commitments": (300, self.other_commitments),
            "other outputs": (900, self.other_outputs),
            "other windows": (1_200, self.other_windows),
            "other beneficiaries": (900, self.other_beneficiaries),
            "other models": (200, self.other_models),
            "instances beyond the field": (400, self.instances_beyond_the_field),
            "bent outer calldata": (400, self.bent_calldata),
        }
