"""Names of a package that are imported when they are first used (PEP 562)."""

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy(
    package: str, homes: Mapping[str, str], namespaces: Mapping[str, str] | None = None
) -> tuple[Callable[[str], Any], Callable[[], list[str]], list[str]]:
    """The `__getattr__`, `__dir__` and `__all__` of a package whose names are defined elsewhere.

    - `package`: the package's `__name__`.
    - `homes`: module -> the names that it defines, separated by spaces.
    - `namespaces`: name -> the module that it stands for.

    A name that was looked up once is kept in the package, so that the next look finds it without a call.
    """
    modules = dict(namespaces or {})
    home_of = {name: module for module, names in homes.items() for name in names.split()}
    public = sorted({*home_of, *modules}, key=str.casefold)

    def look_up(name: str) -> Any:
        if name in home_of:
            value = getattr(importlib.import_module(home_of[name]), name)
        elif name in modules:
            value = importlib.import_module(modules[name])
        else:
            raise AttributeError(f"module {package!r} has no attribute {name!r}{_place_of(name, modules)}")
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *public})

    return look_up, names, public


def _place_of(name: str, modules: Mapping[str, str]) -> str:
    """Where among the namespaces a name is that was looked for in the package itself; empty where it is nowhere."""
    for space, module in modules.items() if not name.startswith("_") else ():
        try:
            found = name in dir(importlib.import_module(module))
        except ImportError:  # a namespace whose extra is not installed
            continue
        if found:
            return f": it is in {space}, {space}.{name}"
    return ""
