"""One row a method: what it is, what it costs and promises, how it is tested, and where it comes from."""

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import equinox as eqx

from thalweg.core.fields import replace
from thalweg.core.first_order import FirstOrder
from thalweg.core.rule import Rule
from thalweg.core.solver import Solver
from thalweg.registry.claims import Promise
from thalweg.registry.space import Space

Amount = float | Callable[[float, float], float]
"""A number, or a function of n variables and m examples (or residuals)."""


def _amount(value: Amount, n: float, m: float) -> float:
    """An amount at `n` variables and `m` examples."""
    return float(value(n, m) if callable(value) else value)


class Work(NamedTuple):
    """What one step takes at least: evaluations on all examples, and operations beside them.

    - `value`, `gradient`, `hvp`, `prox`: evaluations as `tw.Evals` counts them (a gradient comes with a value, which
      counts too), on m examples each: two gradients on half of the examples are one. A search is counted with one
      trial point, truncated conjugate gradients with one product.
    - `flops`: floating-point operations beside the evaluations, to leading order.

    Where the shape of the variables matters, they are one square matrix.
    """

    value: Amount = 1
    gradient: Amount = 1
    hvp: Amount = 0
    prox: Amount = 0
    flops: Amount = 0

    def at(self, n: float, m: float = 1) -> dict[str, float]:
        """The amounts as numbers, for `n` variables and `m` examples."""
        return {name: _amount(value, n, m) for name, value in self._asdict().items()}


class Storage(NamedTuple):
    """Numbers of 4 bytes that a method holds for float32 variables, beside `x`.

    - `state`: from step to step; `step`: more of them inside a step, beside one gradient. Both of the row's example,
      to leading order; where the shape of the variables matters, they are one square matrix.

    What a configured solver holds from step to step is exactly `jax.eval_shape(solver.init, problem, x)`; this is the
    amount as a formula, and the amount inside a step, which no shape tells.
    """

    state: Amount = 0
    step: Amount = 0

    def at(self, n: float, m: float = 1) -> dict[str, float]:
        """The amounts as numbers, for `n` variables and `m` examples."""
        return {name: _amount(value, n, m) for name, value in self._asdict().items()}


class Checks(NamedTuple):
    """Where the common tests must treat a method in its own way; `why` says the reason.

    - `change`: the factor by which a test multiplies every real number of the example, so that it shows.
    - `points`: different points at least among the eleven that the twin passes through; None for all eleven.
    - `steps_an_update`: steps in which the rule inside counts once.
    - `draws`: whether a rule draws from the step's key, which a hand-written loop does not hand out.
    """

    change: float = 0.9
    points: int | None = None
    steps_an_update: int = 1
    draws: bool = False
    why: str = ""


SEARCHING = Checks(change=0.01, why="a line search accepts much, whatever its numbers")
"""Of methods with a line search."""
TRUSTING = Checks(0.45, points=3, why="a step may be refused, few solve a quadratic, and only a small radius is felt")
"""Of methods with a trust region."""

Namesake = Callable[[Any, Any], Any] | str
TwinCase = tuple[str, Callable[[], Any]]
_NOTHING: Mapping[str, Any] = MappingProxyType({})
"""The default of a row's tables."""


class Method(NamedTuple):
    """A registry row.

    What it is:

    - `name`: on the command line. `make`: the class or function that configures it. `label`: as sentences write it.
    - `family`: its heading in the table of methods. `reference`: where it comes from. `year`: when it was
      first made public, which may be before the volume of the reference.
    - `known_by`: the fields of a solver whose types make it this method: `("direction",)` for L-BFGS, whatever its
      line search. Empty where the class alone does.

    What it promises:

    - `example`: builds it with sensible hyperparameters for the name of a zoo problem.
    - `solves`: zoo problems whose known minimum the example reaches. `claim`: its rate, measured by `tests/rates`.
    - `convention`: what was chosen where sources disagree, in one sentence.

    What it takes:

    - `cost`, `memory`: one step's work and the state beyond `x` in words; `work` and `storage` are the same in numbers.
    - `space`: the ranges in which its hyperparameters are searched, by their fields' names.
    - `rank`: its place among suggestions for the same structure, 1 first.

    How it is tested:

    - `namesake`: of a rule: `lambda optax, rule: ...`, Optax's form of it; or who else has one, or why nobody.
    - `cases`: configurations for the twin beside the example: name -> (zoo problem, function that builds it).
    - `twin_of`: the row, or module in `tests/twins`, whose twin serves this one too. `checks`: see `Checks`.
    """

    name: str
    make: Callable[..., Any]
    label: str
    family: str
    reference: str
    year: int
    example: Callable[[str], Any]
    solves: tuple[str, ...]
    claim: Promise
    cost: str
    memory: str
    work: Work = Work()
    storage: Storage = Storage()
    known_by: tuple[str, ...] = ()
    convention: str = ""
    space: Space = _NOTHING
    rank: int = 9
    namesake: Namesake = ""
    cases: Mapping[str, TwinCase] = _NOTHING
    twin_of: str = ""
    checks: Checks = Checks()

    def solver(self, problem: str = "") -> Solver:
        """The example as a solver."""
        example = self.example(problem)
        return FirstOrder(example) if isinstance(example, Rule) else example

    def tuned(self, values: Mapping[str, Any], problem: str = "") -> Any:
        """The example with other hyperparameters, of the fields that `space` names."""
        example = self.example(problem)
        for name, value in values.items():
            example = _with_field(example, name, value)
        return example

    @property
    def twin(self) -> str:
        """The module of its naive twin."""
        return f"tests.twins.{(self.twin_of or self.name).replace('-', '_')}"

    @property
    def summary(self) -> str:
        """The first line of its documentation."""
        return (self.make.__doc__ or "").strip().splitlines()[0]

    def makes(self, solver: Solver) -> bool:
        """Whether a configured solver is this method, whatever its numbers."""
        mine = self.solver()
        same = (type(getattr(solver, name)) is type(getattr(mine, name)) for name in self.known_by)
        return type(solver) is type(mine) and all(same)


def _with_field(module: Any, name: str, value: Any) -> Any:
    """A module with the outermost field of that name replaced."""
    found = min(_paths(module, name), key=len, default=None)
    if found is None:
        raise ValueError(f"{name}={value!r}: {type(module).__name__} and its parts have no field {name!r}.")
    return _replaced(module, found, value)


def _paths(node: Any, name: str) -> Iterator[tuple[str | int, ...]]:
    """The way to every field of that name in a module, its parts and tuples of parts."""
    parts = ()
    if isinstance(node, eqx.Module):
        parts = [(field.name, getattr(node, field.name)) for field in dataclasses.fields(node)]
    elif isinstance(node, tuple):
        parts = list(enumerate(node))
    for key, part in parts:
        if key == name:
            yield (key,)
        yield from ((key, *path) for path in _paths(part, name))


def _replaced(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """A module or a tuple of modules with what stands at the end of a path replaced."""
    if not path:
        return value
    key, *rest = path
    if isinstance(key, int):
        return (*node[:key], _replaced(node[key], tuple(rest), value), *node[key + 1 :])
    return replace(node, **{key: _replaced(getattr(node, key), tuple(rest), value)})
