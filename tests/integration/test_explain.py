"""Where a figure comes from: formula, inputs, file, cell, rules, explanations and releases, and how that is shown."""

import json
from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from asms.cli import cli
from asms.explain import Certificate, ExplainError, draw_tree, explain_value, write_page
from asms.explain.gather import spell_value
from asms.warehouse.connection import Warehouse
from asms.warehouse.release import NoReleaseError
from tests.conftest import copied

_SHA = "5a" * 32
# A.D1 = A.1 ÷ A.2 of the same sex. A.1 was 10 in release 1 and is 12 since release 2; women's A.1 was refused by a rule.
_SETUP = f"""
insert into ops.build (status, is_full, reason) values ('published', true, 'x'), ('published', true, 'x');
insert into ops.release (release_id, build_id, fact_count, code_version, catalogue_version, is_sample)
values (1, 1, 0, 'x', 'x', true), (2, 2, 0, 'x', 'x', true);
insert into ops.current_release (release_id) values (2);
create table published.dim_municipality (municipality_code text, name_uk text, release_from bigint, release_to bigint);
insert into published.dim_municipality values ('UA1', 'Перша', 1, null);
create table published.dim_indicator (
    indicator_code text, name_uk text, formula text, is_sex_split boolean, release_from bigint, release_to bigint
);
insert into published.dim_indicator values
('A.1', 'Діти', null, true, 1, null), ('A.2', 'Групи', null, false, 1, null),
('A.D1', 'Наповнюваність', 'A.1 / A.2 × 100', true, 1, null);
create table published.dim_indicator_history (
    indicator_code text, formula text, valid_from integer, valid_to integer, release_from bigint, release_to bigint
);
insert into published.dim_indicator_history values
('A.D1', 'A.2 + A.1', 2011, 2023, 1, null), ('A.D1', 'A.1 / A.2 × 100', 2024, null, 1, null);
create table published.fct_indicator_value (
    municipality_code text, collection_code text, indicator_code text, time_period text, sex text, obs_value double precision,
    obs_status text, unit_measure text, is_derived boolean, submission_id text, release_from bigint, release_to bigint,
    obs_source text, register_value double precision, conf_status text default 'free'
);
insert into published.fct_indicator_value values
('UA1', 'ASMS', 'A.1', '2024', 'T', 10, 'A', 'осіб', false, 's1', 1, 2),
('UA1', 'ASMS', 'A.1', '2024', 'T', 12, 'A', 'осіб', false, 's2', 2, null),
('UA1', 'ASMS', 'A.1', '2024', 'F', null, 'M_Q', 'осіб', false, 's2', 1, null),
('UA1', 'ASMS', 'A.2', '2024', 'T', 4, 'A', 'од.', false, 's2', 1, null),
('UA1', 'ASMS', 'A.D1', '2024', 'T', 250, 'A', '%', true, null, 1, 2),
('UA1', 'ASMS', 'A.D1', '2024', 'T', 300, 'A', '%', true, null, 2, null),
('UA1', 'ASMS', 'A.D1', '2024', 'F', null, 'M_NR', '%', true, null, 1, null);
grant select on all tables in schema published to asms_gate;
insert into ops.load (load_id, source, delivery_id, reader_version, status, is_sample)
values ('l1', 'submissions', 'd1', '1', 'loaded', true);
insert into raw.delivery (delivery_id, source, channel, path, path_seq, sha256, size_bytes, batch_no, received_at, is_sample)
values ('d1', 'submissions', 'mail', 'a.xlsx', 1, '{_SHA}', 1, 1, '2025-02-01 10:00+02', true);
insert into raw.submission values
('s1', 'l1', '{_SHA}', 'перший.xlsx', 'F', '1', 'ASMS', 'UA1', 'Перша', '2024', 1),
('s2', 'l1', '{_SHA}', '<script>alert(1)</script>.xlsx', 'F', '2', 'ASMS', 'UA1', 'Перша', '2024', 3);
insert into raw.submission_delivery values ('d1', 's1', 'l1'), ('d1', 's2', 'l1');
insert into raw.submission_cell (submission_id, sheet, cell, indicator_code, code_text, sex, value_text, value_type) values
('s1', 'A', 'D5', 'A.1', 'A.1', 'T', '10', 'number'), ('s2', 'A', 'D5', 'A.1', 'A.1', 'T', ' 12 ', 'text'),
('s2', 'A', 'E5', 'A.1', 'A.1', 'F', '99', 'number'), ('s2', 'A', 'D6', 'A.2', 'A.2', 'T', '4', 'number');
insert into quality.rule (rule_id, engine, level, severity, title_uk, title_en, remedy_uk, remedy_en, owner) values
('X.SUM', 'sql', 'fields', 'error', 'Жінок більше, ніж усіх', 'x', 'x', 'x', 'x'),
('X.YEAR', 'sql', 'periods', 'warning', 'Зміна за рік', 'x', 'x', 'x', 'x');
insert into quality.finding (finding_id, rule_id, severity, dataset, submission_id, municipality_code, time_period,
indicator_code, sex, message_uk, message_en, remedy_uk, remedy_en, is_open) values
('f1', 'X.SUM', 'error', 'submissions', 's2', 'UA1', '2024', 'A.1', 'F', '99 > 12', 'x', 'x', 'x', true),
('f2', 'X.YEAR', 'warning', 'submissions', 's2', 'UA1', '2024', 'A.1', 'T', 'зміна', 'x', 'x', 'x', false);
insert into quality.explanation (explanation_id, rule_id, municipality_code, time_period, indicator_code, sex, finding_id, text,
delivery_id, status) values ('e1', 'X.YEAR', 'UA1', '2024', 'A.1', 'T', 'f2', 'відкрили <b>садок</b>', 'd1', 'accepted');
"""


@pytest.fixture(scope="module")
def told(template_warehouse: Warehouse) -> Iterator[Warehouse]:
    with copied(template_warehouse) as warehouse:
        with warehouse.connect("admin") as connection:
            connection.execute(_SETUP.encode())
        yield warehouse


def _inputs(certificate: Certificate) -> dict[str, Certificate]:
    return {f"{given.indicator_code} {given.sex}": given for given in certificate.inputs}


def test_a_computed_figure_is_told_down_to_the_cells(told: Warehouse) -> None:
    found = explain_value(told, "UA1", "A.D1", "2024")
    assert (found.obs_value, found.release_id, found.municipality_name) == (300.0, 2, "Перша")
    assert found.formula_with_figures == "((12 ÷ 4) × 100)"
    assert [(v.release_from, v.release_to, v.obs_value) for v in found.vintages] == [(1, 2, 250.0), (2, None, 300.0)]
    source = _inputs(found)["A.1 T"].source
    assert source is not None
    assert (source.sha256, source.sheet, source.cell, source.value_text) == (_SHA, "A", "D5", " 12 ")
    assert [(arrival.channel, arrival.received_at.isoformat()) for arrival in source.arrivals] == [
        ("mail", "2025-02-01T08:00:00+00:00")
    ]
    given = _inputs(found)["A.1 T"]
    assert [(v.rule_id, v.outcome) for v in given.verdicts] == [("X.YEAR", "failed_before")]
    assert [(e.text, e.status) for e in given.explanations] == [("відкрили <b>садок</b>", "accepted")]


def test_a_release_is_explained_as_it_was(told: Warehouse) -> None:
    found = explain_value(told, "UA1", "A.D1", "2024", release_id=1)
    assert (found.obs_value, found.formula_with_figures) == (250.0, "((10 ÷ 4) × 100)")
    source = _inputs(found)["A.1 T"].source
    assert source is not None
    assert source.file_name == "перший.xlsx"
    with pytest.raises(NoReleaseError):
        explain_value(told, "UA1", "A.D1", "2024", release_id=3)


def test_a_split_formula_reads_its_own_sex_and_a_refused_input_says_why(told: Warehouse) -> None:
    found = explain_value(told, "UA1", "A.D1", "2024", "F")
    assert found.formula_with_figures == "((M_Q ÷ 4) × 100)"
    assert _inputs(found).keys() == {"A.1 F", "A.2 T"}
    assert [(v.rule_id, v.outcome, v.message_uk) for v in _inputs(found)["A.1 F"].verdicts] == [
        ("X.SUM", "failed", "99 > 12")
    ]


@pytest.mark.parametrize(
    ("value", "computed", "reported"),
    [
        (1000 / 7, "142,857", "142,857142857143"),
        (12_345_678.9, "12 345 679", "12 345 678,9"),
        (98_765_432_109.25, "98 765 432 109", "98 765 432 109,25"),
        (-0.001234567, "-0,00123457", "-0,001234567"),
        (0.0, "0", "0"),
    ],
)
def test_a_computed_figure_is_rounded_for_people_and_a_reported_one_is_not(
    value: float, computed: str, reported: str
) -> None:
    assert spell_value(value, "A", is_computed=True) == computed
    assert spell_value(value, "A") == reported


def test_what_is_not_published_is_not_told(told: Warehouse) -> None:
    with pytest.raises(ExplainError, match=r"no value of A\.9"):
        explain_value(told, "UA1", "A.9", "2024")


def test_the_page_escapes_and_stands_alone(told: Warehouse) -> None:
    page = write_page(explain_value(told, "UA1", "A.D1", "2024"))
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.xlsx" in page
    assert "відкрили &lt;b&gt;садок&lt;/b&gt;" in page
    assert "<script" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert 'name="viewport"' in page
    assert page == write_page(explain_value(told, "UA1", "A.D1", "2024"))


def test_the_command_prints_a_tree_json_and_a_page(
    told: Warehouse, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.setattr("asms.cli_explain.open_last_warehouse", lambda _settings: told)
    page = tmp_path_factory.mktemp("page") / "page.html"
    done = CliRunner().invoke(cli, ["explain", "UA1", "A.D1", "2024", "--json", "--html", str(page)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.output)["inputs"][0]["source"]["cell"] == "D5"
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")
    assert "A!D5" in draw_tree(explain_value(told, "UA1", "A.D1", "2024"))
    gone = CliRunner().invoke(cli, ["explain", "UA9", "A.D1", "2024"])
    assert gone.exit_code == 1
    assert "no value" in gone.output
