"""Rules that treat a matrix as a matrix."""

from thalweg.registry.claims import LinearRate, Neighborhood
from thalweg.registry.method import Checks, Method, Storage, Work
from thalweg.registry.rules import RATES
from thalweg.registry.space import ADAPTIVE_RATE, DECAY, GRADIENT_RATE, MOMENTUM, SQUARES, LogUniform
from thalweg.rules.matrix.muon import Muon
from thalweg.rules.matrix.shampoo import Shampoo
from thalweg.rules.matrix.soap import SOAP
from thalweg.rules.sgd import SGD

MATRIX_RULES = (
    Method(
        name="muon",
        make=Muon,
        label="Muon",
        family="matrix rules",
        # The zoo's variables are vectors, so what is measured there is `others`.
        example=lambda problem: Muon(0.05, others=SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient, 15 products of a matrix with itself",
        memory="n for matrices, that of its rule for the rest",
        work=Work(flops=lambda n, m: 30 * n**1.5),
        storage=Storage(lambda n, m: n),
        reference="Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982",
        year=2024,
        convention="The momentum is not corrected for its start at zero, as in the original; Optax corrects it.",
        space={"learning_rate": LogUniform(1e-4, 1.0), "beta": MOMENTUM, "weight_decay": DECAY},
        rank=4,
        namesake="Optax weighs gradient and momentum otherwise: tests/rules/test_muon.py compares what is the same",
        cases={
            "numbers": ("rosenbrock", lambda: Muon(0.3, others=SGD(1e-3))),
        },
    ),
    Method(
        name="shampoo",
        make=Shampoo,
        label="Shampoo",
        family="matrix rules",
        example=lambda problem: Shampoo(0.3),
        solves=("quadratic", "least-squares"),
        # Once the sums stand still this is a heavy ball with b1 = 0.9 whose rate suits every entry: both roots of each
        # have the modulus sqrt(b1), and the value is a square.
        claim=LinearRate(rate=0.9, of="value", on="quadratic"),
        cost="1 gradient; now and then an eigendecomposition for each axis of a block",
        memory="n, and twice the square of every axis of a block; 2n for vectors",
        work=Work(flops=lambda n, m: 10 * n**1.5),
        storage=Storage(lambda n, m: 5 * n),
        reference="Gupta, Koren & Singer 2018, arXiv:1802.09568",
        year=2018,
        convention="Epsilon is relative to the largest eigenvalue; the paper adds it once, absolutely.",
        space={"learning_rate": GRADIENT_RATE, "b1": MOMENTUM, "eps": LogUniform(1e-12, 1e-3)},
        namesake="pytorch_optimizer",
        cases={
            "means": ("rosenbrock", lambda: Shampoo(0.1, 0.5, 0.9, 1e-3)),
            "grafted": ("rosenbrock", lambda: Shampoo(1e-3, graft="sgd")),
        },
    ),
    Method(
        name="soap",
        make=SOAP,
        label="SOAP",
        family="matrix rules",
        example=lambda problem: SOAP(0.02 if problem == "least-squares" else 0.05, weight_decay=0.0),
        solves=("quadratic", "least-squares"),
        # A vector's steps are Adam's, here with a shorter memory of the squares: it springs back further.
        claim=Neighborhood(radius=1.5, of="x", on="quadratic"),
        cost="1 gradient, 3 changes of basis; now and then a QR decomposition for each axis",
        memory="2n, and twice the square of every axis",
        work=Work(flops=lambda n, m: 17 * n**1.5),
        storage=Storage(lambda n, m: 6 * n),
        reference="Vyas et al. 2024, arXiv:2409.11321",
        year=2024,
        convention="Epsilon stands after the correction, as in Adam; the authors' code adds it before.",
        space={"learning_rate": ADAPTIVE_RATE, "b1": MOMENTUM, "b2": SQUARES, "weight_decay": DECAY},
        namesake="pytorch_optimizer",
        cases={
            "numbers": ("rosenbrock", lambda: SOAP(0.1, 0.5, 0.9, 1e-2, 0.7)),
        },
        checks=Checks(points=10, why="its first step only makes the bases"),
    ),
)
