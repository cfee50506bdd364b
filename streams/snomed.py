"""What a well-formed SNOMED CT identifier is, so that a ten-digit code is not taken for an NHS number.

For ``screening_rules.py``. It says nothing of whether the code exists, or of what it means.
Source: SNOMED CT Release File Specification, "SCTID": partition identifier and Verhoeff's check digit.
"""

import re

_SNOMED = re.compile(r"[1-9]\d{5,17}", re.ASCII)
_PARTITIONS = frozenset({"00", "01", "02", "10", "11", "12"})

# Verhoeff's scheme: multiplication in the dihedral group of ten elements, and one permutation of the digits
# that is applied once more for each place further left.
_TURNS = 5
_PERMUTATION = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)


def is_snomed_identifier(digits: str) -> bool:
    """Say whether this has 6 to 18 digits, a known partition and a valid check digit."""
    if not _SNOMED.fullmatch(digits) or digits[-3:-1] not in _PARTITIONS:
        return False
    check = 0
    for place, character in enumerate(reversed(digits)):
        digit = int(character)
        for _ in range(place % 8):
            digit = _PERMUTATION[digit]
        check = _times(check, digit)
    return check == 0


def _times(left: int, right: int) -> int:
    """Multiply in the dihedral group: 0 to 4 are rotations, 5 to 9 reflections."""
    turned = (left + right if left < _TURNS else left - right) % _TURNS
    return turned + _TURNS * ((left >= _TURNS) ^ (right >= _TURNS))
