"""Is the catalogue all that it should be? What keeps nothing from being stored, but must be mended before a form goes out."""

import importlib.resources
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from asms.catalogue.cards import Card, Catalogue

_WORD = re.compile(r"[А-Яа-яҐґЄєІіЇї]+(?:['’ʼ][А-Яа-яҐґЄєІіЇї]+)*")


@dataclass(frozen=True)
class DomainCount:
    """Codes of a domain that are in force, whatever their versions: submitted, split by sex among them, derived.

    ``planned`` is None where there is no plan.
    """

    domain_code: str
    submitted: int
    split: int
    derived: int
    planned: tuple[int, int, int] | None

    @property
    def found(self) -> tuple[int, int, int]:
        return self.submitted, self.split, self.derived


def count_domains(catalogue: Catalogue) -> tuple[DomainCount, ...]:
    """The counts of every domain, in the order of ``domains.csv``."""
    counts = []
    for domain in catalogue.domains:
        cards = [
            card for card in catalogue.indicators if card.domain_code == domain.domain_code and card.valid_to is None
        ]
        submitted = [card for card in cards if not card.is_derived]
        plan = (domain.submitted_count, domain.split_count, domain.derived_count)
        planned = None if None in plan else tuple(number or 0 for number in plan)
        split = sum(card.is_sex_split for card in submitted)
        counts.append(DomainCount(domain.domain_code, len(submitted), split, len(cards) - len(submitted), planned))  # type: ignore[arg-type]  # three numbers, checked above
    return tuple(counts)


def audit_catalogue(catalogue: Catalogue) -> list[str]:
    """What is lacking, each one sentence naming the domain or card: counts, fields of cards, repeated names, spelling."""
    problems = [
        f"domain {count.domain_code}: {count.found} indicators (submitted, split, derived), but the plan says {count.planned}"
        for count in count_domains(catalogue)
        if count.planned and count.found != count.planned
    ]
    for card in (*catalogue.superseded, *catalogue.indicators):
        problems += _gaps(card)
    names = Counter((card.collection_code, card.name_uk.casefold()) for card in catalogue.indicators)
    problems += [f"the name «{name}» is there {n} times" for (_, name), n in names.items() if n > 1]
    return [*problems, *_misspelt(catalogue)]


def _gaps(card: Card) -> Iterator[str]:
    name = f"card {card.indicator_code}"
    if card.indicator_type == "ratio" and card.denominator is None:
        yield f"{name}: a ratio names its denominator"
    if not card.definition_uk.endswith("."):
        yield f"{name}: its definition is no full sentence"


def _misspelt(catalogue: Catalogue) -> Iterator[str]:
    """Words that neither the dictionary nor ``data/spelling.txt`` (one a line, sorted) knows. Abbreviations are not looked up."""
    from pymorphy3 import MorphAnalyzer  # 0.5 s and 50 MB

    data = importlib.resources.files("asms.catalogue").joinpath("data/spelling.txt")
    known = set(data.read_text(encoding="utf-8").split())
    dictionary = MorphAnalyzer(lang="uk")
    # names of other questionnaires are quoted as they were printed
    ours = {collection.collection_code for collection in catalogue.collections if collection.counts_for_completeness}
    for card in (card for card in (*catalogue.superseded, *catalogue.indicators) if card.collection_code in ours):
        for word in sorted(set(_WORD.findall(f"{card.name_uk} {card.definition_uk}"))):
            plain = re.sub("[’ʼ]", "'", word).lower()
            is_abbreviation = len(word) > 1 and word[1:] != word[1:].lower()
            if not is_abbreviation and plain not in known and not dictionary.word_is_known(plain):
                yield f"card {card.indicator_code}: the word «{word}» is in no dictionary; correct it, or add it to spelling.txt"
