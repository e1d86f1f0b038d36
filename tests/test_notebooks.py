"""Every notebook is executed at quick settings, and what is committed belongs together."""

import json
import multiprocessing
import random
import re
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import papermill  # noqa: F401  once here, and not again in each process that executes a notebook
import pytest
import torch
import yaml

from cf_utils import claims, hashes, results, run
from cf_utils.files import ROOT
from tools import ledger, publish

multiprocessing.set_forkserver_preload(
    ["papermill", "cf_utils.checkpoint", "cf_utils.plots", "cf_utils.probes", "sklearn.manifold"]
)
NOTEBOOKS = run.find([])
COMMITTED = ledger.committed()


def numbers_of(folder):
    content = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    means = {k: v["mean"] if isinstance(v, dict) else v for k, v in content["numbers"].items()}
    return content, means


def check_00(n):
    assert n["old/class, finetuning"] < 0.1 < 0.4 < n["old/class, replay"]
    assert n["old/task, finetuning"] > n["old/class, finetuning"] + 0.3
    assert n["old before/class, EWC"] == n["old before/class, finetuning"]


def check_00b(n):
    assert n["the lines end alike"] == 1, "what the playground prints is what it runs"
    assert n["right task 1/right after it"] > 0.9 and n["right task 1/at the end"] < 0.1
    assert n["belief in 1/right after it"] > 0.9 > 0.1 > n["belief in 1/at the end"]
    assert 10 < n["frames"] <= 40


def check_01(n):
    assert n["test accuracy/plain, joint"] > 0.85
    assert n["test accuracy/plain"] < 0.25, "sequential training forgets all but the last task"
    assert n["test accuracy/replay"] > 0.5, "replay does not"
    assert 5 < n["half-life/plain"] < 40
    assert n["old/batch-norm"] > n["old/plain"]
    assert n["task-aware/replay"] > 0.85
    assert n["steps to half/0.001"] > n["steps to half/0.003"], "larger steps forget in fewer"
    assert n["upright after task 3/joint, with replay"] > n["upright after task 3/no replay"] + 0.2
    assert n["silhouette all digits/plain, joint"] > n["silhouette all digits/plain"] + 0.1
    assert n["silhouette new digits/plain"] > n["silhouette old digits/plain"]


def check_02(n):
    assert n["growth/plain"] > 0.2
    assert abs(n["growth/batch-norm"]) < 0.1
    assert n["undone/weights put back"] > 0.9
    assert abs(n["undone/biases put back"]) < 0.1
    assert n["undone/layer 1 put back"] > 0.5 > n["undone/layer 2 put back"]
    assert n["swapped, sparsity/nothing"] == pytest.approx(n["sparsity task 5/plain"])
    assert n["swapped, sparsity/weights and biases"] == pytest.approx(n["sparsity task 1/plain"])
    assert abs(n["growth/lr 2e-05"]) < 0.1
    assert n["sparsity task 1/joint, λ = 1"] > n["sparsity task 1/joint, λ = 0"] + 0.3
    assert n["dead task 5/plain"] > 0.2 and n["dead task 5/batch-norm"] < 0.05


def check_03a(n):
    assert n["probe/batch-norm"] > n["probe/plain"], "batch-norm keeps more of the representation"
    assert n["probe/plain"] > n["network/plain"] + 0.2, "more than the outputs show"
    assert n["probe/plain, joint"] > 0.85 and 0.5 < n["probe/plain, untrained"] < 0.9
    assert n["converged"] == 1
    assert -1 <= n["rank correlation of sparsity and probe"] < 0
    assert n["variance explained/between networks, by the logarithm of the active share"] > 0.2
    assert n["9 against 0, 0/batch-norm, [1, 2] first"] > 0.85, (
        "an untrained network tells 9 from 0"
    )


def check_03b(n):
    assert n["share won back/batch-norm"] > 0.6
    assert n["steps to relearn/plain, fresh"] < n["steps to relearn/plain, never saw [1, 2]"]
    assert n["probes forgot/batch-norm, pairs"] < 0.3 < n["outputs forgot/batch-norm, all ten"]
    assert all(0 <= n[f"CKA act2 {stage}/plain"] <= 1 for stage in ("start", "[7, 8]"))


def check_04a(n):
    assert n["learned/SGD 1e-4, no projection"] < n["learned/Adam, batch-norm, no projection"]
    assert n["probe task 5/Adam, batch-norm, one mean gradient"] > 0.5
    assert n["accuracy/Adam, batch-norm, one mean gradient"] > 0.15
    assert n["accuracy/to 95 %: batch-norm, stored in training mode"] > 0.15
    modes = ("one mean gradient", "stored in training mode")
    assert len({n[f"accuracy/Adam, batch-norm, {mode}"] for mode in modes}) == 2
    few = [n[f"accuracy/SGD 1e-3, batch-norm, {count} logit"] for count in (1, 20)]
    assert min(few) > 0.15 and few[0] != few[1]
    assert n["nll task 5/Adam 1e-3, no projection"] > 1, "the plain network forgets"


def check_04b(n):
    assert n["share along the basis/SGD, gradient projected"] < 0.01
    assert n["share along the basis/Adam, gradient projected"] > 1, "Adam turns the step back"
    assert n["share along the basis/Adam, step projected"] < 0.01
    assert n["signed share task 2/SGD, and a step up"] > 40, "half as long as the step: 45 %"
    assert n["signed share task 2/SGD, and a step down"] < -40
    assert n["accuracy/SGD, and a step down"] > n["accuracy/SGD, and a step up"]
    assert (
        n["mean loss after 100 steps/plain, lr 0.001"]
        < n["mean loss after 100 steps/plain, lr 0.0001"]
        < 1
    )
    assert n["kept as factors/apart"] < 1e-3, "factors and whole gradients are the same method"
    assert n["kept as factors/memory"] < 0.1
    assert n["permuted/joint"] > 0.15 and n["rotated/OGD, logit gradients"] > 0.3


def check_05a(n):
    for scenario in ("task", "domain"):
        assert n[f"accuracy/{scenario}, EWC"] > n[f"accuracy/{scenario}, finetuning"]
    assert n["broken below 2/large steps"] == 0 < n["broken above 2/large steps"]
    assert n["accuracy/domain, EWC, fresh"] > n["accuracy/domain, finetuning, fresh"]
    assert n["largest step/moments carried"] > 2
    assert abs(n["largest step/fresh optimizer"] - 1) < 0.01
    assert 0.5 < n["probe/untrained"] < 0.95 and n["accuracy/permuted, finetuning"] > 0.3


def check_05b(n):
    assert 0.7 < n["size over exact/sampled"] < 1.3
    # But for which batches were drawn.
    assert n["check/batched, measured ÷ expected"] == pytest.approx(1, abs=0.3)
    dark = n["check/dark pixel squared"]
    assert n["check/dark pixel's weights ÷ bias"] == pytest.approx(dark, rel=1e-3)
    assert n["size over exact/whole set"] < 0.1 and n["whole set over noise"] > 2
    assert n["rank correlation with exact/units × pixels"] > 0.95
    assert n["without units and pixels/whole set"] < 0.9
    assert n["share of the Fisher/head"] > 0.1 > 0.01 > n["share of the weights/head"]
    assert n["overlap/layer 1, digits"] > n["overlap/layer 1, digits and weights"]


def check_05c(n):
    assert n["share of the Fisher/fc6"] > n["share of the weights/fc6"]
    assert n["earlier/whole set, λ = 10"] == pytest.approx(n["earlier/finetuning"], abs=0.1)


def check_05d(n):
    zero = n["library, accuracy/anchor is the live weights"]
    plain = n["library, accuracy/finetuning, fresh"]
    assert zero == plain, "a penalty that is always zero is none"
    assert n["task 1, free weights/1e+04"] > n["task 1, nothing/1e+04"]
    assert n["free/penalty, fresh, 1e+02"] > n["free/penalty, fresh, 1e+08"] > 0
    assert n["rise, diagonal Fisher/0e+00"] < n["rise, whole Fisher/0e+00"] < n["rise, true/0e+00"]


def check_06a(n):
    assert (
        n["correlation/class, carried: MAS, global; √Fisher"]
        > n["correlation/class, carried: MAS, global; Fisher"]
    )
    same = n["ranks/class, carried: MAS, global; √Fisher"]
    assert n["ranks/class, carried: MAS, global; Fisher"] == pytest.approx(same), (
        "ranks do not see a root"
    )
    assert (
        n["credit over fall/task, carried, SI"]
        > n["credit over fall/task, carried, SI, other batch"]
    )
    assert n["accuracy/task, fresh, MAS, global"] > n["accuracy/task, carried, finetuning"]


def check_06b(n):
    assert all(n[f"accuracy/{arm}"] > 0.4 for arm in ("finetuning", "MAS", "EWC"))


def check_07a(n):
    assert n["same answer/identity"] > 0.999 and n["same answer/random"] < 0.5
    assert n["old/after the first task"] > n["old/finetuning, one softmax"] + 0.3
    assert n["old/LwF, heads apart"] > n["old/LwF, one softmax"] + 0.3
    assert n["all/joint training"] > n["all/finetuning, one softmax"]
    assert n["moved/after the first task"] == 0 < n["moved/LwF, one softmax"]


def check_07b(n):
    assert n["accuracy/task, LwF"] > 0.9
    assert n["accuracy/class, joint training"] > n["accuracy/class, LwF"] + 0.2
    assert n["accuracy/domain, rehearsal"] > n["accuracy/domain, finetuning"]
    assert n["at 1/T = 10"] == pytest.approx(n["at 100/T = 10, no T²"], abs=0.05), (
        "λ without T² is λ / T² with it"
    )


def check_08(n):
    assert n["task 1/learned, before task 2"] > 0.6 > n["task 1/learned, nothing frozen"]
    assert n["task 1/hidden layers too"] == n["task 1/before task 2"], (
        "all but the head's own outputs is frozen"
    )
    assert n["task 1/one softmax, nothing frozen"] < 0.1
    assert n["task 1/joint, twice the steps"] > 0.6
    assert n["third, frozen/MSE, 50%"] == pytest.approx(0.75, abs=0.01)
    assert n["third, frozen/nothing frozen"] == 0
    assert n["agreement/Fisher and Taylor"] > 0.5 > abs(n["agreement/MSE and random"])


def check_08b(n):
    assert n["accuracy/trained"] > 0.35 > 0.2 > n["accuracy/untrained"], "chance is a tenth"
    assert n["halves/loss"] > 0.3 and n["agreement/ablation"] > 0.3, (
        "which filters are needed is known"
    )
    assert n["agreement/Taylor"] > 0.2, "a ranking can know it"
    assert n["left one/ablation, lowest"] > n["left one/ablation, highest"]
    assert n["likeness/MSE, other images"] > 0.7 and n["likeness/Pearson, flat map"] == 0, (
        "nothing to correlate with"
    )
    assert all(-1 <= v <= 1 for name, v in n.items() if name.startswith(("agreement", "likeness")))


def check_09(n):
    assert n["learned/finetuning"] > 0.5 > n["accuracy/finetuning"]
    assert all(
        n[f"accuracy/{arm}"] > n["accuracy/replay"] + 0.2
        for arm in ("APR", "labels", "more replay")
    )
    assert n["task 1 after task 1/replay"] == n["task 1 after task 1/APR"], (
        "nothing to preserve in the first task"
    )


def check_09b(n):
    assert n["shapes task 1 right after it/replay"] > 0.6, "chance is a third"
    assert n["task 1 after 1/replay"] == n["task 1 after 1/APR"], (
        "nothing to preserve in the first task"
    )
    assert n["SSIM/white noise, all"] < 0.1 and abs(n["rank/white noise, all"]) < 0.1
    assert n["overlap/white noise, all"] == pytest.approx(0.11, abs=0.02), "chance: 0.04 of 0.36"
    assert 0.1 < n["energy/area, all"] < 0.3
    assert n["energy/area, all"] < n["energy/replay, all after 1"]


def check_09c(n):
    assert n["ten/model 1"] > 0.6 and n["ten/0, model 3"] < 0.1, (
        "without replay the first task is gone from the outputs"
    )
    assert n["hit/0, model 3"] > 0.5 and n["probe/300, model 3"] > 0.6, "and not from the layer"
    assert n["hit/joint"] > 0.8 and n["ten/joint"] > 0.6
    assert all(
        -1 <= n[f"rank of {key}/{kind}"] <= 1
        for key in ("silhouette", "hit")
        for kind in ("isomap", "pca")
    )
    assert 0 < n["term as task 2 begins/SPL"] < 0.1 < n["term as task 2 begins/SPL, σ = 2"]
    assert n["gain/replay"] == 0 < n["gain/APR, n = 20"]


def check_10(n):
    assert n["learned/MLP, rehearsal"] > 0.5
    assert n["learned/MLP, all filters held"] < n["learned/MLP, rehearsal"]
    assert (
        n["long-term/MLP, all filters held"]
        == 0
        < n["long-term/MLP, long/short"]
        < n["long-term/MLP, rehearsal"]
    )
    assert n["accuracy/MLP, 0, every epoch"] == n["accuracy/MLP, rehearsal"], "share 0 is rehearsal"
    assert n["accuracy/MLP, 0.5, every epoch"] == n["accuracy/MLP, long/short"]


CHECKS = {
    name.removeprefix("check_"): check
    for name, check in globals().items()
    if name.startswith("check_")
}
WITHOUT_CLAIMS = {"00b"}
QUICK = yaml.safe_load((ROOT / "notebooks" / "settings" / "quick.yaml").read_text(encoding="utf-8"))


def leave_empty(fig, folder, name, table, caption):
    """In place of ``results.save_figure``: all but the drawing."""
    (Path(folder) / f"{name}.png").touch()
    table.to_csv(Path(folder) / f"{name}.csv", index=False)


def execute_cells(path, parameters, drawn=True, state=0):
    """The code of a notebook, cell by cell, in a plain namespace: what Jupyter does, without it.

    drawn: False leaves figures' files empty, which saves a third of a small run. state: of the
    global generators, on which nothing that is saved may depend.
    """
    if not drawn:
        results.save_figure = leave_empty
    for seed in (random.seed, np.random.seed, torch.manual_seed):
        seed(state)
    names = {"__name__": "__main__", "display": lambda *shown: None}
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code":
            exec(compile(cell.source, path.name, "exec"), names)
        if "parameters" in cell.metadata.get("tags", []):
            names.update(parameters)


def execute_in_copy(path, parameters, drawn=True, state=0, of="fork"):
    """``execute_cells`` in a copy of a process that has imported what takes Jupyter seconds.

    of: "fork", this process, which has done other things before; "forkserver", one with another
    order of sets. Returns its exit code.
    """
    process = multiprocessing.get_context(of).Process(
        target=execute_cells, args=(path, parameters, drawn, state)
    )
    process.start()
    process.join()
    return process.exitcode


@pytest.mark.executes
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_notebook_runs_at_quick_settings(path, tmp_path, capfd):
    job = run.job(path, run.settings_sections("quick"), {})
    assert execute_in_copy(path, job.every | {"out": str(tmp_path)}) == 0, capfd.readouterr().err
    content, numbers = numbers_of(tmp_path)
    assert content["dataset"] == QUICK.get(run.number_of(path), {}).get("dataset", "mnist-5k")
    together = [row for row in claims.claims_of("") if row["id"][:2] == path.stem[:2]]
    number = run.number_of(path)
    if number in WITHOUT_CLAIMS:
        assert content["claims"] == []
    else:
        assert number == "00" or (len(together) >= 25 and len(content["claims"]) >= 10)
        assert {claim["verdict"] for claim in content["claims"]} == {claims.NOT_DECIDED}
    for figure in tmp_path.glob("*.png"):
        assert figure.with_suffix(".csv").stat().st_size > 0
    CHECKS[run.number_of(path)](numbers)


# Of 4,000 digits to train on 1,500 are left, in batches of which a pair fills two.
FEW = ["validation=2500", "batch_size=200"]
SMALL = {
    "02": ["rates=[2.0e-5, 1.0e-4]", *FEW],
    "01": [
        "lenet_seeds=1",
        "lenet_digits=64",
        "turned_digits=300",
        "rates=[0.003]",
        "map_seeds=1",
        "map_points=100",
        "curve_images=10",
        "maps=[tsne]",
    ],
    "04a": ["plateau_epochs=2", "validation=600", "directions=5"],
    "04b": ["protocol_images=200", "protocol_directions=5"],
    "03a": FEW,
    "03b": FEW,
    "05a": ["levels=2", "permutations=2", "permuted_images=200", *FEW],
    "05b": ["levels=1", "permutations=2", "permuted_images=200", *FEW],
    "05c": ["seeds=[0]", "train_images=300", "samples=20"],
    "05d": ["picking=1", *FEW],
    "06a": ["every=6", *FEW],
    "06b": ["seeds=[0]", "num_epochs=1", "train_images=200", "tasks=3"],
    "07a": ["frozen=1", "cnn_digits=20", "cnn_test=20"],
    "07b": ["levels=2", "temperatures=[1.0, 3.1622776601683795, 10.0]", "hsu_units=20"],
    "08": ["learned_epochs=1", "per_class=10", "width=2"],
    "08b": ["per_class=20", "tested=10", "shown=2", "width=2", "side=16"],
    "09": ["train_images=300", "buffer_size=20", "width=2"],
    "09b": [
        "train_images=300",
        "test_images=100",
        "shape_images=180",
        "shape_epochs=1",
        "buffer_size=20",
        "width=2",
    ],
    "09c": [
        "train_images=200",
        "test_images=120",
        "buffer_size=10",
        "width=2",
        "hidden=16",
        "embedding=tsne",
    ],
    "10": ["digits=60", "test_digits=20", "memory=30", "width=2"],
}
# Of what the committed results are: data and seeds. Image networks train one by one, and so with
# five.
MADE_OF = dict.fromkeys(CHECKS, ("mnist", 10)) | dict.fromkeys(
    ["09", "09b", "09c"], ("cifar10 (JPEG copy)", 5)
)
MADE_OF |= {"00": ("mnist-5k", 10)}
MADE_OF |= {"00b": ("mnist-5k", 1)}
MADE_OF |= {"05c": ("cifar10 (JPEG copy)", 5), "06b": ("tiny-imagenet-100", 5)}
MADE_OF |= dict.fromkeys(["08", "08b"], ("folder:tiny-imagenet-100", 5))
# Claims on fewer seeds than the rest of their notebook: LeNet5's variants are slow.
FEWER = {"01-lenet-remedies": 3}


@pytest.mark.executes
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_the_same_settings_twice_give_the_same_results_even_for_one_seed_and_epoch(path, tmp_path):
    number = run.number_of(path)
    settings = [*([] if number == "06b" else ["seeds=1", "epochs=1"]), *SMALL.get(number, [])]
    given = {name: yaml.safe_load(value) for name, _, value in (s.partition("=") for s in settings)}
    every, found = run.job(path, {}, given).every, []
    for state, of in enumerate(("forkserver", "fork")):
        folder = tmp_path / of
        assert execute_in_copy(path, every | {"out": str(folder)}, False, state, of) == 0
        found.append(json.loads((folder / "results.json").read_text("utf-8")))
    assert found[0] == found[1]
    assert len(found[0]["seeds"]) == 1


def test_what_depends_on_a_global_generator_or_on_the_order_of_a_set_is_found(tmp_path):
    cell = nbformat.v4.new_code_cell(
        "import json, random, numpy, torch\n"
        "found = random.random(), numpy.random.rand(), torch.rand(1).item()\n"
        "found += tuple({f'arm {i}' for i in range(20)})\n"
        "open(out, 'w').write(json.dumps(found))"
    )
    own = nbformat.v4.new_code_cell("out = ''", metadata={"tags": ["parameters"]})
    nbformat.write(nbformat.v4.new_notebook(cells=[own, cell]), tmp_path / "99_x.ipynb")
    texts = []
    for state, of in enumerate(("forkserver", "fork")):
        out = {"out": str(tmp_path / of)}
        assert execute_in_copy(tmp_path / "99_x.ipynb", out, state=state, of=of) == 0
        texts.append(json.loads((tmp_path / of).read_text()))
    first, second = texts
    assert all(a != b for a, b in zip(first[:3], second[:3], strict=True))
    assert first[3:] != second[3:] and sorted(first[3:]) == sorted(second[3:])


@pytest.mark.executes
def test_the_runner_gives_what_the_cells_give(tmp_path):
    settings = [part for value in (*FEW, "seeds=1", "epochs=1") for part in ("--set", value)]
    assert run.main(["03b", *settings, "--out", str(tmp_path / "run"), "--jobs", "1"]) == 0
    (path,) = run.find(["03b"])
    made = json.loads((tmp_path / "run" / path.stem / run.MADE).read_text("utf-8"))
    assert execute_in_copy(path, made["parameters"] | {"out": str(tmp_path / "cells")}, False) == 0
    found = json.loads((tmp_path / "run" / path.stem / "results.json").read_text("utf-8"))
    del found["parameters"]  # which the runner adds
    assert found == json.loads((tmp_path / "cells" / "results.json").read_text("utf-8"))


FULL_RUN = re.compile(
    r"\*Numbers in the text are those of the full run: [^.*]+ (seeds|network), [^.*]+\. "
    r"(At quick settings|As it stands,) the notebook takes [^.*]+\.\*"
)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
class TestCommitted:
    def test_outputs_belong_to_the_code(self, path):
        notebook = nbformat.read(path, as_version=4)
        assert notebook.metadata["cf"]["code"] == hashes.code_hash(notebook)
        assert notebook.metadata["cf"]["settings"] == "full"
        code = [cell for cell in notebook.cells if cell.cell_type == "code"]
        assert all(cell.execution_count for cell in code)
        kinds = [output.output_type for cell in code for output in cell.outputs]
        streams = [output.get("name") for cell in code for output in cell.outputs]
        assert "error" not in kinds and "stderr" not in streams

    def test_pair_says_the_same(self, path):
        notebook = nbformat.read(path, as_version=4)
        twin = jupytext.read(path.parent / "percent" / f"{path.stem}.py")
        cells = [
            c for c in notebook.cells if "injected-parameters" not in c.metadata.get("tags", [])
        ]
        assert [c.source for c in cells] == [publish.without_markers(c.source) for c in twin.cells]

    def test_results_are_of_ten_seeds_on_mnist_or_of_what_is_said_above(self, path):
        content, (dataset, seeds) = COMMITTED[run.number_of(path)], MADE_OF[run.number_of(path)]
        assert content["dataset"] == dataset and len(content["seeds"]) == seeds
        assert all(claim["n"] == FEWER.get(claim["id"], seeds) for claim in content["claims"])

    def test_parameters_are_those_of_the_full_run(self, path):
        number = run.number_of(path)
        # Results that an earlier cf_utils made have none; the runner records them now.
        if parameters := COMMITTED[number].get("parameters"):
            assert claims.differing(number, parameters) == []

    def test_prose_quotes_its_results(self, path):
        text = (path.parent / "percent" / f"{path.stem}.py").read_text(encoding="utf-8")
        assert len(ledger.QUOTE.findall(text)) >= 5
        assert ledger.fill(text, COMMITTED) == text

    def test_reads_from_question_to_takeaways(self, path):
        cells = nbformat.read(path, as_version=4).cells
        assert re.match(r"# \d\d[a-z]? · ", cells[0].source) and "TODO" not in cells[0].source
        assert sum("parameters" in cell.metadata.get("tags", []) for cell in cells) == 1
        assert "## Takeaways" in cells[-1].source

    def test_first_cell_says_whose_numbers_the_text_has(self, path):
        lines = nbformat.read(path, as_version=4).cells[0].source.splitlines()
        assert sum(bool(FULL_RUN.fullmatch(line)) for line in lines) == 1

    def test_table_of_claims_is_that_of_the_ledger(self, path):
        rows = COMMITTED[run.number_of(path)]["claims"]
        printed = [
            output.data["text/markdown"]
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "code" and "claims_table(" in cell.source
            for output in cell.outputs
        ]
        expected = [] if run.number_of(path) in WITHOUT_CLAIMS else [claims.claims_table(rows)]
        assert printed == expected


def test_each_notebook_leads_to_the_one_before_and_the_next():
    titles = {
        path: nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].lstrip("# ")
        for path in NOTEBOOKS
    }
    for i, path in enumerate(NOTEBOOKS):
        links = [f"Before: [{titles[other]}]({other.name})" for other in NOTEBOOKS[i - 1 : i]]
        links += [f"Next: [{titles[other]}]({other.name})" for other in NOTEBOOKS[i + 1 : i + 2]]
        text = [
            cell.source
            for cell in nbformat.read(path, as_version=4).cells
            if cell.cell_type == "markdown"
        ]
        lines = [
            line
            for source in text
            for line in source.splitlines()
            if line.startswith(("Before: ", "Next: "))
        ]
        assert lines == [" · ".join(links)]


def test_verdicts_are_those_of_the_claims_file():
    for path in (ROOT / "figures").glob("*/results.json"):
        content = json.loads(path.read_text(encoding="utf-8"))
        assert ledger.rejudge(content, runs=ledger.runs_of(path.parent)) == content


def test_readme_is_up_to_date():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert ledger.render(text, COMMITTED) == text
    assert (ROOT / "LEDGER.md").read_text(encoding="utf-8") == ledger.ledger(COMMITTED)
