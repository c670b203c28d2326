"""The workbooks of transfers of the sample in the layouts of the ministries; amounts are made from population, and say so."""

from collections.abc import Iterable, Sequence
from io import BytesIO
from itertools import groupby

from openpyxl import Workbook
from openpyxl.worksheet.worksheet import Worksheet

from asms.sample.hromadas import Hromada, read_hromadas
from asms.sample.population import without_clock

_GENITIVE = {"міська": "міської", "селищна": "селищної", "сільська": "сільської"}
_NAME = "Назва місцевого бюджету адміністративно-територіальної одиниці"
_PUPILS_PER_HEAD = 0.11
_PUPILS_PER_CLASS = 22
_THOUSAND_PER_PUPIL = 21.4
_OBLAST_AMOUNT = 250_000.0
_RESERVE = 12_345.6

Line = tuple[str, str, str, str, int | None]
"""Territory, kind, code and name of a budget, and the population that its amounts are made from."""


def subvention_workbook() -> bytes:
    """The education subvention of 2023: three header rows and one of numbers, totals among the lines, a stray sum below them."""
    lines = _lines()
    book = Workbook()
    _write_amounts(book.worksheets[0], lines)
    budgets = [line for line in lines if not line[3].startswith(("Зведений", "Бюджети"))]
    columns = ("Код області", "Шифр", "Бюджетний код", "Найменування бюджету АТО")
    ages = {"1-4": 0.42, "5-9": 0.46, "10-12": 0.12}
    counted = {f"Учні \n{age}": share * _PUPILS_PER_HEAD for age, share in ages.items()}
    counted |= {f"Класи \n{age}": share * _PUPILS_PER_HEAD / _PUPILS_PER_CLASS for age, share in ages.items()}
    zeros = [f"{kind} {what} {age}" for age in ages for kind in ("Спец", "НРЦ") for what in ("класи", "учні")]
    zeros += [f"Приватна освіта\n{what} {age}" for age in ages for what in ("Класи", "Учні")]
    zeros += [
        "Учні гірська місцевість", "Класи гірська місцевість", "Інклюзивні учні (без гірських)",
        "Інклюзивні класи (без гірських)", "Інклюзивні учні (гірські)", "Інклюзивні класи (гірські)",
        "Учні вечірніх шкіл (без гірських)", "Класи вечірніх шкіл (без гірських)", "Всі вихованці загальних інтернатів",
        "Всі вихованці спеціальних інтернатів",
    ]  # fmt: skip
    sheet = book.create_sheet("Дані з ДІСО")
    sheet.append([*columns, *counted, *zeros])
    for *keys, population in budgets:
        sheet.append([*keys, *(round((population or 0) * share) for share in counted.values()), *[0] * len(zeros)])
    sheet = book.create_sheet("Дані не з ДІСО")
    sheet.append([*columns[2:], "Учні ПТНЗ (без гірських)", "Учні ПТНЗ (гірські)", "Учні ВНЗ І-ІІ ступеня", "ІРЦ"])
    for _, _, code, name, population in budgets:
        sheet.append([code, name, round((population or 0) * 0.004), None, 0, 1])
    sheet = book.create_sheet("Коефіцієнти АТО")
    sheet.append([
        *columns, "Населення", "Сільське населення", "Площа", "Щільність  учнів", "РНК 2023", "К_іпп",
        "К_поділ класів загальна", "К_поділ класів спеціальна", "ЗНЗ ФНК", "РНК 2022",
    ])  # fmt: skip
    for *keys, population in budgets:
        sheet.append([*keys, population, 0, None, None, 20, 0.23, 0.07, 0.101, _PUPILS_PER_CLASS, 19.5])
    return _bytes(book)


def equalisation_workbook() -> bytes:
    """The equalisation of 2024 as the PDF tool leaves it: codes are numbers, a table goes on over sheets, its first lines twice."""
    lines = _lines()
    book = Workbook()
    book.worksheets[0].title = "Table 3"
    titles = [
        "Чисельність наявного населення станом на 01.01.2022,\n(тис. чол)", "Кількість облікованих\nВПО станом на 25.07.2023\n(тис. чол)",
        "Населення з урахуванням кількості\nВПО,\n(тис. чол)",
        "Очікуване надходження\nПДФО за 2023 рік без ПДФО з грошового утримання\nвійськових (відрахування - 60%), (тис. грн)",
        "Надходженн я ПДФО\nгрн на 1 жителя", "Індекс податко- спроможності відповідного бюджету",
    ]  # fmt: skip
    upper = ["Умовні позначення та коди", None, "Код бюджету", _NAME.replace("-", "- ")]
    lower = ["Код території", "Ознака бюджету"]
    computed = [_equalised(line) for line in lines]
    half = len(computed) // 2
    for name, part in (("Table 3", computed[:half]), ("Table 4", computed[half - 3 :])):
        sheet = book[name] if name in book.sheetnames else book.create_sheet(name)
        sheet.append([*upper, *titles])
        sheet.append(lower)
        for row in part:
            sheet.append([*row[:4], *row[4:10]])
    sheet = book.create_sheet("Table 6")
    sheet.append(["Обсяг базової/реверсної дотацій на 2024 рік"])
    sheet.append([*upper, "Реверсна дотація, тис. грн", "Базова дотація, тис. грн"])
    sheet.append(lower)
    for row in computed:
        sheet.append([*row[:4], *row[10:]])
    budgets = [row for row in computed if str(row[3]).startswith(("Бюджет ", "Обласний"))]
    sheet.append(["-", "v", 9700000000, "Резерв коштів у складі трансферту", None, None])
    sheet.append(["-", "v", None, "УСЬОГО", *(_total(budgets, at) for at in (10, 11))])
    return _bytes(book)


def _write_amounts(sheet: Worksheet, lines: Sequence[Line]) -> None:
    sheet.title = "Остаточний бюджет"
    sheet.append([
        "Умовні позначення та коди", None, "Код бюджету", _NAME, "Видатки на оплату праці з нарахуваннями", None, None, None,
        "Обсяг видатків, \nтис. гривень \n(з округленням до одного знаку після коми) \nк5 + к6 + к7 + к8",
    ])  # fmt: skip
    sheet.append([
        None, None, None, None, "загально-освітніх навчальних закладів",
        "професійно-технічних навчальних закладів державної та комунальної власності",
        "вищих навчальних закладів І-ІІ рівня акредитації державної та комунальної власності", "інклюзивно-ресурсних центрів",
    ])  # fmt: skip
    sheet.append(["Код території", "Ознака бюджету"])
    sheet.append(list(range(1, 10)))
    for ranges in ("A1:B2", "C1:C3", "D1:D3", "E1:H1", "I1:I3"):
        sheet.merge_cells(ranges)
    total = 0.0
    for (territory, kind, code, name, population), amount in zip(lines, _amounts(lines), strict=True):
        sheet.append([territory, kind, code, name, amount, 0, 0, 0, amount])
        total += amount if kind.startswith("g") or kind == "о" or (population and kind == "v") else 0
    total = round(total, 1)
    sheet.append(["-", "v", "9500000000", "Разом у розрізі місцевих бюджетів", total, 0, 0, 0, total])
    sheet.append(["-", "v", "9700000000", "Резерв коштів у складі трансферту", None, None, None, None, _RESERVE])
    sheet.append(["-", "v", "9900000000", "УСЬОГО", total, 0, 0, 0, round(total + _RESERVE, 1)])
    sheet.append([None] * 8 + [round(total + _RESERVE, 1)])


def _amounts(lines: Sequence[Line]) -> list[float]:
    """Thousand UAH; an aggregate is the sum of its budgets."""
    own = [
        _OBLAST_AMOUNT if kind == "о" else round((population or 0) * _PUPILS_PER_HEAD * _THOUSAND_PER_PUPIL, 1)
        for _, kind, _, _, population in lines
    ]
    sums: list[float] = []
    for territory, kind, _, _, population in lines:
        parts = [
            amount
            for amount, line in zip(own, lines, strict=True)
            if line[0] == territory and (line[1].startswith("g") or (kind == "v" and line[1] == "о"))
        ]
        is_aggregate = kind == "vg" or (kind == "v" and population is None)
        sums.append(round(sum(parts), 1) if is_aggregate else own[len(sums)])
    return sums


def _equalised(line: Line) -> list[str | float | None]:
    """Keys, six measures, and the two subsidies (thousand UAH) of a line; an aggregate has none of its own."""
    territory, kind, code, name, population = line
    keys: list[str | float | None] = [int(territory), kind, int(code), name]
    if population is None or not kind.startswith("g"):
        return [*keys, *[None] * 8]
    thousands = round(population / 1000, 1)
    per_head = 1500 + population % 4000
    index = round(per_head / 3474, 1)
    tax = round(thousands * per_head, 1)
    reverse = round((index - 1.1) * 0.5 * tax, 1) if index > 1.1 else None  # noqa: PLR2004 - the law's bounds
    base = round((0.9 - index) * 0.8 * tax, 1) if index < 0.9 else None  # noqa: PLR2004
    return [*keys, thousands, None, thousands, tax, per_head, index, reverse, base]


def _total(rows: Iterable[Sequence[object]], at: int) -> float:
    return round(sum(float(str(row[at])) for row in rows if row[at] is not None), 1)


def _lines() -> list[Line]:
    """Oblast by oblast: its aggregate, its own budget, the aggregate of its hromadas, and theirs; Kyiv last."""
    known = sorted((one for one in read_hromadas() if one.budget_code_new), key=lambda one: one.budget_code_new)
    lines: list[Line] = []
    for digits, group in groupby(known, key=lambda one: one.budget_code_new[:2]):
        members = list(group)
        if members[0].type_uk == "місто":
            lines.append((digits, "v", members[0].budget_code_new, "Бюджет міста Києва", members[0].population_2022))
            continue
        oblast = members[0].oblast_uk.removesuffix(" область")[:-1] + "ої області"
        lines.append((digits, "v", f"{digits}00000000", f"Зведений бюджет {oblast}", None))
        lines.append((digits, "о", f"{digits}10000000", f"Обласний бюджет {oblast}", None))
        lines.append((digits, "vg", f"{digits}50000000", f"Бюджети територіальних громад у {oblast}", None))
        lines += [_hromada_line(digits, one) for one in members]
    return lines


def _hromada_line(digits: str, one: Hromada) -> Line:
    name = f"Бюджет {one.name_uk[:-1]}ої {_GENITIVE[one.type_uk]} територіальної громади"
    return digits, "gmoz", one.budget_code_new, name, one.population_2022


def _bytes(book: Workbook) -> bytes:
    buffer = BytesIO()
    book.save(buffer)
    return without_clock(buffer.getvalue())
