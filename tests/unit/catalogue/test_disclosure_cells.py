"""Which cells are hidden when they are small: the cards of the class and what disclosure.yaml says of them."""

from dataclasses import replace

from asms.catalogue import load_catalogue
from asms.catalogue.check import check_catalogue
from asms.catalogue.disclosure import disclosure_cells, disclosure_terms, named_codes


def test_every_reported_card_of_the_class_has_its_cells() -> None:
    catalogue = load_catalogue()
    cells = {(cell.indicator_code, cell.sex): cell for cell in disclosure_cells(catalogue)}
    small = [card for card in catalogue.indicators if card.conf_status == "suppress_small" and not card.is_derived]
    assert set(cells) == {(card.indicator_code, sex) for card in small for sex in card.sexes}
    assert named_codes() <= {card.indicator_code for card in small}
    assert cells["SOC.030", "T"].tier == "T" and cells["SOC.030", "F"].tier == "S"
    assert (cells["POP.031", "T"].group_code, cells["POP.031", "T"].tier) == ("POP.030", "S"), "a part of a total"
    assert cells["GEN.023", "T"].least_count == 10
    signs = {
        (term.indicator_code, term.sex): term.sign
        for term in disclosure_terms(catalogue)
        if term.equation_code == "POP.030 F"
    }
    assert signs == {("POP.030", "F"): 1, ("POP.031", "F"): -1, ("POP.032", "F"): -1, ("POP.033", "F"): -1}


def test_a_card_that_cannot_be_hidden_well_is_a_problem() -> None:
    catalogue = load_catalogue()
    changes = {"SOC.030": {"aggregation": "weighted:POP.001"}, "POP.031": {"conf_status": "free"}}
    cards = tuple(card.model_copy(update=changes.get(card.indicator_code, {})) for card in catalogue.indicators)
    problems = check_catalogue(replace(catalogue, indicators=cards))
    assert any("SOC.030: a mean tells" in problem for problem in problems)
    assert any("POP.031 is not a reported card of the class" in problem for problem in problems)
