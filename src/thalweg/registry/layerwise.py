"""Rules that look at a layer as a whole, and rules that find their own rate."""

from thalweg.registry.method import Method, Neighbourhood
from thalweg.rules.layerwise.adafactor import Adafactor
from thalweg.rules.layerwise.adam_mini import AdamMini
from thalweg.rules.layerwise.lamb import LAMB
from thalweg.rules.layerwise.lars import LARS
from thalweg.rules.parameter_free.dadapt_adam import DAdaptAdam
from thalweg.rules.parameter_free.prodigy import Prodigy

ROWS = (
    Method(
        name="adafactor",
        make=Adafactor,
        family="layer-wise rules",
        example=lambda problem: Adafactor(0.2),
        solves=("quadratic", "least-squares"),
        # From zero weights, which grow by a fraction of themselves: a long way.
        claim=Neighbourhood(radius=1.0, of="x", on="least-squares", after=60.0),
        cost="1 gradient",
        memory="rows + columns of matrices",
        twin="tests.twins.adafactor",
        reference="Shazeer & Stern 2018, arXiv:1804.04235",
        year=2018,
    ),
    Method(
        name="adam-mini",
        make=AdamMini,
        family="layer-wise rules",
        example=lambda problem: AdamMini(0.05),
        solves=("quadratic", "least-squares"),
        # Measured. One second moment for all: momentum by the gradient's size.
        claim=Neighbourhood(radius=1.0, of="x", on="least-squares"),
        cost="1 gradient",
        memory="n + outputs of matrices",
        twin="tests.twins.adam_mini",
        reference="Zhang et al. 2024, arXiv:2406.16793",
        year=2024,
    ),
    Method(
        name="lars",
        make=LARS,
        family="layer-wise rules",
        example=lambda problem: LARS(0.05, beta=0.5, weight_decay=0.0, trust=1.0),
        solves=("quadratic",),
        # Measured: steps are as long as the weights say, and so do not shrink. At the origin they do.
        claim=Neighbourhood(radius=3.0, of="x", on="least-squares", after=20.0),
        cost="1 gradient",
        memory="n",
        twin="tests.twins.lars",
        reference="You, Gitman & Ginsburg 2017, arXiv:1708.03888",
        year=2017,
    ),
    Method(
        name="lamb",
        make=LAMB,
        family="layer-wise rules",
        example=lambda problem: LAMB(0.1, b1=0.5, b2=0.99, weight_decay=0.0),
        solves=("quadratic",),
        # As for LARS.
        claim=Neighbourhood(radius=3.5, of="x", on="least-squares", after=20.0),
        cost="1 gradient",
        memory="2n",
        twin="tests.twins.lamb",
        reference="You et al. 2020, arXiv:1904.00962",
        year=2020,
    ),
    Method(
        name="prodigy",
        make=Prodigy,
        family="layer-wise rules",
        example=lambda problem: Prodigy(b2=0.995, d0=0.02),
        solves=("quadratic", "least-squares"),
        # Measured; the rate here is the factor of the one found.
        claim=Neighbourhood(radius=1.0, of="x", on="least-squares", after=20.0),
        cost="1 gradient",
        memory="4n",
        twin="tests.twins.prodigy",
        reference="Mishchenko & Defazio 2024, arXiv:2306.06101",
        year=2024,
    ),
    Method(
        name="dadapt-adam",
        make=DAdaptAdam,
        family="layer-wise rules",
        example=lambda problem: DAdaptAdam(d0=0.01),
        solves=("quadratic", "least-squares"),
        # As for Prodigy; it takes longer to find the rate.
        claim=Neighbourhood(radius=0.5, of="x", on="least-squares", after=60.0),
        cost="1 gradient",
        memory="3n",
        twin="tests.twins.dadapt_adam",
        reference="Defazio & Mishchenko 2023, arXiv:2301.07733",
        year=2023,
    ),
)
