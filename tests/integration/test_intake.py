"""Returns from the drop folder to raw cells, on a real server with the real codifier."""

import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import fsspec
import pytest

from asms.catalogue import load_catalogue, store_catalogue
from asms.geography import Gazetteer, NoCodifierError
from asms.intake import DropError, ReadResult, land_drop, read_deliveries
from asms.intake.form_definition import load_forms
from asms.intake.landing import LandingStore, _hide_secrets
from asms.intake.reading_pool import Limits
from asms.intake.template import TemplateAnswer, TemplateRow, write_template
from asms.settings import Settings, load_settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.connection import Warehouse
from asms.warehouse.migrate import prepare

ROWS = (
    TemplateRow("TER.001", "TER", "Територія", "Площа", "Area", "км²", False),
    TemplateRow("POP.001", "POP", "Населення", "Населення", "Population", "осіб", True),
)
VINNYTSIA = "UA05020030000031457"


@pytest.fixture(scope="module")
def codified(template_warehouse: Warehouse, pg_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    """The gazetteer of the real codifier: loaded once, since it does not change between tests."""
    copy = replace(template_warehouse, database="intake_codifier", is_sample=True)
    prepare(copy)
    folder = tmp_path_factory.mktemp("codifier")
    settings = load_settings({"ASMS_HOME": str(folder), "ASMS_CREDENTIALS": str(pg_home / "credentials.json")})
    fetch_katottg(copy, settings, LandingStore(settings.landing).put)
    with copy.connect("loader") as connection:
        return Gazetteer.from_warehouse(connection)


@pytest.fixture
def ruled(warehouse: Warehouse) -> Warehouse:
    """A warehouse whose catalogue and rules are stored."""
    store_catalogue(warehouse)
    return warehouse


@pytest.fixture
def drop(settings: Settings) -> Path:
    folder = settings.home / "sample" / "drop"
    folder.mkdir(parents=True)
    return folder


def _write(path: Path, value: object, **changes: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    named = {
        "municipality_code": VINNYTSIA,
        "municipality_name": "Вінницька міська територіальна громада",
        "time_period": "2024",
        "catalogue_version": load_catalogue().catalogue_version,
    }
    write_template(path, indicators=ROWS, answers={("POP.001", "T"): TemplateAnswer(value)}, **(named | changes))


def _replace_part(path: Path, name: str, content: str) -> None:
    with zipfile.ZipFile(path) as archive:
        parts = {entry: archive.read(entry) for entry in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, data in (parts | {name: content.encode()}).items():
            archive.writestr(entry, data)


def _tables(warehouse: Warehouse) -> dict[str, list[tuple[object, ...]]]:
    """Everything that intake writes, clocks aside."""
    queries = {
        "delivery": "select delivery_id, path, path_seq, sha256, batch_no, received_no from raw.delivery",
        "load": "select load_id, delivery_id, reader_version, status, row_count, finding_count, message from ops.load",
        "submission": "select * from raw.submission",
        "submission_delivery": "select * from raw.submission_delivery",
        "cell": "select * from raw.submission_cell",
        "finding": "select finding_id, rule_id, load_id, is_open from quality.finding",
    }
    with warehouse.connect("admin") as connection:
        return {name: sorted(connection.execute(query).fetchall(), key=str) for name, query in queries.items()}


def _findings(warehouse: Warehouse) -> dict[str, str]:
    """Rule of the open finding of each file."""
    with warehouse.connect("gate") as connection:
        return dict(connection.execute("select file_name, rule_id from quality.finding where is_open").fetchall())


def test_land_twice_books_once(ruled: Warehouse, settings: Settings, drop: Path) -> None:
    _write(drop / "a.xlsx", 1)
    _write(drop / "Область" / "b.xlsx", 2)
    first = land_drop(ruled, settings)
    before = _tables(ruled)
    second = land_drop(ruled, settings)
    assert (first.new_count, first.unchanged_count) == (2, 0)
    assert (second.new_count, second.unchanged_count, second.delivery_ids) == (0, 2, ())
    assert _tables(ruled) == before
    with ruled.connect("gate") as connection:
        rows = connection.execute("select path, batch_no, channel, is_sample from raw.delivery order by 1").fetchall()
    assert rows == [("a.xlsx", 1, "sample", True), ("Область/b.xlsx", 1, "sample", True)]


def test_a_then_b_then_a_is_three_deliveries_of_two_returns(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    for value in (100, 200, 100):
        _write(drop / "звіт.xlsx", value)
        land_drop(ruled, settings)
        read_deliveries(ruled, settings, codified.resolve)
    with ruled.connect("gate") as connection:
        rows = connection.execute(
            """
            select delivery.path_seq, delivery.batch_no, cell.value_text
            from raw.delivery
            inner join raw.submission_delivery using (delivery_id)
            inner join raw.submission_cell as cell using (submission_id)
            where cell.indicator_code = 'POP.001' and cell.sex = 'T'
            order by 1
            """
        ).fetchall()
        counts = connection.execute("select count(*) from raw.submission").fetchone()
    assert rows == [(1, 1, "100"), (2, 2, "200"), (3, 3, "100")]
    assert counts == (2,)


def test_litter_links_and_hidden_names_are_not_landed(ruled: Warehouse, settings: Settings, drop: Path) -> None:
    _write(drop / "звіт.xlsx", 1)
    for name in ("~$звіт.xlsx", ".DS_Store", "Thumbs.db", "звіт\x07.xlsx"):
        (drop / name).write_bytes(b"x")
    (drop / ".git").mkdir()
    (drop / ".git" / "config").write_bytes(b"x")
    (drop / "link.xlsx").symlink_to("/etc/hostname")
    result = land_drop(ruled, settings)
    assert result.new_count == 1
    assert sorted(skipped.path for skipped in result.skipped) == sorted(
        ["~$звіт.xlsx", ".DS_Store", "Thumbs.db", "звіт\x07.xlsx", ".git/config", "link.xlsx"]
    )


def test_a_file_that_cannot_be_landed_is_a_finding_until_it_can(
    ruled: Warehouse, settings: Settings, drop: Path
) -> None:
    (drop / "link.xlsx").symlink_to("/etc/hostname")
    (drop / "дзвінок\x07.xlsx").write_bytes(b"x")
    (drop / "зламана\udcff.xlsx").write_bytes(b"x")
    deep = drop.joinpath(*["ш" * 100] * 6)
    deep.mkdir(parents=True)
    (deep / "a.xlsx").write_bytes(b"x")
    (drop / "~$lock.xlsx").write_bytes(b"x")
    for _ in range(2):
        land_drop(ruled, settings)
        assert _findings(ruled) == dict.fromkeys(
            ["link.xlsx", "дзвінок\\x07.xlsx", "зламана\\udcff.xlsx", f"{'/'.join(['ш' * 100] * 6)}/a.xlsx"],
            "FILE_NOT_LANDED",
        )
    with ruled.connect("gate") as connection:
        told = connection.execute(
            "select count(*) over (), message_uk, message_en, is_sample from quality.finding "
            "where file_name = 'link.xlsx'"
        ).fetchall()
    assert told == [
        (
            1,
            "Файл link.xlsx не прийнято, бо це посилання або пристрій, а не файл",
            "The file link.xlsx was not taken, because it is a link or a device, not a file",
            True,
        )
    ]
    (drop / "link.xlsx").unlink()
    _write(drop / "link.xlsx", 1)
    shutil.rmtree(drop / ("ш" * 100))
    (drop / "дзвінок\x07.xlsx").unlink()
    assert land_drop(ruled, settings).new_count == 1
    assert _findings(ruled) == {"зламана\\udcff.xlsx": "FILE_NOT_LANDED"}


def test_format_characters_in_a_name_do_not_keep_a_file_out(ruled: Warehouse, settings: Settings, drop: Path) -> None:
    _write(drop / "Луць\u00adка\u200b.xlsx", 1)
    assert land_drop(ruled, settings).new_count == 1
    with ruled.connect("gate") as connection:
        assert connection.execute("select path from raw.delivery").fetchall() == [("Луцька.xlsx",)]
    _write(drop / "Луцька.xlsx", 2)
    assert land_drop(ruled, settings).new_count == 1
    assert _findings(ruled) == {"Луцька.xlsx": "FILE_NOT_LANDED"}


def test_a_drop_that_is_not_there_is_named(ruled: Warehouse, settings: Settings) -> None:
    with pytest.raises(DropError, match="is not there"):
        land_drop(ruled, settings)


def test_sample_and_real_returns_never_mix(ruled: Warehouse, settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(DropError, match="never mix"):
        land_drop(ruled, settings.model_copy(update={"drop": str(tmp_path)}))


def test_a_drop_is_never_named_with_its_password(ruled: Warehouse, settings: Settings) -> None:
    with pytest.raises(DropError, match="never mix") as refusal:
        land_drop(ruled, settings.model_copy(update={"drop": "s3://key:hush@bucket/returns"}))
    assert "s3://bucket/returns" in str(refusal.value)
    assert "hush" not in str(refusal.value)
    real = replace(ruled, is_sample=False)
    with pytest.raises(DropError, match="nosuch://bucket") as refusal:
        land_drop(real, settings.model_copy(update={"drop": "nosuch://key:hush@bucket/returns"}))
    assert "hush" not in str(refusal.value)


def test_what_a_backend_says_hides_the_password() -> None:
    told = _hide_secrets("cannot reach sftp://ann:hush@host/in: ann:hush refused, hush", "sftp://ann:hush@host/in")
    assert told == "cannot reach sftp://host/in: *** refused, ***"


def test_reading_twice_gives_the_same_tables(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write(drop / "good.xlsx", 1)
    (drop / "empty.xlsx").write_bytes(b"")
    land_drop(ruled, settings)
    first = read_deliveries(ruled, settings, codified.resolve)
    before = _tables(ruled)
    second = read_deliveries(ruled, settings, codified.resolve)
    forced = read_deliveries(ruled, settings, codified.resolve, force=True)
    assert first == ReadResult(1, 1, 1, 4, 1)
    assert second == ReadResult(0, 1, 0, 0, 1)
    assert forced == ReadResult(1, 1, 0, 0, 1)
    assert _tables(ruled) == before


def test_killed_after_some_files_it_goes_on_to_the_same_tables(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("asms.intake.deliveries._BATCH_FILES", 1)
    for number in range(3):
        _write(drop / f"{number}.xlsx", number)
    land_drop(ruled, settings)
    calls = 0

    def resolve_once(text: str, *, region: str | None = None) -> object:
        nonlocal calls
        calls += 1
        if calls > 2:  # the second call checks the first file's visible name
            raise KeyboardInterrupt
        return codified.resolve(text, region=region)

    with pytest.raises(KeyboardInterrupt):
        read_deliveries(ruled, settings, resolve_once)  # type: ignore[arg-type]
    assert len(_tables(ruled)["submission"]) == 1
    read_deliveries(ruled, settings, codified.resolve)
    resumed = _tables(ruled)
    with ruled.connect("admin") as connection:
        connection.execute("truncate raw.submission_cell, raw.submission_delivery, raw.submission, ops.load cascade")
    read_deliveries(ruled, settings, codified.resolve)
    assert _tables(ruled)["cell"] == resumed["cell"]
    assert _tables(ruled)["submission"] == resumed["submission"]
    assert len(resumed["submission"]) == 3


def test_equal_bytes_under_two_names_are_one_return_and_said(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write(drop / "a.xlsx", 1)
    shutil.copy(drop / "a.xlsx", drop / "b.xlsx")
    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, codified.resolve)
    assert (result.read_count, result.new_submission_count) == (2, 1)
    assert _findings(ruled) == {"b.xlsx": "FILE_DUPLICATE_BYTES"}
    assert len(_tables(ruled)["submission_delivery"]) == 2


def test_one_bad_file_leaves_a_finding_and_stops_no_other(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write(drop / "good.xlsx", 1)
    _write(drop / "whose.xlsx", 1, municipality_code="", municipality_name="Миколаїв")
    _write(drop / "nobody.xlsx", 1, municipality_code="UA99999999999999999")
    _write(drop / "copied.xlsx", 1, municipality_name="Луцька міська територіальна громада")
    _write(drop / "when.xlsx", 1, time_period="")
    whole = (drop / "good.xlsx").read_bytes()
    (drop / "cut.xlsx").write_bytes(whole[: len(whole) // 2])
    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, codified.resolve)
    assert (result.read_count, result.failed_count) == (1, 5)
    assert _findings(ruled) == {
        "whose.xlsx": "MUNICIPALITY_AMBIGUOUS",
        "nobody.xlsx": "MUNICIPALITY_NOT_FOUND",
        "copied.xlsx": "MUNICIPALITY_CONTRADICTION",
        "when.xlsx": "PERIOD_NOT_FOUND",
        "cut.xlsx": "FILE_TRUNCATED",
    }
    with ruled.connect("gate") as connection:
        message = connection.execute(
            "select message_uk, remedy_uk, sheet, cell, value_found from quality.finding "
            "where rule_id = 'MUNICIPALITY_AMBIGUOUS'"
        ).fetchone()
    assert message is not None
    assert "Львівська область (UA46100110000018989)" in message[0]
    assert "Миколаївська область (UA48060150000071713)" in message[0]
    assert "область" in message[1]
    assert message[2:] == ("TER", "A2", "Миколаїв")


def test_templates_are_held_against_the_stored_catalogue(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write(drop / "older.xlsx", 1, catalogue_version="older")
    _write(drop / "now.xlsx", 1)
    with ruled.connect("loader") as connection:
        connection.execute("update catalogue.indicator set valid_to = 2023 where indicator_code = 'TER.001'")
    _write(drop / "gone.xlsx", 1, catalogue_version="gone")
    _write(drop / "in time.xlsx", 1, catalogue_version="older", time_period="2023")
    land_drop(ruled, settings)
    read_deliveries(ruled, settings, codified.resolve)
    assert _findings(ruled) == {
        "older.xlsx": "TEMPLATE_OTHER_CATALOGUE",
        "gone.xlsx": "TEMPLATE_OTHER_CATALOGUE",
        "in time.xlsx": "TEMPLATE_OLDER_CATALOGUE",
    }


def test_an_unforeseen_error_in_one_file_is_a_finding(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer, caplog: pytest.LogCaptureFixture
) -> None:
    _write(drop / "a.xlsx", 1)
    _write(drop / "b.xlsx", 2, municipality_code="UA07080170000013585", municipality_name="Луцька")

    def stumble(text: str, *, region: str | None = None) -> object:
        if text == "UA07080170000013585":
            raise ZeroDivisionError("unforeseen")
        return codified.resolve(text, region=region)

    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, stumble)  # type: ignore[arg-type]
    assert (result.read_count, result.failed_count) == (1, 1)
    assert _findings(ruled) == {"b.xlsx": "FILE_UNREADABLE"}
    assert "ZeroDivisionError" in caplog.text


def test_a_replaced_bad_file_closes_its_finding(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    (drop / "звіт.xlsx").write_bytes(b"")
    land_drop(ruled, settings)
    read_deliveries(ruled, settings, codified.resolve)
    assert _findings(ruled) == {"звіт.xlsx": "FILE_EMPTY"}
    _write(drop / "звіт.xlsx", 1)
    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, codified.resolve)
    assert (result.read_count, result.failed_count) == (1, 0)
    assert _findings(ruled) == {}


def test_a_replaced_return_keeps_its_findings_closed_when_read_again(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write(drop / "a.xlsx", 1)
    shutil.copy(drop / "a.xlsx", drop / "b.xlsx")
    land_drop(ruled, settings)
    read_deliveries(ruled, settings, codified.resolve)
    assert _findings(ruled) == {"b.xlsx": "FILE_DUPLICATE_BYTES"}
    (drop / "b.xlsx").write_bytes(b"")
    land_drop(ruled, settings)
    read_deliveries(ruled, settings, codified.resolve)
    with ruled.connect("gate") as connection:
        rows = connection.execute("select rule_id from quality.finding where is_open order by 1").fetchall()
    assert rows == [("FILE_DUPLICATE_BYTES",), ("FILE_EMPTY",)], "the return read last is still the one in use"
    _write(drop / "b.xlsx", 2)
    land_drop(ruled, settings)
    for force in (False, True):
        read_deliveries(ruled, settings, codified.resolve, force=force)
        assert _findings(ruled) == {}


def test_a_failed_file_is_read_once_its_form_is_known(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write(drop / "звіт.xlsx", 1)
    land_drop(ruled, settings)
    tc_only = [form for form in load_forms() if form.form_code == "TC2018"]
    read_deliveries(ruled, settings, codified.resolve, forms=tc_only)
    assert _findings(ruled) == {"звіт.xlsx": "FORM_NOT_RECOGNISED"}
    read_deliveries(ruled, settings, codified.resolve)
    assert _findings(ruled) == {}
    with ruled.connect("gate") as connection:
        loads = connection.execute("select status, reader_version from ops.load order by status").fetchall()
    assert [status for status, _ in loads] == ["failed", "loaded"]
    assert loads[1][1] == "ASMS-ANNUAL/2"


def test_a_file_beyond_the_size_limit_is_landed_and_refused(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    with (drop / "video.xlsx").open("wb") as stream:
        stream.truncate((50 << 20) + 1)
    assert land_drop(ruled, settings).new_count == 1
    read_deliveries(ruled, settings, codified.resolve)
    assert _findings(ruled) == {"video.xlsx": "FILE_TOO_LARGE"}


def _write_heavy(path: Path) -> None:
    """A sheet of 600,000 rows of the form's own: within every limit of size, slow and large to read."""
    _write(path, 1)
    rows = "".join(f'<row r="{row}"><c r="A{row}"><v>{row}</v></c></row>' for row in range(1, 600_001))
    _replace_part(path, "xl/worksheets/sheet2.xml", f"<worksheet><sheetData>{rows}</sheetData></worksheet>")


def test_a_file_that_takes_too_much_memory_stops_no_other(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    for name in ("a", "z"):
        _write(drop / f"{name}.xlsx", ord(name))
    _write_heavy(drop / "heavy.xlsx")
    _write(drop / "far.xlsx", 2)
    far = '<worksheet><sheetData><row r="1"><c r="A1"><v>1</v></c><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    _replace_part(drop / "far.xlsx", "xl/worksheets/sheet2.xml", far)
    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, codified.resolve, limits=Limits(memory_bytes=140 << 20))
    assert _findings(ruled) == {"heavy.xlsx": "FILE_TOO_HEAVY", "far.xlsx": "SHEET_TOO_LARGE"}
    assert (result.read_count, result.failed_count, result.new_submission_count) == (3, 1, 3)


def test_a_file_that_takes_too_long_is_named(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write_heavy(drop / "heavy.xlsx")
    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, codified.resolve, limits=Limits(seconds=0.01))
    assert (result.read_count, result.failed_count) == (0, 1)
    assert _findings(ruled) == {"heavy.xlsx": "FILE_TOO_SLOW"}


def test_a_trial_is_marked_by_its_folder(ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer) -> None:
    _write(drop / "_test" / "a.xlsx", 1)
    _write(drop / "b" / "_test" / "a.xlsx", 2)
    land_drop(ruled, settings)
    assert read_deliveries(ruled, settings, codified.resolve).read_count == 2
    with ruled.connect("gate") as connection:
        rows = connection.execute("select path, is_test from raw.delivery order by 1").fetchall()
    assert rows == [("_test/a.xlsx", True), ("b/_test/a.xlsx", False)]


def test_csv_and_json_land_beside_workbooks(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    head = f"form;ASMS-ANNUAL\nmunicipality_code;{VINNYTSIA}\ntime_period;2024\ncode;sex;value\n"
    (drop / "a.csv").write_bytes((head + "TER.001;;12,5\nPOP.001;Ж;1\\2\t3\nPOP.001;К;5\n").encode("cp1251"))
    answers = '[{"code": "POP.001", "sex": "T", "value": 7}]'
    (drop / "b.json").write_text(
        f'{{"form": "ASMS-ANNUAL", "municipality_code": "{VINNYTSIA}", "time_period": "2024", "answers": {answers}}}'
    )
    (drop / "c.json").write_text('{"form": ')
    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, codified.resolve)
    assert (result.read_count, result.failed_count, result.cell_count) == (2, 1, 3)
    assert _findings(ruled) == {"a.csv": "SEX_NOT_RECOGNISED", "c.json": "FILE_BROKEN_JSON"}
    with ruled.connect("gate") as connection:
        rows = connection.execute(
            "select sheet, cell, indicator_code, sex, value_text, value_type from raw.submission_cell order by 1, 2"
        ).fetchall()
    assert rows == [
        ("/answers", "/answers/0/value", "POP.001", "T", "7", "number"),
        ("CSV", "5:3", "TER.001", "T", "12,5", "text"),
        ("CSV", "6:3", "POP.001", "F", "1\\2\t3", "text"),
    ]


def test_lost_landing_bytes_are_told_per_file(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    _write(drop / "звіт.xlsx", 1)
    land_drop(ruled, settings)
    shutil.rmtree(settings.landing)
    read_deliveries(ruled, settings, codified.resolve)
    assert _findings(ruled) == {"звіт.xlsx": "FILE_UNREADABLE"}


def test_a_store_that_cannot_be_read_stops_the_reading(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    """No sender is told that their file is unreadable because our disk is."""
    _write(drop / "звіт.xlsx", 1)
    land_drop(ruled, settings)
    (landed,) = (file for file in Path(settings.landing).rglob("*") if file.is_file())
    landed.rename(landed.with_name("aside"))
    landed.mkdir()
    with pytest.raises(OSError, match="directory"):
        read_deliveries(ruled, settings, codified.resolve)
    assert _findings(ruled) == {}


def test_a_clock_put_back_leaves_the_newer_reading_in_force(warehouse: Warehouse) -> None:
    read = (
        "insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample, loaded_at) "
        "values (%s, 'submissions', 'd', %s, 'loaded', true, now() + %s * interval '1 day')"
    )
    with warehouse.connect("loader") as connection:
        connection.execute(read, ("older", "1", 3))
        connection.execute(read, ("newer", "2", 0))
        newest = connection.execute("select load_id from ops.load order by loaded_at desc").fetchall()
    assert newest == [("newer",), ("older",)]


def test_rules_that_are_not_stored_are_asked_for(
    warehouse: Warehouse, settings: Settings, drop: Path, codified: Gazetteer
) -> None:
    (drop / "empty.xlsx").write_bytes(b"")
    land_drop(warehouse, settings)
    with pytest.raises(LookupError, match="FILE_EMPTY"):
        read_deliveries(warehouse, settings, codified.resolve)


def test_without_a_codifier_it_says_which_dag_to_run(warehouse: Warehouse) -> None:
    with warehouse.connect("loader") as connection, pytest.raises(NoCodifierError, match="ingest_katottg"):
        Gazetteer.from_warehouse(connection)


def test_the_twenty_real_questionnaires(
    ruled: Warehouse, settings: Settings, drop: Path, codified: Gazetteer, real_data: Path
) -> None:
    shutil.copytree(real_data / "submissions" / "transparent_cities_2018", drop, dirs_exist_ok=True)
    land_drop(ruled, settings)
    result = read_deliveries(ruled, settings, codified.resolve)
    assert result == ReadResult(20, 0, 20, 340, 0)
    with ruled.connect("gate") as connection:
        per_city = connection.execute(
            """
            select submission.municipality_code, count(*), count(distinct cell.indicator_code)
            from raw.submission
            inner join raw.submission_cell as cell using (submission_id)
            where submission.collection_code = 'TC2018' and submission.time_period = '2018'
            group by 1
            """
        ).fetchall()
        types = dict(
            connection.execute(
                """
                select case when trim(coalesce(value_text, '')) = '' then 'blank' else value_type end, count(*)
                from raw.submission_cell
                group by 1
                """
            ).fetchall()
        )
        codes = connection.execute("select distinct indicator_code from raw.submission_cell order by 1").fetchall()
        texts = connection.execute(
            """
            select submission.municipality_text, submission.municipality_code, cell.cell, cell.value_text
            from raw.submission
            inner join raw.submission_cell as cell using (submission_id)
            where value_type = 'text' and trim(value_text) != ''
            order by 1
            """
        ).fetchall()
        renamed = connection.execute(
            "select municipality_code from raw.submission where file_name = 'Южноукраїнськ.xlsx'"
        ).fetchone()
    assert len(per_city) == 20
    assert {(count, codes_count) for _, count, codes_count in per_city} == {(17, 17)}
    assert types == {"number": 320, "text": 2, "blank": 18}
    assert [code for (code,) in codes] == [f"A{number}" for number in range(16131, 16148)]
    assert texts == [
        ("Ізюм", "UA63040090000021240", "H7", "0.2"),
        ("Дунаївці", "UA68020050000040518", "H7", "0.5"),
    ]
    assert renamed == ("UA48040250000044166",)


def test_a_drop_may_be_a_url(warehouse: Warehouse, settings: Settings, drop: Path) -> None:
    _write(drop / "звіт.xlsx", 1)
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/drop-by-url/Луцьк/звіт.xlsx", (drop / "звіт.xlsx").read_bytes())
    real = replace(warehouse, is_sample=False)
    by_url = settings.model_copy(update={"drop": "memory://drop-by-url"})
    assert land_drop(real, by_url).new_count == 1
    assert land_drop(real, by_url).unchanged_count == 1
    with warehouse.connect("gate") as connection:
        row = connection.execute("select channel, path, is_sample from raw.delivery").fetchone()
    assert row == ("drop:memory://drop-by-url", "Луцьк/звіт.xlsx", False)


def test_a_replay_of_open_data_alone_has_no_drop(warehouse: Warehouse, settings: Settings, tmp_path: Path) -> None:
    real = replace(warehouse, is_sample=False)
    assert land_drop(real, settings.model_copy(update={"replay": tmp_path})).new_count == 0
