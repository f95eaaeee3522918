"""Which leaf gets what, and how much memory it costs."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import thalweg as tw

PARAMS = {
    "encoder": {"weight": np.zeros((640, 64), np.float32), "bias": np.zeros(64, np.float32)},
    "head": {"weight": np.zeros((64, 10), np.float16)},
    "count": np.arange(3),
    "name": "net",
}
N = 640 * 64


def rows(method, params=PARAMS) -> dict:
    """The rows by name."""
    return {row.name: row for row in tw.describe(method, params).rows}


def test_groups_and_wrappers_by_leaf():
    found = rows(
        tw.Partition(
            {
                "**/bias": tw.Freeze(),
                "head/**": tw.MasterCopy(tw.AdamW(1e-3, mask=tw.matrices)),
                "**": tw.Clip(tw.CompactState(tw.SGD(tw.schedules.Constant(0.1)), "int8"), 0.5),
            }
        )
    )
    assert {name: row.rule for name, row in found.items()} == {
        "count": "frozen",
        "encoder/bias": "frozen",
        "encoder/weight": "Clip(limit=0.5) > CompactState(dtype=int8) > SGD(learning_rate=Constant)",
        "head/weight": "MasterCopy > AdamW(learning_rate=0.001, mask=matrices)",
    }
    assert found["head/weight"].state_bytes == 3 * 4 * 640
    assert found["head/weight"][1:3] == ((64, 10), "float16")


@pytest.mark.parametrize(
    ("method", "label", "bytes_each"),
    [
        (tw.Adam(), "Adam(learning_rate=0.001)", 8),
        (tw.Clip(tw.Adam(b1=0.8)), "Clip > Adam(learning_rate=0.001, b1=0.8)", 8),
        (optax.adam(1e-3), "optax.chain", 8),
        (tw.SAM(tw.Momentum(0.1)), "SAM > Momentum(learning_rate=0.1)", 4),
        (tw.FirstOrder(tw.SGD(0.1)), "SGD(learning_rate=0.1)", 0),
        (tw.CompactState(tw.Momentum(0.1)), "CompactState > Momentum(learning_rate=0.1)", 2),
    ],
    ids=lambda value: type(value).__name__,
)
def test_labels_and_bytes(method, label, bytes_each):
    with jax.numpy_dtype_promotion("standard"):
        row = rows(method)["encoder/weight"]
    assert (row.rule, row.bytes, row.state_bytes) == (label, 4 * N, bytes_each * N)


def test_totals_and_what_is_shared():
    found = tw.describe(tw.Adam(), PARAMS)
    real = tw.Adam().init(jax.tree.map(jnp.asarray, {key: PARAMS[key] for key in ("encoder", "head")}))
    assert found.state_bytes == sum(leaf.nbytes for leaf in jax.tree.leaves(real))
    assert found.shared == 4
    assert found.count == N + 64 + 640
    history = tw.describe(tw.LBFGS(5), PARAMS)
    assert history.shared > 2 * 5 * 4 * N


def test_one_array_and_shapes_alone():
    found = tw.describe(tw.Adam(), jax.ShapeDtypeStruct((10**6, 10**6), jnp.bfloat16))
    assert (found.rows[0].name, found.shared, found.count) == ("x", 4, 10**12)
    assert str(found).splitlines()[1].split()[:8] == ["x", "1000000", "×", "1000000", "bfloat16", "2", "TB", "4"]


def test_the_table_is_aligned():
    lines = str(tw.describe(tw.Adam(), PARAMS)).splitlines()
    assert lines[0].split() == ["parameter", "shape", "dtype", "size", "state", "rule"]
    column = lines[0].index("rule")
    assert all(line[column - 1] == " " and line[column] != " " for line in lines[1:5])
    assert lines[-2:][0].startswith("(shared)")
    assert "41,664" in lines[-1]


def test_nothing_to_optimize():
    found = tw.describe(tw.Adam(), {"n": np.arange(3)})
    assert (found.count, found.rows[0].rule) == (0, "frozen")


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (3, r"describe\(3\): give a rule such as tw.Adam\(\), an Optax transformation, or a solver"),
        (tw.Adam, "give a rule such as"),
        (tw.EM(), r"describe\(EM\): this method needs a latent-variable model"),
        (tw.SVRG(0.1), r"describe\(SVRG\): this method needs a mean over data examples"),
    ],
)
def test_bad_input_is_refused(method, sentence):
    with pytest.raises(TypeError, match=sentence):
        tw.describe(method, PARAMS)


def test_muon_says_which_leaves_it_moves_itself():
    params = {"kernel": jnp.ones((3, 4)), "bias": jnp.ones(4)}
    rule = tw.Clip(tw.Muon(tw.schedules.Cosine(0.02), others=tw.AdamW(3e-3)))
    rows = {row.name: row.rule for row in tw.describe(rule, params).rows}
    assert rows["kernel"] == "Clip > Muon(learning_rate=Cosine)"
    assert rows["bias"] == "Clip > AdamW(learning_rate=0.003)"
