"""Method and options of a run: from the command line, else from a configuration, else the defaults of the problem."""

from typing import Any

import jax

from thalweg.core.config import from_config, to_config
from thalweg.core.oracle import Oracle
from thalweg.core.stop import Epochs, Stop, rules_of
from thalweg.core.variables import split
from thalweg.suggestion import suggest
from thalweg_cli.errors import Misuse, user_file_errors
from thalweg_cli.run_target import DEFAULT_OPTIONS, OPTION_NAMES, RunTarget
from thalweg_cli.settings import adjust, configure, find_method, parse_settings
from thalweg_cli.stop_rules import parse_stop

_BATCH_OPTIONS = ("batch_size", "last", "shuffle", "stop", "keep", "validate_every", "on_nonfinite")
"""Options that apply only to methods on mini-batches."""

_ALL_DATA = "all"


def method_and_options(request: Any, target: RunTarget, config: dict) -> tuple[Any, dict[str, Any]]:
    """Returns the method and all options of a run."""
    try:
        found = {name: from_config(config[name]) for name in OPTION_NAMES if name in config}
        method = from_config(config["method"]) if "method" in config else target.method
    except (KeyError, TypeError, ValueError) as error:
        raise Misuse(f"{request.config}: {error}") from error
    options = DEFAULT_OPTIONS | (found if config else target.options)
    with user_file_errors(target.file):
        if request.method is not None:
            row = find_method(request.method)
            method = configure(row, target.source, parse_settings(request.settings))
            if options["batch_size"] is not None and Oracle.BATCHES not in row.solver().takes:
                options |= {name: DEFAULT_OPTIONS[name] for name in _BATCH_OPTIONS}
        options |= _typed_options(request)
        if request.epochs is not None:
            options["stop"] = with_epochs(options["stop"], Epochs(request.epochs))
        if request.method is None and request.settings:
            method = _resolved_method(method, target, options) if method is None else method
            method = adjust(method, parse_settings(request.settings), type(method).__name__)
    return method, options


def _typed_options(request: Any) -> dict[str, Any]:
    """Returns the options that were given on the command line."""
    plain = ("keep", "restarts", "seed", "validate_every", "on_nonfinite")
    options = {name: value for name in plain if (value := getattr(request, name)) is not None}
    if request.batch_size is not None:
        options["batch_size"] = _parse_batch_size(request.batch_size)
    if request.stop is not None:
        options["stop"] = parse_stop(request.stop)
    return options


def _parse_batch_size(text: str) -> int | None:
    """Returns the batch size, None for full gradients."""
    if text.lower() == _ALL_DATA:
        return None
    try:
        return int(text)
    except ValueError:
        raise Misuse(f"--batch-size {text!r}: give a whole number >= 1, or `{_ALL_DATA}` for the whole data.") from None


def with_epochs(stop: Stop | None, epochs: Epochs) -> Stop:
    """Returns the stop rule with its limit on epochs replaced, or with this limit added."""
    if stop is None:
        return epochs
    if not any(isinstance(rule, Epochs) for rule in rules_of(stop)):
        return stop | epochs

    def is_epochs(rule):
        return isinstance(rule, Epochs)

    return jax.tree.map(lambda leaf: epochs if is_epochs(leaf) else leaf, stop, is_leaf=is_epochs)


def _resolved_method(method: Any, target: RunTarget, options: dict[str, Any]) -> Any:
    """Returns the method, or the one that `minimize` will choose; None if only the run can tell."""
    if method is not None or target.x0 is None:
        return method
    problem = target.problem if options["batch_size"] is None else target.problem.in_batches()
    return suggest(problem, split(target.x0)[0]).method


def run_config(method: Any, target: RunTarget, options: dict[str, Any]) -> dict[str, Any]:
    """Returns method and options in the form of a configuration."""
    described = {"method": to_config(_resolved_method(method, target, options))}
    return described | {name: to_config(value) for name, value in options.items()}
