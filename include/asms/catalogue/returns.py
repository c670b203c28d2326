"""Rules that follow from cards: F + M = T, and the part–whole checks of the column ``checks``.

Their words are made from the names of the indicators. A check that needs words of its own is written in
``data/rules/returns.yaml``.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Literal

from asms.catalogue.cards import Card, CatalogueError, Rule
from asms.catalogue.grammar import Reference, parse_check, references


def card_rules(versions: Mapping[str, Sequence[Card]]) -> Iterator[Rule]:
    """The rules of all codes, in their order, from all versions of their cards (the newest last).

    A version with other checks has rules of its own, for its years; those of the version before keep their ids, so that what
    was found and explained in old years stays.

    Raises:
        CatalogueError: a column ``checks`` cannot be read.
    """
    by_code = {code: cards[-1] for code, cards in versions.items()}
    for code, cards in versions.items():
        if by_code[code].is_sex_split and by_code[code].aggregation == "sum" and not by_code[code].is_derived:
            yield _sum_of_sexes(by_code[code])
        for checks, run in groupby(cards, key=lambda card: card.checks or ""):
            first, *_, last = 2 * [*run]
            years = {
                "valid_from": None if first is cards[0] else first.valid_from,
                "valid_to": None if last is cards[-1] else last.valid_to,
            }
            mark = "" if first is cards[0] else f".V{first.version}"
            for number, text in enumerate(checks.split(";"), 1):
                if text.strip():
                    rule = _part_of_whole(last, f"{number}{mark}", text, by_code)
                    yield rule.model_copy(update=years)


def _sum_of_sexes(card: Card) -> Rule:
    code = card.indicator_code
    return Rule(
        rule_id=f"SUM.{code}",
        engine="sql",
        level="fields",
        severity="error",
        title_uk=f"Жінки й чоловіки разом не дають значення «Усього»: {code} «{card.name_uk}»",
        title_en=f"Women and men do not add up to the total: {code} “{card.name_en}”",
        remedy_uk="Перерахуйте рядок: «Усього» має дорівнювати сумі клітинок «Жінки» та «Чоловіки». "
        "Виправте помилкову клітинку й надішліть звіт ще раз: доти значення «Усього» не враховується.",
        remedy_en="Count the line again: the total must equal women plus men. Correct the wrong cell and send the "
        "return again: until then the total is not used.",
        owner=card.domain_code,
        expression=f"{code}[T] = {code}[F] + {code}[M]",
        indicator_code=code,
    )


_REMEDIES: Mapping[str, tuple[str, str]] = {
    "error": (
        "Перевірте обидва числа та їхні одиниці виміру. Виправте помилкове й надішліть звіт ще раз: "
        "доти значення не враховується.",
        "Check both numbers and their units. Correct the wrong one and send the return again: until then the value "
        "is not used.",
    ),
    "warning": (
        "Перевірте обидва числа та їхні одиниці виміру. Якщо є помилка, виправте її й надішліть звіт ще раз; "
        "якщо все правильно, поясніть це у примітці.",
        "Check both numbers and their units. If there is a mistake, correct it and send the return again; if all is "
        "right, explain it in the remark.",
    ),
}


def _part_of_whole(card: Card, number: str, text: str, by_code: Mapping[str, Card]) -> Rule:
    code = card.indicator_code
    owner = f"card {code}, check {number}"
    word, _, expression = (part.strip() for part in text.partition(":"))
    if word not in _REMEDIES:
        raise CatalogueError(
            f"{owner}: write 'error: CHECK' or 'warning: CHECK', several parted by ';'; found {text!r}"
        )
    check = parse_check(expression, owner)
    if check.comparisons not in ((("<="),), ((">="),)) or check.tolerance:
        raise CatalogueError(
            f"{owner}: the column checks is for one '<=' or '>='; a check of another form gets words of its own in "
            f"rules/returns.yaml; found {text!r}"
        )
    is_more = check.comparisons == ("<=",)
    limit = check.sides[1]
    named = [by_code[r.indicator_code] for r in references(limit) if r.indicator_code in by_code]
    names_uk = ", ".join(f"{whole.indicator_code} «{whole.name_uk}»" for whole in named)
    names_en = ", ".join(f"{whole.indicator_code} “{whole.name_en}”" for whole in named)
    if not named:
        names_uk = names_en = expression.split("=")[-1].strip()
    elif not isinstance(limit, Reference):
        names_uk = f"дозволяє {names_uk} (перевірка: {expression})"
        names_en = f"{names_en} allows (check: {expression})"
    severity: Literal["error", "warning"] = "error" if word == "error" else "warning"
    remedy_uk, remedy_en = _REMEDIES[word]
    return Rule(
        rule_id=f"CHK.{code}.{number}",
        engine="sql",
        level="fields",
        severity=severity,
        title_uk=f"{code} «{card.name_uk}» {'більше' if is_more else 'менше'}, ніж {names_uk}",
        title_en=f"{code} “{card.name_en}” is {'more' if is_more else 'less'} than {names_en}",
        remedy_uk=remedy_uk,
        remedy_en=remedy_en,
        owner=card.domain_code,
        expression=expression,
        indicator_code=code,
    )
