"""Which files have news for their senders, and what. Reads only, as role ``gate``, from raw and ``quality``: a build that a gate
stopped has answers too.

Files are looked at by groups: all returns of one body, period and collection, because a finding may concern several files of
them; a file that could not be read is a group of its own. A group whose look was answered before is not opened.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import psycopg
from psycopg.rows import class_row, dict_row

from asms.feedback.report import Item, Report, SentCell

# A group's look: its open findings, what was explained, and the returns that it consists of.
_DUE = """
with

looks (group_key, line) as (
    select
        concat_ws('|', collection_code, municipality_code, time_period),
        concat_ws('|', 'finding', finding_id, severity, value_expected, message_uk, remedy_uk)
    from quality.finding
    where is_open and dataset = 'submissions' and municipality_code is not null and time_period is not null
    union all
    select
        'file|' || delivery_id,
        concat_ws('|', 'finding', finding_id, severity, message_uk, remedy_uk)
    from quality.finding
    where is_open and dataset = 'submissions' and municipality_code is null and delivery_id is not null
    union all
    select
        concat_ws('|', collection_code, municipality_code, time_period),
        concat_ws('|', 'explanation', explanation_id, status)
    from quality.explanation
    union all
    select
        concat_ws('|', collection_code, municipality_code, time_period),
        concat_ws('|', 'withdrawal', delivery_id)
    from raw.submission_withdrawal
    union all
    select
        concat_ws('|', submission.collection_code, submission.municipality_code, submission.time_period),
        concat_ws('|', 'return', submission.submission_id, max(delivery.batch_no))
    from raw.submission
    inner join raw.submission_delivery on submission.submission_id = submission_delivery.submission_id
    inner join raw.delivery on submission_delivery.delivery_id = delivery.delivery_id
    group by submission.submission_id
),

hashed as (
    select group_key, encode(sha256(convert_to(string_agg(line, chr(10) order by line), 'UTF8')), 'hex') as state_hash
    from looks
    group by group_key
)

select hashed.group_key, hashed.state_hash
from hashed
left join quality.feedback_state on hashed.group_key = feedback_state.group_key
where hashed.state_hash is distinct from feedback_state.state_hash
order by hashed.group_key
"""

# A delivery counts as its latest reading says. A return stands as long as it is the last to hold some cell; files of one batch
# have no order, so both hold theirs. What was withdrawn stands no more. A trial takes nothing from what was sent in earnest, nor
# that from a trial.
_CELLS = """
with

touched as (
    select distinct submission_delivery.delivery_id
    from raw.submission
    inner join raw.submission_delivery on submission.submission_id = submission_delivery.submission_id
    where concat_ws('|', submission.collection_code, submission.municipality_code, submission.time_period) = any(%(groups)s)
),

readings as (
    select distinct on (reading.delivery_id)
        reading.delivery_id, reading.submission_id, delivery.batch_no, delivery.received_no, delivery.path,
        delivery.is_test
    from touched
    inner join raw.submission_delivery as reading on touched.delivery_id = reading.delivery_id
    inner join raw.delivery on reading.delivery_id = delivery.delivery_id
    inner join ops.load on reading.load_id = load.load_id
    order by reading.delivery_id asc, load.loaded_at desc, load.load_id asc, reading.submission_id asc
),

returns as (
    select
        concat_ws('|', submission.collection_code, submission.municipality_code, submission.time_period) as group_key,
        submission.submission_id, submission.form_code, submission.sha256,
        max(readings.batch_no) as batch_no,
        bool_and(readings.is_test) as is_trial,
        (array_agg(readings.path order by readings.received_no desc))[1] as file_name
    from readings
    inner join raw.submission on readings.submission_id = submission.submission_id
    where readings.is_test or readings.batch_no > coalesce((
        select max(delivery.batch_no)
        from raw.submission_withdrawal as withdrawal
        inner join raw.delivery on withdrawal.delivery_id = delivery.delivery_id
        where
            (withdrawal.collection_code, withdrawal.municipality_code, withdrawal.time_period)
            = (submission.collection_code, submission.municipality_code, submission.time_period)
    ), -1)
    group by submission.submission_id
),

ranked as (
    select
        returns.group_key, returns.submission_id, returns.form_code, returns.sha256, returns.batch_no, returns.file_name,
        returns.is_trial, cell.sheet, cell.cell, cell.indicator_code, cell.sex, cell.value_text, cell.value_type, cell.reason_text,
        cell.remark_text,
        rank() over (
            partition by returns.group_key, returns.is_trial, cell.indicator_code, cell.sex order by returns.batch_no desc
        ) = 1 as is_counted
    from returns
    inner join raw.submission_cell as cell on returns.submission_id = cell.submission_id
    where returns.group_key = any(%(groups)s)
)

select group_key, submission_id, form_code, sha256, batch_no, file_name, is_trial, array_agg(
    array[sheet, cell, indicator_code, sex, value_text, value_type, reason_text, remark_text, is_counted::text]
) as cells
from ranked
group by group_key, submission_id, form_code, sha256, batch_no, file_name, is_trial
having bool_or(is_counted)
order by group_key, batch_no, file_name
"""

# What reads the same in every finding of a rule is told once, by the rule's title; a reader's message has the particulars.
_FINDINGS = """
select
    case
        when finding.municipality_code is null then 'file|' || finding.delivery_id
        else concat_ws('|', finding.collection_code, finding.municipality_code, finding.time_period)
    end as group_key,
    finding.submission_id, coalesce(sent.is_trial, false) as is_trial,
    finding.finding_id, finding.rule_id, finding.severity, finding.file_name, finding.sheet,
    finding.cell, finding.indicator_code, finding.sex, finding.value_found, finding.value_expected,
    case when rule.engine = 'reader' then finding.message_uk else rule.title_uk end as message_uk,
    case when rule.engine = 'reader' then finding.message_en else rule.title_en end as message_en,
    finding.remedy_uk, finding.remedy_en, explained.text as explanation_text, explained.status as explanation_status,
    indicator.name_uk, indicator.name_en
from quality.finding
inner join quality.rule on finding.rule_id = rule.rule_id
left join catalogue.indicator on finding.indicator_code = indicator.indicator_code
left join lateral (
    select bool_and(delivery.is_test) as is_trial
    from raw.submission_delivery
    inner join raw.delivery on submission_delivery.delivery_id = delivery.delivery_id
    where submission_delivery.submission_id = finding.submission_id
) as sent on true
left join lateral (
    select explanation.text, explanation.status
    from quality.explanation
    inner join quality.finding as judged on explanation.finding_id = judged.finding_id
    where
        explanation.rule_id = finding.rule_id
        -- a reader's finding names no indicator and is known by its cell and words too
        and (
            rule.engine != 'reader'
            or (finding.sheet, finding.cell, finding.message_uk) is not distinct from (judged.sheet, judged.cell, judged.message_uk)
        )
        and (
            explanation.collection_code, explanation.municipality_code, explanation.time_period, explanation.indicator_code,
            explanation.sex, explanation.value_found
        ) is not distinct from (
            finding.collection_code, finding.municipality_code, finding.time_period, finding.indicator_code, finding.sex,
            finding.value_found
        )
    order by explanation.offered_at desc, explanation.explanation_id
    limit 1
) as explained on true
where
    finding.is_open and finding.dataset = 'submissions'
    and (
        finding.municipality_code is not null
        and concat_ws('|', finding.collection_code, finding.municipality_code, finding.time_period) = any(%(groups)s)
        or finding.municipality_code is null and 'file|' || finding.delivery_id = any(%(groups)s)
    )
order by
    array_position(array['fatal', 'error', 'warning', 'info'], finding.severity), finding.sheet, length(finding.cell),
    finding.cell, finding.rule_id, finding.finding_id
"""

_FILES = "select 'file|' || delivery_id, delivery_id, path, sha256 from raw.delivery where delivery_id = any(%s)"

_HELD_AT_ONCE = 10
"""Groups whose cells are in memory: those of fifty take seventy megabytes, beside whatever else the process holds."""


@dataclass(frozen=True)
class DueGroup:
    """A group with a look that was not answered yet."""

    group_key: str
    state_hash: str


@dataclass(frozen=True)
class _Sent:
    """A return that stands."""

    group_key: str
    submission_id: str
    form_code: str
    sha256: str
    batch_no: int
    file_name: str
    is_trial: bool
    cells: list[list[str | None]]


def find_due(connection: psycopg.Connection) -> list[DueGroup]:
    """Groups that changed since they were last answered, or never were."""
    return connection.cursor(row_factory=class_row(DueGroup)).execute(_DUE).fetchall()


def read_reports(
    connection: psycopg.Connection, groups: Sequence[DueGroup], name_of: Callable[[str], str], catalogue_version: str
) -> Iterator[tuple[DueGroup, list[Report]]]:
    """Each of ``groups`` with a report on each of its files that stand, also on those that nothing is wrong with."""
    keys = {"groups": [group.group_key for group in groups]}
    found: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)
    for row in connection.cursor(row_factory=dict_row).execute(_FINDINGS, keys):
        found[row.pop("group_key")].append(row)
    unread = [key.removeprefix("file|") for key in keys["groups"] if key.startswith("file|")]
    files: dict[str, tuple[str, str, str]] = {row[0]: row[1:] for row in connection.execute(_FILES, (unread,))}
    for number, group in enumerate(groups):
        if number % _HELD_AT_ONCE == 0:
            returns = _read_returns(connection, groups[number : number + _HELD_AT_ONCE])
        if group.group_key in files:
            delivery_id, path, sha256 = files[group.group_key]
            items = tuple(_item(row, path) for row in found[group.group_key])
            of_nobody = (None, None, None, None, None)
            report = Report(delivery_id, *of_nobody, path, sha256, catalogue_version, items, ())
            yield group, [report]
        else:
            sent = returns.pop(group.group_key, [])
            told = _report_on_group(sent, found[group.group_key], name_of, catalogue_version)
            yield group, list(told)


def _read_returns(connection: psycopg.Connection, groups: Sequence[DueGroup]) -> dict[str, list[_Sent]]:
    returns: defaultdict[str, list[_Sent]] = defaultdict(list)
    keys = {"groups": [group.group_key for group in groups]}
    for sent in connection.cursor(row_factory=class_row(_Sent)).execute(_CELLS, keys):
        returns[sent.group_key].append(sent)
    return returns


def _report_on_group(
    sent: Sequence[_Sent], rows: Sequence[Mapping[str, Any]], name_of: Callable[[str], str], catalogue_version: str
) -> Iterator[Report]:
    cells = {one.submission_id: tuple(map(_cell, one.cells)) for one in sent}
    counted = {submission_id: _by_question(held) for submission_id, held in cells.items()}
    items: defaultdict[str, list[Item]] = defaultdict(list)
    for row in rows:
        alike = [one for one in sent if one.is_trial == row["is_trial"]]
        for submission_id, place in _places(row, alike, counted):
            file_name = next(one.file_name for one in sent if one.submission_id == submission_id)
            item = _item(row, file_name)
            items[submission_id].append(replace(item, sheet=place.sheet, cell=place.cell) if place else item)
    for one in sent:
        collection_code, municipality_code, time_period = one.group_key.split("|")
        yield Report(
            one.submission_id, one.form_code, collection_code, municipality_code, name_of(municipality_code), time_period,
            one.file_name, one.sha256, catalogue_version, tuple(items[one.submission_id]), cells[one.submission_id],
        )  # fmt: skip


def _places(
    row: Mapping[str, Any], sent: Sequence[_Sent], counted: Mapping[str, Mapping[tuple[str, str], Sequence[SentCell]]]
) -> Iterator[tuple[str, SentCell | None]]:
    """The files that a finding is told in, and the cell there.

    A finding on a cell belongs to the file that answers that cell last: an answer that came again unchanged is still held in
    force by the file that brought it first. What no file holds is told in the newest.
    """
    if row["indicator_code"] is not None:
        question = (row["indicator_code"], row["sex"] or "T")
        held = [
            (one.submission_id, min(same, key=lambda cell: (cell.sheet, cell.cell) != (row["sheet"], row["cell"])))
            for one in sent
            if (same := counted[one.submission_id].get(question))
        ]
        if held:
            yield from held
            return
    elif row["submission_id"] is not None:
        if row["submission_id"] in counted:
            yield row["submission_id"], None
        return
    if sent:
        yield max(sent, key=lambda one: (one.batch_no, one.submission_id)).submission_id, None


def _by_question(cells: Iterable[SentCell]) -> dict[tuple[str, str], list[SentCell]]:
    found: defaultdict[tuple[str, str], list[SentCell]] = defaultdict(list)
    for cell in cells:
        if cell.is_counted:
            found[cell.indicator_code, cell.sex].append(cell)
    return found


def _item(row: Mapping[str, Any], file_name: str) -> Item:
    values = {key: value for key, value in row.items() if key not in ("submission_id", "is_trial")}
    return Item(**{**values, "file_name": file_name if row["indicator_code"] else row["file_name"] or file_name})


def _cell(values: Sequence[str | None]) -> SentCell:
    sheet, cell, code, sex, text, kind, reason, remark, is_counted = values
    return SentCell(
        sheet or "", cell or "", code or "", sex or "", text, kind or "", reason, remark, is_counted == "true"
    )
