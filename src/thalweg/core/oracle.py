"""What a problem can answer and what it consists of; methods say what they need and take in these terms."""

import enum


class Oracle(enum.Enum):
    """One thing that a problem offers. A method *needs* some of them and *takes* (does not ignore) others."""

    # What can be asked.
    VALUE = "value"
    GRADIENT = "gradient"
    HVP = "Hessian-vector products"
    RESIDUALS = "residuals (tw.LeastSquares)"
    FINITE_SUM = "a mean over data examples"
    LATENT = "a latent-variable model"
    START = "a start of its own"
    LINEAR_MODEL = "a linear model"
    CURVATURE = "an estimate of the Hessian's diagonal"
    WHOLE = "the same function at every step"
    # What must not be ignored.
    NONSMOOTH = "nonsmooth"
    SET = "a set"
    BOUNDS = "bounds"
    EQUALITY = "equality"
    INEQUALITY = "inequality"
    BATCHES = "batches"
    KEY = "a loss with a random key"
    MODEL_STATE = "a stateful loss"
    INTEGERS = "integer variables"


PARTS = frozenset(
    {
        Oracle.NONSMOOTH,
        Oracle.SET,
        Oracle.BOUNDS,
        Oracle.EQUALITY,
        Oracle.INEQUALITY,
        Oracle.BATCHES,
        Oracle.KEY,
        Oracle.MODEL_STATE,
        Oracle.INTEGERS,
        Oracle.LATENT,
    }
)
"""The members that a method must take or need; to pass over one in silence would solve another problem.

A latent-variable model is one of them: only its own steps keep its parameters where they belong.
"""

CHANGING = frozenset({Oracle.BATCHES, Oracle.KEY, Oracle.MODEL_STATE})
"""The parts that make the function another one at every step; a method that carries no value takes them all."""
