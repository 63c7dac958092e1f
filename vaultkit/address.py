"""An account as a person types it: twenty bytes in hexadecimal, whose upper and lower case is a checksum (EIP-55)."""

from __future__ import annotations

import re
from typing import Annotated

from eth_utils.address import is_checksum_address, to_checksum_address
from pydantic import AfterValidator

from vaultkit.errors import DataError


def fault_of_address(text: str) -> str | None:
    """Return what is wrong with an address, or None."""
    if not re.fullmatch("0x[0-9a-fA-F]{40}", text):
        return "not an address: 0x and forty hexadecimal digits"
    if text[2:] not in (text[2:].lower(), text[2:].upper()) and not is_checksum_address(text):
        return "the address is mistyped: its upper and lower case do not fit"
    if not int(text, 16):
        return "the zero address is nobody's"
    return None


def parse_address(text: str, *, where: str) -> str:
    """Return an address with its checksum.

    Raises
    ------
    DataError
        When it is none, is mistyped, or is the zero address.
    """
    fault = fault_of_address(text)
    if fault is not None:
        raise DataError(fault, got=text, where=where)
    return to_checksum_address(text)


def _an_address(value: str) -> str:
    fault = fault_of_address(value)
    if fault is not None:
        raise ValueError(fault)
    return value


Address = Annotated[str, AfterValidator(_an_address)]
"""A field of a file that holds an address."""
