"""Claims and verdicts by hand."""

import numpy as np
import pytest
from scipy import stats

from cf_utils import claims, results, run
from tools import ledger

FULL = claims.full_parameters("01")
HEAD = "id,source,kind,statement,theirs,n_theirs,ours,above,below,within,reason\n"


def row(theirs=2.0, kind="source", n_theirs=1.0, **limits):
    """A row as ``claims_of`` gives it."""
    return {
        "theirs": theirs,
        "kind": kind,
        "n_theirs": n_theirs,
        "above": None,
        "below": None,
        "within": None,
    } | limits


@pytest.mark.parametrize(
    ("limits", "mean", "half", "verdict"),
    [
        ({"above": 0.5}, 2, 1, "reproduced"),
        ({"above": 0.5}, 1, 1, "undecided"),  # the limit lies within the interval
        ({"above": 0.5}, 0.2, 0.1, "not reproduced"),
        ({"below": 3}, 2, 0.5, "reproduced"),
        ({"below": 3}, 2, 1.5, "undecided"),
        ({"below": 3}, 4, 0.5, "not reproduced"),
        ({"above": 1, "below": 3}, 2, 0.5, "reproduced"),
        ({"above": 1, "below": 3}, 2, 1.5, "undecided"),
        ({"above": 1, "below": 3}, 5, 1.5, "not reproduced"),
        # The direction holds, the number does not.
        ({"above": 0.5, "within": 0.1}, 3, 0.01, "changed"),
        ({"above": 0.5, "within": 1.0}, 2, 0.01, "reproduced"),
        # The direction holds, the number can't be told.
        ({"above": 0.5, "within": 0.1}, 2, 1.0, "undecided"),
        ({"below": 0.5, "within": 1.0}, 2, 0.1, "not reproduced"),
        ({"above": 1.5, "within": 0.1}, 2, 1.0, "undecided"),
    ],
)
def test_a_direction_is_decided_by_the_whole_interval(limits, mean, half, verdict):
    assert claims.judge(row(kind="prediction", **limits), mean, half, 10) == verdict


@pytest.mark.parametrize(
    ("ours", "verdict"),
    [
        # One run of theirs, ten of ours: w = half * sqrt(11) = 3.317 half; within 1 of theirs,
        # which is 2.
        ((2.0, 0.1), "reproduced"),  # d + w = 0.33
        ((2.6, 0.1), "reproduced"),  # d + w = 0.93
        ((2.8, 0.1), "undecided"),  # d + w = 1.13, and d is larger than w
        # D = 0.8 <= w = 0.83 <= 1: theirs is where one more run might fall.
        ((2.8, 0.25), "reproduced"),
        ((2.0, 0.5), "undecided"),  # w = 1.66 is wider than the limit
        ((3.5, 0.1), "not reproduced"),  # d = 1.5 is beyond the limit and beyond w = 0.33
        ((3.5, 0.5), "undecided"),  # beyond the limit, but within w = 1.66
    ],
)
def test_a_number_is_the_same_another_or_cannot_be_told(ours, verdict):
    assert claims.judge(row(within=1.0), *ours, 10) == verdict


def test_more_runs_of_theirs_narrow_the_difference():
    ours, many = (2.6, 0.25, 10), 10.0  # w = 0.25 sqrt(2) = 0.354 in place of 0.83
    assert claims.judge(row(within=0.8), *ours) == "undecided"
    assert claims.judge(row(within=1.0, n_theirs=many), *ours) == "reproduced"
    assert claims.judge(row(within=0.5, n_theirs=many), *ours) == "not reproduced"


@pytest.mark.parametrize("exact", [row(kind="prediction", within=1.0), row(theirs=0.0, within=1.0)])
def test_a_prediction_and_no_effect_have_no_spread_of_their_own(exact):
    assert claims.judge(exact, exact["theirs"] + 0.5, 0.4, 10) == "reproduced"
    assert claims.judge(exact, exact["theirs"] + 0.5, 0.6, 10) == "reproduced"  # d <= w <= within
    assert claims.judge(exact, exact["theirs"] + 0.5, 1.1, 10) == "undecided"
    assert claims.judge(exact, exact["theirs"] + 1.5, 0.6, 10) == "not reproduced"


@pytest.mark.parametrize("ours", [(None, None, 3), (2.0, None, 1)])
def test_one_seed_or_none_decides_nothing(ours):
    assert claims.judge(row(above=0), *ours) == "not measured"


def test_p_is_that_of_the_t_test():
    values = [0.3, 0.9, 0.5, 0.4, 1.1]
    found = results.summary(values)
    p = claims.p_value(row(above=0.2), found["mean"], found["ci95"], 5)
    assert p == pytest.approx(stats.ttest_1samp(values, 0.2).pvalue, rel=1e-4)
    assert claims.p_value(row(within=1.0), 2.0, 0.1, 5) is None
    assert claims.p_value(row(above=0, below=1), 0.5, 0.1, 5) is None


def test_holm_by_hand():
    assert claims.holm([0.01, None, 0.04, 0.03]) == [0.03, None, 0.06, 0.06]
    assert claims.holm([0.5, 0.6]) == [1.0, 1.0]


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "claims.csv"

    def write(*lines):
        path.write_text(HEAD + "\n".join(lines) + "\n", encoding="utf-8")
        return path

    return write


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("01-x,s,source,t,1,,a,,,,", "01-x tests nothing; give above, below or within"),
        (
            "01-x,s,guess,t,1,,a,0,,,",
            "01-x is of the kind 'guess'; known are source, prediction, exploratory, check",
        ),
        ("01-x,s,source,t,more,,a,,,1,", "01-x has within=1, but theirs='more' is no number"),
    ],
)
def test_a_row_that_cannot_be_judged_is_named(file, line, message):
    with pytest.raises(ValueError, match=message):
        claims.claims_of("01", file(line))


@pytest.mark.parametrize(
    ("rule", "ours"), [("a − b", [1.0, 3.0]), ("a ÷ b", [3.0, 3.0]), ("a - b", [7.0, 7.0])]
)
def test_a_claim_rests_on_a_number_or_on_two(file, rule, ours):
    path = file(f"01-x,s,source,t,1,,{rule},0,,,", "02-b,s,source,t,text,,c,,1,,")
    numbers = {"a": [2, 4], "b": [1, 1], "a - b": [7, 7]}
    (found,) = claims.read_claims("01", numbers, FULL, path)
    assert (found["ours"], found["n"], found["theirs"], found["rests_on"]) == (
        np.mean(ours),
        2,
        1,
        rule,
    )
    with pytest.raises(ValueError, match="02-b rests on 'c', which the notebook does not save"):
        claims.read_claims("02", numbers, FULL, path)


def test_a_changed_rule_column_or_number_changes_the_verdict(file, tmp_path):
    numbers = {"a": [2.0, 2.1, 1.9], "b": [5.0, 5.1, 4.9]}
    (old,) = claims.read_claims("01", numbers, FULL, file("01-x,s,prediction,t,2,,a,0,,,why"))
    content = {"notebook": "01", "claims": [old]}
    assert old["verdict"] == "reproduced" and old["reason"] == ""
    stricter = file("01-x,s,prediction,new,2,,a,3,,,why")
    (again,) = ledger.rejudge(content, stricter)["claims"]
    assert again == old | {"statement": "new", "verdict": "not reproduced", "reason": "why"}
    other = file("01-x,s,prediction,t,2,,b,3,,,")
    with pytest.raises(
        ValueError, match=r"01-x rests on other numbers than .* results.json has; run it again"
    ):
        ledger.rejudge(content, other)
    results.write_runs(tmp_path / "runs.csv", range(3), numbers)
    runs = results.read_runs(tmp_path / "runs.csv")
    assert ledger.rejudge(content, other, runs)["claims"][0]["verdict"] == "reproduced"
    (again,) = ledger.rejudge(content, other, runs | {"b": [1.0, 1.1, 0.9]})["claims"]
    assert again["verdict"] == "not reproduced"


@pytest.fixture
def full(tmp_path):
    """A full.yaml with sections for all, a number and a name, in a folder of notebooks."""
    for name in ("settings", "percent"):
        (tmp_path / name).mkdir()
    cell = """# %% tags=["parameters"]
seeds = 3  # here full.yaml has another
batch = 64
roots = [1.0, 2**0.5]
threads = 1
words = len("only running it would tell")
out = ""

# %%
batch = 1
"""
    (tmp_path / "percent" / "01_x.py").write_text(cell, encoding="utf-8")
    path = tmp_path / "settings" / "full.yaml"
    text = "all: {seeds: 10}\n01: {seeds: 5, sizes: [1, 2]}\n01_x: {lr: 1e-3, weights: null}\n"
    path.write_text(text + "01_y: {lr: 5}\n02: {epochs: 9}\n", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("other", "differ"),
    [
        ({}, []),
        ({"sizes": (1.0, 2), "lr": np.float64(0.001), "epochs": 1}, []),
        ({"seeds": 10}, ["seeds"]),
        ({"seeds": None, "sizes": [1, 2, 3]}, ["seeds", "sizes"]),
        ({"sizes": 1, "lr": "1e-3", "weights": 0}, ["sizes", "lr", "weights"]),
        # What full.yaml leaves as it is in the notebook decides as well.
        ({"batch": 32}, ["batch"]),
        ({"roots": [1.0, 2.0], "seeds": 1}, ["seeds", "roots"]),
        # Save what has no influence, or is not known.
        ({"threads": 4, "out": "elsewhere", "words": 5}, []),
    ],
)
def test_parameters_are_held_against_the_full_settings(full, other, differ):
    parameters = {"seeds": 5, "sizes": [1, 2], "lr": 0.001, "weights": None, "images": object()}
    parameters |= {"batch": 64, "roots": (1.0, 2**0.5), "words": 26}
    assert claims.differing("01", parameters | other, full) == differ
    for name in ("seeds", "batch"):
        lacking = {key: value for key, value in parameters.items() if key != name}
        assert claims.differing("01", lacking, full) == [name]


@pytest.mark.parametrize("number", run.by_number())
def test_of_each_notebook_any_parameter_of_influence_decides(number):
    (path,) = run.originals(run.by_number()[number])
    whole = run.job(path, run.settings_sections("full"), {}).every
    assert claims.differing(number, whole) == []
    for name in whole:
        differ = [] if name == "threads" else [name]
        assert claims.differing(number, whole | {name: "another"}) == differ


def test_at_other_settings_nothing_is_decided_and_the_table_says_so(file, tmp_path):
    path, numbers = file("01-x,s,prediction,t,2,,a,0,,,why"), {"a": [2.0, 2.1, 1.9]}
    (whole,) = claims.read_claims("01", numbers, FULL, path)
    table = claims.claims_table([whole], path)
    for other, sentence in (
        (FULL | {"epochs": 5}, "`epochs` differs."),
        (FULL | {"epochs": 5, "seeds": 2}, "`seeds` and `epochs` differ."),
        (FULL | {"lr": 1.0}, "`lr` differs."),
        ({}, f"`dataset`, `validation`, `seeds` and {len(FULL) - 4} more differ."),
    ):
        (found,) = claims.read_claims("01", numbers, other, path)
        assert found["verdict"] == "not decided at these settings"
        assert whole | {"verdict": found["verdict"], "differ": found["differ"]} == found
        printed = claims.claims_table([found], path)
        assert printed.startswith(
            f"These are not the full settings, which decide the claims: {sentence}\n\n| claim |"
        )
        assert printed.endswith(table.replace("reproduced", "not decided at these settings"))
    # What such a run leaves is stored, and the ledger judges it as any other.
    content = results.save_run(tmp_path, "01", "d", {}, range(3), numbers, [found])
    assert content["claims"] == [found]
    assert ledger.rejudge(content, path)["claims"] == [whole]


def test_counts_leave_checks_out():
    found = [
        {"verdict": v, "kind": k}
        for v, k in [("reproduced", "source"), ("undecided", "prediction"), ("x", "check")]
    ]
    assert (
        ledger.counts(found) == "2 claims: 1 reproduced, 0 not reproduced, 0 changed, 1 undecided."
    )
