"""A drop in which everything goes wrong at once: each bad file is told by name, and the good ones load as if it were not there."""

import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import openpyxl

from asms.catalogue import load_catalogue, store_catalogue
from asms.geography import Gazetteer
from asms.intake import land_drop, read_deliveries
from asms.intake.form_definition import load_forms
from asms.intake.form_reading import read_return
from asms.intake.landing import LandingStore
from asms.intake.template import TemplateAnswer, TemplateRow, write_template
from asms.settings import Settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.connection import Warehouse
from tests.bench.national import CELL_COUNT, list_hromadas, write_national_cycle
from tests.unit.intake.test_workbook import MALFORMED

GOOD_COUNT = 100
ROWS = (
    TemplateRow("TER.001", "TER", "Територія", "Площа", "Area", "км²", False),
    TemplateRow("POP.001", "POP", "Населення", "Населення", "Population", "осіб", True),
)
HOSTILE = ('=HYPERLINK("http://a.b")', "<script>alert(1)</script>", "x" * 32_000, "+38044", "@SUM(A1)", "12,5 тис. грн")
CSV = "form;ASMS-ANNUAL\nmunicipality_code;{code}\ntime_period;2024\ncode;value\nPOP.001;{value}\n"
Edit = Callable[[openpyxl.Workbook], object]


def _small(path: Path, code: str, name: str, edit: Edit | None = None, **changes: Any) -> None:
    """A return of two sheets, as a spreadsheet program saves it after ``edit``."""
    named = {"municipality_code": code, "municipality_name": name, "time_period": "2024"}
    version = load_catalogue().catalogue_version
    answers = {("POP.001", "T"): TemplateAnswer(changes.pop("value", 7))}
    write_template(path, indicators=ROWS, catalogue_version=version, answers=answers, **(named | changes))
    if edit is not None:
        book = openpyxl.load_workbook(path)
        edit(book)
        book.save(path)


def _widen(path: Path) -> None:
    """Fill the row of the first answer over 20,000 columns, more than any spreadsheet program has."""
    with zipfile.ZipFile(path) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    sheet = "xl/worksheets/sheet2.xml"
    letters = [f"{chr(65 + n // 676)}{chr(65 + n // 26 % 26)}{chr(65 + n % 26)}" for n in range(676, 17_576)]
    letters += [f"A{name}" for name in letters[:3_100]]
    cells = "".join(f'<c r="{name}5"><v>1</v></c>' for name in letters)
    parts[sheet] = re.sub(rb'(<row r="5".*?)</row>', rb"\1" + cells.encode() + b"</row>", parts[sheet], flags=re.DOTALL)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)


# What cannot be read at all, or not trusted: how the workbook is changed, and the rule that tells it.
REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "чужий шаблон": ({"municipality_name": "Луцька міська територіальна громада"}, "MUNICIPALITY_CONTRADICTION"),
    "нічий": ({"municipality_code": "UA99999999999999999"}, "MUNICIPALITY_NOT_FOUND"),
    "котрий": ({"municipality_code": "", "municipality_name": "Миколаїв"}, "MUNICIPALITY_AMBIGUOUS"),
    "без року": ({"time_period": ""}, "PERIOD_NOT_FOUND"),
    "рік поправлено": ({"edit": lambda book: book["TER"].__setitem__("D2", "2025")}, "PERIOD_CONTRADICTION"),
    "код поправлено": ({"edit": lambda book: book["_asms"].__setitem__("B4", "UA0")}, "TEMPLATE_IDENTITY_EDITED"),
    "без стовпця кодів": (
        {"edit": lambda book: [book[name].__setitem__("A4", "Рядок") for name in ("TER", "POP")]},
        "FORM_CODE_COLUMN_MISSING",
    ),
}
# What is read, and what is told of it besides.
READ: dict[str, tuple[dict[str, Any], str | None]] = {
    "рядки вставлено": ({"edit": lambda book: book["POP"].insert_rows(2, 3)}, "TEMPLATE_LAYOUT_CHANGED"),
    "рядок вилучено": ({"edit": lambda book: book["TER"].delete_rows(5)}, "TEMPLATE_CODES_CHANGED"),
    "аркуш вилучено": ({"edit": lambda book: book.remove(book["TER"])}, "FORM_SHEET_MISSING"),
    "аркуші переставлено": ({"edit": lambda book: book.move_sheet("POP", -1)}, None),
    "аркуш перейменовано": ({"edit": lambda book: setattr(book["POP"], "title", "Люди")}, None),
    "двічі": ({"edit": lambda book: setattr(book.copy_worksheet(book["TER"]), "title", "копія")}, "SHEET_NOT_MAPPED"),
    **{f"вороже {number}": ({"value": text}, None) for number, text in enumerate(HOSTILE)},
}


def test_everything_bad_at_once_is_told_and_touches_no_good_return(warehouse: Warehouse, settings: Settings) -> None:
    drop = settings.home / "sample" / "drop"
    assert write_national_cycle(drop, count=GOOD_COUNT) == GOOD_COUNT * CELL_COUNT
    good = sorted(drop.iterdir())
    others = iter([(hromada.code, hromada.name) for hromada in list_hromadas()[GOOD_COUNT:]])
    told: dict[str, str | None] = {}

    unlike = ("1 GB of zeros", "csv named xlsx")  # the first takes seconds; the second is read as the CSV that it is
    for number, (kind, (make, rule)) in enumerate(MALFORMED.items()):
        if kind not in unlike:
            name = f"зламаний {number}.xlsx"
            (drop / name).write_bytes(make())
            told[name] = rule
    for name, (changes, rule) in {**REFUSED, **READ}.items():
        _small(drop / f"{name}.xlsx", *next(others), **changes)
        told[f"{name}.xlsx"] = rule
    _small(drop / "широкий.xlsx", *next(others))
    _widen(drop / "широкий.xlsx")
    code, _ = next(others)
    (drop / "лист.csv").write_bytes(CSV.format(code=code, value="12,5 тис. грн").encode("cp1251"))
    (drop / "лист.json").write_text('{"form": "ASMS-ANNUAL"', encoding="utf-8")
    (drop / "..\\..\\windows\\evil.xlsx").write_bytes(good[0].read_bytes())
    (drop / "ще раз.xlsx").write_bytes(good[0].read_bytes())
    told |= {
        "широкий.xlsx": None, "лист.csv": None, "лист.json": "FILE_BROKEN_JSON", "ще раз.xlsx": "FILE_DUPLICATE_BYTES",
        "..\\..\\windows\\evil.xlsx": "FILE_NOT_LANDED",
    }  # fmt: skip

    store_catalogue(warehouse, load_catalogue())
    fetch_katottg(warehouse, settings, LandingStore(settings.landing).put)
    with warehouse.connect("loader") as connection:
        gazetteer = Gazetteer.from_warehouse(connection)
    land_drop(warehouse, settings)
    read_deliveries(warehouse, settings, gazetteer.resolve)

    with warehouse.connect("gate") as connection:
        findings = connection.execute(
            "select file_name, rule_id from quality.finding where is_open and remedy_uk <> '' and message_uk <> ''"
        ).fetchall()
        assert sorted(findings) == sorted((name, rule) for name, rule in told.items() if rule is not None)
        cells = (
            "select sheet, cell, indicator_code, code_text, sex, value_text, value_type, reason_text, remark_text"
            " from raw.submission_cell inner join raw.submission using (submission_id) where file_name = %s"
        )
        forms = load_forms()
        for file in good:
            loaded = connection.execute(cells, (file.name,)).fetchall()
            alone = read_return(file.read_bytes(), file.name, forms, gazetteer.resolve)
            assert sorted(loaded) == sorted(map(tuple, alone.cells)), file.name
            assert len(loaded) == CELL_COUNT
        kept = dict(
            connection.execute(
                "select file_name, value_text from raw.submission_cell inner join raw.submission using (submission_id)"
                " where indicator_code = 'POP.001' and sex = 'T' and not file_name like 'UA%%'"
            ).fetchall()
        )
    read = {name for name in told if name.removesuffix(".xlsx") in READ} | {"широкий.xlsx", "лист.csv"}
    texts = {f"вороже {number}.xlsx": text for number, text in enumerate(HOSTILE)} | {"лист.csv": "12,5 тис. грн"}
    assert kept == {name: texts.get(name, "7") for name in read}
