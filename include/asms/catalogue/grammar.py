"""Formulas and checks as people write them, read into expressions. See docs/reference/formulas.md.

The tokens are ours; precedence and brackets are left to sqlglot's parser, which is given each reference as a column.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, cast

from asms.catalogue.cards import CatalogueError, Sex

Origin = Literal["reported", "register"]
Operator = Literal["+", "-", "*", "/"]
Comparison = Literal["<=", ">=", "=", "<", ">"]


class FormulaError(CatalogueError):
    """A formula cannot be read; the message names its owner, the text and the position (1 is the first character)."""

    def __init__(self, problem: str, *, owner: str, text: str, position: int) -> None:
        super().__init__(f"{owner}: {problem}, at character {position + 1} of: {text}")
        self.position = position + 1


@dataclass(frozen=True)
class Number:
    value: float


@dataclass(frozen=True)
class Reference:
    """A value of an indicator. ``sex`` None: the sex being computed if the indicator is split, else the total."""

    indicator_code: str
    sex: Sex | None
    period_offset: int
    origin: Origin = "reported"


@dataclass(frozen=True)
class Negation:
    operand: "Expression"


@dataclass(frozen=True)
class Operation:
    operator: Operator
    left: "Expression"
    right: "Expression"


@dataclass(frozen=True)
class Call:
    function: Literal["avg", "sum"]
    arguments: tuple["Expression", ...]


Expression = Number | Reference | Negation | Operation | Call


@dataclass(frozen=True)
class Tolerance:
    """How far apart two sides may be and still count as equal, absolute or as a share of the right side."""

    size: float
    is_relative: bool


@dataclass(frozen=True)
class Check:
    """``sides[0] comparisons[0] sides[1] …``; with ``choices``, ``sides[0]`` must be one of them."""

    sides: tuple[Expression, ...]
    comparisons: tuple[Comparison, ...]
    tolerance: Tolerance | None = None
    choices: tuple[float, ...] = ()


@dataclass(frozen=True)
class _Token:
    kind: str
    text: str
    position: int


_SEX = r"\[\s*[TFM]\s*\]"
_PERIOD = r"\[\s*t\s*(?:[+\-−–]\s*\d+\s*)?\]"
_TOKENS = re.compile(
    rf"""
    (?P<space>\s+)
  | (?P<number>\d+(?:[.,]\d+)?(?!\w))
  | (?P<reference>[A-Z][A-Z0-9]*(?:\.[A-Z]?\d+)?(?![\w.])\s*(?:{_SEX})?\s*(?:{_PERIOD})?)
  | (?P<register>register\s*\(\s*[A-Z][A-Z0-9]*(?:\.[A-Z]?\d+)?\s*\))
  | (?P<function>(?:avg|sum)(?=\s*\())
  | (?P<in>in(?=\s*\())
  | (?P<comparison><=|>=|≤|≥|=|<|>)
  | (?P<tolerance>±\s*(?P<size>\d+(?:[.,]\d+)?)\s*(?P<percent>%)?)
  | (?P<operator>[+\-−–*×·/÷])
  | (?P<open>\()
  | (?P<close>\))
  | (?P<comma>,)
    """,
    re.VERBOSE,
)
_OPERATORS = {"−": "-", "–": "-", "×": "*", "·": "*", "÷": "/"}
_COMPARISONS = {"≤": "<=", "≥": ">="}
_OPERANDS = {"number", "reference", "register"}
_LONGEST = 4_000
"""Characters of a formula; those of the catalogue have some hundreds."""


def parse_formula(text: str, owner: str) -> Expression:
    """Read an arithmetic formula; ``owner`` is the card that errors name. Raises FormulaError."""
    reader = _Reader(text, owner)
    for token in reader.tokens:
        if token.kind in ("comparison", "tolerance", "in"):
            raise reader.error(f"{token.text!r} belongs in a check, not in a formula", token.position)
    return reader.expression(reader.tokens)


def parse_check(text: str, owner: str) -> Check:
    """Read a check: two or three sides with comparisons, an optional tolerance, or ``… in (0, 1, 2)``. Raises FormulaError."""
    reader = _Reader(text, owner)
    tokens = reader.tokens
    for index, token in enumerate(tokens):
        if token.kind == "in":
            return Check((reader.expression(tokens[:index]),), (), choices=reader.choices(tokens[index + 1 :]))
    tolerance = None
    if tokens and tokens[-1].kind == "tolerance":
        tolerance, tokens = _tolerance(tokens[-1]), tokens[:-1]
    sides, comparisons = reader.sides(tokens)
    if tolerance and comparisons != ("=",):
        raise reader.error("a tolerance (±) goes with one '='", reader.tokens[-1].position)
    return Check(sides, comparisons, tolerance)


def references(expression: Expression) -> Iterator[Reference]:
    """Every reference of ``expression``, from left to right, repetitions included."""
    match expression:
        case Reference():
            yield expression
        case Negation(operand):
            yield from references(operand)
        case Operation(_, left, right):
            yield from references(left)
            yield from references(right)
        case Call(_, arguments):
            for argument in arguments:
                yield from references(argument)


class _Reader:
    """The text of one formula, its tokens, and the errors that point into it."""

    def __init__(self, text: str, owner: str) -> None:
        self.text = text
        self.owner = owner
        if len(text) > _LONGEST:
            raise FormulaError(
                f"it is longer than {_LONGEST} characters", owner=owner, text=text[:_LONGEST], position=0
            )
        self.tokens = list(self._tokenise())

    def error(self, problem: str, position: int) -> FormulaError:
        return FormulaError(problem, owner=self.owner, text=self.text, position=position)

    def _tokenise(self) -> Iterator[_Token]:
        position = 0
        previous = ""
        while position < len(self.text):
            match = _TOKENS.match(self.text, position)
            if match is None or match.lastgroup is None:
                raise self.error(_unreadable(self.text[position:]), position)
            kind = "tolerance" if match["tolerance"] else match.lastgroup
            if kind in ("number", "tolerance") and math.isinf(_number(match[0])):
                raise self.error("this number is too large", position)
            if kind != "space":
                if kind in _OPERANDS | {"open", "function"} and previous in _OPERANDS | {"close"}:
                    raise self.error(f"an operator is missing before {match[0].strip()!r}", position)
                yield _Token(kind, match[0].strip(), position)
                previous = kind
            position = match.end()

    def sides(self, tokens: list[_Token]) -> tuple[tuple[Expression, ...], tuple[Comparison, ...]]:
        """Cut at the comparisons; they bind loosest and do not nest."""
        cuts = [index for index, token in enumerate(tokens) if token.kind == "comparison"]
        if len(cuts) not in (1, 2):
            raise self.error("a check has one comparison, or two for a band (low <= x <= high)", len(self.text))
        bounds = [-1, *cuts, len(tokens)]
        parts = [tokens[start + 1 : end] for start, end in pairwise(bounds)]
        comparisons = tuple(_COMPARISONS.get(tokens[cut].text, tokens[cut].text) for cut in cuts)
        return tuple(map(self.expression, parts)), cast(tuple[Comparison, ...], comparisons)

    def choices(self, tokens: list[_Token]) -> tuple[float, ...]:
        """Numbers in brackets after ``in``."""
        inner = tokens[1:-1]
        kinds = [token.kind for token in inner]
        if tokens[-1].kind != "close" or kinds != ["number", "comma"] * (len(inner) // 2) + ["number"]:
            raise self.error("after 'in' a list of numbers is expected: in (0, 1, 2)", tokens[0].position)
        return tuple(_number(token.text) for token in inner[::2])

    def expression(self, tokens: list[_Token]) -> Expression:
        """Let sqlglot parse ``tokens`` and turn its tree into ours."""
        from sqlglot import parse_one  # 0.5 s to import, and only those who compile need it
        from sqlglot.errors import ParseError

        if not tokens:
            raise self.error("nothing to compute here", len(self.text))
        pieces: list[str] = []
        ends: list[int] = []
        for index, token in enumerate(tokens):
            pieces.append(self._as_sql(token, index))
            ends.append(len(" ".join(pieces)))
        try:
            return self._convert(parse_one(" ".join(pieces), dialect="postgres"), tokens)
        except RecursionError as error:
            raise self.error("there are too many brackets or signs inside each other", tokens[0].position) from error
        except ParseError as error:
            column = error.errors[0]["col"] if error.errors else 0
            token = next((token for token, end in zip(tokens, ends, strict=True) if end >= column), tokens[-1])
            problem = "a bracket is not closed after" if "Expecting )" in str(error) else "the formula breaks off at"
            raise self.error(f"{problem} {token.text!r}", token.position) from error

    def _as_sql(self, token: _Token, index: int) -> str:
        match token.kind:
            case "number":
                return repr(_number(token.text))
            case "reference" | "register":
                return f'"{index}"'
            case "function":
                return f"asms_{token.text}"
            case "operator":
                return _OPERATORS.get(token.text, token.text)
            case "open" | "close" | "comma":
                return token.text
        raise self.error(f"{token.text!r} may not stand here", token.position)

    def _convert(self, node: Any, tokens: list[_Token]) -> Expression:
        from sqlglot import exp

        operators: dict[type, Operator] = {exp.Add: "+", exp.Sub: "-", exp.Mul: "*", exp.Div: "/"}
        if type(node) in operators:
            left, right = self._convert(node.this, tokens), self._convert(node.expression, tokens)
            if type(node) is exp.Div and right == Number(0):
                raise self.error("this divides by zero", tokens[0].position)
            return Operation(operators[type(node)], left, right)
        match node:
            case exp.Paren():
                return self._convert(node.this, tokens)
            case exp.Neg():
                return Negation(self._convert(node.this, tokens))
            case exp.Literal() if not node.is_string:
                return Number(float(node.this))
            case exp.Column():
                return _reference(tokens[int(node.name)])
            case exp.Anonymous() if node.expressions:
                arguments = tuple(self._convert(argument, tokens) for argument in node.expressions)
                return Call(cast(Literal["avg", "sum"], node.name.removeprefix("asms_")), arguments)
        raise self.error(f"this is no arithmetic: {node.sql()}", tokens[0].position)


def _unreadable(rest: str) -> str:
    word = re.match(r"\w[\w.]*", rest)
    if word and re.search(r"[а-яіїєґА-ЯІЇЄҐ]", word[0]):
        return f"{word[0]!r} has Cyrillic letters; codes are written in Latin ones"
    return f"{(word[0] if word else rest[0])!r} is not understood"


def _number(text: str) -> float:
    return float(re.sub(r"[^\d.,]", "", text).replace(",", "."))


def _tolerance(token: _Token) -> Tolerance:
    is_relative = token.text.endswith("%")
    size = _number(token.text)
    return Tolerance(size / 100 if is_relative else size, is_relative)


def _reference(token: _Token) -> Reference:
    if token.kind == "register":
        code = token.text.partition("(")[2].rstrip(") ").strip()
        return Reference(code, "T", 0, "register")
    code = re.split(r"[\[\s]", token.text, maxsplit=1)[0]
    sex = re.search(r"\[\s*([TFM])\s*\]", token.text)
    shift = re.search(r"t\s*([+\-−–])\s*(\d+)", token.text)
    offset = int(shift[2]) * (1 if shift[1] == "+" else -1) if shift else 0
    return Reference(code, cast(Sex, sex[1]) if sex else None, offset)
