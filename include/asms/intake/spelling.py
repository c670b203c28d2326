"""Texts by which one finds one's way in a file, without what people change by accident."""

import re
import unicodedata
from functools import lru_cache

LATIN = str.maketrans("АВЕКМНОРСТХІЅЈ", "ABEKMHOPCTXISJ")
_SAME_LOOK = str.maketrans("abekmhopctxyi", "авекмнорстхуі")
_LONGEST_KEPT = 300
"""Characters of a text whose folded form is remembered: titles are, what hostile cells hold is not."""


def fold_code(text: str) -> str:
    """Indicator code as the catalogue writes it: Latin capitals, no blanks, full stops: ' теr,001 ' → 'TER.001'."""
    return _fold_short_code(text) if len(text) < _LONGEST_KEPT else _fold_any_code(text)


def fold(text: str) -> str:
    """A title or mark without case, look-alike letters, blanks around and between, a colon at the end."""
    return _fold_title(text) if len(text) < _LONGEST_KEPT else _fold_any(text)


def same(found: str, expected: str) -> bool:
    """Whether two titles or marks are the same once folded."""
    return fold(found) == fold(expected)


@lru_cache(maxsize=16_384)
def _fold_short_code(text: str) -> str:
    return _fold_any_code(text)


def _fold_any_code(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).upper().translate(LATIN)
    return re.sub(r"\s", "", folded).replace(",", ".").strip(".")


@lru_cache(maxsize=4_096)
def _fold_title(text: str) -> str:
    return _fold_any(text)


def _fold_any(text: str) -> str:
    folded = unicodedata.normalize("NFKC", text).casefold().translate(_SAME_LOOK)
    return re.sub(r"\s+", " ", folded).strip(" :.")
