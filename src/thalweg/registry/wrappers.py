"""Rules around a rule."""

import jax.numpy as jnp

from thalweg.registry.claims import LinearRate, Neighborhood
from thalweg.registry.method import Checks, Method, Storage, Work
from thalweg.registry.rules import MOMENTA, RATES
from thalweg.registry.space import ADAM_SPACE, ADAMW_SPACE, GRADIENT_RATE, MOMENTUM, LogUniform, Uniform, WholeNumbers
from thalweg.rules.adam import Adam
from thalweg.rules.masks import matrices
from thalweg.rules.momentum import Momentum
from thalweg.rules.sgd import SGD
from thalweg.rules.wrappers.accumulate import Accumulate
from thalweg.rules.wrappers.cautious import Cautious
from thalweg.rules.wrappers.centralize import Centralize
from thalweg.rules.wrappers.clip import AdaptiveClip, Clip
from thalweg.rules.wrappers.compact import CompactState
from thalweg.rules.wrappers.lookahead import Lookahead
from thalweg.rules.wrappers.mars import MARS
from thalweg.rules.wrappers.master import MasterCopy
from thalweg.rules.wrappers.noise import GradientNoise
from thalweg.rules.wrappers.plateau import ReduceOnPlateau
from thalweg.rules.wrappers.reactive import Reactive
from thalweg.rules.wrappers.skip import SkipNonfinite
from thalweg.rules.wrappers.weight_decay import WeightDecay

_MASKED = {"quadratic": (1.0, 0.8), "least-squares": MOMENTA["least-squares"]}
"""Rate and beta where masked momentum is measured: those of least error without a mask make it diverge."""

RULE_WRAPPERS = (
    Method(
        name="clip",
        make=Clip,
        label="Clip",
        family="wrappers",
        # From (-1.2, 1, ...) the first gradients are longer.
        example=lambda problem: Clip(SGD(RATES.get(problem, 0.1)), 1.0),
        solves=("quadratic", "least-squares"),
        # Clipped at first, then gradient descent.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 8 * n),
        reference="Pascanu, Mikolov & Bengio 2013, arXiv:1211.5063",
        year=2013,
        space={"learning_rate": GRADIENT_RATE, "limit": LogUniform(1e-2, 100.0)},
        namesake=lambda optax, rule: optax.chain(
            optax.clip_by_global_norm(rule.limit), optax.sgd(rule.rule.learning_rate)
        ),
        cases={
            "numbers": ("rosenbrock", lambda: Clip(SGD(1e-3), 20.0)),
            "value": ("rosenbrock", lambda: Clip(SGD(1e-3), 15.0, "value")),
        },
    ),
    Method(
        name="adaptive-clip",
        make=AdaptiveClip,
        label="Adaptive clipping",
        family="wrappers",
        example=lambda problem: AdaptiveClip(SGD(RATES.get(problem, 0.1)), 2.0, 0.5),
        solves=("quadratic", "least-squares"),
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 7 * n),
        reference="Brock, De, Smith & Simonyan 2021, arXiv:2102.06171",
        year=2021,
        space={"learning_rate": GRADIENT_RATE, "ratio": LogUniform(1e-3, 1.0)},
        namesake=lambda optax, rule: optax.chain(
            optax.adaptive_grad_clip(rule.ratio, rule.eps), optax.sgd(rule.rule.learning_rate)
        ),
        cases={
            "numbers": ("rosenbrock", lambda: AdaptiveClip(SGD(1e-3), 5.0, 0.1)),
        },
    ),
    Method(
        name="centralize",
        make=Centralize,
        label="Gradient centralization",
        family="wrappers",
        # Vectors pass as they are: this is gradient descent.
        example=lambda problem: Centralize(SGD(RATES.get(problem, 0.1)), "first"),
        solves=("quadratic", "least-squares"),
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 4 * n),
        reference="Yong, Huang, Hua & Zhang 2020, arXiv:2004.01461",
        year=2020,
        space={"learning_rate": GRADIENT_RATE},
        namesake=lambda optax, rule: optax.chain(optax.centralize(), optax.sgd(rule.rule.learning_rate)),
    ),
    Method(
        name="gradient-noise",
        make=GradientNoise,
        label="Gradient noise",
        family="wrappers",
        example=lambda problem: GradientNoise(SGD(RATES.get(problem, 0.1)), 1e-6, 1.0),
        solves=("least-squares",),
        # With rate eta an entry of curvature a wanders by about sigma sqrt(eta / 2a); here 1e-3 / sqrt(t) is sigma.
        claim=Neighborhood(radius=1e-3, of="x", on="least-squares", after=60.0),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 82 * n),
        reference="Neelakantan et al. 2015, arXiv:1511.06807",
        year=2015,
        space={"learning_rate": GRADIENT_RATE, "variance": LogUniform(1e-6, 1.0), "decay": Uniform(0.0, 1.0)},
        namesake="optax.add_noise draws other numbers",
        cases={
            "numbers": ("rosenbrock", lambda: GradientNoise(SGD(1e-3), 4.0, 0.3)),
        },
        checks=Checks(draws=True, why="the noise comes from the step's key"),
    ),
    Method(
        name="accumulate",
        make=Accumulate,
        label="Accumulate",
        family="wrappers",
        example=lambda problem: Accumulate(Momentum(RATES.get(problem, 0.1), 0.5), 2),
        solves=("quadratic", "least-squares"),
        # Momentum 0.5 doubles the rate of gradient descent, every second step is none.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="n beside that of its rule",
        work=Work(flops=lambda n, m: 7 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Goodfellow, Bengio & Courville 2016, deeplearningbook.org",
        year=2016,
        space={"learning_rate": GRADIENT_RATE, "beta": MOMENTUM},
        namesake="optax.MultiSteps, but only to 1e-8",
        checks=Checks(points=6, steps_an_update=2, why="two gradients are saved up for an update"),
    ),
    Method(
        name="skip-nonfinite",
        make=SkipNonfinite,
        label="Skip nonfinite",
        family="wrappers",
        example=lambda problem: SkipNonfinite(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        # Nothing is lost there: gradient descent.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 4 * n),
        reference="Micikevicius et al. 2018, arXiv:1710.03740",
        year=2017,
        space={"learning_rate": GRADIENT_RATE},
        namesake=lambda optax, rule: optax.apply_if_finite(optax.sgd(rule.rule.learning_rate), 5),
        twin_of="sgd",
    ),
    Method(
        name="weight-decay",
        make=WeightDecay,
        label="Weight decay",
        family="wrappers",
        # So little decay moves the minimum of the least squares by 2e-4, as for AdamW.
        example=lambda problem: WeightDecay(Adam(0.05), 1e-3),
        solves=("quadratic", "least-squares"),
        # As for AdamW, which this is.
        claim=Neighborhood(radius=1.0, of="x", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 16 * n),
        storage=Storage(lambda n, m: 2 * n),
        reference="Loshchilov & Hutter 2019, arXiv:1711.05101",
        year=2017,
        space=ADAMW_SPACE,
        namesake=lambda optax, rule: optax.adamw(
            rule.rule.learning_rate, rule.rule.b1, rule.rule.b2, rule.rule.eps, weight_decay=rule.weight_decay
        ),
        cases={
            "numbers": ("rosenbrock", lambda: WeightDecay(Adam(0.1, 0.5, 0.9, 1e-2), 0.7)),
            "coupled": ("rosenbrock", lambda: WeightDecay(Adam(0.1), 0.7, decoupled=False)),
            "masked": ("rosenbrock", lambda: WeightDecay(Adam(0.1), 0.7, mask=matrices)),
        },
    ),
    Method(
        name="lookahead",
        make=Lookahead,
        label="Lookahead",
        family="wrappers",
        example=lambda problem: Lookahead(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        # Every fifth point is the mean of the one five steps ago and of what five steps of gradient descent make of it.
        claim=LinearRate(rate=((1 + (1 - 1 / 100) ** 5) / 2) ** (2 / 5), of="value", on="quadratic"),
        cost="1 gradient",
        memory="n + that of its rule",
        work=Work(flops=lambda n, m: 9 * n),
        storage=Storage(lambda n, m: n),
        reference="Zhang, Lucas, Hinton & Ba 2019, arXiv:1907.08610",
        year=2019,
        convention="The reported point is the fast one; Optax keeps both in the parameters.",
        space={"learning_rate": GRADIENT_RATE, "fraction": Uniform(0.1, 1.0), "steps": WholeNumbers(2, 20)},
        namesake="pytorch_optimizer; Optax has a form with two sets of parameters: tests/rules/test_lookahead.py",
        cases={
            "numbers": ("rosenbrock", lambda: Lookahead(SGD(1e-3), 3, 0.8)),
        },
    ),
    Method(
        name="cautious",
        make=Cautious,
        label="Cautious",
        family="wrappers",
        example=lambda problem: Cautious(Momentum(*_MASKED.get(problem, (0.02, 0.8)))),
        solves=("quadratic", "least-squares"),
        # Measured: along the axes, which are the quadratic's own, the mask stops every swing back.
        claim=LinearRate(rate=0.76, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 10 * n),
        storage=Storage(lambda n, m: n),
        reference="Liang, Chen, Liu & Liu 2024, arXiv:2411.16085",
        year=2024,
        convention="The scale is the paper's n / (xi + count); the authors' code divides by max(mean, 1e-3).",
        space={"learning_rate": GRADIENT_RATE, "beta": MOMENTUM},
        namesake="pytorch_optimizer, inside MARS",
        cases={
            "numbers": ("least-squares", lambda: Cautious(Momentum(0.5, 0.8), xi=0.2)),
        },
    ),
    Method(
        name="mars",
        make=MARS,
        label="MARS",
        family="wrappers",
        example=lambda problem: MARS(Adam(0.05, 0.95, 0.99)),
        solves=("quadratic", "least-squares"),
        # As for Adam.
        claim=Neighborhood(radius=0.3, of="x", on="quadratic", after=60.0),
        cost="1 gradient",
        memory="n + that of its rule",
        work=Work(flops=lambda n, m: 23 * n),
        storage=Storage(lambda n, m: 3 * n),
        reference="Yuan, Liu, Wu, Zhou & Gu 2024, arXiv:2411.10438",
        year=2024,
        convention="The approximate form: the last gradient is that of the last batch, so a step costs one.",
        space={**ADAM_SPACE, "gamma": LogUniform(1e-3, 0.1)},
        namesake="pytorch_optimizer",
        cases={
            "numbers": ("rosenbrock", lambda: MARS(Adam(0.1, 0.8, 0.9), 0.3, 0.8, limit=3.0)),
            "values": ("rosenbrock", lambda: MARS(Adam(0.1, 0.8, 0.9), 0.3, 0.8, limit=20.0, by="value")),
        },
    ),
    Method(
        name="reduce-on-plateau",
        make=ReduceOnPlateau,
        label="Reduce on plateau",
        family="wrappers",
        # Any improvement counts: close to a minimum above 0 the gradient falls long after the loss is at rest.
        example=lambda problem: ReduceOnPlateau(SGD(RATES.get(problem, 0.1)), 0.5, relative=1e-12, every=10),
        solves=("quadratic", "least-squares"),
        # The value falls by 2 % a step: gradient descent, never slowed down.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 3 * n),
        reference="He, Zhang, Ren & Sun 2016, arXiv:1512.03385",
        year=2015,
        convention="A new scale holds from the next update on; Optax applies it within the same one.",
        space={"learning_rate": GRADIENT_RATE, "factor": Uniform(0.1, 0.7), "patience": WholeNumbers(2, 50)},
        # The loss keeps falling, so the scale stays 1; tests/rules/test_reactive.py follows it where it does not.
        namesake=lambda optax, rule: optax.chain(
            optax.sgd(rule.rule.learning_rate),
            optax.contrib.reduce_on_plateau(rule.factor, rule.patience, rule.relative, accumulation_size=10),
        ),
        cases={
            "numbers": (
                "quadratic",
                lambda: ReduceOnPlateau(SGD(0.3), 0.3, 1, 0.4, every=2, cooldown=1, min_scale=0.1),
            ),
            "each-step": ("quadratic", lambda: ReduceOnPlateau(SGD(2.1), 0.3, 2)),
        },
    ),
    Method(
        name="reactive",
        make=Reactive,
        label="Reactive",
        family="wrappers",
        example=lambda problem: Reactive(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule",
        work=Work(flops=lambda n, m: 3 * n),
        reference="Bengio 2012, arXiv:1206.5533",
        year=2012,
        space={"learning_rate": GRADIENT_RATE, "shrink": Uniform(0.1, 0.7), "grow": LogUniform(1.0, 10.0)},
        namesake="nobody: advice given in courses",
        cases={
            "grows": ("quadratic", lambda: Reactive(SGD(1e-3), every=2, barely=0.1, cooldown=1)),
            "grows-and-spikes": (
                "quadratic",
                lambda: Reactive(SGD(0.1), 0.4, 90.0, 1.5, 0.9, every=1, cooldown=0, min_scale=0.5),
            ),
            "shrinks": ("quadratic", lambda: Reactive(SGD(4.0), every=1)),
        },
    ),
    Method(
        name="compact-state",
        make=CompactState,
        label="Compact state",
        family="wrappers",
        # To nearest, so that the same steps are made with random keys and without.
        example=lambda problem: CompactState(Momentum(RATES.get(problem, 0.05), 0.5), rounding="nearest"),
        solves=("quadratic", "least-squares"),
        # Rounding what fades does not stop it: with half of the memory kept, faster than gradient descent.
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule, in 2 bytes or 1 an entry",
        work=Work(flops=lambda n, m: 6 * n),
        storage=Storage(lambda n, m: n / 2),
        reference="Dettmers, Lewis, Shleifer & Zettlemoyer 2022, arXiv:2110.02861",
        year=2021,
        convention="8-bit codes are a fourth power, made for stochastic rounding; the paper has a table.",
        space={"learning_rate": GRADIENT_RATE, "beta": MOMENTUM},
        namesake=lambda optax, rule: optax.sgd(rule.rule.learning_rate, rule.rule.beta, accumulator_dtype=jnp.bfloat16),
        cases={
            "bytes": ("rosenbrock", lambda: CompactState(Momentum(1e-3, 0.8), "int8", "nearest", min_size=0)),
        },
    ),
    Method(
        name="master-copy",
        make=MasterCopy,
        label="Master copy",
        family="wrappers",
        example=lambda problem: MasterCopy(SGD(RATES.get(problem, 0.1))),
        solves=("quadratic", "least-squares"),
        claim=LinearRate(rate=(1 - 1 / 100) ** 2, of="value", on="quadratic"),
        cost="1 gradient",
        memory="that of its rule, and n for narrow variables",
        work=Work(flops=lambda n, m: 2 * n),
        reference="Micikevicius et al. 2018, arXiv:1710.03740",
        year=2017,
        space={"learning_rate": GRADIENT_RATE},
        # Wide parameters have no copy.
        namesake=lambda optax, rule: optax.sgd(rule.rule.learning_rate),
        cases={
            "numbers": ("rosenbrock", lambda: MasterCopy(SGD(1e-3))),
        },
    ),
)
