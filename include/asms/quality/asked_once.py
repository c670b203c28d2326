"""The expectation that a query gives no rows, asked by one query where Great Expectations has two.

To be imported inside functions, as Great Expectations is.
"""

from typing import Any, ClassVar

from great_expectations.constants import MAX_RESULT_RECORDS  # noqa: TID253 - a class needs its parent
from great_expectations.expectations.core.unexpected_rows_expectation import (  # noqa: TID253
    UnexpectedRowsExpectation,
)

_ROWS = "unexpected_rows_query.table"
_COUNT = "unexpected_rows_query.row_count"


class UnexpectedRowsAskedOnce(UnexpectedRowsExpectation):
    """As its parent; the rows are counted where they came, and by a query where more failed than are fetched."""

    metric_dependencies: ClassVar[tuple[str, ...]] = (_ROWS,)

    def _validate(
        self, metrics: dict[str, Any], runtime_configuration: Any = None, execution_engine: Any = None
    ) -> Any:
        count = len(metrics[_ROWS])
        if count >= MAX_RESULT_RECORDS:
            count = self._count_rows(execution_engine)
        return super()._validate({**metrics, _COUNT: count}, runtime_configuration, execution_engine)

    def _count_rows(self, execution_engine: Any) -> int:
        from great_expectations.validator.metric_configuration import MetricConfiguration

        asked = MetricConfiguration(
            _COUNT,
            metric_domain_kwargs={},
            metric_value_kwargs={"unexpected_rows_query": self.unexpected_rows_query},
        )
        answer = execution_engine.resolve_metrics([asked])
        return int(answer[asked.id])


EXPECTATIONS = {UnexpectedRowsExpectation.expectation_type: UnexpectedRowsAskedOnce.expectation_type}
"""By the type that suites name, the type that is asked."""
