"""Values of a peer group that are kept in order: `pg_temp.mended_values` of the macro beside sorting all of them anew."""

import random
import re

from asms.paths import DBT_DIR
from asms.warehouse.connection import Warehouse

Entry = tuple[int, float | None]


def _in_order(entries: list[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry[1] is None, entry[1] or 0.0, entry[0]))


def test_values_are_mended_as_if_all_were_put_in_order_anew(template_warehouse: Warehouse) -> None:
    source = (DBT_DIR / "macros" / "peer_values.sql").read_text(encoding="utf-8")
    (function,) = re.findall(r"create or replace function pg_temp\.mended_values.*?\$\$.*?\$\$", source, re.DOTALL)
    chance = random.Random(25)  # noqa: S311 - figures, not secrets
    with template_warehouse.connect("transformer") as connection:
        connection.execute(function.encode())
        for _ in range(500):
            held: list[Entry] = _in_order(
                [
                    (body, chance.choice([None, 0.0, 1.0, 2.5]))
                    for body in chance.sample(range(20), chance.randint(0, 12))
                ]
            )
            changed = chance.sample(range(24), chance.randint(1, 4))
            new: list[Entry] = [
                (body, chance.choice([None, 0.0, 1.0, 3.0])) for body in changed if chance.random() < 0.7
            ]
            wanted = _in_order([entry for entry in held if entry[0] not in changed] + new)
            row = connection.execute(
                "select * from pg_temp.mended_values(%s::bigint[], %s::float8[], %s::bigint[], %s::bigint[], %s::float8[])",
                (
                    [body for body, _ in held] or None,
                    [value for _, value in held] or None,
                    changed,
                    [body for body, _ in new] or None,
                    [value for _, value in new] or None,
                ),
            ).fetchone()
            assert row == (
                sum(value is not None for _, value in wanted),
                [body for body, _ in wanted],
                [value for _, value in wanted],
            ), (held, changed, new)
