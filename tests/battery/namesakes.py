"""Every rule's namesake in Optax, at the same numbers."""

import jax
import jax.numpy as jnp
import optax
import optax.contrib

from tests.helpers import X64

WIDE = jnp.float64 if X64 else jnp.float32
NAMESAKES = {
    "sgd": lambda rule: optax.sgd(rule.learning_rate),
    "momentum": lambda rule: optax.sgd(rule.learning_rate, rule.beta, rule.nesterov),
    "adam": lambda rule: optax.adam(rule.learning_rate, rule.b1, rule.b2, rule.eps),
    "adamw": lambda rule: optax.adamw(
        rule.learning_rate, rule.b1, rule.b2, rule.eps, weight_decay=rule.weight_decay, mask=rule.mask
    ),
    "adagrad": lambda rule: optax.adagrad(rule.learning_rate, rule.initial_accumulator, rule.eps),
    "rmsprop": lambda rule: optax.rmsprop(
        rule.learning_rate, rule.beta, rule.eps, centered=rule.centered, momentum=rule.momentum
    ),
    "adadelta": lambda rule: optax.adadelta(rule.learning_rate, rule.beta, rule.eps),
    "nadam": lambda rule: optax.nadam(rule.learning_rate, rule.b1, rule.b2, rule.eps),
    "amsgrad": lambda rule: optax.amsgrad(rule.learning_rate, rule.b1, rule.b2, rule.eps),
    "radam": lambda rule: optax.radam(rule.learning_rate, rule.b1, rule.b2, rule.eps, threshold=rule.threshold),
    "adopt": lambda rule: optax.contrib.adopt(rule.learning_rate, rule.b1, rule.b2, rule.eps, use_clipping=rule.clip),
    "ademamix": lambda rule: optax.contrib.ademamix(
        rule.learning_rate, rule.b1, rule.b2, rule.b3, rule.alpha, rule.eps, weight_decay=rule.weight_decay
    ),
    "lion": lambda rule: optax.lion(rule.learning_rate, rule.b1, rule.b2, weight_decay=rule.weight_decay),
    "sign-sgd": lambda rule: optax.sign_sgd(rule.learning_rate),
    "clip": lambda rule: optax.chain(optax.clip_by_global_norm(rule.limit), NAMESAKES["sgd"](rule.rule)),
    "adaptive-clip": lambda rule: optax.chain(
        optax.adaptive_grad_clip(rule.ratio, rule.eps), NAMESAKES["sgd"](rule.rule)
    ),
    "centralize": lambda rule: optax.chain(optax.centralize(), NAMESAKES["sgd"](rule.rule)),
    "skip-nonfinite": lambda rule: optax.apply_if_finite(NAMESAKES["sgd"](rule.rule), 5),
    # A loss that keeps falling: the scale stays 1. `tests/rules/test_reactive.py` follows it where it does not.
    "reduce-on-plateau": lambda rule: optax.chain(
        NAMESAKES["sgd"](rule.rule),
        optax.contrib.reduce_on_plateau(rule.factor, rule.patience, rule.relative, accumulation_size=10),
    ),
    "partition": lambda rule: optax.partition(
        {pattern: NAMESAKES["sgd"](inner) for pattern, inner in zip(rule.patterns, rule.rules, strict=True)},
        lambda params: jax.tree.map(lambda leaf: rule.patterns[0], params),
    ),
    # The parts of optax.adafactor, which computes the decay in float32 (tests/rules/test_layerwise.py has the whole).
    "adafactor": lambda rule: optax.chain(
        optax.scale_by_factored_rms(
            True, rule.decay, 0, rule.min_size, rule.eps, lambda t, c: 1 - jnp.asarray(t + 1, WIDE) ** -c
        ),
        optax.clip_by_block_rms(rule.clip),
        optax.scale_by_param_block_rms(rule.min_scale),
        optax.scale_by_learning_rate(rule.learning_rate),
    ),
    "lars": lambda rule: optax.lars(
        rule.learning_rate, rule.weight_decay, trust_coefficient=rule.trust, momentum=rule.beta
    ),
    "lamb": lambda rule: optax.lamb(rule.learning_rate, rule.b1, rule.b2, rule.eps, weight_decay=rule.weight_decay),
    "prodigy": lambda rule: optax.contrib.prodigy(
        rule.learning_rate, (rule.b1, rule.b2), eps=rule.eps, estim_lr0=rule.d0, weight_decay=rule.weight_decay
    ),
    "dadapt-adam": lambda rule: optax.contrib.dadapt_adamw(
        rule.learning_rate, (rule.b1, rule.b2), rule.eps, rule.d0, rule.weight_decay
    ),
    "weight-decay": lambda rule: optax.adamw(
        rule.rule.learning_rate, rule.rule.b1, rule.rule.b2, rule.rule.eps, weight_decay=rule.weight_decay
    ),
    "compact-state": lambda rule: optax.sgd(rule.rule.learning_rate, rule.rule.beta, accumulator_dtype=jnp.bfloat16),
    "master-copy": lambda rule: NAMESAKES["sgd"](rule.rule),  # wide parameters have no copy
}
UNKNOWN_TO_OPTAX: dict[str, str] = {
    "accumulate": "optax.MultiSteps, but only to 1e-8",
    "gradient-noise": "optax.add_noise draws other numbers",
    "adan": "pytorch_optimizer; Optax's has 1 - b2 where the paper has b2",
    "adam-mini": "pytorch_optimizer",
    "lookahead": "pytorch_optimizer; Optax has a form with two sets of parameters: tests/rules/test_lookahead.py",
    "cautious": "pytorch_optimizer, inside MARS",
    "mars": "pytorch_optimizer",
    "reactive": "nobody: advice given in courses",
    "muon": "Optax weighs gradient and momentum otherwise: tests/rules/test_muon.py compares what is the same",
    "shampoo": "pytorch_optimizer",
    "soap": "pytorch_optimizer",
}
"""Rows without a namesake in Optax, and who else has one: `tests/peers` compares them with its numbers."""
