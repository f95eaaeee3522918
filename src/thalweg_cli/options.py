"""How a run is done: what was typed, else what a configuration says, else what suits the problem."""

from typing import Any

import jax

from thalweg.core.config import from_config, to_config
from thalweg.core.oracle import Oracle
from thalweg.core.stop import Epochs, Stop, rules_of
from thalweg.core.variables import split
from thalweg.suggestion import suggest
from thalweg_cli.errors import Misuse, blame
from thalweg_cli.settings import adjust, configure, find_method, parse_settings
from thalweg_cli.stops import parse_stop
from thalweg_cli.targets import OPTIONS, PLAIN, Target

OF_BATCHES = ("batch_size", "last", "shuffle", "stop", "keep", "validate_every", "on_nonfinite")
"""Those that suit a method on batches, and say nothing of one that sees the whole data at every step."""

ALL = "all"


def choose(request: Any, target: Target, config: dict) -> tuple[Any, dict[str, Any]]:
    """The method and every option."""
    try:
        found = {name: from_config(config[name]) for name in OPTIONS if name in config}
        method = from_config(config["method"]) if "method" in config else target.method
    except (KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{request.config}: {error}") from error
    options = PLAIN | (found if config else target.options)
    with blame(target.file):
        if request.method is not None:
            row = find_method(request.method)
            method = configure(row, target.source, parse_settings(request.settings))
            if options["batch_size"] is not None and Oracle.BATCHES not in row.solver().takes:
                options |= {name: PLAIN[name] for name in OF_BATCHES}
        options |= typed(request)
        if request.epochs is not None:
            options["stop"] = with_epochs(options["stop"], Epochs(request.epochs))
        if request.method is None and request.settings:
            method = chosen(method, target, options) if method is None else method
            method = adjust(method, parse_settings(request.settings), type(method).__name__)
    return method, options


def typed(request: Any) -> dict[str, Any]:
    """The options that were typed."""
    plain = ("keep", "restarts", "seed", "validate_every", "on_nonfinite")
    options = {name: value for name in plain if (value := getattr(request, name)) is not None}
    if request.batch_size is not None:
        options["batch_size"] = parse_batch_size(request.batch_size)
    if request.stop is not None:
        options["stop"] = parse_stop(request.stop)
    return options


def parse_batch_size(text: str) -> int | None:
    """A whole number; None for all the data."""
    if text.lower() == ALL:
        return None
    try:
        return int(text)
    except ValueError:
        raise Misuse(f"--batch-size {text!r}: give a whole number >= 1, or `{ALL}` for the whole data.") from None


def with_epochs(stop: Stop | None, epochs: Epochs) -> Stop:
    """The stop rule with this limit in place of its own, or beside it."""
    if stop is None:
        return epochs
    if not any(isinstance(rule, Epochs) for rule in rules_of(stop)):
        return stop | epochs

    def is_epochs(rule):
        return isinstance(rule, Epochs)

    return jax.tree.map(lambda leaf: epochs if is_epochs(leaf) else leaf, stop, is_leaf=is_epochs)


def chosen(method: Any, target: Target, options: dict[str, Any]) -> Any:
    """The method, or the one that `minimize` will choose; None where only the run itself can tell."""
    if method is not None or target.x0 is None:
        return method
    problem = target.problem if options["batch_size"] is None else target.problem.in_batches()
    return suggest(problem, split(target.x0)[0]).method


def describe(method: Any, target: Target, options: dict[str, Any]) -> dict[str, Any]:
    """Method and options as a configuration holds them."""
    described = {"method": to_config(chosen(method, target, options))}
    return described | {name: to_config(value) for name, value in options.items()}
