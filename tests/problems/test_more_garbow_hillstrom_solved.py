"""Every problem solved from its standard start by the default configuration of each method.

Solved: within a relative 1e-6 of the published minimum, or of a local one that is known; below 1e-10 where it is 0.
"""

import pytest

import thalweg as tw
from tests.helpers import X64
from thalweg.problems import MGH

METHODS = ("lbfgs", "bfgs", "newton-cg", "trust-region", "levenberg-marquardt")
QUICK = ("mgh-rosenbrock", "mgh-freudenstein-roth", "mgh-jennrich-sampson", "mgh-powell-badly-scaled")
"""With one method in every run of the tests; all others take minutes to compile."""
ROUNDED = "ends at f = 1e-9 with a gradient below the tolerance: truncated steps leave the flat direction where it is"
STIFF = "curvatures 1e16 apart: the last bits of the products decide whether truncated steps see the flat direction"
TRUNCATED = ("newton-cg", "trust-region")
EXCEPTIONS = {(method, "mgh-powell-badly-scaled"): ROUNDED for method in TRUNCATED}
EXCEPTIONS |= {(method, "mgh-meyer"): STIFF for method in TRUNCATED}
"""(method, problem) -> why it is not solved."""
STOP = tw.GradNorm(1e-8) | tw.Steps(3000)

pytestmark = pytest.mark.skipif(not X64, reason="the tolerance is that of float64")


def is_solved(name, method):
    case, fit = MGH[name](), method == "levenberg-marquardt"
    problem = case.fit if fit else case.problem
    result = tw.minimize(problem, case.x0, tw.METHODS[method].solver(""), stop=STOP, on_failure="ignore")
    value = 2 * result.value if fit else result.value
    minima = (case.minimum, *case.local)
    return any(abs(value - low) <= (1e-6 * abs(low) if low else 1e-10) for low in minima)


@pytest.mark.parametrize("name", QUICK)
def test_hard_problems_are_solved(name):
    assert is_solved(name, "lbfgs")


@pytest.mark.thorough
@pytest.mark.parametrize("name", [name for name in MGH if name not in QUICK])
def test_solved_by_lbfgs(name):
    assert is_solved(name, "lbfgs")


@pytest.mark.thorough
@pytest.mark.parametrize("name", MGH)
@pytest.mark.parametrize("method", METHODS[1:])
def test_solved(name, method):
    if (method, name) in EXCEPTIONS:
        pytest.xfail(EXCEPTIONS[method, name])
    assert is_solved(name, method)
