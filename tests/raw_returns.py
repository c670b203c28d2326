"""Returns and loads written straight into raw, as intake and sources book them, for tests that need no file."""

import hashlib
from collections.abc import Mapping

from asms.warehouse.connection import Warehouse

Cells = Mapping[tuple[str, str], str | None]
"""Text by indicator code and sex; None is a blank."""


def book_arrival(
    warehouse: Warehouse, source: str, path: str, content: str, *, batch: int, channel: str, is_sample: bool
) -> tuple[str, str]:
    """Book an arrival on ``path`` and its load; return their ids. A trial comes from the folder ``_test``."""
    with warehouse.connect("loader") as connection:
        (sequence,) = connection.execute(
            "select coalesce(max(path_seq), 0) + 1 from raw.delivery where channel = %s and path = %s", (channel, path)
        ).fetchone() or (1,)
        delivery = digest(path, str(sequence), content)
        load = f"{source}-{delivery[:20]}"
        connection.execute(
            "insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, "
            "is_sample, is_test) values (%s, %s, %s, %s, %s, %s, 1, %s, %s, %s)",
            (delivery, source, channel, path, sequence, digest(content), batch, is_sample, path.startswith("_test/")),
        )
        connection.execute(
            "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample) "
            "values (%s, %s, %s, '1', 'loaded', %s)",
            (load, source, delivery, is_sample),
        )
    return delivery, load


def book_return(
    warehouse: Warehouse, body: str, period: str, cells: Cells, arrival: tuple[str, str], *, file_name: str
) -> str:
    """Book what ``arrival`` (delivery and load) says; return its submission_id. Equal content is the same submission again."""
    delivery, load = arrival
    submission = digest(content_of(body, period, cells))
    rows = [
        (submission, code.partition(".")[0], f"D{row}", code, code, sex, value, _kind(value))
        for row, ((code, sex), value) in enumerate(cells.items(), 5)
    ]
    with warehouse.connect("loader") as connection, connection.cursor() as cursor:
        cursor.execute(
            "insert into raw.submission (submission_id, load_id, sha256, file_name, form_code, form_version, "
            "collection_code, municipality_code, municipality_text, time_period, cell_count) "
            "values (%s, %s, %s, %s, 'TEST', '1', 'ASMS', %s, '', %s, %s) on conflict do nothing",
            (submission, load, submission, file_name, body, period, len(rows)),
        )
        is_new = cursor.rowcount == 1
        cursor.execute("insert into raw.submission_delivery values (%s, %s, %s)", (delivery, submission, load))
        cursor.executemany(
            "insert into raw.submission_cell (submission_id, sheet, cell, indicator_code, code_text, sex, value_text, "
            "value_type) values (%s, %s, %s, %s, %s, %s, %s, %s)",
            rows if is_new else [],
        )
    return submission


def content_of(body: str, period: str, cells: Cells) -> str:
    """What stands for the bytes of a return."""
    return f"{body}|{period}|{sorted(cells.items())}"


def digest(*parts: str) -> str:
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:32]


def _kind(value: str | None) -> str:
    if value is None:
        return "empty"
    return "number" if value.replace(".", "").isdigit() else "text"
