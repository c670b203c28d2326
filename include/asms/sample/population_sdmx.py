"""Population of the sample by region in the words of the statistics service's SDMX endpoint (SDMX-ML 2.1).

The figure of 2022 is the sum of the sample's hromadas, those of the years before are made up from it.
"""

import re
from collections import Counter
from datetime import UTC, datetime
from itertools import count
from xml.sax.saxutils import quoteattr

from asms.sample.hromadas import read_hromadas

PATH = re.compile(r"/data/SSSU,DF_POPULATION_STRUCTURE/([^/]+)/all")
_COUNTRY = "UA00000000000000000"
_REGIONS = (
    "UA01000000000013043", "UA05000000000010236", "UA07000000000024379", "UA12000000000090473", "UA14000000000091971",
    "UA18000000000041385", "UA21000000000011690", "UA23000000000064947", "UA26000000000069363", "UA32000000000030281",
    "UA35000000000016081", "UA44000000000018893", "UA46000000000026241", "UA48000000000039575", "UA51000000000030770",
    "UA53000000000028050", "UA56000000000066151", "UA59000000000057109", "UA61000000000060328", "UA63000000000041885",
    "UA65000000000030969", "UA68000000000099709", "UA71000000000010357", "UA73000000000044923", "UA74000000000025378",
    "UA80000000000093317", "UA85000000000065278",
)  # fmt: skip
_DIMENSIONS = ("INDICATOR", "REGION", "AGE", "GENDER", "TERRAIN_TYPE", "FREQ")
_YEARS = (2020, 2021, 2022)
_FALL = 0.007  # a year, of the population of 2022
_MESSAGE_NO = count(1)
_ENVELOPE = """<?xml version='1.0' encoding='UTF-8'?>
<message:StructureSpecificData xmlns:message="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/message"\
 xmlns:common="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/common"\
 xmlns:ss="http://www.sdmx.org/resources/sdmxml/schemas/v2_1/data/structurespecific"\
 xmlns:ns1="urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure=SSSU:DSD_POPULATION_STRUCTURE(5.0.0)"\
 xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<message:Header><message:ID>IDREF{message_no}</message:ID><message:Test>false</message:Test>\
<message:Prepared>{prepared}</message:Prepared><message:Sender id="SSSU"/>\
<message:Structure structureID="DSD_POPULATION_STRUCTURE" dimensionAtObservation="TIME_PERIOD"\
 namespace="urn:sdmx:org.sdmx.infomodel.datastructure.DataStructure=SSSU:DSD_POPULATION_STRUCTURE(5.0.0)">\
<common:StructureUsage><Ref agencyID="SSSU" id="DF_POPULATION_STRUCTURE" version="8.0.0"/></common:StructureUsage>\
</message:Structure></message:Header>
<message:DataSet ss:dataScope="DataStructure" xsi:type="ns1:DataSetType" ss:structureRef="DSD_POPULATION_STRUCTURE">
{series}
</message:DataSet>
</message:StructureSpecificData>
"""


def population_message(key: str) -> bytes | None:
    """The series that ``key`` (codes parted by points, none for every one) asks for; None when there are none."""
    asked = key.split(".")
    if len(asked) != len(_DIMENSIONS):
        return None
    series = []
    for region, population in _populations().items():
        codes = ("PNMI_01", region, "_T", "_T", "_T", "A")
        if all(want in ("", code) for want, code in zip(asked, codes, strict=True)):
            named = " ".join(f"{name}={quoteattr(code)}" for name, code in zip(_DIMENSIONS, codes, strict=True))
            observations = "".join(
                f'<Obs TIME_PERIOD="{year}" OBS_VALUE="{round(population * (1 + _FALL * (_YEARS[-1] - year)))}"/>'
                for year in _YEARS
            )
            series.append(f"<Series {named}>{observations}</Series>")
    if not series:
        return None
    clock = {"message_no": next(_MESSAGE_NO), "prepared": datetime.now(UTC).isoformat()}  # new in each answer
    return _ENVELOPE.format(series="\n".join(series), **clock).encode()


def _populations() -> Counter[str]:
    """Persons by region on 1 January 2022; those of whom nothing is known are left out."""
    region_of = {code[:4]: code for code in _REGIONS}
    found: Counter[str] = Counter()
    for one in read_hromadas():
        if one.population_2022 is not None:
            found[_COUNTRY] += one.population_2022
            found[region_of[one.municipality_code[:4]]] += one.population_2022
    return found
