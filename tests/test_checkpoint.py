"""Runs that stop and go on, in memory and through a folder, end as if they had never stopped."""

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import STOPPING as CONFIGS
from conftest import assert_same, assert_same_run, small, state, train
from conftest import dropping as build
from safetensors.torch import load_file
from torch import nn

from cf_utils import checkpoint, streams
from cf_utils.files import locked
from cf_utils.methods import EWC, MAS, METHODS, OGD, Finetune, Method, Replay
from cf_utils.training import proceed, take_over


@pytest.mark.parametrize("cls", [pytest.param(cls, id=name) for name, cls in METHODS.items()])
@pytest.mark.parametrize("config", CONFIGS)
def test_a_run_taken_up_from_disk_ends_as_one_that_never_stopped(cls, config, stream, tmp_path):
    method, settings = cls(**cls.example), CONFIGS[config]
    whole = train(build, method, stream, settings)
    run = train(build, method, stream, settings, until=0)
    for t in range(len(stream)):
        run = proceed(run, stream, t + 1)
        checkpoint.save(run, stream, tmp_path / "run")
        run = checkpoint.load(tmp_path / "run", build, method, stream, settings)
        assert run.done == t + 1
    assert_same_run(run, whole)


def test_ogd_with_factors_is_taken_up_from_disk(stream, tmp_path):
    method, settings = OGD(3, keep="factors"), CONFIGS["adam"]
    whole = train(build, method, stream, settings)
    run = train(build, method, stream, settings, until=2)
    checkpoint.save(run, stream, tmp_path / "run")
    run = checkpoint.load(tmp_path / "run", build, method, stream, settings)
    assert_same_run(proceed(run, stream), whole)


def test_two_files_take_a_run_up(stream, tmp_path):
    checkpoint.save(
        train(small(), EWC(1.0), stream, CONFIGS["adam"], until=2), stream, tmp_path / "a" / "run"
    )
    assert sorted(path.name for path in (tmp_path / "a" / "run").iterdir()) == [
        "run.json",
        "run.pt",
    ]


def test_what_is_exported(images, tmp_path):
    stream = streams.split(images, [[0, 1], [2, 3], [4, 5]], "task")
    run = train(small(), EWC(1.0), stream, CONFIGS["adam"], until=2)
    checkpoint.export(run, stream, tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "importances.safetensors", "shared.safetensors", "task_1", "task_2",
    ]  # fmt: skip
    head = load_file(tmp_path / "task_2" / "head.safetensors")
    assert torch.equal(head["fc3.weight"], run.model.weights["fc3.weight"][:, [2, 3]])
    shared = load_file(tmp_path / "shared.safetensors")
    assert not any(name.startswith("fc3") for name in shared)
    assert torch.equal(shared["fc1.weight"], run.model.weights["fc1.weight"])
    classes = json.loads((tmp_path / "task_2" / "classes.json").read_text())
    assert classes == {"task": "[2, 3]", "outputs": [2, 3], "classes": ["2", "3"]}
    performance = json.loads((tmp_path / "task_1" / "performance.json").read_text())
    assert performance == {
        "right after": run.accuracy[:, 1, 0].tolist(),
        "now": run.accuracy[:, 2, 0].tolist(),
    }
    importances = load_file(tmp_path / "importances.safetensors")
    assert torch.equal(importances["fc1.weight"], run.methods[0].springs.importance["fc1.weight"])


class Record(Method):
    """Counts the tasks it was trained on, in this process and in all."""

    trained = 0

    def __init__(self):
        self.seen = []

    def after_task(self, loop):
        Record.trained += 1
        self.seen.append({"t": loop.t, "w": loop.model.weights["fc1.weight"].detach().clone()})


@pytest.mark.parametrize("config", CONFIGS)
def test_what_is_kept_is_not_trained_again_and_goes_on_where_it_was(
    config, stream, tmp_path, monkeypatch
):
    monkeypatch.setattr(Record, "trained", 0)
    settings, chain = CONFIGS[config], [EWC(2.0), Record()]
    whole = train(build, chain, stream, settings)
    part = train(build, chain, stream, settings, until=1)
    checkpoint.save(part, stream, tmp_path / "run")
    assert Record.trained == 4
    for trained in (6, 6):
        run = checkpoint.kept(
            tmp_path / "run", build, chain, stream, settings, range(3), device="cpu"
        )
        assert Record.trained == trained
        assert_same_run(run, whole)
        assert [record["t"] for record in run.methods[1].seen] == [0, 1, 2]
    anew = checkpoint.kept(
        tmp_path / "other", build, chain, stream, settings, range(3), device="cpu"
    )
    assert_same_run(anew, whole)
    with pytest.raises(
        ValueError,
        match=r"trained with another seeds: \[0, 1, 2\], not \[0, 1\]; delete the folder",
    ):
        checkpoint.kept(tmp_path / "run", build, chain, stream, settings, [0, 1], device="cpu")


def test_what_cannot_be_taken_up_is_said_in_one_sentence(stream, images, tmp_path):
    config = CONFIGS["adam"]

    def load(build=small(), method=MAS(1.0), stream=stream, config=config):  # noqa: B008
        return checkpoint.load(tmp_path / "run", build, method, stream, config)

    with pytest.raises(ValueError, match="holds no whole run"):
        load()
    checkpoint.save(train(small(), MAS(1.0), stream, config, until=1), stream, tmp_path / "run")
    assert load().done == 1
    other = streams.split(images, [[0, 1], [2, 3], [4, 5]], "task")
    turned = [replace(task, x_train=task.x_train.flip(3)) for task in stream.tasks]
    mirrored = replace(stream, tasks=tuple(turned))  # in all but its pixels the same
    tested = replace(
        stream, tasks=tuple(replace(task, x_test=task.x_test.flip(3)) for task in stream.tasks)
    )

    def otherwise():
        network = small()()
        nn.init.ones_(network.fc3.bias)
        return network

    for arguments, message in [
        ({"build": small("batch")}, "was trained with another network; delete the folder"),
        ({"build": otherwise}, "was trained with another start: "),
        (
            {"method": Replay(3)},
            r"was trained with another methods: \['MAS'\], not \['Replay'\]; delete the folder",
        ),
        ({"method": MAS(2.0)}, r"was trained with another MAS strength: 1\.0, not 2\.0"),
        ({"method": MAS(1.0, "local")}, "was trained with another MAS kind: 'global', not 'local'"),
        (
            {"config": replace(config, epochs=7)},
            "was trained with another epochs: 2, not 7; delete the folder",
        ),
        (
            {"stream": other},
            "another stream: 'split made, class-incremental', not 'split made, task-incremental'",
        ),
        ({"stream": mirrored}, "was trained with another tasks"),
        ({"stream": tested}, "was trained with another tasks"),
    ]:
        with pytest.raises(ValueError, match=message):
            load(**arguments)
    with pytest.raises(ValueError, match=r"seeds=\[0\.5, 1, 2\] is not possible; give one seed"):
        checkpoint.load(tmp_path / "run", small(), MAS(1.0), stream, config, [0.5, 1, 2])
    later = train(small(), MAS(2.0), stream, config, until=1)
    with pytest.raises(ValueError, match="was trained with another MAS strength"):
        checkpoint.save(later, stream, tmp_path / "run")
    for name in ("run.json", "run.pt"):
        file = tmp_path / "run" / name
        whole = file.read_bytes()
        for damaged in (b"", b"half", whole[: len(whole) // 2]):
            file.write_bytes(damaged)
            with pytest.raises(ValueError, match=r"holds no whole run: \S") as error:
                load()
            assert "\n" not in str(error.value)
        file.write_bytes(whole)


def test_reading_a_folder_executes_nothing(stream, tmp_path):
    class Harmful:
        def __reduce__(self):
            return Path.mkdir, (tmp_path / "ran",)

    config, method = CONFIGS["adam"], Finetune()
    checkpoint.save(train(small(), method, stream, config, until=1), stream, tmp_path / "run")
    torch.save(
        dict.fromkeys([*checkpoint.KEYS, "weights", "statistics", "frozen", "methods"], Harmful()),
        tmp_path / "run" / "run.pt",
    )
    with pytest.raises(ValueError, match="holds no whole run"):
        checkpoint.load(tmp_path / "run", small(), method, stream, config)
    assert not (tmp_path / "ran").exists()


def test_a_run_of_an_older_memory_is_refused_in_one_sentence(stream, tmp_path):
    config, method = CONFIGS["adam"], Replay(20)
    checkpoint.save(train(small(), method, stream, config, until=1), stream, tmp_path)
    state = torch.load(tmp_path / "run.pt", weights_only=True)
    state["methods"][0]["stored"] = []  # a list of images and labels, once
    torch.save(state, tmp_path / "run.pt")
    with pytest.raises(
        ValueError, match="is of an older cf_utils, with another stored; delete the folder"
    ):
        checkpoint.load(tmp_path, small(), method, stream, config)


def test_a_save_that_fails_leaves_the_one_before(stream, tmp_path, monkeypatch):
    config, place = CONFIGS["adam"], tmp_path / "run"
    run = train(small(), MAS(1.0), stream, config, until=1)
    checkpoint.save(run, stream, place)
    later = proceed(run, stream, 2)
    write = torch.save

    def fail(value, path):
        write(value, path)
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save(later, stream, place)
    assert sorted(path.name for path in place.iterdir()) == ["run.json", "run.pt"]
    found = checkpoint.load(place, small(), MAS(1.0), stream, config)
    assert_same_run(found, run)


def test_strengths_of_replicas_and_frozen_weights_come_back(stream, tmp_path):
    class Freeze(Finetune):
        name = None

        def before_task(self, loop):
            if loop.t == 0:
                loop.model.weights["fc1.weight"].requires_grad_(False)

    chain, config = [Freeze(), EWC([0.0, 1.0, 100.0])], CONFIGS["adam"]
    part = train(small(), chain, stream, config, until=1)
    checkpoint.save(part, stream, tmp_path / "run")
    again = checkpoint.load(tmp_path / "run", small(), chain, stream, config)
    assert_same_run(proceed(again, stream), train(small(), chain, stream, config))


def test_a_method_that_stores_what_cannot_be_written_is_named(stream, tmp_path):
    run = train(small(), Finetune(), stream, CONFIGS["adam"], until=1)
    run.methods[0].things = [object()]
    with pytest.raises(ValueError, match="0/things/0 is a object, which cannot be written to disk"):
        checkpoint.save(run, stream, tmp_path / "run")


@pytest.mark.parametrize("cls", [pytest.param(cls, id=name) for name, cls in METHODS.items()])
@pytest.mark.parametrize("config", CONFIGS)
def test_a_method_that_takes_over_after_the_first_task_ends_as_if_it_had_been_there(
    cls, config, stream, tmp_path
):
    method, settings = cls(**cls.example), CONFIGS[config]
    first = train(build, Finetune(), stream, settings, until=1)
    if cls.from_start:
        with pytest.raises(ValueError, match=f"{cls.__name__} acts on the first task already"):
            take_over(first, method, stream, "cpu")
        return
    before = state(first.model)
    run = proceed(take_over(first, method, stream, "cpu"), stream)
    whole = train(build, method, stream, settings)
    assert_same_run(run, whole)
    assert_same(state(first.model), before)
    kept = checkpoint.kept(
        tmp_path / "run", build, method, stream, settings, range(3), device="cpu", first=first
    )
    assert_same_run(kept, whole)
    fresh = replace(settings, fresh_optimizer=True)
    kept = checkpoint.kept(
        tmp_path / "fresh", build, method, stream, fresh, range(3), device="cpu", first=first
    )
    assert_same_run(kept, train(build, method, stream, fresh))


@pytest.mark.parametrize("memory", [0, 3, 9])
def test_a_memory_of_each_task_takes_over_with_what_it_would_have_stored(memory, stream):
    method, config = Replay(memory, batch=4, per_task=True), CONFIGS["adam"]
    first = train(small(), Finetune(), stream, config, until=1)
    run = proceed(take_over(first, method, stream, "cpu"), stream, device="cpu")
    assert_same_run(run, train(small(), method, stream, config))


def test_what_cannot_be_taken_over_is_said(stream, tmp_path):
    config = CONFIGS["adam"]
    for until in (0, 2):
        run = train(small(), Finetune(), stream, config, until=until)
        with pytest.raises(
            ValueError,
            match=f"the run has trained {until} tasks; a method can take over after the first",
        ):
            take_over(run, EWC(1.0), stream, "cpu")
    first = train(small(), Finetune(), stream, config, until=1)
    other = {"build": small("batch"), "seeds": [0, 1], "config": replace(config, lr=0.5)}
    for key, value in other.items():
        given = {"build": small(), "seeds": [0, 1, 2], "config": config} | {key: value}
        with pytest.raises(ValueError, match="the first task was trained with another"):
            checkpoint.kept(
                tmp_path / key, method=EWC(1.0), stream=stream, device="cpu", first=first, **given
            )
        assert not (tmp_path / key).exists()


def test_processes_share_runs_and_none_is_trained_twice(stream, tmp_path):
    config, place = CONFIGS["adam"], tmp_path / "run"

    def kept():
        return checkpoint.kept(
            place, small(), EWC(1.0), stream, config, range(2), device="cpu", until=1
        )

    with locked(tmp_path / ".run.lock"), pytest.raises(BlockingIOError, match="writes there"):
        kept()
    assert kept().done == 1 and not list(tmp_path.glob("*.lock"))

    tried = []

    def train(name, number):
        tried.append(name)
        if name == "busy" and tried.count("busy") < 3:
            raise BlockingIOError("process 7 writes there")
        return number

    jobs = [("a", 1), ("busy", 2), ("b", 3)]
    found = checkpoint.train_all(train, jobs)
    assert [*found.items()] == [*zip(jobs, (1, 2, 3), strict=True)]
    assert tried == ["a", "busy", "b", "busy", "busy"]


def test_a_result_is_computed_once(tmp_path):
    calls = []

    def compute():
        calls.append(1)
        tensor = torch.arange(4.0)[1:]
        return {"of": [1, 2.5, float("nan"), None, "text", tensor, np.float32(0.5)], 3: np.eye(2)}

    file = tmp_path / "runs" / "SGD, nothing.pt"
    settings = {"lr": 0.1, "seeds": range(3), "rates": [1e-3]}
    first = checkpoint.kept_result(file, settings, compute)
    again = checkpoint.kept_result(file, dict(reversed(settings.items())), compute)
    assert len(calls) == 1 and [*file.parent.iterdir()] == [file]
    for found in (first, again):
        assert found["of"][:2] == [1, 2.5] and math.isnan(found["of"][2])
        assert found["of"][3:5] == [None, "text"] and found["of"][6] == 0.5
        torch.testing.assert_close(found["of"][5], torch.tensor([1.0, 2.0, 3.0]))
        assert isinstance(found[3], np.ndarray) and (found[3] == np.eye(2)).all()

    with pytest.raises(ValueError, match=r"another lr: 0\.1, not 0\.2; delete the file to start"):
        checkpoint.kept_result(file, settings | {"lr": 0.2}, compute)
    with pytest.raises(ValueError, match="result/run is a object, which cannot be written"):
        checkpoint.kept_result(tmp_path / "b.pt", {}, lambda: {"run": object()})
    assert not (tmp_path / "b.pt").exists()
    file.write_bytes(b"half")
    with pytest.raises(ValueError, match="holds no kept result; delete it"):
        checkpoint.kept_result(file, settings, compute)
    assert len(calls) == 1


class Counts(Finetune):
    """Keeps a numpy array of its own."""

    def __init__(self):
        self.seen = np.zeros(9, int)

    def after_task(self, loop):
        self.seen[loop.t] += len(loop.task.y_train)


def test_a_method_may_keep_numpy_arrays(stream, tmp_path):
    where = (tmp_path / "run", small(), Counts(), stream, CONFIGS["adam"], range(2))
    first, again = checkpoint.kept(*where), checkpoint.kept(*where)
    assert isinstance(again.methods[0].seen, np.ndarray)
    assert (again.methods[0].seen == first.methods[0].seen).all() and first.methods[0].seen.any()
