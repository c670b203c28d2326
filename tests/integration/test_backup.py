"""Backup and restore: the same rows and bytes come back, and half or damaged ones are refused."""

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest
from psycopg import sql

from asms.backup import BackupError, back_up, fingerprint_tables, restore
from asms.settings import Settings
from asms.warehouse.connection import Warehouse
from tests.integration.test_releases import release


def test_what_was_backed_up_comes_back(warehouse: Warehouse, settings: Settings, tmp_path: Path) -> None:
    release(warehouse, tmp_path, [("UA1", "A.1", 1.0, "A", "s1"), ("UA2", "A.1", None, "M_NR", "s2")])
    release(warehouse, tmp_path, [("UA1", "A.1", 2.0, "A", "s3")])
    name = hashlib.sha256(b"a return").hexdigest()
    stored = Path(settings.landing) / name[:2] / name
    stored.parent.mkdir(parents=True)
    stored.write_bytes(b"a return")

    made = back_up(warehouse, settings, tmp_path / "backup")
    assert (made.release_id, made.file_count) == (2, 1)
    with pytest.raises(BackupError, match="exists"):
        back_up(warehouse, settings, tmp_path / "backup")
    with pytest.raises(BackupError, match="exists"):
        restore(warehouse, settings, tmp_path / "backup")

    copy = replace(warehouse, database=f"{warehouse.database}_back")
    elsewhere = settings.model_copy(update={"landing": str(tmp_path / "other" / "landing")})
    try:
        restore(copy, elsewhere, tmp_path / "backup")
        assert fingerprint_tables(copy) == fingerprint_tables(warehouse) == made.fingerprint
        assert (tmp_path / "other" / "landing" / name[:2] / name).read_bytes() == b"a return"
        with copy.connect("bi") as connection:
            assert connection.execute("select obs_value, release_id from marts.fct_indicator_value").fetchall() == [
                (2.0, 2)
            ]
            assert len(connection.execute("select * from marts.release_value(1)").fetchall()) == 2
        with copy.connect("admin") as connection:
            connection.execute("update published.fct_indicator_value set obs_value = 3 where release_to is null")
        assert fingerprint_tables(copy) != made.fingerprint
    finally:
        with replace(warehouse, database="postgres").connect("admin", autocommit=True) as connection:
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(copy.database)))

    (tmp_path / "backup" / "landing" / name[:2] / name).write_bytes(b"another")
    with pytest.raises(BackupError, match="damaged"):
        restore(copy, elsewhere, tmp_path / "backup")
    (tmp_path / "backup" / "backup.json").unlink()
    with pytest.raises(BackupError, match="no whole backup"):
        restore(copy, elsewhere, tmp_path / "backup")
