"""The population table of the sample in the layout of the statistics service: real figures, fewer lines."""

import re
import zipfile
from io import BytesIO
from itertools import groupby

from openpyxl import Workbook

from asms.sample.hromadas import Hromada, read_hromadas

_SHEET = "48-81"  # the pages of the printed book, as the service names its sheets
_NIL = "–"
_TITLE = (
    "6. Чисельність наявного населення в розрізі регіонів, районів,                                      ",
    "територіальних громад (за оцінкою)",
    "Present population size by regions, districts,  territorial communities, (estimated) ",
)
_EPOCH = (1980, 1, 1, 0, 0, 0)


def population_workbook() -> bytes:
    """The table as xlsx, equal bytes each time; hromadas stand under their oblast and raion."""
    workbook = Workbook()
    workbook.worksheets[0].title = "Титул"
    workbook.worksheets[0].append(["Вибірка зі збірника «Чисельність наявного населення України на 1 січня 2022 року»"])
    sheet = workbook.create_sheet(_SHEET)
    for title in _TITLE:
        sheet.append([title])
    sheet.append(["", "", "  (на 1 січня 2022 / as of January 1, 2022)"])
    sheet.append(["", "Осіб / Persons", ""])
    sheet.append([])
    hromadas = read_hromadas()
    sheet.append(["Автономна Республіка Крим", _NIL, "Autonomous Republic of Crimea"])
    in_oblasts = [one for one in hromadas if one.raion_uk]
    for (oblast, oblast_en), of_oblast in groupby(in_oblasts, key=lambda one: (one.oblast_uk, one.oblast_en)):
        sheet.append([])
        sheet.append([oblast, None, oblast_en])
        ordered = sorted(of_oblast, key=lambda one: (one.raion_uk, one.municipality_code))
        for (raion, raion_en), of_raion in groupby(ordered, key=lambda one: (one.raion_uk, one.raion_en)):
            sheet.append([raion, None, raion_en])
            for one in of_raion:
                sheet.append(_line(one))
    sheet.append([])
    for one in hromadas:
        if one.type_uk == "місто":
            sheet.append(_line(one))
    buffer = BytesIO()
    workbook.save(buffer)
    return without_clock(buffer.getvalue())


def _line(one: Hromada) -> list[str | int]:
    return [
        one.population_name_uk,
        _NIL if one.population_2022 is None else one.population_2022,
        one.population_name_en,
    ]


def without_clock(data: bytes) -> bytes:
    """Take the time of writing out, so that a second fetch finds the same bytes."""
    result = BytesIO()
    with zipfile.ZipFile(BytesIO(data)) as source, zipfile.ZipFile(result, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            content = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", b"1980-01-01T00:00:00Z", source.read(name))
            target.writestr(zipfile.ZipInfo(name, _EPOCH), content, zipfile.ZIP_DEFLATED)
    return result.getvalue()
