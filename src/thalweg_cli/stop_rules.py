"""The syntax of `--stop`: `grad_norm:1e-6 | steps:500`, where `&` binds tighter than `|`."""

import re
from collections import deque

from thalweg.core.stop import (
    Epochs,
    Evaluations,
    GradNorm,
    Patience,
    Seconds,
    StepNorm,
    Steps,
    Stop,
    Target,
    ValueChange,
)
from thalweg_cli.errors import Misuse, unknown_name, user_file_errors

STOP_RULES = {
    "grad_norm": GradNorm,
    "step_norm": StepNorm,
    "value_change": ValueChange,
    "target": Target,
    "steps": Steps,
    "epochs": Epochs,
    "patience": Patience,
    "evaluations": Evaluations,
    "seconds": Seconds,
}
"""Name on the command line -> stop rule; each takes one number."""

_Tokens = deque[str]


def parse_stop(text: str) -> Stop:
    """Returns the stop rule that `text` describes."""
    tokens = deque(re.findall(r"[|&()]|[^|&()\s]+", text))
    stop = _any_of(tokens, text)
    if tokens:
        raise _stop_misuse(text, f"{tokens[0]!r} is not expected there")
    return stop


def _any_of(tokens: _Tokens, text: str) -> Stop:
    """Parses `a | b | ...`."""
    stop = _all_of(tokens, text)
    while tokens and tokens[0] == "|":
        tokens.popleft()
        stop = stop | _all_of(tokens, text)
    return stop


def _all_of(tokens: _Tokens, text: str) -> Stop:
    """Parses `a & b & ...`."""
    stop = _single_rule(tokens, text)
    while tokens and tokens[0] == "&":
        tokens.popleft()
        stop = stop & _single_rule(tokens, text)
    return stop


def _single_rule(tokens: _Tokens, text: str) -> Stop:
    """Parses `name:number`, or an expression in parentheses."""
    if not tokens:
        raise _stop_misuse(text, "a rule is missing at its end")
    token = tokens.popleft()
    if token == "(":
        stop = _any_of(tokens, text)
        if not tokens or tokens.popleft() != ")":
            raise _stop_misuse(text, "a parenthesis is not closed")
        return stop
    if token in "|&)":
        raise _stop_misuse(text, f"a rule is missing before {token!r}")
    name, _, number = token.partition(":")
    name = name.replace("-", "_").lower()
    if name not in STOP_RULES:
        raise unknown_name("stop rule", name, STOP_RULES)
    try:
        value = float(number)
    except ValueError:
        raise _stop_misuse(text, f"{name} takes a number, as in {name}:{'1e-6' if '_' in name else '100'}") from None
    with user_file_errors(None):
        return STOP_RULES[name](value)


def _stop_misuse(text: str, what: str) -> Misuse:
    """Returns the error for a stop rule that cannot be parsed."""
    return Misuse(f"--stop {text!r}: {what}.")
