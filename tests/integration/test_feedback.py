"""From a dropped return to the report on it and back: what the sender gets, what he explains, and what that does to findings."""

import email
import json
import random
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from email import policy
from io import BytesIO
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from openpyxl.worksheet.worksheet import Worksheet

from asms.catalogue import Catalogue, load_catalogue, store_catalogue
from asms.feedback import FeedbackError, MadeFeedback, make_feedback
from asms.geography import Gazetteer
from asms.intake import land_drop, read_deliveries
from asms.intake.landing import LandingStore
from asms.intake.template import TemplateAnswer, write_template
from asms.notify import notify
from asms.offline import render_model
from asms.quality.decisions import decide_explanation, list_explanations
from asms.quality.peers import apply_peer_rules
from asms.quality.rules import apply_rules
from asms.returns import list_questions
from asms.settings import Settings, load_settings
from asms.sources.katottg import fetch as fetch_katottg
from asms.warehouse.build import start_build
from asms.warehouse.connection import Warehouse
from asms.warehouse.migrate import prepare
from tests.conftest import copied

VINNYTSIA = "UA05020030000031457"
LUTSK, RIVNE, LVIV = "UA07080170000013585", "UA56060470000086729", "UA46060250000025047"
# All that rules read, in the order in which each reads the ones before. dbt takes half a minute to make the same of it.
STAGED = (
    "stg_ops__load", "stg_submissions__delivery", "stg_submissions__return", "stg_catalogue__indicator",
    "stg_catalogue__formula_input", "stg_submissions__cell", "stg_submissions__sorted_cell", "stg_submissions__latest_cell",
    "stg_submissions__input",
)  # fmt: skip
LAYERS = Path(__file__).with_name("quality_layers.sql").read_text(encoding="utf-8")
SEED = Path(__file__).parents[2] / "dbt_project" / "seeds" / "missing_reason.csv"
WARNING = "CHK.CUL.003.1"  # visits >= readers
HOSTILE = '=HYPERLINK("http://example.org";"<b>x</b>")'
Answers = Mapping[str, object]


@dataclass
class House:
    """A warehouse with codifier and catalogue, and the drop that returns are put into."""

    warehouse: Warehouse
    settings: Settings
    catalogue: Catalogue
    gazetteer: Gazetteer
    drop: Path

    def send(
        self,
        name: str,
        answers: Answers,
        *,
        domains: tuple[str, ...] = ("CUL", "POP"),
        body: str = VINNYTSIA,
        edit: Callable[[openpyxl.Workbook], object] | None = None,
    ) -> None:
        """Put a return of our form into the drop, as a spreadsheet program saves it after ``edit``."""
        write_template(
            self.drop / name,
            indicators=[row for row in list_questions(self.catalogue, 2024) if row.domain_code in domains],
            municipality_code=body,
            municipality_name=self.gazetteer.resolve(body).candidates[0].label,
            time_period="2024",
            catalogue_version=self.catalogue.catalogue_version,
            answers={(code, "T"): TemplateAnswer(value) for code, value in answers.items()},
        )
        if edit is not None:
            book = openpyxl.load_workbook(self.drop / name)
            edit(book)
            book.save(self.drop / name)

    def read(self) -> None:
        """What the night's ingest does."""
        land_drop(self.warehouse, self.settings)
        read_deliveries(self.warehouse, self.settings, self.gazetteer.resolve)

    def check(self, *, is_staged: bool = False) -> None:
        """What the night's build does up to the rules; ``is_staged`` says that staging is as it would be."""
        build = start_build(self.warehouse, force=True)
        if not is_staged:
            self.stage()
        apply_rules(self.warehouse, build.build_id, build.is_full)

    def stage(self) -> None:
        """Make the tables that rules read by the models' own SQL; no register of the population is loaded."""
        reasons = [line.split(",") for line in SEED.read_text(encoding="utf-8").splitlines()[1:]]
        with self.warehouse.connect("transformer") as connection:
            connection.execute(
                "drop table if exists staging.missing_reason, staging.stg_population__municipality;"
                "create table staging.missing_reason (reason_text text, obs_status text, status_reason text);"
                "create table staging.stg_population__municipality"
                " (municipality_code text, time_period text, population bigint)"
            )
            connection.cursor().executemany("insert into staging.missing_reason values (%s, %s, %s)", reasons)
            for model in STAGED:
                connection.execute(f"drop table if exists staging.{model}".encode())
                connection.execute(f"create table staging.{model} as {render_model(model)}".encode())

    def answer(self) -> MadeFeedback:
        return make_feedback(self.warehouse, self.settings, catalogue=self.catalogue)

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        with self.warehouse.connect("admin") as connection:
            return connection.execute(query).fetchall()  # type: ignore[arg-type]  # SQL of these tests

    def report(self, kind: str = "xlsx") -> Path:
        """The file of the report that was made last on a return."""
        ((path,),) = self.rows(
            f"select {'workbook' if kind == 'xlsx' else kind}_path from quality.feedback order by made_at desc limit 1"
        )
        return self.settings.home / path


@pytest.fixture(scope="module")
def furnished(template_warehouse: Warehouse, pg_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Gazetteer:
    """Database ``feedback_furnished`` with catalogue and codifier, which tests copy and never touch, and its gazetteer."""
    ours = replace(template_warehouse, database="feedback_furnished", is_sample=True)
    prepare(ours)
    store_catalogue(ours)
    folder = tmp_path_factory.mktemp("codifier")
    settings = load_settings({"ASMS_HOME": str(folder), "ASMS_CREDENTIALS": str(pg_home / "credentials.json")})
    fetch_katottg(ours, settings, LandingStore(settings.landing).put)
    with ours.connect("loader") as connection:
        return Gazetteer.from_warehouse(connection)


@pytest.fixture
def house(template_warehouse: Warehouse, settings: Settings, furnished: Gazetteer) -> Iterator[House]:
    drop = settings.home / "sample" / "drop"
    drop.mkdir(parents=True)
    with copied(replace(template_warehouse, database="feedback_furnished")) as copy:
        yield House(copy, settings, load_catalogue(), furnished, drop)


def find(house: House, rule: str, code: str, value: str, cell: str = "D5") -> None:
    """Open a finding on the newest return, as the rules do."""
    with house.warehouse.connect("gate") as connection:
        connection.execute(
            "insert into quality.finding (finding_id, rule_id, severity, dataset, submission_id, collection_code,"
            " municipality_code, time_period, indicator_code, sex, file_name, sheet, cell, value_found, message_uk, message_en,"
            " remedy_uk, remedy_en) select md5(rule_id || submission_id || %(value)s || %(code)s), rule_id, severity,"
            " 'submissions', submission_id, collection_code, municipality_code, time_period, %(code)s, 'T', file_name, 'CUL',"
            " %(cell)s, %(value)s, title_uk, title_en, remedy_uk, remedy_en from quality.rule cross join raw.submission"
            " where rule_id = %(rule)s",
            {"rule": rule, "code": code, "value": value, "cell": cell},
        )


def list_rows(sheet: Worksheet) -> list[dict[str, Any]]:
    """Lines of the first sheet's list, by Ukrainian title."""
    rows = list(sheet.iter_rows(values_only=True))
    header = next(number for number, row in enumerate(rows) if row[0] == "№\nNo.")
    titles = [str(title).partition("\n")[0] for title in rows[header]]
    return [dict(zip(titles, row, strict=True)) for row in rows[header + 1 :] if row[0]]


def explain(report: Path, target: Path, texts: Mapping[str, str]) -> None:
    """Save a copy of the report with ``texts`` beside the findings on these cells, as a sender does."""
    book = openpyxl.load_workbook(report)
    sheet = book.worksheets[0]
    header = next(cell.row for cell in sheet["A"] if cell.value == "№\nNo.")
    titles = {str(cell.value).partition("\n")[0]: cell.column for cell in sheet[header]}
    for row in range(header + 1, sheet.max_row + 1):
        text = texts.get(str(sheet.cell(row, titles["Клітинка"]).value))
        if text is not None:
            sheet.cell(row, titles["Пояснення відправника"]).value = text
    book.save(target)


def test_from_a_dropped_return_to_its_report_and_back(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.002": 5000, "CUL.003": 1, "CUL.001": "сорок", "POP.001": 370000})
    house.read()
    house.check()
    made = house.answer()
    assert (made.report_count, made.failures) == (1, [])

    book = openpyxl.load_workbook(house.report())
    lines = {line["Клітинка"]: line for line in list_rows(book.worksheets[0])}
    (visits,) = [cell for cell, line in lines.items() if str(line["Показник"]).startswith("CUL.003")]
    assert lines[visits]["Важливість"] == "Попередження\nWarning"
    told = json.loads(house.report("json").read_text(encoding="utf-8"))
    assert told["counts"]["total"] == len(lines) == made.finding_count
    assert told["counts"]["warning"] >= 1 <= told["counts"]["error"]
    assert {item["rule_id"] for item in told["findings"]} >= {WARNING, "CELL_NOT_A_NUMBER"}
    sheet = book["CUL"]
    assert sheet[visits].value == 1 and "Попередження" in sheet[visits].comment.text
    assert sheet[visits].fill.start_color.rgb == "FFFFEB9C"
    assert sheet["D5"].value == "сорок" and sheet["D5"].fill.start_color.rgb == "FFFFC7CE"
    assert sheet["D6"].value == 5000 and sheet["D6"].fill.patternType is None
    unchanged = house.answer()
    assert unchanged == MadeFeedback(cpu_seconds=unchanged.cpu_seconds)  # nothing changed, so nothing is made

    explain(house.report(), house.drop / "відповідь.xlsx", {visits: "Бібліотеку було зачинено на ремонт"})
    house.read()
    (offered,) = list_explanations(house.warehouse)
    assert (offered.status, offered.rule_id, offered.indicator_code) == ("offered", WARNING, "CUL.003")
    assert (offered.municipality_code, offered.time_period, offered.file_name) == (VINNYTSIA, "2024", "відповідь.xlsx")
    assert house.rows("select count(*) from raw.submission") == [(1,)]  # it is no return
    assert house.answer().report_count == 1
    lines = {line["Клітинка"]: line for line in list_rows(openpyxl.load_workbook(house.report()).worksheets[0])}
    assert lines[visits]["Пояснення відправника"] == "Бібліотеку було зачинено на ремонт"
    assert lines[visits]["Стан пояснення"] == "очікує розгляду\nwaits for a decision"

    is_open = f"select value_found, is_open from quality.finding where rule_id = '{WARNING}' order by value_found"
    ((value_before, _),) = house.rows(is_open)
    assert decide_explanation(house.warehouse, offered.explanation_id, "accepted", "olena")
    assert house.rows(is_open) == [(value_before, False)]
    house.check(is_staged=True)
    assert house.rows("select count(*) from ops.build_decision") == [(1,)]  # the build sets out to publish it
    assert house.rows(is_open) == [(value_before, False)]  # the rules leave it silent
    assert house.answer().report_count == 1
    assert WARNING not in house.report("json").read_text(encoding="utf-8")

    house.send("звіт.xlsx", {"CUL.002": 5000, "CUL.003": 2, "CUL.001": 40, "POP.001": 370000})
    house.read()
    house.check()
    assert dict(house.rows(is_open))[value_before] is False
    assert sorted(row[1] for row in house.rows(is_open)) == [False, True]  # a new value is a new question
    house.answer()
    assert house.report("json").read_text(encoding="utf-8").count(WARNING) == 1


LONG = "X" + "".join(random.Random(850).choices("ABCDEFGHIJ0123456789", k=31_999))  # noqa: S311 - no secret; no index packs it
TYPED_IN: Mapping[str, tuple[object, str | None]] = {
    "POP.001": ("370\u00a0123", None),  # a total pasted as text is the number that it shows
    "POP.002": ("1.234,5", "CELL_NOT_A_NUMBER"),  # in two ways
    "POP.003": ("Разом: 1200", "CELL_NOT_A_NUMBER"),
    "REV.001": ("12,5 тис. грн", "CELL_UNIT_STATED"),  # the unit that is asked for
    "REV.002": ("12,5 млн грн", "CELL_UNIT_TYPED_IN"),
    "REV.003": ("−0,0", None),  # a negative zero is a zero
    "REV.004": ("45 %", "CELL_UNIT_TYPED_IN"),
    "GOV.010": (0.85, "CHK.GOV.010.SHARE"),  # also what Excel holds where it shows 85 %
    "LND.018": ("4,5 %", "CELL_UNIT_STATED"),
    "CUL.001": (HOSTILE, "CELL_NOT_A_NUMBER"),
    "CUL.002": ("@SUM(A1)", "CELL_NOT_A_NUMBER"),
    "CUL.003": ("+38044\u202e", "CELL_NOT_A_NUMBER"),
    "CUL.004": ("<script>alert(1)</script>", "CELL_NOT_A_NUMBER"),
    "CUL.005": (LONG, "CELL_NOT_A_NUMBER"),
    "CUL.006": (1, "CELL_FORMULA_NO_VALUE"),  # a program wrote =1+1 and no result
}
"""What people type or paste into a cell, and the rule that tells them of it."""
GOOD = {"CUL.001": 5, "CUL.002": 5000, "CUL.003": 5}
COUNTED = {"POP.001": 370123, "REV.001": 12.5, "REV.003": 0, "GOV.010": 0.85, "LND.018": 4.5}


def test_what_people_type_in_is_told_to_each_and_touches_nobody_else(house: House) -> None:
    def spoil(book: openpyxl.Workbook) -> None:
        (formula,) = (row[3] for row in book["CUL"].iter_rows() if row[0].value == "CUL.006")
        formula.value = "=1+1"
        book["CUL"].append([LONG, None, None, 7])
        book.remove(book["SOC"])

    domains = ("POP", "REV", "GOV", "LND", "CUL", "SOC")
    house.send("=звіт.xlsx", {code: value for code, (value, _) in TYPED_IN.items()}, domains=domains, edit=spoil)
    lines = f"form;ASMS-ANNUAL\nmunicipality_code;{LUTSK}\ntime_period;2024\ncode;value\n"
    lines += "GOV.010;4500\nCUL.001;12,5 тис. од.\nCUL.002;-0,0\n"
    (house.drop / "лист.csv").write_bytes(lines.encode("cp1251"))
    values = '{"code": "CUL.001", "value": "сорок"}, {"code": "CUL.002", "value": null, "reason": "не хочу"}'
    answers = f'"time_period": "2024", "answers": [{values}]}}'
    (house.drop / "а.json").write_text(f'{{"form": "ASMS-ANNUAL", "municipality_code": "{RIVNE}", {answers}', "utf-8")
    (house.drop / "б.json").write_text(f'{{"form": "ASMS-ANNUAL", "municipality_code": "\\ud800", {answers}', "utf-8")
    (house.drop / "в.json").write_text('{"form": "\\ud800", "\\ud800": 1, "\\ud800": 2}', "utf-8")
    house.send("добрий.xlsx", GOOD, body=LVIV, domains=("CUL",))
    house.read()
    house.check()
    assert house.answer().failures == []

    reports = {
        name: (house.settings.home / path, json.loads((house.settings.home / told).read_text(encoding="utf-8")))
        for name, path, told in house.rows("select file_name, workbook_path, json_path from quality.feedback")
    }
    found = {name: told["findings"] for name, (_, told) in reports.items()}
    assert {(item["rule_id"], item["file_name"]) for name in ("б.json", "в.json") for item in found[name]} == {
        ("FILE_BROKEN_JSON", "б.json"), ("JSON_DUPLICATE_KEY", "в.json"),
    }  # fmt: skip
    assert {
        tuple(item[key] for key in ("rule_id", "indicator_code", "sheet", "cell", "value_found"))
        for item in found["а.json"]
    } >= {
        ("CELL_NOT_A_NUMBER", "CUL.001", "/answers", "/answers/0/value", "сорок"),
        ("CELL_REASON_UNKNOWN", "CUL.002", "/answers", "/answers/1/value", "не хочу"),
    }
    in_csv = {item["indicator_code"]: (item["rule_id"], item["sheet"], item["cell"]) for item in found["лист.csv"]}
    assert in_csv["GOV.010"] == ("CELL_OUT_OF_BOUNDS", "CSV", "5:2")
    assert in_csv["CUL.001"] == ("CELL_UNIT_TYPED_IN", "CSV", "6:2")
    assert "CUL.002" not in in_csv

    of_values = ("CELL_", "CHK.GOV.010.SHARE", "CHK.LND.018.SHARE")
    told = [
        item
        for item in found["=звіт.xlsx"]
        if item["rule_id"].startswith(of_values) and item["indicator_code"] in TYPED_IN
    ]
    assert {(item["indicator_code"], item["rule_id"]) for item in told} == {
        (c, r) for c, (_, r) in TYPED_IN.items() if r
    }
    assert all(item["sheet"] == item["indicator_code"][:3] and item["cell"] and item["remedy_uk"] for item in told)
    others = {(item["rule_id"], item["sheet"]): item for item in found["=звіт.xlsx"] if item not in told}
    assert others["FORM_SHEET_MISSING", None]["value_found"] == "SOC"
    assert others["CELL_UNKNOWN_CODE", "CUL"]["value_found"] == "7"
    assert ("TEMPLATE_CODES_CHANGED", "CUL") in others
    book = openpyxl.load_workbook(reports["=звіт.xlsx"][0])
    listed = [line for line in list_rows(book.worksheets[0]) if line["Як виправити"]]
    assert len(listed) == len(found["=звіт.xlsx"])
    cells = [cell for sheet in book.worksheets for row in sheet.iter_rows() for cell in row]
    assert not [cell.coordinate for cell in cells if cell.data_type == "f"]
    risky = [cell for cell in cells if str(cell.value)[:1] in ("=", "+", "-", "@") and cell.data_type == "s"]
    assert len(risky) > len(listed) and all(cell.quotePrefix for cell in risky)  # also the name of the file

    assert found.get("добрий.xlsx", []) == []
    accepted = "select municipality_code, indicator_code, obs_value from staging.stg_submissions__latest_cell where obs_status = 'A'"
    stand = house.rows(accepted)
    assert {row[1]: row[2] for row in stand if row[0] == LVIV} == GOOD
    assert {row[1]: row[2] for row in stand if row[0] == VINNYTSIA} == COUNTED
    assert {row[1]: row[2] for row in stand if row[0] == LUTSK} == {"GOV.010": 4500, "CUL.002": 0}
    longest = "select max(length(indicator_code)) from staging.stg_submissions__latest_cell"
    assert house.rows(longest) == [(300,)]  # an index of that column takes no long text


def test_a_figure_far_from_peers_is_told_by_report_and_mail_and_can_be_explained(house: House) -> None:
    """WAT.D06 is WAT.013 / WAT.010 × 10. The other ten of the group have it as the models of the build leave it."""
    house.send("звіт.xlsx", {"WAT.010": 100, "WAT.013": 9500}, domains=("WAT",))
    house.read()
    ((submission_id, cell),) = house.rows(
        "select submission_id, cell from raw.submission_cell where indicator_code = 'WAT.013'"
    )
    with house.warehouse.connect("transformer") as connection:
        connection.execute(LAYERS)  # type: ignore[arg-type]  # SQL of these tests
        rows = [(VINNYTSIA, 950.0), *((f"S{n}", 4 + n / 10) for n in range(1, 11))]
        for body, value in rows:
            connection.execute(
                "insert into indicators.int_peer_group__membership values (%s, 'size', 'size:small')", (body,)
            )
            connection.execute(
                "insert into indicators.int_indicator__derived values ('ASMS', %s, '2024', 'WAT.D06', 'T', %s, 'A')",
                (body, value),
            )
        connection.execute(
            "insert into indicators.int_observation__accepted values"
            " ('ASMS', %s, '2024', 'WAT.013', 'T', 9500, 'A', %s, 'WAT', %s, 'l')",
            (VINNYTSIA, submission_id, cell),
        )
        connection.execute(
            "insert into staging.stg_submissions__latest_cell (collection_code, municipality_code, time_period)"
            " values ('ASMS', %s, '2024')",
            (VINNYTSIA,),
        )
    build = start_build(house.warehouse, force=True)
    assert apply_peer_rules(house.warehouse, build.build_id, True) == {"pass": 10, "fail": 1}
    with house.warehouse.connect("publisher") as connection:
        connection.execute("update ops.build set status = 'published'")

    assert (house.answer().report_count, house.answer().report_count) == (1, 0)
    title = "WAT.D06 «Аварійність водопровідних мереж» далеко від значень громад подібного розміру"
    book = openpyxl.load_workbook(house.report())
    (line,) = list_rows(book.worksheets[0])
    assert str(line["Показник"]).startswith("WAT.013") and line["Клітинка"] == cell
    assert (line["Знайдено"], line["Очікувалося"]) == ("950", "≈ 4,6")
    assert str(line["Що не так"]).startswith(title) and "WAT.013 / WAT.010 × 10" in str(line["Як виправити"])
    told = book["WAT"][cell]
    assert told.value == 9500 and told.fill.start_color.rgb == "FFFFEB9C" and title in told.comment.text
    assert title in house.report("html").read_text(encoding="utf-8")
    assert [item["rule_id"] for item in json.loads(house.report("json").read_text("utf-8"))["findings"]] == [
        "PEER.WAT.D06"
    ]
    ((to_coordinator,),) = house.rows("select body_text from quality.alert")
    assert "попередження: 1" in to_coordinator and "950" not in to_coordinator

    assert notify(house.warehouse, house.settings, build.build_id).mail_count > 0
    mails = [
        email.message_from_bytes(file.read_bytes(), policy=policy.default) for file in house.settings.outbox.iterdir()
    ]
    (staff,) = [mail for mail in mails if mail["To"] == "staff@example.org"]
    for kind in ("plain", "html"):
        body = " ".join(str(staff.get_body((kind,)).get_content()).split())  # type: ignore[union-attr]  # it has both
        for part in (
            title,
            "PEER.WAT.D06",
            "звіт.xlsx",
            "WAT.013[T]",
            cell,
            "950",
            "≈ 4,6",
            "≈ 4.6",
            "WAT.013 / WAT.010 × 10",
        ):
            assert part in body, (kind, part)

    explain(house.report(), house.drop / "відповідь.xlsx", {cell: "Зношені мережі, аварій справді стільки"})
    house.read()
    (offered,) = list_explanations(house.warehouse)
    assert (offered.rule_id, offered.indicator_code) == ("PEER.WAT.D06", "WAT.013")
    assert decide_explanation(house.warehouse, offered.explanation_id, "accepted", "olena")
    apply_peer_rules(house.warehouse, build.build_id, True)
    assert house.rows("select is_open from quality.finding where rule_id = 'PEER.WAT.D06'") == [(False,)]


def test_mail_tells_counts_and_no_values_once(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.001": 987654})
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "987654")
    assert house.answer().mail_count == 1
    ((recipient, subject, text, html),) = house.rows(
        "select recipient, subject, body_text, body_html from quality.alert"
    )
    assert recipient == f"{VINNYTSIA.lower()}@example.org"
    assert "зауважень 1" in subject and "Вінницька" in subject
    for body in (text, html):
        assert "помилка: 1" in body and "error: 1" in body and "звіт.xlsx" in body and "987654" not in body
    with house.warehouse.connect("gate") as connection:  # as if the ledger had been lost
        connection.execute("update quality.feedback_state set state_hash = ''")
        connection.execute("update quality.feedback set is_latest = false")
    again = house.answer()
    assert (again.report_count, again.mail_count) == (1, 0)


def test_coordinators_come_from_the_file_of_the_setting(house: House, tmp_path: Path) -> None:
    file = tmp_path / "coordinators.csv"
    file.write_text(
        f"municipality_code,address\n{VINNYTSIA},a@example.org\n{VINNYTSIA},b@example.org\n", encoding="utf-8"
    )
    house.settings = house.settings.model_copy(update={"coordinators": file})
    house.send("звіт.xlsx", {"CUL.001": 1})
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "1")
    assert house.answer().mail_count == 2
    assert house.rows("select recipient from quality.alert order by 1") == [("a@example.org",), ("b@example.org",)]


def test_hostile_content_stays_inert(house: House) -> None:
    house.send("-=<script>alert(1).xlsx", {"CUL.001": HOSTILE, "CUL.002": "<r><t>x</t></r>"})
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", HOSTILE + "\u202e\x0b<script>")
    house.answer()
    data = house.report().read_bytes()
    book = openpyxl.load_workbook(BytesIO(data))
    assert all(cell.data_type != "f" for sheet in book.worksheets for row in sheet.iter_rows() for cell in row)
    assert book["CUL"]["D5"].value == HOSTILE and book["CUL"]["D5"].quotePrefix
    assert book["CUL"]["D6"].value == "<r><t>x</t></r>"
    page = house.report("html").read_text(encoding="utf-8")
    assert "<script>" not in page and "&lt;script&gt;" in page and "\u202e" not in page
    ((html,),) = house.rows("select body_html from quality.alert")
    assert "<script>" not in html and "&lt;script&gt;" in html


def test_equal_findings_give_equal_bytes_after_a_kill_before_the_ledger(house: House) -> None:
    class KilledError(BaseException):
        pass

    def kill(_report: object) -> None:
        raise KilledError

    house.send("звіт.xlsx", {"CUL.001": "сорок"})
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "сорок")
    with pytest.raises(KilledError):
        make_feedback(house.warehouse, house.settings, catalogue=house.catalogue, after_files=kill)
    folder = house.settings.home / "feedback" / "2024" / VINNYTSIA
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    assert len(before) == 3 and house.rows("select 1 from quality.feedback union all select 1 from quality.alert") == []
    for file in folder.iterdir():
        file.write_bytes(b"half")
    assert house.answer().report_count == 1
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert house.rows("select count(*) from quality.alert") == [(1,)]


def test_a_return_without_findings_gets_a_report_only_when_it_had_some(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.001": 1})
    house.read()
    assert house.answer().report_count == 0
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "1")
    assert house.answer().report_count == 1
    with house.warehouse.connect("gate") as connection:
        connection.execute("update quality.finding set is_open = false")
    assert house.answer().report_count == 1
    assert "Зауважень немає" in house.report("html").read_text(encoding="utf-8")


def test_a_finding_on_a_missing_cell_points_at_where_it_belongs(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.001": 1}, domains=("CUL",))
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "POP.001", "∅", cell="D9")
    house.answer()
    (line,) = list_rows(openpyxl.load_workbook(house.report()).worksheets[0])
    assert str(line["Показник"]).startswith("POP.001")


def test_a_corrected_file_is_told_what_is_still_wrong_in_it(house: House) -> None:
    """An unchanged answer stays in force by the first file, but the sender corrects the last one that he sent."""
    house.send("перший.xlsx", {"CUL.001": "сорок", "CUL.002": 1})
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "сорок")
    house.answer()
    house.send("другий.xlsx", {"CUL.001": "сорок", "CUL.002": 2})
    house.read()
    house.answer()
    latest = dict(house.rows("select file_name, error_count from quality.feedback order by made_at"))
    assert latest == {"перший.xlsx": 1, "другий.xlsx": 1}


def test_of_two_files_that_stand_the_last_to_answer_a_cell_is_told(house: House) -> None:
    house.send("увесь.xlsx", {"CUL.001": "сорок", "POP.001": 1})
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "сорок")
    house.answer()
    house.send("культура.xlsx", {"CUL.001": "сорок"}, domains=("CUL",))
    house.read()
    house.answer()
    told = dict(house.rows("select file_name, error_count from quality.feedback where is_latest"))
    assert told == {"увесь.xlsx": 0, "культура.xlsx": 1}


def test_a_trial_takes_nothing_from_the_return_in_earnest_and_explains_nothing(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.001": "сорок"})
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "сорок")
    (house.drop / "_test").mkdir()
    house.send("_test/звіт.xlsx", {"CUL.001": 1, "CUL.002": 2})
    house.read()
    find(house, WARNING, "CUL.001", "1")
    house.rows(f"delete from quality.finding where rule_id = '{WARNING}' and file_name = 'звіт.xlsx' returning 1")
    house.answer()
    told = "select file_name, error_count, warning_count from quality.feedback where is_latest order by 1"
    assert house.rows(told) == [("_test/звіт.xlsx", 0, 1), ("звіт.xlsx", 1, 0)]
    ((path,),) = house.rows("select workbook_path from quality.feedback where file_name = '_test/звіт.xlsx'")
    explain(house.settings.home / path, house.drop / "_test" / "відповідь.xlsx", {"D5": "ремонт"})
    house.read()
    assert list_explanations(house.warehouse) == []
    explain(house.settings.home / path, house.drop / "відповідь.xlsx", {"D5": "ремонт"})
    house.read()
    assert [one.text for one in list_explanations(house.warehouse)] == ["ремонт"]


def test_a_file_that_cannot_be_read_is_answered_too(house: House) -> None:
    (house.drop / "зламаний.xlsx").write_bytes(b"PK\x03\x04 broken")
    house.read()
    assert (house.answer().report_count, house.answer().report_count) == (1, 0)
    told = json.loads(house.report("json").read_text(encoding="utf-8"))
    assert (told["municipality_code"], told["form_code"], told["counts"]["error"]) == (None, None, 1)
    assert house.report().parent.name == "unread"
    assert house.rows("select 1 from quality.alert") == []


@pytest.mark.parametrize(
    ("name", "text", "spot"),
    [
        (
            "звіт.csv",
            f"form;ASMS-ANNUAL\nmunicipality_code;{VINNYTSIA}\ntime_period;2024\n"
            "code;sex;value;reason;remark\nCUL.001;T;сорок;;\n",
            "C5",
        ),
        (
            "звіт.json",
            json.dumps(
                {
                    "form": "ASMS-ANNUAL",
                    "municipality_code": VINNYTSIA,
                    "time_period": "2024",
                    "answers": [{"code": "CUL.001", "value": "сорок"}],
                }
            ),
            "B2",
        ),
    ],
)
def test_a_return_of_text_is_answered_with_its_lines(house: House, name: str, text: str, spot: str) -> None:
    (house.drop / name).write_text(text, encoding="utf-8")
    house.read()
    house.check()
    assert house.answer().failures == []
    sheet = openpyxl.load_workbook(house.report()).worksheets[1]
    assert sheet[spot].value == "сорок" and sheet[spot].fill.start_color.rgb == "FFFFC7CE"


def test_a_form_that_is_not_ours_keeps_its_layout(house: House) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Анкета '1'"
    for row in (
        ["", "Розділ", "Питання", "Бал", None, None, None, "Оцінка", "Примітка"],
        ["A16131", "Р1", HOSTILE, 1, None, None, None, "так", None],
    ):
        sheet.append([cell for cell in row])
    sheet["C2"].data_type = "s"  # text, as the sender typed it
    (house.drop / "Вінницька").mkdir()
    book.save(house.drop / "Вінницька" / "Вінниця.xlsx")
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "A16131", "так", cell="H2")
    house.answer()
    made = openpyxl.load_workbook(house.report())
    copied = made.worksheets[1]
    assert (copied["A2"].value, copied["C2"].value, copied["D2"].value, copied["H2"].value) == (
        "A16131",
        HOSTILE,
        1,
        "так",
    )
    assert copied["C2"].data_type == "s" and copied["H2"].comment is not None


@pytest.mark.parametrize(
    ("rule", "text", "told"),
    [
        ("CELL_NOT_A_NUMBER", "бо так", "EXPLANATION_OF_ERROR"),
        (WARNING, "а" * 2001, "EXPLANATION_TOO_LONG"),
    ],
)
def test_what_cannot_be_explained_is_told(house: House, rule: str, text: str, told: str) -> None:
    house.send("звіт.xlsx", {"CUL.001": 1})
    house.read()
    find(house, rule, "CUL.001", "1")
    house.answer()
    explain(house.report(), house.drop / "відповідь.xlsx", {"D5": text})
    house.read()
    assert list_explanations(house.warehouse) == []
    assert house.rows("select file_name from quality.finding where rule_id = '" + told + "'") == [("відповідь.xlsx",)]


def test_old_reports_are_removed_and_the_newest_of_each_return_never(house: House) -> None:
    def names(kind: str) -> list[str]:
        return sorted(file.name for file in (house.settings.home / "feedback").rglob(f"*.{kind}"))

    house.send("звіт.xlsx", {"CUL.002": 5000, "CUL.003": 1})
    house.read()
    made = []
    for value in "1234":
        find(house, WARNING, "CUL.003", value, cell="D7")
        made.append(house.answer())
    assert [one.removed_count for one in made] == [0, 0, 1, 1]
    assert house.rows("select count(*) from quality.feedback") == [(4,)], "the ledger keeps every report"
    assert len(names("xlsx")) == len(names("html")) == len(names("json")) == 2
    latest = house.report()
    assert latest.exists()

    old = house.rows("select workbook_path from quality.feedback order by made_at limit 1")[0][0]
    (house.settings.home / old).write_bytes(b"left by a kill")
    assert house.answer().removed_count == 1
    assert house.answer().removed_count == 0
    assert latest.exists() and not (house.settings.home / old).exists()


def test_a_value_corrected_in_the_report_is_told_and_not_taken(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.002": 5000, "CUL.003": 1.1, "CUL.001": "сорок", "CUL.004": 0.1 + 0.2})
    house.read()
    find(house, WARNING, "CUL.003", "1.1", cell="D7")
    house.answer()
    explain(house.report(), house.drop / "як є.xlsx", {"D7": "Так було"})
    house.read()
    edited = "select sheet, cell, value_found, municipality_code from quality.finding where rule_id = 'FEEDBACK_VALUE_EDITED'"
    assert house.rows(edited) == []

    book = openpyxl.load_workbook(house.drop / "як є.xlsx")
    book["CUL"]["D5"], book["CUL"]["D7"], book["POP"]["D5"] = 40, None, 7
    book.save(house.drop / "виправлений.xlsx")
    house.read()
    assert sorted(house.rows(edited), key=str) == [
        ("CUL", "D5", "40", VINNYTSIA), ("CUL", "D7", None, VINNYTSIA), ("POP", "D5", "7", VINNYTSIA),
    ]  # fmt: skip
    (offered,) = list_explanations(house.warehouse)
    assert offered.text == "Так було"
    assert house.rows("select count(*) from raw.submission") == [(1,)]


def test_a_report_with_an_edited_id_or_list_is_refused_by_name(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.001": 1})
    house.read()
    find(house, WARNING, "CUL.001", "1")
    house.answer()
    explain(house.report(), house.drop / "a.xlsx", {"D5": "пояснення"})
    book = openpyxl.load_workbook(house.drop / "a.xlsx")
    for row in book.worksheets[0].iter_rows():
        if isinstance(row[12].value, str) and len(row[12].value) == 32:
            row[12].value = "0" * 32
    book.save(house.drop / "a.xlsx")
    book.worksheets[0].delete_cols(11)
    book.save(house.drop / "b.xlsx")
    house.read()
    found = dict(house.rows("select file_name, rule_id from quality.finding where rule_id like 'EXPLANATION%'"))
    assert found == {"a.xlsx": "EXPLANATION_OF_UNKNOWN", "b.xlsx": "EXPLANATION_LIST_CHANGED"}
    assert list_explanations(house.warehouse) == []


def test_the_same_explanation_again_is_no_second_one(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.001": 1})
    house.read()
    find(house, WARNING, "CUL.001", "1")
    house.answer()
    for name in ("a.xlsx", "b.xlsx"):
        explain(house.report(), house.drop / name, {"D5": "ремонт"})
        house.read()
    (one,) = list_explanations(house.warehouse)
    assert decide_explanation(house.warehouse, one.explanation_id, "refused", "olena")
    assert not decide_explanation(house.warehouse, one.explanation_id, "refused", "olena")
    assert house.rows(f"select is_open from quality.finding where rule_id = '{WARNING}'") == [(True,)]
    house.answer()
    assert "не прийнято" in house.report("html").read_text(encoding="utf-8")


def test_one_report_that_cannot_be_made_stops_no_other(house: House) -> None:
    house.send("звіт.xlsx", {"CUL.001": 1})
    (house.drop / "зламаний.xlsx").write_bytes(b"PK\x03\x04 broken")
    house.read()
    find(house, "CELL_NOT_A_NUMBER", "CUL.001", "1")
    place = house.settings.home / "feedback" / "2024"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"a file where a folder must be")
    with pytest.raises(FeedbackError, match="1 reports could not be made"):
        house.answer()
    assert house.rows("select file_name from quality.feedback") == [("зламаний.xlsx",)]
    place.unlink()
    assert house.answer().report_count == 1
