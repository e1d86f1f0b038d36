"""Results, ledger and runner: known answers, and errors in one sentence."""

import json
import shutil
import subprocess
import sys

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import pytest

from cf_utils import results, run
from tools import ledger, publish


def test_summary_by_hand():
    both = results.summary([1.0, 2.0, 3.0])
    assert both == {"mean": 2.0, "ci95": pytest.approx(4.302653 / 3**0.5, rel=1e-5), "n": 3}
    assert results.summary([1.5]) == {"mean": 1.5, "ci95": None, "n": 1}


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
    row = results.claim("x", "s", "t", 2.0, [1.9, 2.0, 2.1, 2.2, 1.8], **limits)
    assert row["verdict"] == verdict


def test_a_wide_interval_reproduces_nothing():
    assert results.claim("x", "s", "t", 0.0, [-5.0, 5.0], within=1)["verdict"] == "not reproduced"


@pytest.mark.parametrize("values", [[2.0], [float("nan"), 2.0]])
def test_one_seed_or_none_decides_nothing(values):
    assert results.claim("x", "s", "t", 2.0, values, above=0)["verdict"].startswith("not measured")


def test_reasons_are_those_of_the_claims_file(tmp_path):
    file = tmp_path / "claims.csv"
    file.write_text("id,source,statement,theirs,ours,above,below,within,reason\n01-a,s,new,5,x,1,,1,why\n")
    row = results.claim("01-a", "s", "old", 5, [3, 3.1, 2.9], above=1, within=1)
    assert row["verdict"] == "changed"
    (again,) = ledger.rejudge({"notebook": "01", "claims": [row]}, file)["claims"]
    assert again == row | {"verdict": "changed: why", "statement": "new"}


def test_a_claim_must_test_something():
    with pytest.raises(ValueError, match="claim x tests nothing"):
        results.claim("x", "s", "t", 1, [1, 2])


@pytest.mark.parametrize(("rule", "ours"), [("a − b", [1.0, 3.0]), ("a ÷ b", [3.0, 3.0]), ("a - b", [7.0, 7.0])])
def test_a_claim_rests_on_a_number_or_on_two(tmp_path, rule, ours):
    file = tmp_path / "claims.csv"
    file.write_text(
        f"id,source,statement,theirs,ours,above,below,within,reason\n01-x,s,t,1,{rule},0,,,\n02-b,s,t,text,c,,,1,\n",
        encoding="utf-8",
    )
    numbers = {"a": [2, 4], "b": [1, 1], "a - b": [7, 7]}
    (row,) = results.read_claims("01", numbers, file)
    assert (row["ours"], row["n"], row["theirs"]) == (np.mean(ours), 2, 1)
    with pytest.raises(ValueError, match="02-b rests on 'c', which the notebook does not save"):
        results.read_claims("02", numbers, file)


def test_results_have_the_agreed_form(tmp_path):
    rows = [results.claim("01-a", "s", "t", 1, [1, 2, 3], above=0)]
    results.save_run(tmp_path, "01", "mnist-5k", {"epochs": 1}, range(3), {"b": [1, 2, 3], "a": 0.5, "c": "text"}, rows)
    content = json.loads((tmp_path / "results.json").read_text())
    assert list(content) == ["notebook", "dataset", "settings", "seeds", "numbers", "claims"]
    assert set(content["claims"][0]) == {"id", "source", "statement", "theirs", "ours", "ci95", "n", "verdict"}
    assert content["numbers"]["a"] == 0.5 and content["numbers"]["b"]["n"] == 3


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), results.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old" and len(list(tmp_path.iterdir())) == 1


def test_figures_are_stable_to_the_byte(tmp_path):
    for name in ("a", "b"):
        fig, ax = plt.subplots()
        ax.plot([1, 2])
        results.save_figure(fig, tmp_path, name, pd.DataFrame({"x": [1 / 3]}), "caption")
        plt.close(fig)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert (tmp_path / "a.csv").read_text() == "x\n0.333333\n"


def test_quoted_numbers_are_filled_in():
    known = {"01": {"numbers": {"acc/plain net": {"mean": 0.1975, "ci95": 0.0021, "n": 10}}}}
    text = "It is (3%<!--=01 acc/plain net as .1%-->) or 1 ± 2<!--=01 acc/plain net as ±.2f-->."
    filled = "It is (19.8%<!--=01 acc/plain net as .1%-->) or 0.20 ± 0.00<!--=01 acc/plain net as ±.2f-->."
    assert ledger.fill(text, known) == filled
    with pytest.raises(ValueError, match="quotes a number that notebook 02 does not save"):
        ledger.fill("1<!--=02 acc as .1f-->", known)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["01", "--set", "epoch=2"], "01_sequential_forgetting has no parameter 'epoch'; it has dataset, "),
        (["99"], "no notebook '99'; there are 01, 02"),
        (["01", "--settings", "slow"], "no settings 'slow'; there are full, quick"),
        (["01", "--set", "out=x"], "--set out is not possible; --out DIR says"),
        (["01", "--set", "epochs=[1"], "'[1' is no value"),
        (["01", "--set", "epochs"], "--set epochs has no value; write NAME=VALUE"),
    ],
)
def test_wrong_arguments_end_in_one_sentence(arguments, sentence, tmp_path):
    command = [sys.executable, "-m", "cf_utils.run", *arguments, "--out", str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {sentence}") and done.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("numbers", "found"),
    [(["9"], ["09"]), (["03"], ["03a", "03b"]), (["9b", "1"], ["09b", "01"]), ([], ["01", "03a", "03b", "09", "09b"])],
)
def test_a_number_means_its_own_notebook_or_else_its_parts(numbers, found, tmp_path, monkeypatch):
    for name in ("01_a", "03a_b", "03b_c", "09_d", "09b_e"):
        (tmp_path / f"{name}.ipynb").touch()
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
    assert [run.number_of(path) for path in run.find(numbers)] == found


@pytest.mark.parametrize("arguments", [["01"], ["01", "--set", "seeds=2", "--settings", "full"]])
def test_what_is_published_can_be_repeated(arguments, capsys):
    assert publish.main(arguments) == 2
    assert capsys.readouterr().err.startswith("error: what is published takes the values of --settings NAME alone")


def test_failures_are_collected_and_notebooks_kept(tmp_path, monkeypatch, capfd):
    cell = nbformat.v4.new_code_cell
    for number, code in (("01", "1 / value"), ("02", "print(value)")):
        cells = [cell("value = 1\nout = ''", metadata={"tags": ["parameters"]}), cell(code)]
        metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
        nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / f"{number}_x.ipynb")
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
    assert run.main(["--set", "value=0", "--out", str(tmp_path / "out"), "--jobs", "1"]) == 1
    printed = capfd.readouterr()
    assert "01_x: cell 2: ZeroDivisionError: division by zero" in printed.out
    assert "02_x: done" in printed.out and "failed: 01_x" in printed.err
    kept = nbformat.read(tmp_path / "out" / "01_x.ipynb", as_version=4)
    assert any(output.output_type == "error" for c in kept.cells for output in c.get("outputs", []))


def test_a_run_goes_on_with_what_an_interrupted_one_left_if_asked(tmp_path, monkeypatch):
    code = "import os\nprint(os.listdir(out))\nos.makedirs(f'{out}/runs', exist_ok=True)"
    cells = [nbformat.v4.new_code_cell("out = ''", metadata={"tags": ["parameters"]}), nbformat.v4.new_code_cell(code)]
    metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata=metadata), tmp_path / "01_x.ipynb")
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
    for options, found in (([], "[]"), (["--resume"], "['runs']"), ([], "[]")):
        assert run.main([*options, "--out", str(tmp_path / "out"), "--jobs", "1"]) == 0
        executed = nbformat.read(tmp_path / "out" / "01_x.ipynb", as_version=4)
        assert executed.cells[-1].outputs[0].text.strip() == found


def test_published_notebooks_have_no_trace_of_the_run(tmp_path):
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1", metadata={"papermill": {"duration": 3}})])
    notebook.metadata["papermill"] = {"start_time": "now"}
    tidied = publish.tidy(notebook, {"settings": "full"})
    assert "papermill" not in tidied.metadata and tidied.cells[0].metadata == {}
    assert tidied.cells[0].id == "cell-00"


def test_published_notebooks_name_their_settings_in_text():
    injected = nbformat.v4.new_code_cell(
        "# Parameters\nseeds = 3\nout = '/tmp'\n", metadata={"tags": ["injected-parameters"]}
    )
    (cell,) = publish.tidy(nbformat.v4.new_notebook(cells=[injected]), {"settings": "full"}).cells
    assert cell.cell_type == "markdown" and "`settings/full.yaml`" in cell.source
    assert "`seeds = 3`" in cell.source and "/tmp" not in cell.source


def test_mean_and_interval_as_text():
    assert results.plus_minus(np.array([1.0, 2.0, 3.0]), ".1f", " %") == "2.0 ± 2.5 %"
    assert results.plus_minus([2.0], ".0f") == "2"


@pytest.mark.parametrize(("text", "value"), [("1e-4", 1e-4), ("-3", -3), ("[1, 2]", [1, 2]), ("mnist", "mnist")])
def test_values_of_the_command_line(text, value):
    assert run._value(text) == value


def test_make_help_lists_the_readme_commands():
    if shutil.which("make") is None:
        pytest.skip("make is not here")
    listed = subprocess.run(["make", "help"], cwd=results.ROOT, capture_output=True, text=True).stdout
    for target in ("run", "test", "lab", "figures", "bench", "data", "ledger"):
        assert f"make {target} " in listed
