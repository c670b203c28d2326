"""Keeps what a person reads apart from what libraries print."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO


@contextmanager
def output_to(log: Path) -> Iterator[TextIO]:
    """Send all that this process and its libraries print to the end of ``log``; give what was standard output.

    It is done on file descriptors, because Airflow, dbt and Great Expectations each keep a stream of their own.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    _flush()
    out, err = os.dup(1), os.dup(2)
    with log.open("ab") as target, os.fdopen(out, "w", encoding="utf-8", buffering=1) as console:
        os.dup2(target.fileno(), 1)
        os.dup2(target.fileno(), 2)
        try:
            yield console
        finally:
            _flush()
            os.dup2(out, 1)
            os.dup2(err, 2)
            os.close(err)


def _flush() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
