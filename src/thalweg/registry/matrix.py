"""Rules that treat a matrix as a matrix."""

from thalweg.registry.method import Linear, Method, Neighbourhood
from thalweg.registry.rules import RATES
from thalweg.rules.matrix.muon import Muon
from thalweg.rules.matrix.shampoo import Shampoo
from thalweg.rules.matrix.soap import SOAP
from thalweg.rules.sgd import SGD

ROWS = (
    Method(
        name="muon",
        make=Muon,
        family="matrix rules",
        # The zoo's variables are vectors, so what is measured there is `others`.
        example=lambda problem: Muon(0.05, others=SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        claim=Linear(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient, 15 products of a matrix with itself",
        memory="n for matrices, that of its rule for the rest",
        twin="tests.twins.muon",
        reference="Jordan et al. 2024, kellerjordan.github.io/posts/muon; Liu et al. 2025, arXiv:2502.16982",
        year=2024,
    ),
    Method(
        name="shampoo",
        make=Shampoo,
        family="matrix rules",
        example=lambda problem: Shampoo(0.3),
        solves=("quadratic", "least-squares"),
        # Once the sums stand still this is a heavy ball with b1 = 0.9 whose rate suits every entry: both roots of each
        # have the modulus sqrt(b1), and the value is a square.
        claim=Linear(rate=0.9, of="value", on="quadratic"),
        cost="1 gradient; now and then an eigendecomposition for each axis of a block",
        memory="n, and twice the square of every axis of a block; 2n for vectors",
        twin="tests.twins.shampoo",
        reference="Gupta, Koren & Singer 2018, arXiv:1802.09568",
        year=2018,
    ),
    Method(
        name="soap",
        make=SOAP,
        family="matrix rules",
        example=lambda problem: SOAP(0.02 if problem == "least-squares" else 0.05, weight_decay=0.0),
        solves=("quadratic", "least-squares"),
        # A vector's steps are Adam's, here with a shorter memory of the squares: it springs back further.
        claim=Neighbourhood(radius=1.5, of="x", on="quadratic"),
        cost="1 gradient, 3 changes of basis; now and then a QR decomposition for each axis",
        memory="2n, and twice the square of every axis",
        twin="tests.twins.soap",
        reference="Vyas et al. 2024, arXiv:2409.11321",
        year=2024,
    ),
)
