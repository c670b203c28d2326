"""Damaged inputs by the hundred thousand, for every reader; ``ASMS_BENCH_FUZZ`` sets how many (100,000 in all unless set)."""

import os

import pytest

from tests.unit.test_fuzz import TARGETS, make_targets, mutations

INPUTS = int(os.environ.get("ASMS_BENCH_FUZZ", "100000"))


@pytest.mark.parametrize("name", TARGETS)
@pytest.mark.timeout(1800)
def test_whatever_comes_is_read_or_refused_by_name(name: str) -> None:
    mutations(make_targets()[name], INPUTS // len(TARGETS) + 1)
