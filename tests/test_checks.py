"""Numbers of numpy's are taken where Python's are, and become Python's.

Truth values and texts are refused.
"""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
import torch
from conftest import STOPPING, assert_same_run, small, train

from cf_utils import checkpoint, importances, probes, streams
from cf_utils.checks import check_count, check_number, check_switch
from cf_utils.methods import APR, EWC, OGD, SI, SPL, LwF, Replay
from cf_utils.methods.base import check_strength
from cf_utils.replicas import Replicas
from cf_utils.training import TrainConfig, predict

WHOLE = [int, np.int64, np.int32, np.uint8]
BROKEN = [float, np.float64, np.float32]


@pytest.mark.parametrize("kind", WHOLE)
def test_whole_numbers_become_pythons(kind):
    assert type(check_count("n", kind(3))) is int and check_count("n", kind(3)) == 3
    assert type(check_number("n", kind(3))) is float
    assert check_strength("s", kind(3)).tolist() == 3.0


@pytest.mark.parametrize("kind", BROKEN)
def test_other_numbers_become_pythons(kind):
    assert type(check_number("n", kind(0.5))) is float and check_number("n", kind(0.5)) == 0.5
    assert check_strength("s", kind(0.5)).tolist() == 0.5
    assert (
        check_strength("s", [kind(0.5), 1.0]).tolist()
        == check_strength("s", np.array([0.5, 1.0])).tolist()
    )


@pytest.mark.parametrize(
    "value", [True, np.True_, "3", None, np.float32(3), [3], np.array([3]), 1j]
)
def test_what_is_no_whole_number_is_refused(value):
    with pytest.raises(
        ValueError, match=r"^n=.* is not possible; it is a whole number, 0 or more$"
    ):
        check_count("n", value)
    with pytest.raises(ValueError, match="n=0 is not possible; it is a whole number, 1 or more"):
        check_count("n", 0, 1)


@pytest.mark.parametrize(
    "value", [True, np.False_, "0.5", None, float("nan"), float("inf"), -1, [0.5], 1j]
)
def test_what_is_no_number_is_refused(value):
    with pytest.raises(
        ValueError, match=r"^n=.* is not possible; it is a finite number, 0 or more$"
    ):
        check_number("n", value)


@pytest.mark.parametrize(
    "value", [True, np.True_, "1", ["1"], [True], None, {}, torch.tensor(True)]
)
def test_what_is_no_strength_is_refused(value):
    with pytest.raises(ValueError, match=r"^s=.* is not possible; it is 0 or more"):
        check_strength("s", value)


def test_switches_are_true_or_false():
    assert check_switch("s", np.True_) is True and check_switch("s", False) is False
    for value in (1, 0.0, "no", None):
        with pytest.raises(ValueError, match=f"s={value!r} is not possible; it is True or False"):
            check_switch("s", value)


def test_settings_are_stored_as_json_takes_them():
    plain = {
        "epochs": 2,
        "batch_size": 5,
        "threads": 1,
        "lr": 0.5,
        "weight_decay": 0.25,
        "momentum": 0.0,
        "stop_at": 1,
    }
    config = TrainConfig(**plain, fresh_optimizer=np.True_)
    numpys = {k: (np.float32 if isinstance(v, float) else np.int64)(v) for k, v in plain.items()}
    again = TrainConfig(**numpys, fresh_optimizer=np.True_)
    assert json.dumps(asdict(again)) == json.dumps(asdict(config))
    assert again == config and replace(again, lr=np.float64(0.1)).lr == 0.1


@pytest.mark.parametrize(
    "name", ["epochs", "batch_size", "threads", "lr", "weight_decay", "momentum", "stop_at"]
)
@pytest.mark.parametrize("value", [True, "1", [1]])
def test_settings_that_are_no_numbers_are_refused(name, value):
    with pytest.raises(ValueError, match=rf"^{name}=.* is not [^\n]*$"):
        TrainConfig(**{name: value})


@pytest.mark.parametrize("name", ["fresh_optimizer", "allow_divergence"])
def test_settings_that_are_no_switches_are_refused(name):
    with pytest.raises(ValueError, match=f"{name}='no' is not possible; it is True or False"):
        TrainConfig(**{name: "no"})


def test_streams_take_numpys_numbers(images):
    for tasks in WHOLE:
        stream = streams.permuted(images, tasks(2), seed=tasks(1))
        assert torch.equal(stream.tasks[1].x_train, streams.permuted(images, 2, 1).tasks[1].x_train)
    assert streams.draw_classes(
        images, np.int64(2), np.int64(2), np.int64(3)
    ) == streams.draw_classes(images, 2, 2, 3)
    for wrong in (True, "2", 2.0):
        with pytest.raises(
            ValueError, match=r"tasks=.* is not possible; it is a whole number, 1 or more"
        ):
            streams.permuted(images, wrong)
        with pytest.raises(ValueError, match=r"seed=.* is not possible"):
            streams.permuted(images, 2, wrong)
    with pytest.raises(ValueError, match="unknown class True"):
        streams.split(images, [[0, True]])


def test_measures_take_numpys_numbers(images):
    model, two = Replicas(small(), [0]), np.int64(2)
    x, y = images.scale(images.x_test), images.y_test
    assert torch.equal(
        predict(model, images, images.x_test, chunk=two),
        predict(model, images, images.x_test, chunk=2),
    )
    found = importances.fisher_diagonal(model, x, y, "batched", batch=two, chunk=two)
    assert torch.equal(
        found["fc1.weight"],
        importances.fisher_diagonal(model, x, y, "batched", batch=2)["fc1.weight"],
    )
    for one, other in zip(
        probes.held_out(y, [0, 1], seed=two), probes.held_out(y, [0, 1], seed=2), strict=True
    ):
        assert torch.equal(one, other)


METHODS_OF_NUMPYS = [
    Replay(np.int64(20), np.int64(3), np.True_),
    EWC(np.float32(1), batch=np.int64(4), samples=np.int64(8), online=np.float32(0.5)),
    SI(np.int64(1), damping=np.float32(0.5)),
    LwF(np.float64(1), np.float32(2), np.True_, np.int64(1)),
    OGD(np.int64(2)),
    APR(np.float32(1), np.int64(20), per_class=np.int64(2)),
    SPL(np.float32(1), np.int64(20), "fc1", np.float32(0.5), np.float32(0.5), np.int64(2)),
]


@pytest.mark.parametrize("method", METHODS_OF_NUMPYS, ids=lambda method: method.name)
def test_methods_of_numpys_numbers_are_kept_and_taken_up(method, stream, tmp_path):
    config = STOPPING["adam"]
    whole = train(small(), method, stream, config)
    checkpoint.kept(
        tmp_path / "run", small(), method, stream, config, range(3), device="cpu", until=np.int64(2)
    )
    assert_same_run(
        checkpoint.kept(tmp_path / "run", small(), method, stream, config, range(3), device="cpu"),
        whole,
    )


def test_numbers_of_methods_are_refused():
    for wrong in (True, "2", None):
        for make in (
            lambda: SI(1.0, damping=wrong),
            lambda: LwF(1.0, temperature=wrong),
            lambda: EWC(1.0, samples=wrong or True),
            lambda: SPL(1.0, 5, "fc1", noise_std=wrong),
            lambda: SPL(1.0, 5, "fc1", saliency_threshold=wrong),
            lambda: Replay(wrong),
        ):
            with pytest.raises(ValueError, match=r"=.* is not possible; it is [^\n]*$"):
                make()
