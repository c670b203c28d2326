"""The landing store keeps bytes whole, by their hash, on any file system that fsspec knows."""

import fcntl
import hashlib
import io
import os
import resource
import uuid
from pathlib import Path

import pytest

from asms.intake.landing import LandingError, LandingStore, StoreError

DATA = "дані".encode()
SHA256 = hashlib.sha256(DATA).hexdigest()


@pytest.fixture(params=["folder", "url"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> LandingStore:
    return LandingStore(str(tmp_path / "landing") if request.param == "folder" else f"memory://landing-{uuid.uuid4()}")


def test_bytes_come_back_as_they_were(store: LandingStore) -> None:
    assert not store.has(SHA256)
    assert store.put(DATA) == SHA256
    assert store.put(DATA) == SHA256
    assert store.has(SHA256)
    assert store.read(SHA256) == DATA
    with store.open(SHA256) as stream:
        assert stream.read() == DATA


def test_a_stream_is_landed_as_its_bytes_are(store: LandingStore) -> None:
    assert store.put_stream(io.BytesIO(DATA)) == (SHA256, len(DATA))
    assert store.read(SHA256) == DATA


def test_only_whole_files_bear_a_hash(tmp_path: Path) -> None:
    store = LandingStore(str(tmp_path))

    class Growing(io.BytesIO):
        """A file that somebody still writes to: longer at the second reading."""

        def seek(self, offset: int, whence: int = 0) -> int:
            self.__init__(DATA + b"more")  # type: ignore[misc]
            return super().seek(offset, whence)

    with pytest.raises(LandingError, match="changed while"):
        store.put_stream(Growing(DATA))
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_piece_that_a_kill_left_goes_with_the_next_write(tmp_path: Path) -> None:
    store = LandingStore(str(tmp_path))
    folder = tmp_path / SHA256[:2]
    folder.mkdir()
    piece, file = folder / f"{SHA256}.0123.part", folder / SHA256
    piece.write_bytes(b"half")
    writer = os.open(folder, os.O_RDONLY)
    fcntl.flock(writer, fcntl.LOCK_SH)  # as another process that is writing holds it
    store.put(DATA)
    assert sorted(folder.iterdir()) == [file, piece], "it may be that writer's"
    os.close(writer)  # as the end of a process does
    file.unlink()
    store.put(DATA)
    assert list(folder.iterdir()) == [file]


def test_a_full_store_says_so_and_keeps_no_piece(tmp_path: Path) -> None:
    store = LandingStore(str(tmp_path))
    data = b"x" * 100_000
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # what a full disk does, without one
    try:
        with pytest.raises(StoreError, match="make room"):
            store.put_stream(io.BytesIO(data))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert store.read(store.put(data)) == data


def test_a_file_that_cannot_be_read_is_not_the_fault_of_the_store(tmp_path: Path) -> None:
    class Broken(io.BytesIO):
        def read(self, _size: int | None = -1, /) -> bytes:
            raise OSError("bad sector")

    with pytest.raises(LandingError, match="bad sector") as told:
        LandingStore(str(tmp_path)).put_stream(Broken())
    assert not isinstance(told.value, StoreError)


def test_spoilt_and_missing_bytes_are_told(tmp_path: Path) -> None:
    store = LandingStore(str(tmp_path))
    store.put(DATA)
    (tmp_path / SHA256[:2] / SHA256).write_bytes(b"spoilt")
    with pytest.raises(LandingError, match="other bytes"):
        store.read(SHA256)
    with pytest.raises(LandingError, match="ASMS_LANDING"):
        store.open("0" * 64)
    with pytest.raises(LandingError, match="not a sha256"):
        store.has("../../etc/passwd")
