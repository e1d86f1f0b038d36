"""Results, ledger and runner: known answers, and errors in one sentence."""

import json
import os
import platform
import shutil
import signal
import subprocess
import sys
import time

import matplotlib.pyplot as plt
import nbformat
import numpy as np
import pandas as pd
import psutil
import pytest

from cf_utils import claims, files, hashes, results, run, settings
from tools import ledger, publish

ROW = {
    "id": "01-a",
    "source": "s",
    "kind": "source",
    "statement": "t",
    "theirs": 1,
    "n_theirs": 1,
    "ours": "a",
}
ROW |= {"above": 0, "below": None, "within": None, "reason": ""}


def test_summary_by_hand():
    both = results.summary([1.0, 2.0, 3.0])
    assert both == {"mean": 2.0, "ci95": pytest.approx(4.302653 / 3**0.5, rel=1e-5), "n": 3}
    assert results.summary([1.5]) == {"mean": 1.5, "ci95": None, "n": 1}


def test_results_have_the_agreed_form(tmp_path):
    numbers = {"b": [1, 2, 3], "a": 0.5, "c": "text"}
    rows = [claims.decided(ROW | {"ours": "b"}, numbers)]
    results.save_run(tmp_path, "01", "mnist-5k", {"epochs": 1}, range(3), numbers, rows)
    content = json.loads((tmp_path / "results.json").read_text())
    assert list(content) == ["notebook", "dataset", "settings", "seeds", "numbers", "claims"]
    assert list(content["claims"][0]) == [
        *(
            "id",
            "source",
            "kind",
            "statement",
            "theirs",
            "rests_on",
            "ours",
            "ci95",
            "n",
            "verdict",
            "reason",
        )
    ]
    assert content["numbers"]["a"] == 0.5 and content["numbers"]["b"]["n"] == 3


def test_runs_hold_one_value_a_seed_and_read_as_they_were_written(tmp_path):
    numbers = {
        "accuracy task 2/EWC, λ = 1": [0.25, 1 / 3],
        "largest": np.array([2.0, np.nan]),
        "one": 3.5,
        "t": "x",
    }
    numbers["by image/EWC"] = np.arange(3)
    results.write_runs(tmp_path / "runs.csv", [4, 7], numbers)
    lines = (tmp_path / "runs.csv").read_text(encoding="utf-8").splitlines()
    assert lines[:3] == [
        "measure,arm,task,seed,value",
        'accuracy,"EWC, λ = 1",2,4,0.25',
        'accuracy,"EWC, λ = 1",2,7,0.333333333',
    ]
    assert lines[-1] == "by image,EWC,,2,2"
    found = results.read_runs(tmp_path / "runs.csv")
    assert list(found) == ["accuracy task 2/EWC, λ = 1", "largest", "by image/EWC"]
    assert found["accuracy task 2/EWC, λ = 1"] == [0.25, 0.333333333]
    assert np.isnan(found["largest"][1])


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "results.json"
    path.write_text("old")
    with pytest.raises(RuntimeError), files.atomic(path) as temporary:
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


def test_a_saved_figure_keeps_its_layout(tmp_path):
    fig, ax = plt.subplots(layout="constrained")
    results.save_figure(fig, tmp_path, "a", pd.DataFrame({"x": [1.0]}), "caption")
    found = ax.get_position().bounds
    ax.set_ylabel("a label that would need room")
    fig.draw_without_rendering()
    assert ax.get_position().bounds == found
    plt.close(fig)


def test_quoted_numbers_are_filled_in():
    known = {"01": {"numbers": {"acc/plain net": {"mean": 0.1975, "ci95": 0.0021, "n": 10}}}}
    text = "It is (3%<!--=01 acc/plain net as .1%-->) or 1 ± 2<!--=01 acc/plain net as ±.2f-->."
    filled = text.replace("3%", "19.8%").replace("1 ± 2", "0.20 ± 0.00")
    assert ledger.fill(text, known) == filled
    with pytest.raises(ValueError, match="quotes a number that notebook 02 does not save"):
        ledger.fill("1<!--=02 acc as .1f-->", known)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["01", "--set", "epoch=2"],
            "01_sequential_forgetting has no parameter 'epoch'; it has dataset, ",
        ),
        (["99"], "no notebook '99'; there are 00, 00b, 01, 02"),
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
    [
        (["9"], ["09"]),
        (["03"], ["03a", "03b"]),
        (["9b", "1"], ["09b", "01"]),
        ([], ["01", "03a", "03b", "09", "09b"]),
    ],
)
def test_a_number_means_its_own_notebook_or_else_its_parts(numbers, found, tmp_path, monkeypatch):
    for name in ("01_a", "03a_b", "03b_c", "09_d", "09b_e"):
        (tmp_path / f"{name}.ipynb").touch()
    monkeypatch.setattr(run, "NOTEBOOKS", tmp_path)
    assert [run.number_of(path) for path in run.find(numbers)] == found


@pytest.mark.parametrize(
    "arguments",
    [
        ["01"],
        ["01", "--set", "seeds=2", "--settings", "full"],
        ["01", "--set=seeds=2", "--settings=full"],
    ],
)
def test_what_is_published_can_be_repeated(arguments, capsys):
    assert publish.main(arguments) == 2
    assert capsys.readouterr().err.startswith(
        "error: what is published takes the values of --settings NAME alone"
    )


def make_notebook(folder, stem, code, parameters="value = 1\nout = ''", kernel="python3"):
    cell = nbformat.v4.new_code_cell
    cells = [cell(parameters, metadata={"tags": ["parameters"]})] if parameters else []
    metadata = (
        {"kernelspec": {"name": kernel, "display_name": "Python 3", "language": "python"}}
        if kernel
        else {}
    )
    path = folder / f"{stem}.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[*cells, cell(code)], metadata=metadata), path)
    return path


@pytest.fixture
def place(tmp_path, monkeypatch):
    """An empty folder of notebooks with settings/mine.yaml still to be written,
    and beside it no ``out``.
    """
    folder = tmp_path / "notebooks"
    (folder / "settings").mkdir(parents=True)
    (folder / "percent").mkdir()
    monkeypatch.setattr(run, "NOTEBOOKS", folder)
    return folder


def test_what_one_notebook_lacks_does_not_stop_the_others(place, tmp_path, capfd):
    make_notebook(place, "01_x", "1 / value")
    make_notebook(place, "02_x", "print(value)")
    make_notebook(place, "03_x", "print(value)", kernel=None)
    make_notebook(place, "04_x", "print(value)", kernel="gone")
    make_notebook(place, "05_x", "print(value)", parameters="value = = 1")
    make_notebook(place, "06_x", "print(value)")
    (place / "07_x.ipynb").write_text("<<<<<<< HEAD")
    make_notebook(place, "08_x", "print(7)", parameters=None)
    (place / "settings" / "mine.yaml").write_text("all:\n  value: 0\n")
    out = tmp_path / "out {new}"  # papermill would fill in what stands in braces
    (out / "06_x.ipynb").mkdir(parents=True)
    (out / "06_x.log").touch()
    assert run.main(["--settings", "mine", "--out", str(out), "--jobs", "2"]) == 1
    printed = capfd.readouterr()
    assert "01_x: cell 2: ZeroDivisionError: division by zero" in printed.out
    assert "02_x: done" in printed.out and "08_x: done" in printed.out
    assert "03_x: names no kernel; open it in JupyterLab, choose one and save it" in printed.out
    assert "04_x: NoSuchKernel: No such kernel named gone" in printed.out
    assert (
        "05_x: cannot be read as a notebook: SyntaxError: invalid syntax (the cell tagged "
        "parameters" in printed.out
    )
    assert "06_x: " in printed.out and "Is a directory" in printed.out
    assert "07_x: cannot be read as a notebook: NotJSONError" in printed.out
    failed = printed.err.split("failed: ")[1].split(",")
    assert sorted(name.strip()[:4] for name in failed[:6]) == [
        f"0{i}_x" for i in (1, 3, 4, 5, 6, 7)
    ]
    kept = nbformat.read(out / "01_x.ipynb", as_version=4)
    assert any(output.output_type == "error" for c in kept.cells for output in c.get("outputs", []))
    assert not list(out.glob("*.lock")) and not list(out.glob(".*.lock"))


def test_networks_are_trained_by_several_processes_and_read_by_the_notebook(place, tmp_path, capfd):
    make_notebook(place, "01_x", "import os, pathlib\nplace = pathlib.Path(out, 'runs')")
    notebook = nbformat.read(place / "01_x.ipynb", as_version=4)
    train = "place.mkdir(exist_ok=True)\n(place / str(os.getpid())).touch()"
    cell = nbformat.v4.new_code_cell(train, metadata={"tags": ["train"]})
    notebook.cells += [cell, nbformat.v4.new_code_cell("print(len(list(place.iterdir())))")]
    nbformat.write(notebook, place / "01_x.ipynb")
    make_notebook(place, "02_x", "print(value)")
    options = ["01", "--out", str(tmp_path / "out"), "--jobs"]
    assert run.main([*options, "2", "--train-only"]) == 0
    assert sorted(p.name for p in (tmp_path / "out").glob("*.ipynb")) == []
    assert "[2/2] 01_x: done" in capfd.readouterr().out
    assert run.main([*options, "1", "--resume"]) == 0
    executed = nbformat.read(tmp_path / "out" / "01_x.ipynb", as_version=4)
    assert executed.cells[-1].outputs[0].text == "3\n"  # two that trained, and the notebook itself
    assert run.main(["02", "--train-only"]) == 2
    assert "02_x has no cell tagged 'train', so --train-only" in capfd.readouterr().err


def test_a_run_goes_on_with_what_an_interrupted_one_left_if_asked(place, tmp_path, capfd):
    make_notebook(
        place,
        "01_x",
        "import os\nprint(os.listdir(out))\nos.makedirs(f'{out}/runs', exist_ok=True)\n1 / value",
    )
    out = tmp_path / "out"
    for options, found in (([], "[]"), (["--resume"], "['runs']"), ([], "[]")):
        command = [*options, "--set", "value=0", "--out", str(out), "--jobs", "1"]
        assert run.main(command) == 1
        executed = nbformat.read(out / "01_x.ipynb", as_version=4)
        outputs = [o for cell in executed.cells for o in cell.get("outputs", [])]
        assert next(o for o in outputs if o.output_type == "stream").text.strip() == found
    assert f"01_x: what an earlier run left is now in {out / 'earlier' / '01_x-1'}" in (
        capfd.readouterr().out
    )
    assert (out / "earlier" / "01_x-1" / "01_x" / "runs").is_dir()


def test_what_is_finished_is_not_repeated_and_other_results_are_put_aside(place, tmp_path, capfd):
    write = "from pathlib import Path\nPath(out, 'results.json').write_text(str(value))"
    path, out = make_notebook(place, "01_x", write), tmp_path / "out"
    published = []

    def start(*options, value=1):
        command = ["--out", str(out), "--jobs", "1", "--set", f"value={value}", *options]
        assert run.main(command, lambda path, out, settings: published.append(path.stem)) == 0
        return capfd.readouterr().out

    def values():
        files = [out / "01_x", *sorted(out.glob("earlier/*/01_x"))]
        return [(folder / "results.json").read_text() for folder in files]

    done = f"01_x: {run.DONE}; delete {out / '01_x'} to run it again"
    assert "01_x: done (" in start()
    (out / "01_x" / "results.json").write_text("kept")
    for options in ([], ["--resume"]):
        assert done in start(*options) and values() == ["kept"]
    assert published == ["01_x"] * 3, "what is finished can still be published"
    # Layout is the same code. Other parameters, other code and an unfinished run are not.
    make_notebook(place, "01_x", write.replace("\n", "\n\n# where results lie\n"))
    assert done in start()
    for n, (value, code, found) in enumerate(
        [(2, write, ["2", "kept"]), (2, write + ";0", ["2", "kept", "2"])], 1
    ):
        make_notebook(place, "01_x", code)
        printed, place_aside = start(value=value), out / "earlier" / f"01_x-{n}"
        assert f"01_x: what an earlier run left is now in {place_aside}\n" in printed
        assert done not in printed and values() == found
        assert {file.name for file in place_aside.iterdir()} == {"01_x", path.name, "01_x.log"}
    (out / "01_x" / run.MADE).unlink()
    assert done not in start(value=2) and len(values()) == 4
    # With --resume a run goes on in the folder, whatever made it.
    assert done not in start("--resume", value=3) and values()[0] == "3" and len(values()) == 4
    shutil.rmtree(out / "01_x")
    assert done not in start(value=3) and len(values()) == 4


def test_every_parameter_is_recorded_with_its_value_of_that_run(place, tmp_path, capfd):
    save = (
        "from cf_utils import results\n"
        "results.save_run(out, '01', 'digits', {'seeds': seeds}, [0], {'a': [1.0]}, [])"
    )
    make_notebook(place, "01_x", save, PARAMETERS)
    command = ["--out", str(tmp_path / "out"), "--jobs", "1", "--set", "seeds=2", "--set"]
    folder = tmp_path / "out" / "01_x"
    every = {
        "seeds": 2,
        "lr": 0.5,
        "umap": True,
        "name": "a = b",
        "strengths": [1, 100.0],
        "sizes": [1, 2],
        "roots": [1.0, 10**0.5],
        "weights": None,
        "any": 3,
        "computed": 6,
    }
    assert run.main([*command, "lr=0.5"]) == 0
    content = json.loads((folder / "results.json").read_text())
    assert content["parameters"] == every and content["settings"] == {"seeds": 2}
    assert list(content)[-3:] == ["parameters", "numbers", "claims"]
    assert json.loads((folder / run.MADE).read_text())["parameters"] == every
    for value, again in (("0.5", False), ("1e-3", True)):
        capfd.readouterr()
        assert run.main([*command, f"lr={value}"]) == 0
        assert (run.DONE not in capfd.readouterr().out) == again
    # To give a parameter the value that it has anyway is to give none.
    assert run.main(command[:-1]) == 0 and run.DONE in capfd.readouterr().out
    assert json.loads((folder / "results.json").read_text())["parameters"]["lr"] == 0.001


def test_what_a_parameter_is_computed_of_is_recorded_as_text():
    cell = nbformat.v4.new_code_cell(
        "a = [1, b]\nc: float = 1 / 4\nd = 1 / 0\ne: int\nf = -1", metadata={"tags": ["parameters"]}
    )
    found = settings.default_parameters(nbformat.v4.new_notebook(cells=[cell]))
    assert found == {"a": "[1, b]", "c": 0.25, "d": "1 / 0", "f": -1}
    assert [name for name in found if isinstance(found[name], settings.Computed)] == ["a", "d"]
    assert settings.default_parameters(nbformat.v4.new_notebook()) == {}


def test_another_package_has_not_done_it(place, tmp_path, monkeypatch, capfd):
    make_notebook(place, "01_x", "open(f'{out}/a', 'w').close()")
    command = ["--out", str(tmp_path / "out"), "--jobs", "1"]
    assert run.main(command) == run.main(command) == 0
    assert capfd.readouterr().out.count(run.DONE) == 1
    monkeypatch.setattr(run, "package_hash", lambda: "another")
    assert run.main(command) == 0 and run.DONE not in capfd.readouterr().out
    # A failed run is not a finished one.
    make_notebook(place, "01_x", "open(f'{out}/a', 'w').close()\n1 / 0")
    assert run.main(command) == run.main(command) == 1
    assert run.DONE not in capfd.readouterr().out


def test_what_cannot_be_published_does_not_stop_the_others(place, tmp_path, capfd):
    make_notebook(place, "01_x", "1")
    make_notebook(place, "02_x", "2")

    def publish_all_but_the_first(path, out, settings):
        if path.stem == "01_x":
            raise PermissionError(13, "Permission denied", "figures")

    assert run.main(["--out", str(tmp_path / "out"), "--jobs", "1"], publish_all_but_the_first) == 1
    printed = capfd.readouterr()
    assert "01_x: figures: Permission denied" in printed.out and "02_x: done" in printed.out
    assert "failed: 01_x, " in printed.err


def test_interrupted_a_run_says_how_far_it_came_and_leaves_no_process(tmp_path):
    make_notebook(tmp_path, "01_x", "print(1)")
    make_notebook(
        tmp_path,
        "02_x",
        "import os, time\nopen(f'{out}/process', 'w').write(str(os.getpid()))\ntime.sleep(value)",
        "value = 99\nout = ''",
    )
    out, place = tmp_path / "out", f"run.NOTEBOOKS = run.Path({str(tmp_path)!r})"
    start = f"from cf_utils import run\n{place}\nraise SystemExit(run.main())"
    command = [sys.executable, "-c", start, "--out", str(out), "--jobs", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    running = subprocess.Popen(command, start_new_session=True, cwd=files.ROOT, **pipes)
    noted, last = out / "02_x" / "process", time.monotonic() + 120
    while not (noted.exists() and noted.read_text()):
        assert running.poll() is None, running.stderr.read()
        assert time.monotonic() < last, "the kernel did not start"
        time.sleep(0.1)
    kernel = int(noted.read_text())
    second = subprocess.run(command, cwd=files.ROOT, capture_output=True, text=True)
    assert second.returncode == 2 and second.stderr.count("\n") == 1
    assert f"error: another run of 01_x goes into {out}: process {running.pid} " in second.stderr
    os.killpg(running.pid, signal.SIGINT)  # as Ctrl-C does
    assert running.communicate()[1] == (
        f"stopped: 1 of 2 notebooks finished; results are in {out}; the same command goes on and "
        "does not repeat those; with --resume it also takes up the runs that an unfinished one "
        "kept\n"
    )
    assert running.returncode == 130
    while psutil.pid_exists(kernel) and psutil.Process(kernel).status() != psutil.STATUS_ZOMBIE:
        assert time.monotonic() < last, "the kernel is still there"
        time.sleep(0.1)
    assert not (out / ".02_x.lock").exists()
    # The same command then does as the sentence says.
    make_notebook(tmp_path, "02_x", "print(2)")
    again = subprocess.run(command, cwd=files.ROOT, capture_output=True, text=True)
    assert again.returncode == 0
    assert f"01_x: {run.DONE}" in again.stdout and "02_x: done (" in again.stdout


@pytest.mark.parametrize(
    ("options", "ended", "sentence"),
    [
        ([], None, "stopped before any notebook began"),
        (
            ["--resume"],
            [None, "no"],
            "stopped: 1 of 3 notebooks finished, 1 failed; results are ",
        ),
        (["--resume"], [], "stopped: 0 of 3 notebooks finished; results are in "),
        (["--train-only"], [None], "stopped; the networks that were trained are kept in "),
    ],
)
def test_the_last_line_of_an_interrupted_run(tmp_path, options, ended, sentence):
    args = run.arguments(["--out", str(tmp_path), *options])
    jobs = [] if ended is None else [run.Job(tmp_path / f"0{i}.ipynb", {}) for i in range(3)]
    found = run._stopped(jobs, dict(enumerate(ended or [])), args)
    assert found.startswith(sentence) and "--resume" not in found
    if jobs:
        assert f" in {tmp_path}; the same command goes on and does not repeat those" in found


def test_a_lock_is_held_by_one_process_and_no_dead_one(tmp_path):
    file = tmp_path / "lock"
    with files.locked(file):
        assert file.read_text().startswith(f"{os.getpid()} ")
        with (
            pytest.raises(BlockingIOError, match=f"process {os.getpid()} on .* writes there"),
            files.locked(file),
        ):
            pass
    assert not file.exists()
    dead = subprocess.Popen(["true"])
    dead.wait()
    here = platform.node()
    for left in (f"{dead.pid} 5 {here}", f"{os.getpid()} 5 {here}"):
        # Gone; gone, and its number given anew.
        file.write_text(left)
        with files.locked(file):
            assert file.read_text().startswith(f"{os.getpid()} ")
    for unknown, sentence in (
        (f"{dead.pid} 5 {here}-other", "process .* on .*-other writes"),
        ("", "unknown number"),
    ):
        file.write_text(unknown)
        with (
            pytest.raises(BlockingIOError, match=f"{sentence}.*remove .*lock if it is gone"),
            files.locked(file),
        ):
            pass


def test_a_copy_runs_by_its_name_and_never_hides_the_original(place, capsys):
    stems = (
        "01_x-Copy1",
        "01_x",
        "01_x_lr2",
        "01_xy",
        "02_b (1)",
        "02_b",
        "02_a",
        "03_lr2",
        "03_long",
        "04a_x",
        "04b_x",
    )
    for stem in stems:
        (place / f"{stem}.ipynb").touch()
    (place / "percent" / "03_long.py").touch()  # the original, though another's name is shorter

    def found(*names):
        return [path.stem for path in run.find(names)]

    assert found() == ["01_x", "01_xy", "02_a", "02_b", "03_long", "04a_x", "04b_x"]
    assert found("1", "2", "03", "4") == [
        "01_x",
        "01_xy",
        "02_a",
        "02_b",
        "03_long",
        "04a_x",
        "04b_x",
    ]
    assert found("01_x-Copy1", "01_x_lr2.ipynb", str(place / "03_lr2.ipynb")) == [
        "01_x-Copy1",
        "01_x_lr2",
        "03_lr2",
    ]
    assert {run.number_of(path) for path in run.find(["01_x-Copy1", "01"])} == {"01"}
    assert run.copies(run.find(["01", "03"])) == ["01_x-Copy1", "01_x_lr2", "03_lr2"]
    with pytest.raises(
        run.UsageError, match=r"no notebook '/tmp/01_x.ipynb'; there are 01, 02, 03, 04a, 04b"
    ):
        run.find(["/tmp/01_x.ipynb"])


def test_without_notebooks_there_is_nothing_to_run(place):
    with pytest.raises(run.UsageError, match="there are no notebooks in "):
        run.find([])


def jobs(place, text, *arguments):
    (place / "settings" / "mine.yaml").write_bytes(
        text if isinstance(text, bytes) else text.encode()
    )
    return run._plan(run.arguments(["--settings", "mine", *arguments]))


PARAMETERS = """seeds = 10  # not 1 = 10
lr = 1e-3
umap = True
name = "a = b"
strengths = [1, 1e2]
sizes = (1, 2)
roots = [1.0, 10**0.5]
weights = None
any: int = 3
computed = 2 * 3
%precision 3
out = ''"""


@pytest.mark.parametrize("section", ["02:", '"02":', "2:", "02_x:", "all:"])
def test_a_section_counts_in_quotes_or_not(place, section):
    make_notebook(place, "02_x", "", "value = 1")
    (job,) = jobs(place, f"{section}\n  value: 1e1\n")
    assert job.parameters == {"value": 10} and isinstance(job.parameters["value"], int)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("seeds: 1e1", 10),
        ("seeds: +5", 5),
        ("seeds: 010", 10),
        ("seeds: 1_000", 1000),
        ("lr: 1e-4", 1e-4),
        ("lr: 1E-4", 1e-4),
        ("lr: .5e3", 500.0),
        ("lr: 1e1", 10.0),
        ("lr: 2", 2),
        ("umap: no", False),
        ("umap: True", True),
        ("name: none", "none"),
        ("name: 2026-01-01", "2026-01-01"),
        ("name: 12:30", "12:30"),
        ('name: "1e1"', "1e1"),
        ("strengths: [1e-1, 5]", [0.1, 5]),
        ("sizes: [1e1]", [10]),
        ("roots: [a]", ["a"]),
        ("weights: None", None),
        ("weights: 3", 3),
        ("any: text", "text"),
        ("computed: 0.5", 0.5),
    ],
)
def test_values_are_what_people_mean(place, text, value):
    make_notebook(place, "02_x", "", PARAMETERS)
    (from_file,) = jobs(place, f"02:\n  {text}\n")
    (from_line,) = jobs(place, "all:\n  lr: 1\n", "--set", text.replace(": ", "=", 1))
    (name,) = from_file.parameters
    for found in (from_file.parameters[name], from_line.parameters[name]):
        assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seeds: ten", "02_x: seeds is a whole number, 10 in the notebook, not 'ten'"),
        ("seeds: 1.5", "02_x: seeds is a whole number, 10 in the notebook, not 1.5"),
        ("seeds: yes", "02_x: seeds is a whole number, 10 in the notebook, not True"),
        ("seeds: None", "02_x: seeds is a whole number, 10 in the notebook, not None"),
        ("seeds: ~", "02_x: seeds is a whole number, 10 in the notebook, not None"),
        ("seeds:", "02_x: seeds is a whole number, 10 in the notebook, not None"),
        ("seeds: .inf", "02_x: seeds is a whole number, 10 in the notebook, not inf"),
        ("seeds: [1, 2]", "02_x: seeds is a whole number, 10 in the notebook, not [1, 2]"),
        ("lr: 1e-4x", "02_x: lr is a number, 0.001 in the notebook, not '1e-4x'"),
        ("umap: 1", "02_x: umap is yes or no, True in the notebook, not 1"),
        ("name: 5", "02_x: name is a text, 'a = b' in the notebook, not 5 (a text in quotes"),
        ("strengths: 5", "02_x: strengths is a list of numbers, [1, 100.0] in the notebook, not 5"),
        (
            "strengths: [a]",
            "02_x: strengths is a list of numbers, [1, 100.0] in the notebook, not ['a']",
        ),
        (
            "sizes: [0.5]",
            "02_x: sizes is a list of whole numbers, [1, 2] in the notebook, not [0.5]",
        ),
        ("class: 5", "02_x has no parameter 'class'; it has seeds, lr, "),
        ("out: 5", "a parameter 'out' is not possible; --out DIR says"),
        ("seeds: [1", "settings/mine.yaml, line 3: expected ',' or ']'"),
        (
            "seeds: 1\n  seeds: 2",
            "settings/mine.yaml, line 3: seeds is there a second time in section 02",
        ),
        (
            "seeds: 1\n2:\n  lr: 1",
            "settings/mine.yaml, line 3: 02 is there a second time in the file",
        ),
        (
            "seeds: 1\n12:\n  lr: 1",
            "settings/mine.yaml: section 12 belongs to no notebook; it is all, a number (02)",
        ),
        (
            "seeds: !!python/name:os.system x",
            "settings/mine.yaml, line 2: could not determine a constructor",
        ),
        (
            "- seeds",
            "settings/mine.yaml, line 2: section 02 holds "
            "something else; it holds parameters, NAME: VALUE",
        ),
        (
            "# seeds: 1",
            "settings/mine.yaml, line 1: section 02 is empty; it holds parameters, NAME: VALUE",
        ),
    ],
)
def test_wrong_settings_end_in_one_sentence(place, text, sentence):
    make_notebook(place, "02_x", "", PARAMETERS)
    with pytest.raises(run.UsageError) as error:
        jobs(place, f"02:\n  {text}\n")
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "settings/mine.yaml, line 1: the file is empty; it holds sections"),
        ("# all\n", "settings/mine.yaml, line 1: the file is empty; it holds sections"),
        ("- all", "settings/mine.yaml, line 1: the file holds something else; it holds sections"),
        ("all: {}\n---\nall: {}", "settings/mine.yaml, line 2: but found another document"),
        (
            b"all:\n  name: caf\xe9\n",
            "settings/mine.yaml, line 2: invalid continuation byte; it is a text in UTF-8",
        ),
        (
            b"all:\n  name: \x00\n",
            "settings/mine.yaml, line 2: special characters are not allowed; it is a text in UTF-8",
        ),
    ],
)
def test_a_wrong_settings_file_ends_in_one_sentence(place, text, sentence):
    make_notebook(place, "02_x", "", PARAMETERS)
    with pytest.raises(run.UsageError) as error:
        jobs(place, text)
    assert str(error.value).startswith(sentence) and "\n" not in str(error.value)


def test_anchors_of_yaml_may_be_merged(place):
    make_notebook(place, "02_x", "", PARAMETERS)
    (job,) = jobs(place, "all: &base\n  lr: 1e-2\n  seeds: 3\n02:\n  <<: *base\n  seeds: 4\n")
    assert job.parameters == {"lr": 0.01, "seeds": 4}


def test_a_notebook_without_parameters_takes_none(place):
    make_notebook(place, "02_x", "", parameters=None)
    assert jobs(place, "all:\n  lr: 1\n")[0].parameters == {}
    for text, arguments in (("02:\n  lr: 1\n", []), ("all:\n  a: 1\n", ["--set", "lr=1"])):
        with pytest.raises(
            run.UsageError, match="02_x has no cell tagged 'parameters', so that 'lr' has no place"
        ):
            jobs(place, text, *arguments)


@pytest.mark.parametrize("name", ["quick", "full"])
def test_the_settings_of_the_collection_fit_its_notebooks(name):
    planned = run._plan(run.arguments(["--settings", name]))
    assert len(planned) == len(run.find([])) and not any(job.problem for job in planned)


@pytest.mark.parametrize(
    ("out", "sentence"),
    [
        ("notebooks", "holds the notebooks themselves"),
        ("figures", "holds files that git tracks"),
        ("figures/01_sequential_forgetting", "holds files that git tracks"),
        (".", "holds files that git tracks"),
        ("tests/../cf_utils", "holds files that git tracks"),
        ("README.md", "is a file; it names a folder"),
        ("README.md/x", "cannot be written to: Not a directory"),
        ("x" * 300, "cannot be written to: File name too long"),
    ],
)
def test_no_run_goes_where_something_else_lies(out, sentence, capsys):
    if sentence.endswith("tracks") and not (files.ROOT / ".git").exists():
        pytest.skip("no git here")
    assert run.main(["01", "--out", str(files.ROOT / out)]) == 2
    printed = capsys.readouterr()
    assert printed.out == "" and printed.err.startswith("error: --out ") and sentence in printed.err
    assert printed.err.count("\n") == 1


def test_a_folder_that_no_run_has_made_stays(place, tmp_path, capsys):
    make_notebook(place, "01_x", "")
    out = tmp_path / "out"
    (out / "01_x").mkdir(parents=True)
    run.check_folder(out, run.find([]))  # empty
    (out / "01_x" / "thesis.tex").touch()
    assert run.main(["--out", str(out)]) == 2
    assert f"{out / '01_x'} is not from an earlier run; move it away" in capsys.readouterr().err
    assert (out / "01_x" / "thesis.tex").exists()
    run.check_folder(out, run.find([]), resume=True)  # deletes nothing
    (out / "01_x.log").touch()
    run.check_folder(out, run.find([]))


def test_a_folder_without_leave_to_write_is_named(place, tmp_path, capsys, monkeypatch):
    make_notebook(place, "01_x", "")

    def refused(path, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(run, "locked", refused)
    assert run.main(["--out", str(tmp_path / "out")]) == 2
    assert (
        capsys.readouterr().err
        == f"error: --out {tmp_path / 'out'} cannot be written to: Permission denied\n"
    )


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run._folder(run.arguments(["--out", "~/mine"])) == tmp_path / "mine"
    assert results.output_folder("~/mine", "01") == tmp_path / "mine"
    with pytest.raises(run.UsageError, match="--out ~nobody-here/x is no folder"):
        run._folder(run.arguments(["--out", "~nobody-here/x"]))


def test_where_a_notebook_writes_is_a_folder(tmp_path):
    (tmp_path / "file").touch()
    for name in ("file", "file/x"):
        with pytest.raises(
            ValueError, match=r"file.* cannot be made .*; name a folder, or leave it empty"
        ):
            results.output_folder(str(tmp_path / name), "01")


def test_results_read_as_they_were_written(tmp_path):
    numbers = {
        "a": [1.0, np.inf, -np.inf],
        "b": np.inf,
        "c": np.float32(0.5),
        "d": np.int64(3),
        "e": [np.nan, 1.0],
        "f": {"deep": -np.inf, "nothing": float("nan")},
    }
    chosen = {"lr": float("inf"), "sizes": (1, 2), "share": np.float32(0.5), 3: np.arange(2)}
    rows = [claims.decided(ROW | {"theirs": float("nan"), "ours": "a"}, numbers)]
    content = results.save_run(tmp_path, "01", "d", chosen, np.arange(2), numbers, rows)
    text = (tmp_path / "results.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == content
    assert content["settings"] == {"lr": "Infinity", "sizes": [1, 2], "share": 0.5, "3": [0, 1]}
    assert content["seeds"] == [0, 1]
    found = content["numbers"]
    assert found["a"] == {"mean": None, "ci95": None, "n": 3, "note": "2 of 3 values infinite"}
    assert (found["b"], float(found["b"]), found["c"], found["d"]) == ("Infinity", np.inf, 0.5, 3)
    assert found["e"] == {"mean": None, "ci95": None, "n": 2}
    assert found["f"] == {"deep": "-Infinity", "nothing": "NaN"}
    assert content["claims"][0]["verdict"].startswith("not measured")
    assert results.plus_minus(numbers["a"]) == "2 of 3 values infinite"


def test_published_notebooks_have_no_trace_of_the_run(tmp_path):
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell("1", metadata={"papermill": {"duration": 3}})]
    )
    notebook.metadata["papermill"] = {"start_time": "now"}
    tidied = publish.tidy(notebook, {"settings": "full"})
    assert "papermill" not in tidied.metadata and tidied.cells[0].metadata == {}
    assert tidied.cells[0].id == "cell-00"


def test_published_notebooks_have_no_controls_that_no_kernel_moves():
    slider = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}, "text/plain": "Box()"}
    outputs = [
        nbformat.v4.new_output("display_data", data) for data in (slider, {"text/plain": "3"})
    ]
    cell = nbformat.v4.new_code_cell("box\n3", outputs=outputs)
    (tidied,) = publish.tidy(nbformat.v4.new_notebook(cells=[cell]), {"settings": "full"}).cells
    assert [output.data["text/plain"] for output in tidied.outputs] == ["3"]


def test_published_notebooks_name_their_settings_in_text():
    injected = nbformat.v4.new_code_cell(
        "# Parameters\nseeds = 3\nout = '/tmp'\n", metadata={"tags": ["injected-parameters"]}
    )
    (cell,) = publish.tidy(nbformat.v4.new_notebook(cells=[injected]), {"settings": "full"}).cells
    assert cell.cell_type == "markdown" and "`settings/full.yaml`" in cell.source
    assert "`seeds = 3`" in cell.source and "/tmp" not in cell.source


ONE = 'def f(x):\n    """Twice."""\n    return 2 * x\n\n\nf(3)  # six'
OTHER = 'def f(\n    x,\n):\n    """Twice\n    as much."""\n    return 2 * x\nf(\n    3\n)'


def notebook_of(*sources):
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    return nbformat.v4.new_notebook(cells=cells)


def test_layout_makes_no_other_notebook():
    made = hashes.code_hash(notebook_of(ONE, "'shown'"))
    assert hashes.code_hash(notebook_of(OTHER, '"shown"')) == made
    for sources in ([ONE.replace("2", "3"), "'shown'"], [ONE], [ONE, "'told'"], [ONE, "%who"]):
        assert hashes.code_hash(notebook_of(*sources)) != made


def test_layout_makes_no_other_package(tmp_path):
    found = []
    for source in (ONE, OTHER, ONE.replace("2", "3")):
        (tmp_path / "a.py").write_text(source)
        found.append(hashes.package_hash(tmp_path))
    assert found[0] == found[1] != found[2]


def test_outputs_stay_with_code_in_another_layout(tmp_path, monkeypatch):
    monkeypatch.setattr(publish, "NOTEBOOKS", tmp_path)
    (tmp_path / "percent").mkdir()
    (tmp_path / "percent" / "01_a.py").write_text(f"# %%\n0\n\n# %%\n{OTHER}\n")
    old = notebook_of(ONE)
    old.cells[0].outputs = [nbformat.v4.new_output("stream", text="six")]
    nbformat.write(old, tmp_path / "01_a.ipynb")
    publish.synchronise()
    first, second = nbformat.read(tmp_path / "01_a.ipynb", as_version=4).cells
    assert (first.source, first.outputs) == ("0", [])
    assert (second.source, second.outputs) == (OTHER, old.cells[0].outputs)


def test_mean_and_interval_as_text():
    assert results.plus_minus(np.array([1.0, 2.0, 3.0]), ".1f", " %") == "2.0 ± 2.5 %"
    assert results.plus_minus([2.0], ".0f") == "2"


@pytest.mark.parametrize(
    ("text", "value"), [("1e-4", 1e-4), ("-3", -3), ("[1, 2]", [1, 2]), ("mnist", "mnist")]
)
def test_values_of_the_command_line(text, value):
    assert settings.read_value(text) == value


def test_make_help_lists_the_readme_commands():
    if shutil.which("make") is None:
        pytest.skip("make is not here")
    listed = subprocess.run(["make", "help"], cwd=files.ROOT, capture_output=True, text=True).stdout
    for target in ("run", "test", "lab", "figures", "bench", "data", "ledger"):
        assert f"make {target} " in listed


def test_dots_have_room_for_more_arms_than_markers():
    import matplotlib.pyplot as plt

    from cf_utils import plots

    _, ax = plt.subplots()
    for index in range(25):
        plots.dots(ax, {"a": [1.0, 2.0]}, "x", index)
    looks = {(line.get_marker(), line.get_color()) for line in ax.lines if line.get_marker() != "|"}
    assert len([look for look in looks if look[0] in plots.MARKERS]) == 25
    plt.close()
