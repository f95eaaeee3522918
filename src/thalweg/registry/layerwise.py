"""Rules that look at a layer as a whole, and rules that find their own rate."""

import jax.numpy as jnp

from thalweg.registry.claims import Neighborhood
from thalweg.registry.method import Method, Storage, Work
from thalweg.registry.space import ADAMW_SPACE, DECAY, MOMENTS, MOMENTUM, LogUniform
from thalweg.rules.layerwise.adafactor import Adafactor
from thalweg.rules.layerwise.adam_mini import AdamMini
from thalweg.rules.layerwise.lamb import LAMB
from thalweg.rules.layerwise.lars import LARS
from thalweg.rules.masks import matrices
from thalweg.rules.parameter_free.dadapt_adam import DAdaptAdam
from thalweg.rules.parameter_free.prodigy import Prodigy

LAYERWISE_RULES = (
    Method(
        name="adafactor",
        make=Adafactor,
        label="Adafactor",
        family="layer-wise rules",
        example=lambda problem: Adafactor(0.2),
        solves=("quadratic", "least-squares"),
        # From zero weights, which grow by a fraction of themselves: a long way.
        claim=Neighborhood(radius=1.0, of="x", on="least-squares", after=60.0),
        cost="1 gradient",
        memory="rows + columns of matrices, n for vectors",
        work=Work(flops=lambda n, m: 16 * n),
        storage=Storage(lambda n, m: 2 * n**0.5),
        reference="Shazeer & Stern 2018, arXiv:1804.04235",
        year=2018,
        convention="Short axes are not factored, as in Optax; PyTorch factors every matrix.",
        space={"learning_rate": LogUniform(1e-4, 1.0), "weight_decay": DECAY},
        # The parts of optax.adafactor, which has the decay in float32; tests/rules/test_layerwise.py has the whole.
        namesake=lambda optax, rule: optax.chain(
            optax.scale_by_factored_rms(
                True,
                rule.decay,
                0,
                rule.min_size,
                rule.eps,
                lambda t, c: 1 - jnp.asarray(t + 1, jnp.result_type(float)) ** -c,
            ),
            optax.clip_by_block_rms(rule.clip),
            optax.scale_by_param_block_rms(rule.min_scale),
            optax.scale_by_learning_rate(rule.learning_rate),
        ),
        cases={
            "numbers": ("rosenbrock", lambda: Adafactor(0.1, 1e-3, 0.1, clip=0.5, decay=0.6, weight_decay=0.2)),
            "absolute": ("rosenbrock", lambda: Adafactor(0.1, weight_decay=0.2, relative=False, mask=matrices)),
        },
    ),
    Method(
        name="adam-mini",
        make=AdamMini,
        label="Adam-mini",
        family="layer-wise rules",
        example=lambda problem: AdamMini(0.05),
        solves=("quadratic", "least-squares"),
        # Measured. One second moment for all: momentum by the gradient's size.
        claim=Neighborhood(radius=1.0, of="x", on="least-squares"),
        cost="1 gradient",
        memory="n + outputs of matrices",
        work=Work(flops=lambda n, m: 11 * n),
        storage=Storage(lambda n, m: n + n**0.5),
        reference="Zhang et al. 2024, arXiv:2406.16793",
        year=2024,
        convention="A block leads to one output; the paper knows a transformer's parts by their names.",
        space=ADAMW_SPACE,
        namesake="pytorch_optimizer",
        cases={
            "numbers": ("rosenbrock", lambda: AdamMini(0.1, 0.5, 0.9, 1e-2, weight_decay=0.7)),
        },
    ),
    Method(
        name="lars",
        make=LARS,
        label="LARS",
        family="layer-wise rules",
        example=lambda problem: LARS(0.05, beta=0.5, weight_decay=0.0, trust=1.0),
        solves=("quadratic",),
        # Measured: steps are as long as the weights say, and so do not shrink. At the origin they do.
        claim=Neighborhood(radius=3.0, of="x", on="least-squares", after=20.0),
        cost="1 gradient",
        memory="n",
        work=Work(flops=lambda n, m: 13 * n),
        storage=Storage(lambda n, m: n),
        reference="You, Gitman & Ginsburg 2017, arXiv:1708.03888",
        year=2017,
        convention="The divisor is |g| + decay |x|, as in the paper; Optax takes the norm of the sum.",
        space={
            "learning_rate": LogUniform(1e-3, 10.0),
            "beta": MOMENTUM,
            "weight_decay": LogUniform(1e-6, 1e-2),
            "trust": LogUniform(1e-4, 0.1),
        },
        namesake=lambda optax, rule: optax.lars(
            rule.learning_rate, rule.weight_decay, trust_coefficient=rule.trust, momentum=rule.beta
        ),
        cases={
            "numbers": ("rosenbrock", lambda: LARS(0.2, 0.8, weight_decay=0.7, trust=0.1)),
            "masked": ("rosenbrock", lambda: LARS(1e-3, 0.8, weight_decay=0.7, mask=matrices)),
        },
    ),
    Method(
        name="lamb",
        make=LAMB,
        label="LAMB",
        family="layer-wise rules",
        example=lambda problem: LAMB(0.1, b1=0.5, b2=0.99, weight_decay=0.0),
        solves=("quadratic",),
        # As for LARS.
        claim=Neighborhood(radius=3.5, of="x", on="least-squares", after=20.0),
        cost="1 gradient",
        memory="2n",
        work=Work(flops=lambda n, m: 20 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="You et al. 2020, arXiv:1904.00962",
        year=2019,
        convention="The means are corrected, as in the paper's last version and in Optax; its third version did not.",
        space=ADAMW_SPACE,
        namesake=lambda optax, rule: optax.lamb(
            rule.learning_rate, rule.b1, rule.b2, rule.eps, weight_decay=rule.weight_decay
        ),
        cases={
            "numbers": ("rosenbrock", lambda: LAMB(0.1, 0.5, 0.9, 1e-2, weight_decay=0.7)),
            "masked": ("rosenbrock", lambda: LAMB(0.1, weight_decay=0.7, mask=matrices)),
        },
    ),
    Method(
        name="prodigy",
        make=Prodigy,
        label="Prodigy",
        family="layer-wise rules",
        example=lambda problem: Prodigy(b2=0.995, d0=0.02),
        solves=("quadratic", "least-squares"),
        # Measured; the rate here is the factor of the one found.
        claim=Neighborhood(radius=1.0, of="x", on="least-squares", after=20.0),
        cost="1 gradient",
        memory="4n",
        work=Work(flops=lambda n, m: 24 * n),
        storage=Storage(lambda n, m: 4 * n),
        reference="Mishchenko & Defazio 2024, arXiv:2306.06101",
        year=2023,
        convention="The bias correction is always on, as in Optax; the authors' code leaves it out unless asked.",
        space={**MOMENTS, "weight_decay": DECAY, "growth": LogUniform(0.3, 3.0)},
        namesake=lambda optax, rule: optax.contrib.prodigy(
            rule.learning_rate, (rule.b1, rule.b2), eps=rule.eps, estim_lr0=rule.d0, weight_decay=rule.weight_decay
        ),
        cases={
            "numbers": ("rosenbrock", lambda: Prodigy(0.5, 0.5, 0.9, 0.7, 1e-2, weight_decay=0.7, d0=0.1, growth=2)),
            "safeguard": ("rosenbrock", lambda: Prodigy(0.5, safeguard=True, weight_decay=0.7, mask=matrices)),
        },
    ),
    Method(
        name="dadapt-adam",
        make=DAdaptAdam,
        label="D-Adapt Adam",
        family="layer-wise rules",
        example=lambda problem: DAdaptAdam(d0=0.01),
        solves=("quadratic", "least-squares"),
        # As for Prodigy; it takes longer to find the rate.
        claim=Neighborhood(radius=0.5, of="x", on="least-squares", after=60.0),
        cost="1 gradient",
        memory="3n",
        work=Work(flops=lambda n, m: 26 * n),
        storage=Storage(lambda n, m: 3 * n),
        reference="Defazio & Mishchenko 2023, arXiv:2301.07733",
        year=2023,
        convention="The bias correction is always on, as in Optax; the authors' code leaves it out unless asked.",
        space={**MOMENTS, "weight_decay": DECAY, "learning_rate": LogUniform(0.3, 3.0)},
        namesake=lambda optax, rule: optax.contrib.dadapt_adamw(
            rule.learning_rate, (rule.b1, rule.b2), rule.eps, rule.d0, rule.weight_decay
        ),
        cases={
            "numbers": ("rosenbrock", lambda: DAdaptAdam(0.5, 0.5, 0.9, 1e-2, weight_decay=0.7, d0=1e-3)),
        },
    ),
)
