"""The two small languages of the command line: stop rules and settings; and the tables."""

import json

import pytest

import thalweg as tw
from thalweg.problems import JOBS
from thalweg_cli.errors import Misuse
from thalweg_cli.settings import adjust, configure, find_method, parse_settings
from thalweg_cli.stop_rules import STOP_RULES, parse_stop


@pytest.mark.parametrize("name", STOP_RULES)
def test_every_rule_has_its_name(name):
    assert parse_stop(f"{name}:3") == STOP_RULES[name](3)


@pytest.mark.parametrize(
    ("text", "stop"),
    [
        ("grad_norm:1e-6|steps:500", tw.GradNorm(1e-6) | tw.Steps(500)),
        (" grad-norm:1e-6  |  Steps:500 ", tw.GradNorm(1e-6) | tw.Steps(500)),
        ("steps:1 | steps:2 & steps:3", tw.Steps(1) | (tw.Steps(2) & tw.Steps(3))),
        ("(steps:1 | steps:2) & steps:3", (tw.Steps(1) | tw.Steps(2)) & tw.Steps(3)),
        ("steps:1 & steps:2 | steps:3", (tw.Steps(1) & tw.Steps(2)) | tw.Steps(3)),
        ("target:-2.5", tw.Target(-2.5)),
    ],
)
def test_and_binds_tighter_than_or(text, stop):
    assert repr(parse_stop(text)) == repr(stop)


def test_settings_are_read_as_what_they_look_like():
    texts = ["a=3", "b=1e-3", "c=true", "d=None", "e=cosine", "f = -2", "g=a=b"]
    read = {"a": 3, "b": 1e-3, "c": True, "d": None, "e": "cosine", "f": -2, "g": "a=b"}
    assert parse_settings(texts) == read
    assert type(parse_settings(["a=3"])["a"]) is int


def test_settings_go_to_the_constructor_or_to_what_stands_inside():
    method = configure(find_method("lbfgs"), "", {"memory": 20, "curvature": 0.5})
    assert method.direction.memory == 20
    assert method.search.curvature == 0.5
    assert configure(find_method("LBFGS"), "", {"search.curvature": 0.5}).search.curvature == 0.5


def test_on_a_problem_that_it_solves_a_method_starts_from_what_suits_it():
    assert configure(find_method("sgd"), "quadratic", {}).learning_rate == 1.0
    assert configure(find_method("sgd"), "quadratic", {"learning_rate": 0.5}).learning_rate == 0.5
    assert configure(find_method("adam"), "file.py:problem", {}).learning_rate == 1e-3


def test_a_name_that_stands_twice_inside_must_be_spelled_out():
    class Two(tw.Stop):
        one: tw.Steps
        other: tw.Steps

        def init(self):
            return ()

        def __call__(self, state, view):
            return state, 0

    two = Two(tw.Steps(1), tw.Steps(2))
    with pytest.raises(Misuse, match=r"'count' could be one.count or other.count in two: write the full name"):
        adjust(two, {"count": 3}, "two")
    assert adjust(two, {"other.count": 3}, "two").other.count == 3


def test_every_method_is_listed_with_its_row(thalweg):
    rows = json.loads(thalweg("methods", "--json").stdout)
    assert [row["name"] for row in rows] == list(tw.METHODS)
    assert all(row["needs"] and row["cost"] and row["claim"] and row["reference"] and row["year"] for row in rows)
    table = thalweg("methods").stdout
    assert all(name in table for name in tw.METHODS)
    assert "arXiv:1412.6980" in table


def test_one_method_in_full(thalweg):
    assert "doi:10.1007/BF01589116" in thalweg("methods", "lbfgs").stdout
    assert json.loads(thalweg("methods", "lbfgs", "--json").stdout)["python"] == "tw.LBFGS"


def test_every_problem_is_listed_with_what_is_known(thalweg):
    rows = {row["name"]: row for row in json.loads(thalweg("problems", "--json").stdout)}
    assert set(rows) == set(JOBS)
    assert rows["quadratic"]["L"] == 1.0
    assert "fista" in rows["lasso"]["reached by"]
    assert "a curved, flat valley" in thalweg("problems").stdout
    assert "0.534385" in thalweg("problems", "lasso").stdout
