"""A column of a table or a field of a record that was not there before: it informs, and what is missing blocks.

What belongs: the one way in which every reader tells it. What does not: which columns a source is known to have (its module).
"""

from collections.abc import Collection, Iterable, Mapping

from asms.findings import Finding

_LONGEST = 200  # characters of a title that are told


def new_columns(titles: Iterable[str], dataset: str, known: Collection[str], path: str | None = None) -> list[Finding]:
    """A Finding on the answer ``path`` for each of ``titles`` that is not ``known``: it is left unread."""
    return [
        Finding(
            rule_id="SOURCE_COLUMN_NEW",
            dataset=dataset,
            message_uk=f"Новий стовпець «{title}», його не прочитано",
            message_en=f"new column '{title}', left unread",
            file_name=path,
            cell=title,
        )
        for title in dict.fromkeys(title.replace("\0", "")[:_LONGEST] for title in titles)
        if title and title not in known
    ]


def titles_of(records: Iterable[Mapping[str, object]]) -> list[str]:
    """The fields of JSON records, each once: a record may lack what another has."""
    return list(dict.fromkeys(title for record in records for title in record))
