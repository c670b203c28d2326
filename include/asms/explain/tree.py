"""A certificate as a tree for a terminal."""

from collections.abc import Iterator

from asms.explain.gather import Certificate, spell_value

_OUTCOMES = {"failed": "✗", "failed_before": "(✗)", "no_finding": "✓"}


def draw_tree(certificate: Certificate) -> str:
    """Lines of a tree; each input of a formula is a branch."""
    return "\n".join(_lines(certificate))


def _lines(c: Certificate) -> Iterator[str]:
    unit = f" {c.unit_measure}" if c.unit_measure and c.obs_value is not None else ""
    value = spell_value(c.obs_value, c.obs_status, is_computed=c.is_computed)
    yield f"{c.indicator_code} {c.time_period} {c.sex} = {value}{unit}   {c.indicator_name or ''}"
    yield f"  {c.municipality_code} {c.municipality_name or ''}, випуск / release {c.release_id}"
    if c.formula:
        yield f"  формула / formula: {c.formula}"
        yield f"  з числами / with figures: {c.formula_with_figures}"
    yield from _source_lines(c)
    if c.correction:
        told = spell_value(c.correction.reported_value, c.correction.reported_status)
        yield f"  виправлено / corrected: {c.correction.action}, у звіті / reported: {told}"
        yield f"    {c.correction.reason} ({c.correction.provider})"
    for gone in c.withdrawals:
        since = f", з випуску / since release {gone.release_id}" if gone.release_id else ""
        yield f"  відкликано / withdrawn: {gone.received_at:%Y-%m-%d %H:%M:%S} UTC, {gone.withdrawn_by}{since}"
        yield f"    {gone.reason}"
    yield from _open_data_lines(c)
    for verdict in c.verdicts:
        yield f"  {_OUTCOMES[verdict.outcome]} {verdict.rule_id} ({verdict.severity}) {verdict.title_uk}"
    for explained in c.explanations:
        yield f"  пояснення / explanation: {explained.text} ({explained.rule_id}, {explained.status})"
    if len(c.vintages) > 1:
        for v in c.vintages:
            until = f"–{v.release_to - 1}" if v.release_to else "–"
            value = spell_value(v.obs_value, v.obs_status, is_computed=c.is_computed)
            yield f"  випуски / releases {v.release_from}{until}: {value}"
    for number, given in enumerate(c.inputs, 1):
        is_last = number == len(c.inputs)
        for place, line in enumerate(_lines(given)):
            yield (("  └─ " if is_last else "  ├─ ") if place == 0 else ("     " if is_last else "  │  ")) + line


def _source_lines(c: Certificate) -> Iterator[str]:
    if c.source is None:
        return
    yield f"  файл / file: {c.source.file_name}  sha256 {c.source.sha256}"
    if c.source.cell:
        written = c.source.value_text if c.source.value_text is not None else "(порожньо / blank)"
        yield f"  клітинка / cell: {c.source.sheet}!{c.source.cell}, написано / written: {written}"
    yield f"  надіслав / sender: {c.source.sender}, форма / form {c.source.form}"
    for arrival in c.source.arrivals:
        yield f"  надійшло / received: {arrival.received_at:%Y-%m-%d %H:%M:%S} UTC, {arrival.channel} {arrival.path}"


def _open_data_lines(c: Certificate) -> Iterator[str]:
    if c.register_value is not None:
        yield f"  реєстр / register: {spell_value(c.register_value, '')} ({c.obs_source})"
    for datum in c.open_data:
        where = f"{datum.sheet}, " if datum.sheet else ""
        yield f"    {datum.channel} {datum.request}, {where}рядок / row {datum.row}: {datum.item} = {datum.value_text}"
        yield f"    sha256 {datum.sha256}, надійшло / received {datum.received_at:%Y-%m-%d %H:%M:%S} UTC"
