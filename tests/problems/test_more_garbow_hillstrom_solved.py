"""Every problem solved from its standard start by the default configuration of each method.

Solved: within a relative 1e-6 of the published minimum, or of a local one that is known; below 1e-10 where it is 0.
"""

import pytest

import thalweg as tw
from tests.helpers import X64
from tests.problems.one_of import CASES, grouped, posed
from thalweg.problems import MGH

METHODS = ("lbfgs", "bfgs", "newton-cg", "trust-region", "levenberg-marquardt")
QUICK = ("mgh-rosenbrock", "mgh-freudenstein-roth", "mgh-jennrich-sampson", "mgh-powell-badly-scaled")
"""With one method in every run of the tests; all others take longer to compile."""
ROUNDED = "ends at f = 1e-9 with a gradient below the tolerance: truncated steps leave the flat direction where it is"
STIFF = "curvatures 1e16 apart: the last bits of the products decide whether truncated steps see the flat direction"
TRUNCATED = ("newton-cg", "trust-region")
EXCEPTIONS = {(method, "mgh-powell-badly-scaled"): ROUNDED for method in TRUNCATED}
EXCEPTIONS |= {(method, "mgh-meyer"): STIFF for method in TRUNCATED}
"""(method, problem) -> why it is not solved."""
STOP = tw.GradNorm(1e-8) | tw.Steps(3000)

pytestmark = pytest.mark.skipif(not X64, reason="the tolerance is that of float64")


def is_solved(name, method):
    case, fit = CASES[name], method == "levenberg-marquardt"
    result = tw.minimize(posed(name)[fit], case.x0, tw.METHODS[method].solver(""), stop=STOP, on_failure="ignore")
    value = 2 * result.value if fit else result.value
    minima = (case.minimum, *case.local)
    return any(abs(value - low) <= (1e-6 * abs(low) if low else 1e-10) for low in minima)


@pytest.mark.parametrize(("name", "problem"), grouped(QUICK, "lbfgs, "))
def test_hard_problems_are_solved(name, problem):
    assert is_solved(problem, "lbfgs")


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "problem"), grouped([problem for problem in MGH if problem not in QUICK], "lbfgs, "))
def test_solved_by_lbfgs(name, problem):
    assert is_solved(problem, "lbfgs")


@pytest.mark.thorough
@pytest.mark.parametrize(("name", "problem"), [case for method in METHODS[1:] for case in grouped(MGH, f"{method}, ")])
def test_solved(name, problem):
    method = name.split(",")[0]
    if (method, problem) in EXCEPTIONS:
        pytest.xfail(EXCEPTIONS[method, problem])
    assert is_solved(problem, method)
