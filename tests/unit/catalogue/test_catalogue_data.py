"""The files of the catalogue: complete, sound, and saying what the plan of the association says."""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from asms.catalogue import Catalogue, CatalogueError, check_catalogue, load_catalogue
from asms.catalogue.compile import compile_catalogue
from asms.paths import DBT_DIR, PROJECT_ROOT

DATA = PROJECT_ROOT / "include" / "asms" / "catalogue" / "data"

# the 24 worked formulas, as the association's plan writes them
PLANNED_FORMULAS = {
    "TER.D01": "POP.001 / TER.001",
    "POP.D03": "(POP.010 − POP.011) / avg(POP.001[t], POP.001[t+1]) × 1000",
    "LAB.D02": "(LAB.006[M] − LAB.006[F]) / LAB.006[M] × 100",
    "REV.D05": "REV.001 × 1000 / avg(POP.001[t], POP.001[t+1])",
    "EXP.D04": "EXP.035 / EXP.001 × 100",
    "ECO.D01": "(ECO.001 + ECO.002) / POP.001 × 10000",
    "LND.D01": "LND.021 / TER.004 × 100",
    "HOU.D01": "HOU.001 × 1000 / POP.001",
    "WAT.D02": "(WAT.001 − WAT.002) / WAT.001 × 100",
    "HEA.D03": "HEA.021 × 1163 / HEA.022",
    "IMP.D02": "IMP.020 × 10000 / POP.001",
    "WST.D01": "WST.005 / POP.001 × 100",
    "TRN.D01": "TRN.006 / TRN.005 × 100",
    "ENV.D01": "ENV.001 × 1000 / POP.001",
    "EDU.D01": "EDU.001 / EDU.002 × 100",
    "HLT.D01": "HLT.005 / POP.001 × 100",
    "SOC.D01": "SOC.010 / HOU.002 × 100",
    "CUL.D01": "CUL.003 × 1000 / POP.001",
    "SPY.D01": "SPY.003 / POP.025 × 100",
    "GEN.D01": "GEN.001[F] / GEN.001[T] × 100",
    "GOV.D01": "GOV.015 / POP.001 × 1000",
    "DIG.D01": "DIG.002 / GOV.016 × 100",
    "SAF.D01": "SAF.002 / POP.001 × 100",
    "INT.D01": "INT.004 × 1000 / POP.001",
}

# submitted, of these split by sex, derived: the counts of the association's plan
PLANNED_COUNTS = {
    "TER": (18, 0, 2),
    "POP": (52, 24, 16),
    "LAB": (36, 16, 12),
    "REV": (56, 0, 22),
    "EXP": (70, 0, 28),
    "ECO": (52, 4, 18),
    "LND": (36, 0, 12),
    "HOU": (40, 0, 12),
    "WAT": (46, 0, 18),
    "HEA": (38, 0, 14),
    "IMP": (40, 0, 12),
    "WST": (26, 0, 10),
    "TRN": (30, 0, 10),
    "ENV": (30, 0, 12),
    "EDU": (66, 18, 24),
    "HLT": (42, 14, 16),
    "SOC": (40, 16, 14),
    "CUL": (32, 4, 10),
    "SPY": (24, 8, 8),
    "GEN": (18, 14, 14),
    "GOV": (30, 12, 12),
    "DIG": (12, 2, 6),
    "SAF": (10, 2, 4),
    "INT": (6, 0, 4),
}


@pytest.fixture(scope="module")
def catalogue() -> Catalogue:
    return load_catalogue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the files that a test may spoil."""
    return Path(shutil.copytree(DATA, tmp_path / "data"))


def _edit(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_the_catalogue_is_sound(catalogue: Catalogue) -> None:
    assert check_catalogue(catalogue) == []


def test_every_domain_has_the_planned_counts(catalogue: Catalogue) -> None:
    annual = [card for card in catalogue.indicators if card.collection_code == "ASMS"]
    counts = {
        domain: (
            sum(card.domain_code == domain and not card.is_derived for card in annual),
            sum(card.domain_code == domain and not card.is_derived and card.is_sex_split for card in annual),
            sum(card.domain_code == domain and card.is_derived for card in annual),
        )
        for domain in dict.fromkeys(card.domain_code for card in annual)
    }
    assert counts == PLANNED_COUNTS
    assert list(counts) == list(PLANNED_COUNTS)
    assert tuple(map(sum, zip(*counts.values(), strict=True))) == (850, 134, 310)


def test_the_cities_questionnaire_is_there_and_does_not_count(catalogue: Catalogue) -> None:
    cities = [card.indicator_code for card in catalogue.indicators if card.collection_code == "TC2018"]
    assert cities == [f"A{number}" for number in range(16131, 16148)]
    assert [c.collection_code for c in catalogue.collections if c.counts_for_completeness] == ["ASMS"]


def test_every_planned_formula_is_there(catalogue: Catalogue) -> None:
    assert {code: catalogue.by_code[code].formula for code in PLANNED_FORMULAS} == PLANNED_FORMULAS


def test_exactly_shelters_and_critical_infrastructure_are_restricted(catalogue: Catalogue) -> None:
    """Whatever is added here never reaches a mart, so it is added on purpose."""
    restricted = [card.indicator_code for card in catalogue.indicators if card.conf_status == "restricted"]
    assert restricted == [
        "WAT.050", "WAT.051", "WAT.052", "WAT.053", "HEA.010", "HEA.011", "HEA.012", "HEA.013", "ENV.042", "ENV.D12",
        "EDU.048", "EDU.D21", "HLT.052", "HLT.053", "SAF.001", "SAF.002", "SAF.009", "SAF.010", "SAF.D01", "SAF.D04",
    ]  # fmt: skip


def test_small_groups_of_persons_are_protected(catalogue: Catalogue) -> None:
    small = {card.indicator_code for card in catalogue.indicators if card.conf_status == "suppress_small"}
    assert {"POP.030", "SOC.005", "SOC.015", "GEN.008", "SAF.004", "HLT.032", "EDU.060", "GEN.023"} <= small


def test_units_give_their_power_of_ten(catalogue: Catalogue) -> None:
    assert {card.unit_mult for card in catalogue.indicators if card.unit_measure.startswith("тис.")} == {3}
    assert catalogue.by_code["REV.D05"].unit_mult == 0
    assert catalogue.by_code["HEA.021"].unit_mult == 0


def test_the_charter_status_is_a_code_and_never_summed(catalogue: Catalogue) -> None:
    card = catalogue.by_code["GEN.005"]
    assert (card.indicator_type, card.aggregation) == ("attribute", "none")


def test_definitions_are_sentences_of_their_own(catalogue: Catalogue) -> None:
    for card in catalogue.indicators:
        assert card.definition_uk.endswith("."), card.indicator_code
        assert len(card.definition_uk.split()) >= 6, card.indicator_code
        assert re.search("[а-яіїєґ]", card.definition_uk), card.indicator_code


def test_every_sex_split_count_must_add_up(catalogue: Catalogue) -> None:
    summed = {c.indicator_code for c in catalogue.indicators if c.is_sex_split and c.aggregation == "sum"}
    assert summed == {rule.rule_id.removeprefix("SUM.") for rule in catalogue.rules if rule.rule_id.startswith("SUM.")}
    assert "LAB.006" not in summed  # a mean wage of women and one of men do not add up


def test_hard_limits_are_errors_and_one_rule_is_fatal(catalogue: Catalogue) -> None:
    severities = {rule.rule_id: rule.severity for rule in catalogue.rules}
    hard = ["WAT.002", "WAT.011", "IMP.002", "WST.002", "WST.005", "TRN.006"]
    assert {severities[f"CHK.{code}.1"] for code in hard} == {"error"}
    assert severities["CHK.EXP.010.1"] == "warning"
    assert [rule_id for rule_id, severity in severities.items() if severity == "fatal"] == ["CHK.POP.001.SCALE"]


def test_typing_knows_its_rules(catalogue: Catalogue) -> None:
    """Rule ids that the staging models write are in the registry; an unknown one would be a finding without words."""
    known = {rule.rule_id for rule in catalogue.rules}
    written = {
        rule_id
        for file in DBT_DIR.glob("models/**/*.sql")
        for rule_id in re.findall(r"'((?:CELL|RETURN)_[A-Z_]+)'", file.read_text(encoding="utf-8"))
    }
    assert written - known == set()


def test_the_version_follows_the_content(folder: Path, catalogue: Catalogue) -> None:
    same = load_catalogue(folder)
    assert same.catalogue_version == catalogue.catalogue_version
    assert re.fullmatch("[0-9a-f]{12}", same.catalogue_version)
    _edit(folder / "indicators" / "TER.csv", "км²", "кв. км")
    assert load_catalogue(folder).catalogue_version != catalogue.catalogue_version


def test_line_ends_and_byte_order_marks_of_spreadsheets_change_nothing(folder: Path, catalogue: Catalogue) -> None:
    file = folder / "indicators" / "TER.csv"
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert load_catalogue(folder).catalogue_version == catalogue.catalogue_version


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("indicators/TER.csv", "км²,1,stock", "км²,one,stock", r"TER\.csv, line 2: decimals"),
        ("indicators/TER.csv", "Area of the hromada", "", r"TER\.csv, line 2: name_en"),
        ("indicators/TER.csv", "км²,1,stock", "км²,1,1,stock", r"TER\.csv, line 2: .*columns expected"),
        ("domains.csv", "TER,ASMS", "TRR,ASMS", r"TRR\.csv"),
        ("rules/returns.yaml", "severity: error", "severity: grave", r"returns\.yaml, CELL_NOT_A_NUMBER: severity"),
        ("rules/returns.yaml", "owner: intake", "owned: intake", r"returns\.yaml, CELL_NOT_A_NUMBER"),
        ("indicators/WAT.csv", "error: WAT.002", "hard: WAT.002", r"card WAT\.002, check 1: write 'error: CHECK'"),
        ("indicators/WAT.csv", "WAT.002 <= WAT", "WAT.002 = WAT", r"card WAT\.002, check 1: the column checks"),
    ],
)
def test_a_faulty_file_is_named(folder: Path, file: str, old: str, new: str, message: str) -> None:
    _edit(folder / file, old, new)
    with pytest.raises(CatalogueError, match=message):
        load_catalogue(folder)


def test_rule_files_that_appear_are_picked_up(folder: Path, catalogue: Catalogue) -> None:
    text = (folder / "rules" / "returns.yaml").read_text(encoding="utf-8")
    first = text[text.index("- rule_id") : text.index("- rule_id", text.index("- rule_id") + 1)]
    (folder / "rules" / "extra.yaml").write_text(first.replace("CELL_NOT_A_NUMBER", "EXTRA"), encoding="utf-8")
    assert {rule.rule_id for rule in load_catalogue(folder).rules} - {r.rule_id for r in catalogue.rules} == {"EXTRA"}
    (folder / "rules" / "twice.yaml").write_text(first, encoding="utf-8")
    assert check_catalogue(load_catalogue(folder)) == ["rule CELL_NOT_A_NUMBER is there 2 times"]


@pytest.mark.parametrize(
    ("code", "change", "problem"),
    [
        ("TER.D01", {"formula": "POP.D03 / TER.001"}, "formulas go round in a circle: .*TER.D01.*POP.D03.*"),
        ("TER.D01", {"formula": "POP.001 / TER.999"}, "card TER.D01: indicator TER.999 is not in the catalogue"),
        ("TER.D01", {"formula": "POP.001 / TER.001[F]"}, "card TER.D01: TER.001 is not asked by sex"),
        ("TER.D01", {"formula": "100"}, "card TER.D01: its formula names no indicator"),
        ("TER.D01", {"formula": " * ".join(["POP.001"] * 21)}, "card TER.D01: its formula could leave the range"),
        ("TER.D01", {"formula": "POP.001 // TER.001"}, "card TER.D01: .* at character 10 of: POP.001 // TER.001"),
        ("TER.D01", {"formula": None}, "aggregation is 'recompute'"),
        ("TER.D01", {"source": "prefilled:katottg"}, "source is 'derived' exactly where there is a formula"),
        ("WAT.001", {"checks": None, "source": "derived"}, "source is 'derived' exactly where"),
        ("SAF.D01", {"conf_status": "free"}, "card SAF.D01: it is free, but SAF.002 in its formula is restricted"),
        ("LAB.006", {"aggregation": "weighted:LAB.999"}, "its weight LAB.999"),
        ("TER.001", {"valid_to": 2001}, "valid_to 2001 is before"),
    ],
)
def test_a_faulty_card_is_a_problem(catalogue: Catalogue, code: str, change: dict[str, object], problem: str) -> None:
    others: dict[str, dict[str, object]] = {"POP.D03": {"formula": "TER.D01 × 2"}} if "circle" in problem else {}
    cards = tuple(
        card.model_copy(update=({code: change} | others).get(card.indicator_code)) for card in catalogue.indicators
    )
    problems = check_catalogue(replace(catalogue, indicators=cards))
    assert problems
    assert re.search(problem, problems[0]), problems


def test_a_rule_must_ask_about_its_own_card(catalogue: Catalogue) -> None:
    rule = next(rule for rule in catalogue.rules if rule.rule_id == "CHK.WST.001.PER_CAPITA")
    stray = rule.model_copy(update={"indicator_code": "WST.002"})
    rules = tuple(stray if r is rule else r for r in catalogue.rules)
    assert check_catalogue(replace(catalogue, rules=rules)) == [
        "rule CHK.WST.001.PER_CAPITA: its expression does not ask about WST.002 of this period"
    ]


def test_a_rule_reads_no_later_year(catalogue: Catalogue) -> None:
    """Not even through a formula: a build does not ask last year's rules again when the next year comes."""
    rule = next(rule for rule in catalogue.rules if rule.rule_id == "CHK.WST.001.PER_CAPITA")
    ahead = rule.model_copy(update={"expression": "WST.001 <= POP.D03 × 1000"})
    rules = tuple(ahead if r is rule else r for r in catalogue.rules)
    assert check_catalogue(replace(catalogue, rules=rules)) == [
        "rule CHK.WST.001.PER_CAPITA: it reads a later year, and is asked when the return comes"
    ]


def test_only_the_population_can_be_held_against_the_register(catalogue: Catalogue) -> None:
    """The arrays know no other register: another code would silently be held against the population."""
    rule = next(rule for rule in catalogue.rules if rule.rule_id == "CHK.POP.001.REGISTER")
    stray = rule.model_copy(update={"indicator_code": "POP.010", "expression": "POP.010[T] = register(POP.010) ± 20 %"})
    rules = tuple(stray if r is rule else r for r in catalogue.rules)
    assert check_catalogue(replace(catalogue, rules=rules)) == [
        "rule CHK.POP.001.REGISTER: the warehouse has a register of POP.001 only, not of POP.010"
    ]


def test_derived_references_are_put_in_full_with_their_sex_and_year(catalogue: Catalogue) -> None:
    changes = {"TER.D01": {"formula": "SPY.D01[t-1] / HLT.D01[F]", "is_sex_split": True}}
    cards = tuple(card.model_copy(update=changes.get(card.indicator_code, {})) for card in catalogue.indicators)
    compiled = compile_catalogue(replace(catalogue, indicators=cards, rules=()))

    orders = {formula.indicator_code: formula.compute_order for formula in compiled.formulas}
    assert orders["TER.D01"] > max(orders["SPY.D01"], orders["HLT.D01"])
    of_men = next(f for f in compiled.formulas if (f.indicator_code, f.sex) == ("TER.D01", "M"))
    slots = {int(slot) for slot in re.findall(r"v\[(\d+)\]", of_men.value_sql)}
    inputs = {(i.indicator_code, i.sex, i.period_offset) for i in (compiled.inputs[slot - 1] for slot in slots)}
    assert inputs == {("SPY.003", "M", -1), ("POP.025", "M", -1), ("HLT.005", "F", 0), ("POP.001", "F", 0)}


def test_slots_of_formulas_do_not_depend_on_rules(catalogue: Catalogue) -> None:
    assert compile_catalogue(catalogue).formulas == compile_catalogue(replace(catalogue, rules=())).formulas


def test_no_text_of_a_rule_is_cut_at_a_hash(catalogue: Catalogue) -> None:
    """YAML takes ' #' in plain text for the start of a comment, so that the sender would read half a sentence."""
    for rule in catalogue.rules:
        for text in (rule.title_uk, rule.title_en, rule.remedy_uk, rule.remedy_en):
            assert text.count("(") == text.count(")"), f"{rule.rule_id}: {text}"
