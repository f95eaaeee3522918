"""Why a run ended: one code, one meaning."""

import enum


class Status(enum.IntEnum):
    """The end of a run. `ok` is true where the user got what the stop rule asked for."""

    RUNNING = 0
    CONVERGED = 1
    STOPPED = 2
    STEP_LIMIT = 3
    TIME_LIMIT = 4
    INTERRUPTED = 5
    NONFINITE = 6
    SEARCH_FAILED = 7
    DIVERGED = 8
    INFEASIBLE = 9

    @property
    def failed(self) -> bool:
        """True where the numbers, not the user, ended the run."""
        return self >= Status.NONFINITE
