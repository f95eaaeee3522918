"""What a trust region asks: the best step that its model knows within a radius."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import equinox as eqx
import jax

from thalweg.core.types import Scalar


class Proposal(NamedTuple):
    """A step within the radius.

    - `step`: a vector. `decrease`: by how much the model falls along it.
    - `hvps`: Hessian-vector products taken.
    - `curvature`: the smallest Rayleigh quotient `d'Hd / d'd` met; infinity where none was measured.
    - `on_boundary`: whether the step is as long as the radius.
    """

    step: jax.Array
    decrease: Scalar
    hvps: Scalar
    curvature: Scalar
    on_boundary: Scalar


class Subproblem(eqx.Module):
    r"""Minimises the model \(m(p) = g'p + \tfrac12 p'Hp\) over \(\|p\| \le \Delta\), well enough.

    All variables are one vector here; `hvp(v)` is \(Hv\). A Cauchy, dogleg or exact step is another subclass.
    """

    @abc.abstractmethod
    def __call__(self, grad: jax.Array, hvp: Callable[[jax.Array], jax.Array], radius: Scalar) -> Proposal:
        """The step for a gradient that is not zero; the zero step for one that is."""
