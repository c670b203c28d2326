"""A process that reads files and can do nothing else: it gets bytes through a pipe, and has no database, store or network.

Run by ``asms.intake.reading_pool`` as ``python -m asms.intake.reading_worker DESCRIPTOR MEMORY_BYTES``.
"""

import gc
import resource
import signal
import sys
import traceback
from dataclasses import replace
from multiprocessing.connection import Connection

from asms.intake.form_definition import Form
from asms.intake.form_reading import scan_return
from asms.intake.identity import Asked
from asms.intake.problem import ProblemError
from asms.intake.reading_pool import Answer, Scanned, Unforeseen
from asms.warehouse.copy import format_rows

_OBJECTS_BETWEEN_COLLECTIONS = 50_000  # a return's worth: what one file leaves behind holds no cycles to speak of


def main() -> None:
    """Read the forms and what the catalogue asks, then file after file, until the other end of the pipe closes."""
    connection = Connection(int(sys.argv[1]))
    memory = int(sys.argv[2])
    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the terminal sends it to the whole group; the parent closes the pipe
    forms: tuple[Form, ...]
    asked: Asked | None
    forms, asked = connection.recv()
    gc.freeze()
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    connection.send(None)
    while True:
        try:
            (path, is_guarded), data = connection.recv(), connection.recv_bytes()
        except EOFError:
            return
        connection.send(_read(data, path, forms, asked, is_guarded=is_guarded))


def _read(data: bytes, path: str, forms: tuple[Form, ...], asked: Asked | None, *, is_guarded: bool) -> Answer:
    try:
        scan = scan_return(data, path, forms, asked, is_guarded=is_guarded)
        if scan.form.explanations:
            return Scanned(scan, "", 0)  # its answers are compared with what was sent, not stored
        return Scanned(replace(scan, rows=()), format_rows(scan.rows), len(scan.rows))
    except ProblemError as problem:
        return problem
    except MemoryError:
        raise  # the parent hears of it by the end of this process
    except Exception as error:  # noqa: BLE001 - it is told with its traceback
        return Unforeseen(type(error).__name__, str(error), traceback.format_exc())


if __name__ == "__main__":
    main()
