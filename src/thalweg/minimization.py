"""The verb: one call from a problem to a result."""

from collections.abc import Callable, Sequence
from typing import Any

from thalweg.checks import check_request
from thalweg.core.average import Average
from thalweg.core.iterate import Carry
from thalweg.core.problem import Problem
from thalweg.core.stop import Epochs, Steps, Stop
from thalweg.core.types import Params
from thalweg.prepare import as_batches, as_problem, planned, start_of
from thalweg.run.launch import launch
from thalweg.run.observe.callbacks import Callback
from thalweg.run.plan import Request
from thalweg.run.result import MinimizeError, Result
from thalweg.run.warn import warn


def minimize(
    problem: Problem | Callable,
    x0: Params = None,
    method: Any = None,
    *,
    batch_size: int | None = None,
    last: str = "keep",
    shuffle: bool = True,
    stop: Stop | None = None,
    keep: str = "last",
    average: Average | None = None,
    restarts: int = 1,
    spread: float = 1.0,
    seed: int = 0,
    model_state: Any = None,
    state: Carry | None = None,
    validate_every: int | Epochs | Steps | None = None,
    callbacks: Sequence[Callback] = (),
    chunk: int | None = None,
    dispatch: str | None = None,
    on_nonfinite: str = "stop",
    on_failure: str = "warn",
) -> Result:
    """Minimize a problem from `x0`.

    - `problem`: a `Problem`, or a plain function of `x`.
    - `x0`: any tree; its floating-point arrays are the variables (of a method without gradients, integers and booleans
      too), every other leaf is held fixed. Outside the bounds it is moved to the nearest point within, with a
      warning. None for a latent-variable model, which draws its own start.
    - `method`: a rule, a solver, an Optax transformation; None chooses one and says why.
    - `batch_size`: examples a step; None for all of them, or for a stream, which brings its own batches. An epoch
      sees every example once; `last`: `"keep"` or `"drop"` its short last batch; `shuffle`: a new order each epoch.
    - `stop`: rules joined by `|` and `&`; default `GradNorm(sqrt(eps)) | Steps(10_000)` with the eps of the
      variables' dtype, `Steps(1000)` for a method without a residual. Required on batches, e.g.
      `tw.Epochs(20) | tw.Patience(5)`.
    - `keep`: `"last"`, or `"best"` for the lowest validation value, or the lowest value without validation.
    - `average`: `tw.EMA(decay)`, `tw.PolyakRuppert(start)` or `tw.SWA(start, every)`, an average of the iterates,
      returned as `result.average`; the run is the same.
    - `restarts`: this many starts in parallel; the first is `x0`, the others are normal around it with standard
      deviation `spread * max(1, |x0|)`, within the bounds. Integers start alike and part by their random keys; a
      latent-variable model draws every start. The best is returned, with every lane's value.
    - `seed`: of all randomness. `model_state`: start of a stateful loss's running statistics.
    - `state`: `result.state` of an earlier run, to continue it. Step limits count from that run's beginning; the
      best point is that of this run.
    - `validate_every`: steps, or `tw.Epochs(n)`, between validations; by default an epoch on batches, 10 steps on
      whole data, 100 on an iterator. `callbacks`: see `Event` and `Every`.
    - `chunk`: steps between two looks of the host, chosen by time if None; never changes a number.
    - `dispatch`: `"chunk"` compiles many steps into one program, `"single"` calls each from the host; by default
      the latter only where a convolution meets the CPU backend, which runs it ten times slower inside a loop.
    - `on_nonfinite`: what to do when a step's numbers are not finite: `"stop"`; `"skip"` drops the step and goes on
      with the next batch; `"rollback"` goes on from the best validated point (without validation, from the start of
      the epoch). A dropped step counts as a step. The eleventh lost step in a row, or the fourth return to one point,
      ends the run.
    - `on_failure`: `"warn"`, `"raise"` (a `MinimizeError` with `.result`) or `"ignore"`.

    Raises before anything is compiled where the input cannot be right. A failure of the numbers is a status. An
    exception from a callback, a stream or a second Ctrl-C carries what was reached as its `result`.
    """
    batches = as_batches(batch_size, last, shuffle)
    watching = (validate_every, tuple(callbacks), chunk, dispatch, on_nonfinite, average)
    request = Request(method, stop, model_state, batches, keep, restarts, spread, seed, state, *watching)
    check_request(request, on_failure)
    problem = as_problem(problem, batches)
    x, frozen = start_of(problem, x0, request)
    plan = planned(problem, x, frozen, request)
    return _warn_or_raise(launch(plan, x, request), on_failure)


def _warn_or_raise(result: Result, on_failure: str) -> Result:
    """The result, with its failure said as the user asked."""
    if result.ok or on_failure == "ignore":
        return result
    if on_failure == "raise":
        raise MinimizeError(result)
    warn(f"{result.status.name} after {result.steps} steps: {result.message}")
    return result
