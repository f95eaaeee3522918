"""Blackbox: values only."""

from thalweg.registry.claims import SuccessRate
from thalweg.registry.method import Method, Storage, Work
from thalweg.schedules import Exponential
from thalweg.solvers.blackbox.annealing import SimulatedAnnealing
from thalweg.solvers.blackbox.moves import BitFlip, GaussianMove, TwoOpt

_EXAMPLES = {
    "tour": (TwoOpt(), Exponential(1.0, 1e-3, None)),
    "partition": (BitFlip(2), Exponential(300.0, 1e-3, None)),
    "rastrigin": (GaussianMove(0.5), Exponential(10.0, 1e-4, None)),
}
"""Move and temperature where annealing is measured."""

BLACKBOX_METHODS = (
    Method(
        name="simulated-annealing",
        make=SimulatedAnnealing,
        label="Simulated annealing",
        family="blackbox",
        example=lambda problem: SimulatedAnnealing(*_EXAMPLES.get(problem, (GaussianMove(0.2), Exponential(0.1, 0.9)))),
        solves=("tour", "partition"),
        claim=SuccessRate(probability=0.9, steps=100, on="tour"),
        cost="1 value a proposal",
        memory="n, and the random numbers inside a step",
        work=Work(value=100, gradient=0, flops=lambda n, m: 100 * n),
        storage=Storage(lambda n, m: n),
        reference="Kirkpatrick, Gelatt & Vecchi 1983, doi:10.1126/science.220.4598.671",
        year=1983,
        rank=8,
        twin_of="annealing",
    ),
)
