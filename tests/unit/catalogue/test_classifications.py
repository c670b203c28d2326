"""Budget codes in the cards are looked up in a folder of classifications."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from asms.catalogue import Catalogue, CatalogueError, load_catalogue
from asms.catalogue.classifications import missing_codes, read_classifications
from asms.cli import cli


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "kdb_2024.csv").write_text("\ufeffCODE,NAME\n11010100,ПДФО\n18050300.0,ЄП\n", encoding="utf-8")
    (tmp_path / "tkpkmb_old.json").write_text(json.dumps([{"code": "0150"}, {"code": "1010"}]), encoding="utf-8")
    (tmp_path / "tkpkmb_new.json").write_text(json.dumps({"1021": {"name": "школи"}}), encoding="utf-8")
    (tmp_path / "kekv.csv").write_text("CODE\n2111\n", encoding="utf-8")
    return tmp_path


def _with(classification: str | None, definition: str) -> Catalogue:
    found = load_catalogue()
    card = found.by_code["REV.010"].model_copy(
        update={"classification": classification, "definition_uk": definition, "version": 2}
    )
    return replace(found, indicators=(card,))


def test_files_of_several_dates_and_shapes_are_one_list(folder: Path) -> None:
    assert read_classifications(folder) == {
        "КДБ": {"11010100", "18050300"}, "ТПКВКМБ": {"0150", "1010", "1021"}, "КЕКВ": {"2111"},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("classification", "definition", "missing"),
    [
        ("КДБ 11010100; ТПКВКМБ 1021; КЕКВ 2111; ISO 37120 5.1", "Усе є.", []),
        ("КДБ 18050000", "Заголовок того, що є.", []),
        ("КДБ 18060000", "Заголовок без кодів.", ["КДБ 18060000"]),
        ("КДБ 11010100; КДБ 11010900", "Одного немає.", ["КДБ 11010900"]),
        (None, "Видатки за КЕКВ 2111, 2120 та 2800, ТПКВКМБ 0150.", ["КЕКВ 2120", "КЕКВ 2800"]),
    ],
)
def test_codes_that_do_not_exist_are_named(
    folder: Path, classification: str | None, definition: str, missing: list[str]
) -> None:
    problems = missing_codes(_with(classification, definition), read_classifications(folder))
    assert problems == [f"card REV.010, version 2: there is no {code}" for code in missing]


def test_a_folder_that_cannot_be_used_is_named(folder: Path) -> None:
    (folder / "kekv.csv").rename(folder / "kekv.txt")
    with pytest.raises(CatalogueError, match=r"no kekv\*\.csv or kekv\*\.json, so no code of КЕКВ"):
        read_classifications(folder)
    (folder / "kekv.json").write_text("[{}]", encoding="utf-8")
    with pytest.raises(CatalogueError, match=r"kekv\.json: this is no list of codes"):
        read_classifications(folder)


def test_the_command_says_whether_codes_were_checked(folder: Path) -> None:
    without = CliRunner().invoke(cli, ["catalogue", "check"])
    assert without.exit_code == 0, without.output
    assert "budget codes were not checked" in without.output
    found = CliRunner().invoke(cli, ["catalogue", "check", "--classifications", str(folder), "--json"])
    told = json.loads(found.output)
    assert found.exit_code == 1
    assert told["are_codes_checked"]
    assert "card EXP.032, version 1: there is no КЕКВ 2111" not in told["problems"]
    assert "card EXP.036, version 1: there is no КЕКВ 3110" in told["problems"]


def test_all_codes_of_the_catalogue_exist(real_data: Path) -> None:
    known = read_classifications(real_data / "classifications")
    assert missing_codes(load_catalogue(), known) == []
    one_less = known | {"КЕКВ": known["КЕКВ"] - {"2111"}}
    assert "card EXP.032, version 1: there is no КЕКВ 2111" in missing_codes(load_catalogue(), one_less)
