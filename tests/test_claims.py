"""Claims and verdicts by hand."""

import numpy as np
import pytest

from cf_utils import claims
from tools import ledger


@pytest.mark.parametrize(
    ("limits", "verdict"),
    [
        ({"above": 0.5}, "reproduced"),
        ({"above": 1.9}, "not reproduced"),  # the mean is above, the interval is not
        ({"below": 3.0}, "reproduced"),
        ({"within": 0.5}, "reproduced"),
        ({"within": 0.1}, "not reproduced"),  # close, but not known that well
        ({"above": 0.5, "within": 0.1}, "changed"),
        ({"below": 0.5, "within": 1.0}, "not reproduced"),
    ],
)
def test_verdict_follows_from_the_interval(limits, verdict):
    row = claims.claim("x", "s", "t", 2.0, [1.9, 2.0, 2.1, 2.2, 1.8], **limits)
    assert row["verdict"] == verdict


def test_a_wide_interval_reproduces_nothing():
    assert claims.claim("x", "s", "t", 0.0, [-5.0, 5.0], within=1)["verdict"] == "not reproduced"


@pytest.mark.parametrize("values", [[2.0], [float("nan"), 2.0]])
def test_one_seed_or_none_decides_nothing(values):
    assert claims.claim("x", "s", "t", 2.0, values, above=0)["verdict"].startswith("not measured")


def test_reasons_are_those_of_the_claims_file(tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text("id,source,statement,theirs,ours,above,below,within,reason\n01-a,s,new,5,x,1,,1,why\n")
    row = claims.claim("01-a", "s", "old", 5, [3, 3.1, 2.9], above=1, within=1)
    assert row["verdict"] == "changed"
    (again,) = ledger.rejudge({"notebook": "01", "claims": [row]}, file)["claims"]
    assert again == row | {"verdict": "changed: why", "statement": "new"}
    row = claims.claim("01-a", "s", "old", 5, [3, float("inf")], above=1)
    (again,) = ledger.rejudge({"notebook": "01", "claims": [row]}, file)["claims"]
    assert again["verdict"].startswith("not measured")


def test_a_claim_must_test_something():
    with pytest.raises(ValueError, match="claim x tests nothing"):
        claims.claim("x", "s", "t", 1, [1, 2])


@pytest.mark.parametrize(("rule", "ours"), [("a − b", [1.0, 3.0]), ("a ÷ b", [3.0, 3.0]), ("a - b", [7.0, 7.0])])
def test_a_claim_rests_on_a_number_or_on_two(tmp_path, rule, ours):
    file = tmp_path / "claims.csv"
    file.write_text(
        f"id,source,statement,theirs,ours,above,below,within,reason\n01-x,s,t,1,{rule},0,,,\n02-b,s,t,text,c,,,1,\n",
        encoding="utf-8",
    )
    numbers = {"a": [2, 4], "b": [1, 1], "a - b": [7, 7]}
    (row,) = claims.read_claims("01", numbers, file)
    assert (row["ours"], row["n"], row["theirs"]) == (np.mean(ours), 2, 1)
    with pytest.raises(ValueError, match="02-b rests on 'c', which the notebook does not save"):
        claims.read_claims("02", numbers, file)
