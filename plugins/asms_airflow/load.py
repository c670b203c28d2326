"""Opening the warehouse for a load: settings, connection data and the lock against two loads at once."""

from collections.abc import Iterator
from contextlib import contextmanager

from asms.settings import Settings, load_settings
from asms.warehouse.connection import LoadLock, Warehouse, load_lock, open_warehouse

# The lock belongs to a database session. Tasks of the nightly run share its process, and it holds the lock from start to
# end; a task that asked again on a session of its own would wait for its own process for ever.
_lock_of_process: LoadLock | None = None


@contextmanager
def hold_load_lock(warehouse: Warehouse, settings: Settings) -> Iterator[None]:
    """Hold the load lock for every task that runs in this process. Raises LockedError when another load runs."""
    global _lock_of_process  # noqa: PLW0603 - a fact about this process, see above
    with load_lock(warehouse, settings.lock_timeout_seconds) as lock:
        _lock_of_process = lock
        try:
            yield
        finally:
            _lock_of_process = None


@contextmanager
def open_for_load() -> Iterator[tuple[Warehouse, Settings]]:
    """Give a task its warehouse and settings, under the load lock. Raises LockedError when another load runs."""
    settings = load_settings()
    warehouse = open_warehouse(settings)
    if _lock_of_process:
        _lock_of_process.hold()  # its session may have been cut between two tasks
        yield warehouse, settings
    else:
        with load_lock(warehouse, settings.lock_timeout_seconds):
            yield warehouse, settings
