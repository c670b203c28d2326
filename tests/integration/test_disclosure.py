"""Hidden cells cannot be reckoned from what is shown: the SQL of the macro `hide_cells` on made-up tables, attacked by a solver."""

import random
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache

import psycopg
import pytest
from jinja2 import Environment

from asms.paths import DBT_DIR
from asms.warehouse.connection import Warehouse
from tests.disclosure import Attack

LEAST = 5
SEXES = ("T", "F", "M")
Key = tuple[str, str, str]
"""Node, indicator, sex."""
AREAS = {
    "UA": (None, 3), "O1": ("UA", 2), "O2": ("UA", 2), "K": ("UA", 2),
    **{f"R{oblast}{number}": (f"O{oblast}", 1) for oblast in (1, 2) for number in (1, 2, 3)},
}  # fmt: skip
BODIES = {**{f"H{raion[1:]}{number}": raion for raion in AREAS if raion[0] == "R" for number in range(1, 6)}, "HK": "K"}
CARDS = {"SUM": ("SUM",), "SPLIT": ("SPLIT",), "PARTS": ("PARTS", "P1", "P2", "P3")}
"""Groups of cards: a total alone, one that is split by sex, and one that has parts as well."""
EQUATIONS = {
    "SUM": {},
    "SPLIT": {"SPLIT": {("SPLIT", "T"): 1, ("SPLIT", "F"): -1, ("SPLIT", "M"): -1}},
    "PARTS": {
        **{card: {(card, "T"): 1, (card, "F"): -1, (card, "M"): -1} for card in CARDS["PARTS"]},
        **{f"PARTS {sex}": {("PARTS", sex): 1, **{(p, sex): -1 for p in ("P1", "P2", "P3")}} for sex in SEXES},
    },
}  # fmt: skip


@dataclass
class Release:
    """What bodies reported (`reported`), and what a reader of all tables sees of it."""

    group: str
    reported: dict[Key, int]
    hidden: dict[Key, str] = field(default_factory=dict)

    @property
    def values(self) -> dict[Key, int]:
        """With the totals of areas."""
        found: dict[Key, int] = defaultdict(int)
        for (body, card, sex), value in self.reported.items():
            node: str | None = body
            while node:
                found[node, card, sex] += value
                node = BODIES.get(node) or AREAS.get(node, (None, 0))[0]
        return dict(found)


@cache
def _statements() -> str:
    source = (DBT_DIR / "macros" / "hide_cells.sql").read_text(encoding="utf-8")
    return str(Environment().from_string(source + "{{ hide_cells() }}").render())  # noqa: S701 - SQL, not HTML


def hide(
    connection: psycopg.Connection,
    release: Release,
    before: list[Release],
    *,
    largest_share: float | None = None,
    least_contributors: int | None = None,
) -> dict[Key, str]:
    """Hidden cells and why, as the models have them."""
    total = release.group
    tier = {(card, sex): "T" if (card, sex) == (total, "T") else "S" for card in CARDS[total] for sex in SEXES}
    was_hidden = {key for old in before for key in old.hidden}
    reported = {
        **{key: 0 for key in was_hidden if key[0] in BODIES and key not in release.reported},
        **release.reported,
    }
    with connection.transaction(force_rollback=True), connection.cursor() as cursor:
        cursor.execute(
            "create temporary table hide_leaf (scope_no integer, node text, parent text, kind text, indicator_code text, sex text,"
            " tier text, least_count integer, largest_share double precision, least_contributors integer, amount numeric);"
            "create temporary table hide_area (node text, parent text, level_no integer);"
            "create temporary table hide_term (scope_no integer, equation_code text, indicator_code text, sex text, sign integer);"
            "create temporary table hide_before (scope_no integer, node text, indicator_code text, sex text,"
            " obs_value double precision, is_hidden boolean);"
            "create temporary table hide_part (scope_no integer, node text, part_node text)"
        )
        cursor.executemany(
            f"insert into hide_leaf values (1, %s, %s, 'reported', %s, %s, %s, {LEAST}, %s, %s, %s)",
            [
                (body, BODIES[body], card, sex, tier[card, sex], largest_share, least_contributors, value)
                for (body, card, sex), value in reported.items()
            ],
        )
        cursor.executemany(
            "insert into hide_area values (%s, %s, %s)", [(node, up, level) for node, (up, level) in AREAS.items()]
        )
        cursor.executemany(
            "insert into hide_term values (1, %s, %s, %s, %s)",
            [(code, *term, sign) for code, terms in EQUATIONS[total].items() for term, sign in terms.items()],
        )
        lines = [(*key, value, key in old.hidden) for old in before for key, value in old.values.items()]
        for old in before:
            lines += [(*key, None, False) for key in was_hidden if key not in old.values]
        cursor.executemany("insert into hide_before values (1, %s, %s, %s, %s, %s)", lines)
        cursor.execute(_statements().encode())
        rows = cursor.execute("select node, indicator_code, sex, reason from hidden_cell").fetchall()
    values = release.values
    return {(node, card, sex): reason for node, card, sex, reason in rows if (node, card, sex) in values}


def attack(releases: list[Release]) -> tuple[Attack, dict[Key, tuple[object, ...]]]:
    """Everything that readers of all ``releases`` know; they know as well which hidden figures stayed as they were."""
    known = Attack()
    first: dict[tuple[Key, int], int] = {}
    names: dict[Key, tuple[object, ...]] = {}
    for number, release in enumerate(releases):
        values = release.values
        names = {key: (*key, first.setdefault((key, value), number)) for key, value in values.items()}
        for key, name in names.items():
            if key in release.hidden:
                known.hidden.add(name)
            else:
                known.told[name] = values[key]
        children: dict[Key, list[Key]] = defaultdict(list)
        for node, card, sex in values:
            parent = BODIES.get(node) or AREAS.get(node, (None, 0))[0]
            if parent:
                children[parent, card, sex].append((node, card, sex))
        known.equations += [[(names[p], 1), *((names[c], -1) for c in below)] for p, below in children.items()]
        for body in BODIES:
            for terms in EQUATIONS[release.group].values():
                keys = {(body, *term): sign for term, sign in terms.items()}
                if keys.keys() <= names.keys() and not sum(s * values[k] for k, s in keys.items()):
                    known.equations.append([(names[key], sign) for key, sign in keys.items()])
    return known, names


def recovered(releases: list[Release]) -> dict[Key, tuple[float, float]]:
    """Small figures of the newest release of which a reader knows more than that they are small: their bounds.

    Of one release all that is small must be possible; of several together a range as wide as that.
    """
    known, names = attack(releases)
    values = releases[-1].values
    small = {names[key]: key for key, value in values.items() if 0 < value < LEAST}
    return {
        small[name]: (low, high)
        for name, (low, high) in known.bounds(small).items()
        if high - low < LEAST - 2 - 1e-6 or (len(releases) == 1 and (low > 1 + 1e-6 or high < LEAST - 1 - 1e-6))
    }


def make_release(seed: int, group: str, missing: float = 0.1) -> Release:
    """Figures as they are: many zeros, many small, some large; some bodies report nothing, or not of women and men."""
    chance = random.Random(f"{group} {seed}")  # noqa: S311 - figures, not secrets
    reported: dict[Key, int] = {}
    for body in BODIES:
        if chance.random() < missing:
            continue
        scale = chance.choice([0, 1, 3, 8, 40, 200])
        parts = CARDS[group][1:] or (group,)
        for card in parts:
            for sex in ("F", "M"):
                reported[body, card, sex] = chance.randint(0, scale) if scale else 0
            reported[body, card, "T"] = reported[body, card, "F"] + reported[body, card, "M"]
        for sex in SEXES if len(parts) > 1 else ():
            reported[body, group, sex] = sum(reported[body, part, sex] for part in parts)
        if group == "SUM":
            del reported[body, group, "F"], reported[body, group, "M"]
        elif chance.random() < missing:
            for sex in chance.choice([("F",), ("M",), ("F", "M")]):
                reported.pop((body, parts[0], sex), None)
    return Release(group, reported)


def change_release(seed: int, release: Release) -> Release:
    """The next night: a few bodies send a return, another one, or an empty one."""
    chance = random.Random(f"change {seed}")  # noqa: S311 - figures, not secrets
    other = make_release(seed + 1000, release.group, missing=0.2).reported
    changed = set(chance.sample(sorted(BODIES), chance.randint(1, 4)))
    reported = {key: value for key, value in release.reported.items() if key[0] not in changed}
    return Release(release.group, reported | {key: value for key, value in other.items() if key[0] in changed})


def small_of(release: Release) -> set[Key]:
    return {key for key, value in release.values.items() if 0 < value < LEAST}


@pytest.fixture(scope="module")
def session(template_warehouse: Warehouse) -> Iterator[psycopg.Connection]:
    with template_warehouse.connect("admin") as connection:
        yield connection


@pytest.mark.parametrize(("group", "seed"), [("SUM", 1), ("SUM", 2), ("SPLIT", 3), ("SPLIT", 4), ("PARTS", 5)])
def test_no_small_figure_can_be_reckoned(session: psycopg.Connection, group: str, seed: int) -> None:
    release = make_release(seed, group)
    release.hidden = hide(session, release, [])
    assert {key for key, reason in release.hidden.items() if reason == "primary"} == small_of(release)
    assert recovered([release]) == {}


def test_the_attack_succeeds_where_only_small_figures_are_hidden(session: psycopg.Connection) -> None:
    for group in ("SUM", "SPLIT"):
        release = make_release(1, group)
        release.hidden = {key: "primary" for key, value in release.values.items() if 0 < value < LEAST}
        assert recovered([release])
    # neither does it do to hide siblings and no women and men
    release.hidden |= {key: why for key, why in hide(session, release, []).items() if key[2] == "T"}
    assert recovered([release])


@pytest.mark.parametrize(("group", "seed"), [("SUM", 0), ("SPLIT", 5)])
def test_no_difference_of_releases_gives_a_figure_away(session: psycopg.Connection, group: str, seed: int) -> None:
    releases = [make_release(seed, group)]
    releases[0].hidden = hide(session, releases[0], [])
    for night in range(2):
        release = change_release(seed * 10 + night, releases[-1])
        release.hidden = hide(session, release, releases)
        assert recovered([*releases, release]) == {}
        assert {key for key, reason in release.hidden.items() if reason == "primary"} == small_of(release)
        gone = {key for old in releases for key in old.hidden} & release.values.keys() - release.hidden.keys()
        assert not gone, "what was hidden stays hidden"
        assert hide(session, release, [*releases, release]) == release.hidden, "asked again, the same is hidden"
        if night == 0:
            afresh = Release(group, release.reported)
            afresh.hidden = hide(session, afresh, [])
            assert recovered([*releases, afresh]), "each release well hidden, and both together give figures away"
        releases.append(release)


def test_a_total_that_one_body_gives_is_hidden(session: psycopg.Connection) -> None:
    reported = {
        "H111": 900,
        "H112": 10,
        "H113": 20,
        "H121": 70,
        "H122": 80,
        "H211": 800,
        "H212": 700,
        "H221": 90,
        "H222": 60,
    }
    release = Release("SUM", {(body, "SUM", "T"): value for body, value in reported.items()})
    assert hide(session, release, []) == {}
    release.hidden = hide(session, release, [], largest_share=0.9)
    assert {key[0]: why for key, why in release.hidden.items()} == {
        "R11": "primary", "H112": "secondary",  # 900 of 930, and 10 that would tell it
        "R12": "secondary", "H121": "secondary",
    }  # fmt: skip
    known, names = attack([release])
    assert all(low + 1 < high for low, high in known.bounds(names[key] for key in release.hidden).values())
    few = hide(session, release, [], least_contributors=3)
    assert {key[0] for key, why in few.items() if why == "primary"} == {"R12", "R21", "R22"}
