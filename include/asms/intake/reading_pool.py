"""Reading files in processes of their own, within limits of memory and time: a file that breaks its reader breaks no other.

Not ``concurrent.futures.ProcessPoolExecutor``: when a process dies there, all files in work are lost and nobody knows which
one it was; it knows no time limit, and it imports the caller's main module (Airflow's) again in every child.
"""

import os
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from queue import SimpleQueue
from typing import Self, TypeVar

from asms.intake.form_definition import Form
from asms.intake.form_reading import Scan
from asms.intake.identity import Asked
from asms.intake.problem import ProblemError

_MOST_WORKERS = 4  # beyond, the one writer is the narrow place
_AHEAD_PER_WORKER = 8
# Keep the memory of one workbook for the next: giving it back and asking again costs a twentieth of the time.
_ENVIRONMENT = {"MALLOC_TRIM_THRESHOLD_": str(256 << 20), "MALLOC_MMAP_THRESHOLD_": str(256 << 20)}
_Item = TypeVar("_Item")


class ReaderError(RuntimeError):
    """The process that reads files cannot be started; no file is to blame."""


@dataclass(frozen=True)
class Limits:
    """What reading one file may take. The memory is that of the process beside its program: some 60 MB more are resident."""

    seconds: float = 60
    memory_bytes: int = 512 << 20


@dataclass(frozen=True)
class Scanned:
    """What a file says by itself: ``scan`` without its rows, which are ``block``, in the text format of COPY.

    A feedback workbook keeps its rows, and has no block.
    """

    scan: Scan
    block: str
    cell_count: int


@dataclass(frozen=True)
class Unforeseen:
    """An error that no reader expects, for the log."""

    name: str
    text: str
    traceback: str


Answer = Scanned | ProblemError | Unforeseen


class ReadingPool:
    """Worker processes, started when first needed. Use as a context manager."""

    def __init__(
        self, forms: Sequence[Form], asked: Asked | None, *, file_count: int, limits: Limits | None = None
    ) -> None:
        """A worker a core, but no more than there are files. ``asked`` is what templates of ours are held against."""
        self._count = max(1, min(_MOST_WORKERS, os.cpu_count() or 1, file_count))
        self._threads = ThreadPoolExecutor(self._count)
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        self._workers = [_Worker(tuple(forms), asked, limits or Limits()) for _ in range(self._count)]
        for worker in self._workers:
            self._idle.put(worker)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.stop()

    def map(
        self, items: Iterable[_Item], load: Callable[[_Item], tuple[str, bytes] | ProblemError]
    ) -> Iterator[tuple[_Item, Answer]]:
        """Read what ``load`` gives for each item (path and bytes, or why there are none); answers come in the items' order.

        Only a few files are read ahead of the caller.
        """
        ahead: deque[tuple[_Item, Future[Answer]]] = deque()
        for item in items:
            ahead.append((item, self._threads.submit(self._read, item, load)))
            if len(ahead) > self._count * _AHEAD_PER_WORKER:
                done, future = ahead.popleft()
                yield done, future.result()
        while ahead:
            done, future = ahead.popleft()
            yield done, future.result()

    def _read(self, item: _Item, load: Callable[[_Item], tuple[str, bytes] | ProblemError]) -> Answer:
        loaded = load(item)
        if isinstance(loaded, ProblemError):
            return loaded
        worker = self._idle.get()
        try:
            return worker.read(*loaded)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process, and the pipe to it; a new one after one was lost."""

    def __init__(self, forms: tuple[Form, ...], asked: Asked | None, limits: Limits) -> None:
        self._known = forms, asked
        self._limits = limits
        self._process: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None

    def read(self, path: str, data: bytes) -> Answer:
        """Read a file. One that breaks the process is read again by a careful reader, which may be able to say why."""
        return (
            self._try(path, data, is_guarded=True)
            or self._try(path, data, is_guarded=False)
            or _too_heavy(self._limits)
        )

    def _try(self, path: str, data: bytes, *, is_guarded: bool) -> Answer | None:
        """What the process answers; None when it broke."""
        pipe = self._pipe or self._start()
        try:
            pipe.send((path, is_guarded))
            pipe.send_bytes(data)
            if not pipe.poll(self._limits.seconds):
                self.stop()
                return _too_slow(self._limits)
            answer: Answer = pipe.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self.stop()
            return None
        return answer

    def stop(self) -> None:
        """End the process, whatever it does."""
        if self._pipe is not None:
            self._pipe.close()
            self._pipe = None
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def _start(self) -> Connection:
        ours, theirs = Pipe()
        command = [
            sys.executable,
            "-m",
            "asms.intake.reading_worker",
            str(theirs.fileno()),
            str(self._limits.memory_bytes),
        ]
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            command,
            pass_fds=[theirs.fileno()],
            env=_ENVIRONMENT | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        theirs.close()
        try:
            ours.send(self._known)
            ours.recv()  # it is ready: what follows is about a file
        except (EOFError, BrokenPipeError, ConnectionResetError) as error:
            raise ReaderError(
                f"the process that reads files ended with code {self._process.wait()}: see its output"
            ) from error
        self._pipe = ours
        return ours


def _too_slow(limits: Limits) -> ProblemError:
    return ProblemError(
        "FILE_TOO_SLOW",
        f"Файл не вдалося прочитати за {limits.seconds:g} с; читання зупинено",
        f"The file could not be read within {limits.seconds:g} s; reading was stopped",
        value_found=f"{limits.seconds:g} s",
    )


def _too_heavy(limits: Limits) -> ProblemError:
    return ProblemError(
        "FILE_TOO_HEAVY",
        f"Читання файлу потребує понад {limits.memory_bytes >> 20} МБ пам'яті або ламає читач",
        f"Reading the file takes more than {limits.memory_bytes >> 20} MB of memory, or breaks the reader",
        value_found=f"{limits.memory_bytes >> 20} MB",
    )
