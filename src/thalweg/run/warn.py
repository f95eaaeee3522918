"""Warnings that point at the user's line."""

import os
import sys
import warnings
from pathlib import Path

_PACKAGE = str(Path(__file__).parents[1]) + os.sep


class MinimizeWarning(RuntimeWarning):
    """A run that failed under `on_failure="warn"`, a start outside the bounds, a tolerance out of reach."""


def warn(sentence: str, category: type[Warning] = MinimizeWarning) -> None:
    """Warns where the nearest caller outside the package stands, however deep the reason was found."""
    level, frame = 1, sys._getframe()
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_PACKAGE):
        level, frame = level + 1, frame.f_back
    warnings.warn(sentence, category, stacklevel=level)
