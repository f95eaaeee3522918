"""Optimizer state in 16 or 8 bits per entry."""

import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from thalweg.core.batches import epoch_word, mix
from thalweg.core.fields import check_choice, check_count, static_field
from thalweg.core.rule import Rule, check_rule, key_of, rule_field
from thalweg.core.types import Params, Scalar, State

_QUANTIZATION_BLOCK = 256
"""The number of entries that share a scale: 4 bytes per 256 entries, as in the reference."""
_INT8_LEVELS = 127
"""The number of magnitudes of a signed byte besides 0."""
_DEFAULT_MIN_SIZE = {"bfloat16": 1, "int8": 4096}
"""The default of `min_size` for each dtype."""
_ROUNDING_MODES = ("stochastic", "nearest")


class CompactedState(NamedTuple):
    """The state of the wrapped rule with its large arrays packed, what is needed to unpack them, and the steps made.

    `rule` and `scales` are trees like the state of the wrapped rule, because Flax accepts no others. `scales` holds one
    scale for each block of bytes, and is empty for an array that is not packed. `like` holds for each packed array one
    without entries, of its dtype and (after an axis of length 0) of its shape, and None for the others.
    """

    rule: State
    scales: State
    like: tuple[jax.Array | None, ...]
    count: Scalar


class CompactState(Rule):
    r"""Compact state: the state of the wrapped rule is stored in 16 or 8 bits per entry.

    Within a step the rule computes in full precision. `"bfloat16"` stores the sign, the exponent and 7 bits. Stochastic
    rounding takes \(x\) to one of its two neighbors at random, with mean \(x\). Rounding to nearest would freeze a slow
    running mean: \(0.999\,v\) rounds to \(v\) again.

    `"int8"` stores blocks of 256 entries: the largest magnitude \(s\) as a float32 scale, and a byte \(c\) per entry,

    \[ \hat x = s \operatorname{sign}(c)\,(|c|/127)^4 , \]

    so that small entries keep their relative precision: the values are 3.1 % of \(s\) apart at the top, 0.6 % at
    \(s/10\), 0.02 % at \(s/1000\), and the smallest magnitude is \(4\cdot10^{-9}\,s\). The largest entry and zeros are
    exact, and no other entry becomes zero: a second moment of zero would make a step as long as its first moment over
    \(\varepsilon\).

    - `rule`: the wrapped rule.
    - `dtype`: "bfloat16" or "int8".
    - `rounding`: "stochastic", which is unbiased and uses the step's random key; or "nearest", without random bits.
    - `min_size`: arrays of the state with fewer entries are not packed; None for 1 in bfloat16 and 4096 in int8.
      Scalars, counts, keys and arrays that are narrow already are never packed.

    A rule whose state holds parameters (the slow weights of `tw.Lookahead`, the copy of `tw.MasterCopy`) would have
    them rounded too. Put such a rule outside: `tw.MasterCopy(tw.CompactState(tw.Adam()))`.

    **Needs** what the wrapped rule needs; if the loop passes a `key`, it seeds the random bits.
    **Guarantee** Packing errs by less than the distance of two neighboring values: \(2^{-7}\) of the entry in bfloat16,
    3.2 % of the block's largest entry in int8; by half of that with "nearest". Stochastic rounding is unbiased (in int8
    except below the smallest magnitude, to which smaller entries are raised). NaN and infinity survive in bfloat16; in
    int8 they make their whole block NaN or infinite.
    **References** Dettmers, Lewis, Shleifer & Zettlemoyer 2022, arXiv:2110.02861 (blocks, non-linear codes; theirs is a
    table with 7 decades, made for rounding to nearest, ours a fourth power); Gupta, Agrawal, Gopalakrishnan &
    Narayanan 2015, arXiv:1502.02551 (stochastic rounding).
    """

    rule: Rule = rule_field()
    dtype: str = static_field("bfloat16")
    rounding: str = static_field("stochastic")
    min_size: int | None = static_field(None)

    def __check_init__(self):
        check_rule(self)
        check_choice(self, "dtype", _DEFAULT_MIN_SIZE)
        check_choice(self, "rounding", _ROUNDING_MODES)
        if self.min_size is not None:
            check_count(self, "min_size", low=0)

    def init(self, params: Params) -> CompactedState:
        """Returns the packed state of the wrapped rule, rounded to nearest, because no step has given a key yet."""
        # Behind a barrier, because XLA would compute the scales of constant zeros at compile time: for minutes.
        return self.packed(jax.lax.optimization_barrier(self.rule.init(params)), jnp.zeros((), jnp.int32))

    def update(
        self, grads: Params, state: CompactedState, params: Params | None = None, **extra: Any
    ) -> tuple[Params, CompactedState]:
        """Returns the wrapped rule's update; its state is unpacked before and packed again after."""
        update, inner = self.rule.update(grads, unpack_state(state), params, **extra)
        key = key_of(extra, state.count) if self.rounding == "stochastic" else None
        return update, self.packed(inner, state.count + 1, key)

    def rate(self, state: CompactedState) -> Scalar:
        """Returns the learning rate of the wrapped rule."""
        return self.rule.rate(unpack_state(state))

    def packed(self, state: State, count: Scalar, key: Any = None) -> CompactedState:
        """Returns the state with its large arrays packed, with stochastic rounding if there is a key."""
        leaves, treedef = jax.tree.flatten(state)
        chosen = [self.is_packed(leaf) for leaf in leaves]
        words = (
            [None] * len(leaves) if key is None else list(epoch_word(key, jnp.arange(len(leaves), dtype=jnp.uint32)))
        )
        like = tuple(jnp.zeros((0, *a.shape), a.dtype) if yes else None for a, yes in zip(leaves, chosen, strict=True))
        columns = list(zip(leaves, chosen, words, strict=True))
        if self.dtype == "bfloat16":
            values = [_to_bfloat16(leaf, word) if yes else leaf for leaf, yes, word in columns]
            return CompactedState(treedef.unflatten(values), (), like, count)
        pairs = [_to_bytes(leaf, word) if yes else (leaf, jnp.zeros(0, jnp.float32)) for leaf, yes, word in columns]
        values, scales = ([pair[side] for pair in pairs] for side in (0, 1))
        return CompactedState(treedef.unflatten(values), treedef.unflatten(scales), like, count)

    def is_packed(self, leaf: jax.Array) -> bool:
        """Whether an array of the state is packed."""
        smallest = _DEFAULT_MIN_SIZE[self.dtype] if self.min_size is None else self.min_size
        floating = jnp.issubdtype(leaf.dtype, jnp.floating)
        saves = floating and leaf.dtype.itemsize > jnp.dtype(self.dtype).itemsize
        return saves and leaf.ndim > 0 and leaf.size >= max(smallest, 1)


def unpack_state(state: CompactedState) -> State:
    """Returns the state of the wrapped rule with all arrays in their own dtypes."""
    values, treedef = jax.tree.flatten(state.rule)
    scales = jax.tree.leaves(state.scales) or [None] * len(values)

    def one(value, scale, like):
        if like is None:
            return value
        return (value if scale is None else _from_bytes(value, scale, like.shape[1:])).astype(like.dtype)

    return treedef.unflatten([one(*row) for row in zip(values, scales, state.like, strict=True)])


def _random_words(word: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns 32 random bits per entry as a hash of its index, which XLA computes where they are used."""
    return mix(word ^ mix(jnp.arange(math.prod(shape), dtype=jnp.uint32))).reshape(shape)


def _to_bfloat16(array: jax.Array, word: jax.Array | None) -> jax.Array:
    """Rounds to nearest, or stochastically: random bits are added below those that stay, and the carry rounds up."""
    wide = array.astype(jnp.float32)
    nearest = wide.astype(jnp.bfloat16)
    if word is None:
        return nearest
    bits = jax.lax.bitcast_convert_type(wide, jnp.uint32) + (_random_words(word, array.shape) >> 16)
    cut = jax.lax.bitcast_convert_type((bits >> 16).astype(jnp.uint16), jnp.bfloat16)
    return jnp.where(jnp.isnan(wide), nearest, cut)  # the carry would run out of a NaN's bits


def _to_bytes(array: jax.Array, word: jax.Array | None) -> tuple[jax.Array, jax.Array]:
    """Returns one row of codes per block, and each block's largest magnitude."""
    rows = -(-array.size // _QUANTIZATION_BLOCK)
    blocks = jnp.pad(array.astype(jnp.float32).reshape(-1), (0, rows * _QUANTIZATION_BLOCK - array.size)).reshape(
        rows, _QUANTIZATION_BLOCK
    )
    scales = jnp.max(jnp.abs(blocks), axis=1)
    ratio = jnp.abs(blocks) / jnp.where(scales > 0, scales, 1)[:, None]
    below = jnp.clip(jnp.floor(_INT8_LEVELS * jnp.sqrt(jnp.sqrt(ratio))), 0, _INT8_LEVELS - 1)
    low, high = (below / _INT8_LEVELS) ** 4, ((below + 1) / _INT8_LEVELS) ** 4
    threshold = 0.5 if word is None else _uniform_from_words(_random_words(word, blocks.shape))
    code = jnp.where(ratio - low > threshold * (high - low), below + 1, below)
    code = jnp.where(ratio > 0, jnp.maximum(code, 1), 0)  # only zeros become zero
    return (jnp.sign(blocks) * code).astype(jnp.int8), scales


def _from_bytes(codes: jax.Array, scales: jax.Array, shape: tuple[int, ...]) -> jax.Array:
    """Returns the array of these codes and scales, in float32."""
    code = codes.astype(jnp.float32) / _INT8_LEVELS
    entries = scales[:, None] * (code * jnp.abs(code) * code**2)
    return entries.reshape(-1)[: math.prod(shape)].reshape(shape)


def _uniform_from_words(words: jax.Array) -> jax.Array:
    """Returns a number in [0, 1) for each word."""
    return (words >> 8).astype(jnp.float32) * 2.0**-24
