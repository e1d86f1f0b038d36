"""What the tests share: the real digits once a session, and small made images."""

import os
import urllib.request
from functools import partial
from urllib.error import URLError

import pytest

# One thread for every library, as in the batch runner; they look before they are first imported.
for variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

import torch

from cf_utils import data, streams
from cf_utils.methods import Moments
from cf_utils.models import mlp
from cf_utils.training import TrainConfig, run_stream

torch.set_num_threads(1)
MOMENTS = [name for name in vars(Moments) if not name.startswith("_")]


def pytest_collection_modifyitems(items):
    """Tests that execute a notebook come first, so that processes side by side end together."""
    items.sort(key=lambda item: item.get_closest_marker("executes") is None)


@pytest.fixture(scope="session")
def digits():
    return data.load("mnist-5k")


@pytest.fixture
def place(monkeypatch, tmp_path):
    """An empty data folder and no network."""

    def unreachable(*args, **kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(urllib.request, "urlopen", unreachable)
    monkeypatch.setenv("CF_DATA", str(tmp_path))
    return tmp_path


def make_images(classes=6, train=13, test=4, val=3, size=6):
    """Noisy copies of one random picture a class.

    13 + 13 of two classes leave a last batch of one sample at 5.
    """
    generator = torch.Generator().manual_seed(0)
    pictures = torch.rand(classes, 1, size, size, generator=generator)
    parts = {}
    for part, count in (("train", train), ("val", val), ("test", test)):
        y = torch.arange(classes).repeat(count)
        noise = torch.rand(len(y), 1, size, size, generator=generator)
        parts |= {f"x_{part}": ((pictures[y] + noise) * 127).to(torch.uint8), f"y_{part}": y}
    pixels = parts["x_train"].double()
    names = tuple(str(c) for c in range(classes))
    return data.Images(
        "made", names, **parts, mean=pixels.mean().float().view(1), std=pixels.std().float().view(1)
    )


@pytest.fixture(scope="session")
def images():
    return make_images()


@pytest.fixture(scope="session")
def stream(images):
    return streams.split(images, [[0, 1], [2, 3], [4, 5]])


def small(norm=None, dropout=0.0, outputs=6, dtype=torch.float32):
    """What builds a small network for the made images."""
    return lambda: mlp((36, 10, 8, outputs), norm, dropout).to(dtype)


def double(norm=None, **options):
    return small(norm, dtype=torch.float64, **options)


def at(moment, call):
    """An observer that calls ``call(loop)`` at one moment, e.g. "after_step"."""
    observer = Moments()
    assert hasattr(observer, moment)
    setattr(observer, moment, call)
    return observer


class Told(Moments):
    """An observer that calls ``call(loop, moment)`` at every moment."""

    def __init__(self, call):
        for moment in MOMENTS:
            setattr(self, moment, partial(call, moment=moment))


def train(build, method, stream, config, seeds=(0, 1, 2), **options):
    return run_stream(build, method, stream, config, list(seeds), "cpu", **options)


def state(model):
    """Copies of all weights and statistics, name -> ``[R, ...]``."""
    return {
        name: value.detach().clone() for name, value in (model.weights | model.statistics).items()
    }


def assert_same(found, expected, tolerance=0.0):
    """Dicts of tensors are equal: bitwise (NaN equals NaN), or to an absolute tolerance."""
    assert found.keys() == expected.keys()
    for name in expected:
        torch.testing.assert_close(
            found[name], expected[name], rtol=0, atol=tolerance, equal_nan=True, msg=name
        )


def assert_equal_alone(run, alone, r):
    """Replica r of a run equals a run of its own to 1e-8: weights, accuracies, epochs, losses."""
    assert run.seeds[r] == alone.seeds[0]
    assert_same(
        {k: v[r] for k, v in state(run.model).items()},
        {k: v[0] for k, v in state(alone.model).items()},
        1e-8,
    )
    torch.testing.assert_close(
        run.accuracy[r], alone.accuracy[0], rtol=0, atol=1e-8, equal_nan=True
    )
    assert run.epochs[r].tolist() == alone.epochs[0].tolist()
    mine = [
        float(row["loss"][r]) for row in run.history if row["epoch"] < run.epochs[r, row["task"]]
    ]
    assert mine == pytest.approx([float(row["loss"][0]) for row in alone.history], abs=1e-8)


STOPPING = {  # settings under which runs stop and go on
    "adam": TrainConfig(epochs=2, batch_size=5, lr=0.01, optimizer="adam"),
    "momentum, stopping apart": TrainConfig(4, 9, 0.02, optimizer="sgd", momentum=0.9, stop_at=0.6),
    "fresh": TrainConfig(epochs=2, batch_size=5, lr=0.01, fresh_optimizer=True),
}


def dropping():
    """A network whose dropout and batch-norm have a state of their own to go on with."""
    return small("batch", dropout=0.2)()


def assert_same_run(found, expected):
    """Two runs end alike, bit by bit: weights, statistics, accuracies, epochs, history."""
    assert_same(state(found.model), state(expected.model))
    for key in ("accuracy", "epochs", "diverged"):
        torch.testing.assert_close(
            getattr(found, key), getattr(expected, key), rtol=0, atol=0, equal_nan=True
        )
    assert found.seeds == expected.seeds and found.done == expected.done
    for mine, other in zip(found.history, expected.history, strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=0, equal_nan=True)
