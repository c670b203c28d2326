"""Transactions of the Treasury from landed bytes to raw, against COPY of the same rows: rate, memory, and the cost of an increment.

The rate is told by wall time and by CPU, each of reader and server together: by wall time reader and server work at once where
there are processors for both, and wait for each other where others use them.

``ASMS_BENCH_TRANSACTIONS`` sets how many (1,000,000 unless set).
"""

import os
import resource
import time
from datetime import date, timedelta

import msgspec
import psutil
import psycopg
import pytest

from asms.sources.ledger import book, commit_without_waiting
from asms.sources.treasury import FEED, Payer, read_month, standing_days
from asms.sources.treasury_answer import read_days
from asms.sources.watermark import add_years
from asms.warehouse.connection import Warehouse
from asms.warehouse.copy import copy_blocks, prefix_lines

ROWS = int(os.environ.get("ASMS_BENCH_TRANSACTIONS", "1000000"))
OF_MONTH = 20_000
PAYER = Payer("99000001", "UA05020030000031457")


def _answer(first: date, from_id: int) -> bytes:
    """A month of a large payer, as it is landed."""
    record = {
        "id": 0, "doc_vob": "6", "doc_vob_name": None, "doc_number": "8139/903", "doc_date": "", "doc_v_date": "", "trans_date": "",
        "amount": 19415.34, "amount_cop": 1941534, "currency": "UAH", "payer_edrpou": PAYER.edrpou, "payer_name": "Департамент освіти",
        "payer_account": "UA618201720000042314000000000", "recipt_edrpou": "98013480", "recipt_name": "ТОВ «Постачальник»",
        "recipt_account": "UA608201720343340023000000141", "payment_details": "За послуги згідно з договором № 12 від 10.01.2023",
        "region_id": 28, "payment_type": "nsep", "source_id": 2, "source_name": "ДКСУ", "kekv": 2240, "kpk": "0611010",
    }  # fmt: skip
    parts = []
    for number in range(OF_MONTH):
        day = str(first + timedelta(days=number * 28 // OF_MONTH))
        parts.append(msgspec.json.encode({**record, "id": from_id + number, "trans_date": day, "doc_date": day}))
    return b"[" + b",\n".join(parts) + b"]"


def _backend_cpu(connection: psycopg.Connection) -> float:
    """CPU seconds of the server's process for this connection."""
    times = psutil.Process(connection.info.backend_pid).cpu_times()
    return times.user + times.system


@pytest.mark.timeout(7200)  # ten million
def test_transactions_are_streamed_into_raw(warehouse: Warehouse) -> None:
    seconds = {"load": 0.0, "copy": 0.0}
    cpu = {"load": 0.0, "copy": 0.0}
    first = date(2024, 1, 1)
    data = _answer(first, 1_000_000)
    block = "".join(day.block("", 1) for day in read_days(data, PAYER.edrpou, first, first + timedelta(days=30)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with warehouse.connect("loader", autocommit=True) as connection, warehouse.connect("admin") as bare:
        for one in (connection, bare):  # nor does COPY wait for the disk
            commit_without_waiting(one)
        add_years(connection, FEED.table, {2024})
        bare.execute(
            "create table raw.bare (like raw.treasury_transaction including indexes) partition by range (trans_date)"
        )
        bare.execute(
            "create table raw.bare_2024 partition of raw.bare for values from ('2024-01-01') to ('2025-01-01')"
        )
        bare.commit()
        cpu["load"] -= _backend_cpu(connection)
        cpu["copy"] -= _backend_cpu(bare)
        # the two in turn, so that whatever else runs here slows both
        for number in range(ROWS // OF_MONTH):
            payer = Payer(f"{number:08}", PAYER.municipality_code)
            answer = data.replace(PAYER.edrpou.encode(), payer.edrpou.encode())
            begin, begin_cpu = time.perf_counter(), time.process_time()
            days = read_days(answer, payer.edrpou, first, first + timedelta(days=30))
            standing = standing_days(connection, payer.edrpou, first, first + timedelta(days=30))
            path = f"payer={payer.edrpou}"
            reading = read_month(payer, path, days, standing)
            booked = book(
                connection, FEED, path, answer, lambda known=reading: known,  # type: ignore[misc]
                store=lambda _: "", batch_no=1, is_sample=True,
            )  # fmt: skip
            seconds["load"] += time.perf_counter() - begin
            cpu["load"] += time.process_time() - begin_cpu
            assert booked.row_count == OF_MONTH
            ready = prefix_lines(block, f"treasury-{number:024}")
            begin, begin_cpu = time.perf_counter(), time.process_time()
            copy_blocks(bare, "raw.bare", ("load_id", *FEED.columns), [ready])
            bare.commit()
            seconds["copy"] += time.perf_counter() - begin
            cpu["copy"] += time.process_time() - begin_cpu
        cpu["load"] += _backend_cpu(connection)
        cpu["copy"] += _backend_cpu(bare)
        grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
        begin = time.perf_counter()
        standing = standing_days(connection, "00000000", first, first + timedelta(days=30))
        again = data.replace(PAYER.edrpou.encode(), b"00000000")
        assert (
            read_month(Payer("00000000", ""), "", read_days(again, "00000000", first, date(2024, 2, 1)), standing)
            is None
        )
        unchanged = time.perf_counter() - begin
    count = ROWS // OF_MONTH * OF_MONTH
    share = seconds["copy"] / seconds["load"]
    share_of_cpu = cpu["copy"] / cpu["load"]
    print(
        f"\n{count:,} transactions: {count / seconds['load']:,.0f} rows/s, {share:.0%} of COPY's {count / seconds['copy']:,.0f} rows/s; "
        f"by CPU {share_of_cpu:.0%} ({cpu['load']:.1f} s against COPY's {cpu['copy']:.1f} s); "
        f"memory of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB, grown by {grown:.0f} MB; "
        f"a month with nothing new {unchanged:.2f} s"
    )
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 < 300
    assert share_of_cpu > 0.3, "a gross slip"
