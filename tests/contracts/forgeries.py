"""Forgeries of one honest proof, by class: requests that must not be believed, each drawn once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from random import Random
from typing import Any, Final

from tests.contracts.test_real_proofs import Honest
from vaultkit.protocols import Proof
from vaultkit.statement import instances
from vaultkit.units import FIELD_ORDER

BASE_ORDER: Final = 21888242871839275222246405745257275088696311157297823662689037894645226208583
"""Order of the field that BN254's points have their coordinates in."""
Request = tuple[str, list[Any]]


def patched(data: bytes, at: int, word: int) -> bytes:
    return data[:at] + word.to_bytes(32, "big") + data[at + 32 :]


def calldata(request: Request) -> str:
    return str(request[1][0]["data"])


def distinct(requests: Iterator[Request], seen: set[str], most_repeats: int = 10_000) -> Iterator[Request]:
    """Yield what is not yet in ``seen``, the calldata of all before; end after so many repeats in a row."""
    repeats = 0
    for request in requests:
        if calldata(request) not in seen:
            seen.add(calldata(request))
            repeats = 0
            yield request
        elif (repeats := repeats + 1) == most_repeats:
            return


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

    def instances(self) -> list[int]:
        one = self.honest.proof
        return list(instances(one.inputs, one.beneficiary, one.outputs))

    def mixed(self, first: bytes, then: bytes) -> bytes:
        """Return the words of two proofs, cut at one of them or each taken from either."""
        if self.random.random() < 0.2:
            cut = self.random.choice(self.words())
            return first[:cut] + then[cut:]
        return b"".join(self.random.choice((first, then))[at : at + 32] for at in self.words())

    # -- the proof's bytes

    def flipped_bits(self) -> Iterator[Request]:
        while True:
            forged = bytearray(self.proof)
            for _ in range(self.random.choice((1, 1, 2, 8))):
                position = self.random.randrange(8 * len(forged))
                forged[position // 8] ^= 1 << position % 8
            yield self.honest.request(bytes(forged))

    def replaced_words(self) -> Iterator[Request]:
        """Zeros, orders, other words of the proof, negatives, anything: what a careless reader of words would take."""
        while True:
            forged = self.proof
            for at in self.random.sample(self.words(), self.random.choice((1, 1, 1, 2, 4))):
                other = self.random.choice(self.words())
                word = int.from_bytes(self.proof[at : at + 32], "big")
                taken = int.from_bytes(self.proof[other : other + 32], "big")
                choices = [0, 1, FIELD_ORDER, BASE_ORDER, 2**256 - 1, taken, word ^ 1, (BASE_ORDER - word) % BASE_ORDER,
                           self.random.randrange(FIELD_ORDER), self.random.randrange(BASE_ORDER)]  # fmt: skip
                forged = patched(forged, at, self.random.choice(choices))
            yield self.honest.request(forged)

    def words_beyond_their_field(self) -> Iterator[Request]:
        """The same residues, written otherwise: words plus multiples of an order."""
        while True:
            forged = self.proof
            for at in self.random.sample(self.words(), self.random.choice((1, 1, 2, 3))):
                word = int.from_bytes(self.proof[at : at + 32], "big")
                raised = word + self.random.choice((FIELD_ORDER, BASE_ORDER)) * self.random.randint(1, 4)
                if raised < 2**256:
                    forged = patched(forged, at, raised)
            yield self.honest.request(forged)

    def spliced_proofs(self) -> Iterator[Request]:
        """Two honest proofs of one statement, cut at a word or mixed word by word; neither whole."""
        while True:
            for first, then in ((self.proof, self.second.proof), (self.second.proof, self.proof)):
                yield self.honest.request(self.mixed(first, then))

    def other_lengths(self) -> Iterator[Request]:
        while True:
            if self.random.random() < 0.5:
                yield self.honest.request(self.proof[: -self.random.randint(1, len(self.proof))])
            else:
                yield self.honest.request(self.proof + self.random.randbytes(self.random.randint(1, 256)))

    # -- weights

    def other_weights(self) -> Iterator[Request]:
        """A proof by other weights, which the verifier itself takes: whole, or with what is pinned put before it."""
        head, own = self.honest.head, self.honest.proof.outputs
        while True:
            for forged in (
                self.others.proof,
                self.proof[:head] + self.others.proof[head:],
                self.others.proof[:head] + self.proof[head:],
                self.mixed(self.proof, self.others.proof),
                self.mixed(self.others.proof, self.proof),
                self.proof[:head] + self.mixed(self.others.proof, self.proof)[head:],
            ):
                for outputs in (self.others.outputs, own):
                    yield self.honest.request(forged, outputs=list(outputs))

    def other_commitments(self) -> Iterator[Request]:
        """The pinned commitments moved, negated, exchanged or made anew, before the rest of the honest proof."""
        places = range(0, self.honest.head, 64)
        while True:
            forged = self.proof
            for at in self.random.sample(places, self.random.randint(1, len(places))):
                x, y = (int.from_bytes(self.proof[at + i : at + i + 32], "big") for i in (0, 32))
                other = self.random.choice(places)
                points = [
                    (x, BASE_ORDER - y),
                    (0, 0),
                    (1, 2),
                    (y, x),
                    (x, y + BASE_ORDER),
                    (self.random.randrange(BASE_ORDER), y),
                    self.point(),
                    (int.from_bytes(self.proof[other : other + 32], "big"), BASE_ORDER - y),
                ]
                left, right = self.random.choice([p for p in points if max(p) < 2**256])
                forged = patched(patched(forged, at, left), at + 32, right)
            yield self.honest.request(forged)

    def point(self) -> tuple[int, int]:
        """Return a point of the curve, which no check of the curve refuses."""
        while True:
            x = self.random.randrange(BASE_ORDER)
            square = (x**3 + 3) % BASE_ORDER
            y = pow(square, (BASE_ORDER + 1) // 4, BASE_ORDER)
            if y * y % BASE_ORDER == square:
                return x, y

    # -- the statement

    def other_outputs(self) -> Iterator[Request]:
        """Beside the proven one, within the bound, beyond it up to a whole word, the order added; one too many."""
        bound, own = self.honest.vault.pins.output_bound, self.honest.proof.outputs[0]
        while True:
            wide = self.random.choice((-1, 1)) * self.random.getrandbits(self.random.randint(8, 255))
            output = self.random.choice(
                (own + 1, own - 1, -own, self.random.randint(-bound, bound), own + FIELD_ORDER, own - FIELD_ORDER, wide,
                 wide, wide % FIELD_ORDER - FIELD_ORDER)
            )  # fmt: skip
            yield self.honest.request(outputs=self.random.choice(([output], [output], [own, output], [output, own])))

    def other_windows(self) -> Iterator[Request]:
        """Inputs moved by a little or by multiples of the order, shifted, turned, shuffled; one too many or too few."""
        own = list(self.honest.proof.inputs)
        while True:
            moved = list(own)
            for place in self.random.sample(range(len(own)), self.random.randint(1, len(own))):
                step = self.random.choice((1, 7, 128, self.random.getrandbits(40), FIELD_ORDER, 2 * FIELD_ORDER))
                moved[place] += self.random.choice((-1, 1)) * step
            span = self.random.choice((128, 2**20, 2**250))
            choices = (
                moved,
                moved,
                [*own[1:], self.random.randint(-128, 128)],
                [self.random.randint(-128, 128), *own[:-1]],
                [one * self.random.choice((-1, 1)) for one in own],
                self.random.sample(own, len(own)),
                [self.random.randint(-span, span) for _ in own],
                [*own, self.random.randint(-span, span)],
                moved[:-1],
            )
            yield self.honest.request(inputs=self.random.choice(choices))

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
        own = self.instances()
        while True:
            alias = list(own)
            for place in self.random.sample(range(len(own)), self.random.randint(1, 4)):
                alias[place] += FIELD_ORDER * self.random.randint(1, 5)
            if max(alias) < 2**256:
                yield self.honest.verifier.request("verifyProof", self.proof, alias)

    def bent_calldata(self) -> Iterator[Request]:
        """The honest call with some of its own words (offsets, lengths, the padding of an address) changed.

        Vault and epoch are left alone: the gate is told them by the vault, and the proof does not speak of them.
        """
        method, params = self.honest.request()
        data = bytes.fromhex(params[0]["data"].removeprefix("0x"))
        evidence = data.index(self.proof)
        places = [at for at in range(4, evidence, 32) if at not in (68, 132)]
        while True:
            changed = data
            for at in self.random.sample(places, self.random.choice((1, 1, 2))):
                word = int.from_bytes(data[at : at + 32], "big")
                changed = patched(changed, at, word ^ (1 << self.random.randrange(256)))
            yield method, [params[0] | {"data": "0x" + changed.hex()}, *params[1:]]

    def drawn(self, share: float) -> Iterator[tuple[str, list[Request]]]:
        """Yield each class with a share of its forgeries: all calldata differ, from honest calls too."""
        honest = self.honest
        truths = [honest.request(), honest.request(self.second.proof)]
        truths.append(honest.verifier.request("verifyProof", self.proof, self.instances()))
        seen = set(map(calldata, truths))
        for name, (count, make) in self.classes().items():
            yield name, list(islice(distinct(make(), seen), max(5, round(count * share))))

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
