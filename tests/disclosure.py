"""An attack on published tables: what can be reckoned of hidden cells by all who know how the tables add up.

Plain linear programming over everything that is shown: a cell that is told is a number, a cell that is hidden a variable that is
not negative, and every equation that readers know ties them together. The attack minimises and maximises each hidden cell.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

Cell = tuple[object, ...]
"""Any name of a cell; of two releases, the same name where a reader knows that the figure is the same."""


@dataclass
class Attack:
    """What a reader knows: figures that are told, cells that are hidden, and equations whose terms add up to zero."""

    told: dict[Cell, float] = field(default_factory=dict)
    hidden: set[Cell] = field(default_factory=set)
    equations: list[Sequence[tuple[Cell, int]]] = field(default_factory=list)

    def bounds(self, cells: Iterable[Cell]) -> Mapping[Cell, tuple[float, float]]:
        """The least and the largest value that each of ``cells``, which are hidden, may have for all that is known."""
        place = {cell: number for number, cell in enumerate(sorted(self.hidden - set(self.told), key=repr))}
        rows: list[int] = []
        columns: list[int] = []
        signs: list[int] = []
        right: list[float] = []
        for equation in self.equations:
            unknown = [(cell, sign) for cell, sign in equation if cell in place]
            if unknown:
                rows += [len(right)] * len(unknown)
                columns += [place[cell] for cell, _ in unknown]
                signs += [sign for _, sign in unknown]
                right.append(-sum(sign * self.told.get(cell, 0.0) for cell, sign in equation))
        matrix = csr_matrix((signs, (rows, columns)), shape=(len(right), len(place)))
        found: dict[Cell, tuple[float, float]] = {}
        for cell in cells:
            if cell in self.told:
                found[cell] = (self.told[cell], self.told[cell])
                continue
            goal = np.zeros(len(place))
            goal[place[cell]] = 1
            ends = []
            for sign in (1, -1):
                result = linprog(sign * goal, A_eq=matrix, b_eq=right, bounds=(0, None), method="highs")
                assert result.status in (0, 3), f"what is shown contradicts itself: {result.message}"
                ends.append(sign * result.fun if result.status == 0 else float("inf"))
            found[cell] = (ends[0], ends[1])
        return found
