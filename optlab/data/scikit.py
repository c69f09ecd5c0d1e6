"""The one door to scikit-learn, which is optional and slow to import."""

from __future__ import annotations

import importlib
from typing import Any

from optlab.errors import MissingPackageError


def datasets(what: str) -> Any:
    """The module ``sklearn.datasets``, from which ``what`` comes.

    Raises:
        MissingPackageError: scikit-learn is not installed.
    """
    try:
        return importlib.import_module("sklearn.datasets")
    except ImportError as error:
        raise MissingPackageError(f"{what} comes with scikit-learn; `pip install optlab[experiments]`") from error
