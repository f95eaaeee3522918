"""How far to go along a direction: the searches, and the protocol for one of your own.

`StrongWolfe`, `HagerZhang`, `Backtracking`, `ExactSearch`, `FixedStep`, `InverseLipschitz`, `PolyakStep` and
`BarzilaiBorwein` are given to a method as `search=`. A `LineSearch` of your own looks along a `Ray`, on which it asks
for values and slopes (`Phi`), and returns what it `Found`.
"""

from thalweg.line_search.backtracking import Backtracking
from thalweg.line_search.barzilai_borwein import BarzilaiBorwein
from thalweg.line_search.exact import ExactSearch
from thalweg.line_search.fixed import FixedStep
from thalweg.line_search.hager_zhang import HagerZhang
from thalweg.line_search.inverse_lipschitz import InverseLipschitz
from thalweg.line_search.polyak import PolyakStep
from thalweg.line_search.protocol import Found, LineSearch, Phi, Ray
from thalweg.line_search.strong_wolfe import StrongWolfe

__all__ = [
    "Backtracking",
    "BarzilaiBorwein",
    "ExactSearch",
    "FixedStep",
    "Found",
    "HagerZhang",
    "InverseLipschitz",
    "LineSearch",
    "Phi",
    "PolyakStep",
    "Ray",
    "StrongWolfe",
]
