"""Landing: bytes into the store under their sha256, and the ledger of arrivals beside it."""

import contextlib
import fcntl
import hashlib
import logging
import os
import re
import unicodedata
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import fsspec
import psycopg
from fsspec.implementations.local import LocalFileSystem

from asms.findings import Finding, insert_findings
from asms.settings import Settings
from asms.warehouse.connection import Warehouse

logger = logging.getLogger(__name__)

SOURCE = "submissions"
_CHUNK = 1 << 20
_SHA256 = re.compile(r"[0-9a-f]{64}")
_LITTER = {"thumbs.db", "desktop.ini"}
LEDGER_LOCK = 0x41534D4C
_PROGRESS_EVERY = 100
_MAX_PATH_BYTES = 1024  # well below what an index of PostgreSQL takes in one row
_NOT_LANDED = "FILE_NOT_LANDED"
_TRIALS = "_test/"
"""Folder of the drop whose returns are read and checked and never count."""


class DropError(RuntimeError):
    """The drop folder cannot be scanned; the message says which and what to do."""


class LandingError(RuntimeError):
    """The landing store lacks bytes that the ledger names, or holds others under their hash."""


class StoreError(LandingError):
    """The landing store takes no bytes: it is full, read-only or not there. No file is to blame, so the load stops."""


class _UnreadableError(LandingError):
    """A file of the drop cannot be read to its end; others can."""


@dataclass(frozen=True)
class Skipped:
    """A file of the drop that was not landed, and why (English; Ukrainian where somebody has to act, else '')."""

    path: str
    reason: str
    reason_uk: str


@dataclass(frozen=True)
class LandResult:
    """What one scan of the drop did; ``delivery_ids`` are the new ones, in their order of receipt."""

    delivery_ids: tuple[str, ...]
    new_count: int
    unchanged_count: int
    skipped: tuple[Skipped, ...]


class LandingStore:
    """Bytes by their sha256 in a folder or bucket. Whole or not there at all; never changed."""

    def __init__(self, url: str) -> None:
        self._fs, root = fsspec.core.url_to_fs(url)
        self._root = root.rstrip("/")

    def put(self, data: bytes) -> str:
        """Store ``data``; return its sha256 (hex). Raises StoreError when the store does not take it."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            self._write([data], digest)
        return digest

    def put_stream(self, stream: IO[bytes]) -> tuple[str, int]:
        """Store what ``stream`` (seekable) holds without holding it in memory; return its sha256 and size in bytes.

        Raises StoreError when the store does not take them.
        """
        hasher, size = hashlib.sha256(), 0
        for chunk in _chunks(stream):
            hasher.update(chunk)
            size += len(chunk)
        digest = hasher.hexdigest()
        if not self.has(digest):
            stream.seek(0)
            self._write(_checked(_chunks(stream), digest), digest)
        return digest, size

    def has(self, sha256: str) -> bool:
        return bool(self._fs.exists(self._path(sha256)))

    def open(self, sha256: str) -> IO[bytes]:
        """Open the bytes for reading. Raises LandingError when they are not there."""
        try:
            stream: IO[bytes] = self._fs.open(self._path(sha256), "rb")
        except FileNotFoundError as error:
            raise LandingError(
                f"the landing store has no {sha256}: it was emptied or ASMS_LANDING names another one; restore it"
            ) from error
        return stream

    def read(self, sha256: str) -> bytes:
        """Return the bytes whole, after checking that they are the ones. Raises LandingError when they are not."""
        with self.open(sha256) as stream:
            data = stream.read()
        if hashlib.sha256(data).hexdigest() != sha256:
            raise LandingError(f"the landing store holds other bytes under {sha256}: restore the file from a backup")
        return data

    def _path(self, sha256: str) -> str:
        if not _SHA256.fullmatch(sha256):
            raise LandingError(f"{sha256!r} is not a sha256")
        return f"{self._root}/{sha256[:2]}/{sha256}"

    def _write(self, chunks: Iterable[bytes], sha256: str) -> None:
        """Write under a name of its own, then rename: a kill leaves a stray piece, which the next write removes, never half a file.

        On a disk of this machine the bytes are on it before they get their name, because the ledger will say that they are.
        """
        final = self._path(sha256)
        folder = final.rsplit("/", 1)[0]
        temporary = f"{final}.{uuid.uuid4().hex}.part"
        is_local = isinstance(self._fs, LocalFileSystem)
        try:
            with _blame_the_store():
                if not (is_local and Path(folder).is_dir()):  # a folder that is there costs as much to make as a file
                    self._fs.makedirs(folder, exist_ok=True)
                with (
                    _writing_into(folder) if is_local else contextlib.nullcontext(),
                    self._fs.open(temporary, "wb") as target,
                ):
                    for chunk in chunks:
                        target.write(chunk)
                    target.flush()
                    if is_local:
                        os.fsync(target.fileno())
                    target.close()
                    self._fs.mv(temporary, final)
        except BaseException:
            with contextlib.suppress(
                OSError
            ):  # else each try would leave a piece, and a full disk never have room again
                self._fs.rm_file(temporary)
            raise


def _checked(chunks: Iterator[bytes], expected: str) -> Iterator[bytes]:
    """``chunks``, of which the sha256 must be ``expected`` in the end."""
    hasher = hashlib.sha256()
    for chunk in chunks:
        hasher.update(chunk)
        yield chunk
    if hasher.hexdigest() != expected:
        raise _UnreadableError("it changed while it was being landed; it will be taken at the next scan")


@contextlib.contextmanager
def _writing_into(folder: str) -> Iterator[None]:
    """Hold ``folder`` as one of its writers; where there is no other, remove the pieces that killed ones left there."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # another writes there, or the file system knows no such locks
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            for piece in Path(folder).glob("*.part"):
                piece.unlink()
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_SH)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def _blame_the_store() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StoreError(f"the landing store takes no bytes ({error}): make room or mend it, then run again") from error


@dataclass(frozen=True)
class _Arrival:
    path: str
    sha256: str
    size: int


def land_drop(warehouse: Warehouse, settings: Settings) -> LandResult:
    """Land every file of the drop that is new or changed, and book each as one delivery.

    The drop is ``settings.drop``, or in a sample run the folder that the sample's workbooks are made in; where only open
    data is replayed there is none, and nothing to do. A file equal to the latest delivery on its path is left alone, so a
    second scan books nothing. What lies below ``_test/`` is marked as a trial. All arrivals of a scan share a batch number and
    are booked in one transaction, together with a finding FILE_NOT_LANDED for each file that could not be taken; those of
    earlier scans that did not recur are closed.

    Raises:
        DropError: the drop is not there or cannot be listed, or it would mix real returns with the sample.
        StoreError: the landing store takes no bytes. What it took before is found there by the next call.
        LookupError: a file could not be taken and the rules are not in ``quality.rule``; store the catalogue first.
    """
    if settings.is_sample != warehouse.is_sample:
        named = _name_drop(settings.drop) if settings.drop else "of the sample"
        raise DropError(
            f"database {warehouse.database} is {'' if warehouse.is_sample else 'not '}the sample's and the drop {named} "
            f"is {'' if settings.is_sample else 'not '}part of it: they never mix"
        )
    if settings.is_sample:
        drop, channel = str(settings.home / "sample" / "drop"), "sample"
    elif settings.drop is not None:
        drop, channel = settings.drop, f"drop:{_name_drop(settings.drop)}"
    else:
        return LandResult((), 0, 0, ())
    store = LandingStore(settings.landing)
    arrivals, skipped = _scan(drop, store)
    with warehouse.connect("loader") as connection:
        delivery_ids = _book(connection, channel, arrivals, skipped, is_sample=settings.is_sample)
    logger.info("%s: %d new, %d unchanged, %d skipped", channel, len(delivery_ids), len(arrivals) - len(delivery_ids),
                len(skipped))  # fmt: skip
    return LandResult(tuple(delivery_ids), len(delivery_ids), len(arrivals) - len(delivery_ids), tuple(skipped))


def _scan(drop: str, store: LandingStore) -> tuple[list[_Arrival], list[Skipped]]:
    """Land every file below ``drop``; files come in the order of their paths, whatever the file system says."""
    try:
        fs, root = fsspec.core.url_to_fs(drop)
        root = root.rstrip("/")
        if not fs.isdir(root):
            raise DropError(f"the drop folder {_name_drop(drop)} is not there: make it, or correct ASMS_DROP")
        found: dict[str, dict[str, Any]] = fs.find(root, detail=True)
    except (OSError, ValueError, ImportError) as error:
        # not "from error": a traceback would print what is hidden here
        raise DropError(f"the drop {_name_drop(drop)} cannot be listed: {_hide_secrets(str(error), drop)}") from None
    arrivals: dict[str, _Arrival] = {}
    skipped: list[Skipped] = []
    for number, (full_path, info) in enumerate(sorted(found.items(), key=_by_plainness), start=1):
        path = _identify(full_path[len(root) + 1 :])
        refusal = _refuse(path, info)
        if refusal is None and path in arrivals:
            refusal = Skipped(
                path,
                "its name equals another's once accents are composed and invisible characters taken out",
                "його назва збігається з іншою, якщо не зважати на невидимі символи",
            )
        if refusal is None:
            try:
                with fs.open(full_path, "rb") as stream:
                    arrivals[path] = _Arrival(path, *store.put_stream(stream))
            except (OSError, _UnreadableError) as error:
                told = _hide_secrets(str(error), drop)
                refusal = Skipped(path, f"it cannot be read: {told}", f"його не вдалося прочитати: {told}")
        if refusal is not None:
            skipped.append(refusal)
            logger.warning("not landed: %r, because %s", path, refusal.reason)
        if number % _PROGRESS_EVERY == 0:
            logger.info("scanned %d of %d files", number, len(found))
    return sorted(arrivals.values(), key=lambda arrival: arrival.path), skipped


def _by_plainness(item: tuple[str, dict[str, Any]]) -> tuple[bool, str]:
    """Order in which files claim a path: first those whose name is the path as it stands."""
    return _identify(item[0]) != item[0], item[0]


def _identify(path: str) -> str:
    """The path that a file is known by: accents composed, and without format characters (soft hyphen, zero width)."""
    return unicodedata.normalize("NFC", "".join(c for c in path if unicodedata.category(c) != "Cf"))


def _refuse(path: str, info: dict[str, Any]) -> Skipped | None:
    """Why a file of the drop is not taken; None when it is."""
    parts = path.split("/")
    if any(part.startswith("~$") or re.match(r"\.[^./]", part) for part in parts) or parts[-1].lower() in _LITTER:
        return Skipped(path, "it is a lock file, a hidden file or the litter of a file manager", "")
    if any(part in ("", ".", "..") for part in parts) or "\\" in path:
        return Skipped(path, "its path does not stay below the drop", "його шлях веде за межі теки надходжень")
    if any(unicodedata.category(character) in ("Cc", "Co", "Cs") for character in path):
        return Skipped(path, "its name has characters that cannot be shown", "у його назві є символи, яких не видно")
    if len(path.encode()) > _MAX_PATH_BYTES:
        return Skipped(path, "its path is too long", "його шлях задовгий")
    if info["type"] != "file":
        return Skipped(path, "it is a link or a device, not a file", "це посилання або пристрій, а не файл")
    return None


def _book(
    connection: psycopg.Connection, channel: str, arrivals: list[_Arrival], skipped: list[Skipped], *, is_sample: bool
) -> list[str]:
    """Insert the arrivals that differ from the latest on their path, in one transaction; return their ids in order."""
    with connection.transaction():
        connection.execute("select pg_advisory_xact_lock(%s)", (LEDGER_LOCK,))
        _tell_skipped(connection, channel, skipped, is_sample=is_sample)
        batch_no = next_batch(connection)
        latest = {
            path: (path_seq, sha256)
            for path, path_seq, sha256 in connection.execute(
                "select distinct on (path) path, path_seq, sha256 from raw.delivery "
                "where source = %s and channel = %s order by path, path_seq desc",
                (SOURCE, channel),
            )
        }
        new = [arrival for arrival in arrivals if latest.get(arrival.path, (0, ""))[1] != arrival.sha256]
        rows = []
        for arrival in new:
            path_seq = latest.get(arrival.path, (0, ""))[0] + 1
            delivery_id = delivery_id_of(channel, arrival.path, path_seq, arrival.sha256)
            rows.append((
                delivery_id, SOURCE, channel, arrival.path, path_seq, arrival.sha256, arrival.size, batch_no, is_sample,
                arrival.path.startswith(_TRIALS),
            ))  # fmt: skip
        with connection.cursor() as cursor:
            cursor.executemany(
                """
                insert into raw.delivery
                    (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, is_sample, is_test)
                values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)
                """,
                rows,
            )
    return [str(row[0]) for row in rows]


def delivery_id_of(channel: str, path: str, path_seq: int, sha256: str) -> str:
    """Id of the ``path_seq``-th arrival on a path of a channel."""
    return hashlib.sha256("\x1f".join((channel, path, str(path_seq), sha256)).encode()).hexdigest()[:32]


def load_id_of(delivery_id: str, reader_version: str) -> str:
    """Id of the reading of a delivery by a version of its reader."""
    return f"{SOURCE}-{hashlib.sha256(f'{delivery_id}|{reader_version}'.encode()).hexdigest()[:24]}"


def next_batch(connection: psycopg.Connection) -> int:
    """Number of the next batch of arrivals; the caller holds ``LEDGER_LOCK``."""
    row = connection.execute(
        "select coalesce(max(batch_no), 0) + 1 from raw.delivery where source = %s", (SOURCE,)
    ).fetchone()
    return int(row[0]) if row else 1


def _tell_skipped(connection: psycopg.Connection, channel: str, skipped: list[Skipped], *, is_sample: bool) -> None:
    """Make the open findings FILE_NOT_LANDED of this channel those of this scan."""
    findings = [
        Finding(
            rule_id=_NOT_LANDED,
            dataset=SOURCE,
            message_uk=f"Файл {_show(skip.path)} не прийнято, бо {_show(skip.reason_uk)}",
            message_en=f"The file {_show(skip.path)} was not taken, because {_show(skip.reason)}",
            file_name=_show(skip.path),
            value_found=f"{channel}: {_show(skip.reason)}",
        )
        for skip in skipped
        if skip.reason_uk
    ]
    insert_findings(connection, findings, is_sample=is_sample)
    connection.execute(
        """
        update quality.finding
        set is_open = false, closed_at = now()
        where rule_id = %s and is_open and starts_with(value_found, %s) and not finding_id = any(%s)
        """,
        (_NOT_LANDED, f"{channel}: ", [finding.finding_id for finding in findings]),
    )


def _show(text: str) -> str:
    """``text`` with what cannot be seen or stored written as an escape: '\\x07'."""
    return "".join(
        c.encode("unicode_escape").decode() if unicodedata.category(c) in ("Cc", "Co", "Cs") else c for c in text
    )


def _name_drop(drop: str) -> str:
    """The drop as a channel's name: absolute, and without the user and password that a URL may carry."""
    url = urlsplit(drop)
    if "://" not in drop:
        return str(Path(drop).expanduser().resolve())
    return f"{url.scheme}://{url.netloc.rpartition('@')[2]}{url.path.rstrip('/')}"


def _hide_secrets(text: str, drop: str) -> str:
    """What a backend says of ``drop``, without the user and password of its URL."""
    text = text.replace(drop, _name_drop(drop))
    user = urlsplit(drop).netloc.rpartition("@")[0] if "://" in drop else ""
    for secret in (user, user.partition(":")[2]):
        text = text.replace(secret, "***") if secret else text
    return text


def _chunks(stream: IO[bytes]) -> Iterator[bytes]:
    """What ``stream`` holds. Its errors are told apart from those of the store that it is written to."""
    try:
        while chunk := stream.read(_CHUNK):
            yield chunk
    except OSError as error:
        raise _UnreadableError(str(error)) from error
