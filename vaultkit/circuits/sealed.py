"""Private inputs: a proven score of features that stay hidden behind a salted Poseidon hash.

The circuit's one input holds the features, nine random limbs of salt (144 bits) and the nine limbs of the borrower's
address. Its hash, the commitment, is the first public instance; the borrower's limbs and the score are the others, in
the order of `vaultkit.statement` with the commitment as the one input. The borrower keeps features and salt; an
attester who has seen them signs the commitment. Without the salt anybody could try likely features until the hash fits.

What a proof shows: whoever made it knows features, salt and borrower of this commitment, and the committed weights give
this score of them. Not: that the features are true. That is the attester's word.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from vaultkit.circuits.evidence import felt_of
from vaultkit.circuits.ezkl_calls import Step, run_steps
from vaultkit.errors import DataError
from vaultkit.statement import beneficiary_limbs, from_felt, instances, to_felt

SALT_LIMBS: Final = 9
SALT_LIMB_BITS: Final = 16


@dataclass(frozen=True, slots=True)
class Sealed:
    """Features, salt and borrower: what stays with the borrower.

    Parameters
    ----------
    features
        Signed integers.  # (count,)
    salt
        Nine limbs of 16 random bits.  # (9,)
    borrower
        Address, 0x-prefixed.

    Raises
    ------
    DataError
        When features are not integers, the borrower is no address, or the salt is not nine limbs of 16 bits.
    """

    features: tuple[int, ...]
    salt: tuple[int, ...]
    borrower: str

    def __post_init__(self) -> None:
        if any(isinstance(x, bool) or not isinstance(x, int) for x in (*self.features, *self.salt)):
            raise DataError("private features and salt are not integers", got="another type")  # never their values
        if len(self.salt) != SALT_LIMBS or any(not 0 <= limb < 1 << SALT_LIMB_BITS for limb in self.salt):
            raise DataError("a salt has the wrong form", expected=f"{SALT_LIMBS} limbs of {SALT_LIMB_BITS} bits")
        if not any(self.salt):
            raise DataError("a salt is zero", next_step="Draw one with seal()")
        beneficiary_limbs(self.borrower)

    @property
    def integers(self) -> tuple[int, ...]:
        """Everything that is hashed, in order: features, salt, the borrower's limbs.  # (count + 18,)."""
        return *self.features, *self.salt, *beneficiary_limbs(self.borrower)

    def __repr__(self) -> str:
        """Name the borrower alone: features and salt belong in no log."""
        return f"Sealed({len(self.features)} features of {self.borrower})"

    def commitment(self) -> int:
        """Return the field element that hides them: ezkl's Poseidon hash, the circuit's first instance."""
        message = [to_felt(value).to_bytes(32, "little").hex() for value in self.integers]
        (result,) = run_steps([Step("poseidon_hash", {"message": message})], deadline_seconds=60)
        return felt_of(result.value[0])


@dataclass(frozen=True, slots=True)
class PrivateProof:
    """A proof with what it says in public.

    Parameters
    ----------
    commitment
        To features, salt and borrower.
    score
        Signed integer at the manifest's ``output_scale``.
    """

    proof: bytes
    commitment: int
    score: int
    borrower: str
    seconds: float

    @property
    def instances(self) -> tuple[int, ...]:
        """Public instances in the verifier's order: commitment, the borrower's limbs, score.  # (11,)."""
        return instances((from_felt(self.commitment),), self.borrower, (self.score,))


def seal(features: Sequence[int], borrower: str) -> Sealed:
    """Return features with fresh salt from the system's random source."""
    return Sealed(tuple(features), tuple(secrets.randbits(SALT_LIMB_BITS) for _ in range(SALT_LIMBS)), borrower)
