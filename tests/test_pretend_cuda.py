"""What runs on a CPU runs on CUDA, with the same results, and what would fail there fails here.

Where there is no such device it is pretended (``pretend_cuda.py``); CUDA's own kernels and speed it
does not show.
"""

from dataclasses import fields

import numpy as np
import pytest
import torch
from conftest import assert_same, dropping, small, state
from pretend_cuda import pretending
from test_methods import convolution
from torch.nn import functional as F

from cf_utils import checkpoint, data, importances, observers, probes, streams
from cf_utils.methods import METHODS, OGD, Finetune, Method, Replay
from cf_utils.replicas import Replicas
from cf_utils.training import Run, TrainConfig, activations, proceed, run_stream, task_accuracies

CONFIG = TrainConfig(epochs=2, batch_size=9, lr=0.01, optimizer="adam")
EVERY = [pytest.param(cls, id=name) for name, cls in METHODS.items()]


@pytest.fixture
def cuda():
    with pretending() as device:
        yield device


@pytest.fixture(scope="module")
def two(images):
    return streams.split(images, [[0, 1], [2, 3]])


def trained(method, stream, device, build=None, config=CONFIG, **options):
    return run_stream(build or small("batch"), method, stream, config, [0, 1], device, **options)


def on_cpu(model):
    return {name: value.cpu() for name, value in state(model).items()}


def places(value, name="run"):
    """Names of the tensors in a value, and in all that it holds, that are on CUDA."""
    if isinstance(value, torch.Tensor):
        return {name} if value.is_cuda else set()
    if isinstance(value, dict):
        value = value.items()
    elif isinstance(value, list | tuple):
        value = enumerate(value)
    else:
        return set()
    return {place for key, part in value for place in places(part, f"{name}/{key}")}


# --- what runs on a CPU runs there ---


@pytest.mark.parametrize("cls", EVERY)
def test_methods_do_on_cuda_what_they_do_on_a_cpu(cls, two, cuda):
    runs = [trained(cls(**cls.example), two, device) for device in ("cpu", "cuda")]
    assert {w.device for w in runs[1].model.parameters()} == {cuda}
    assert torch.equal(runs[1].accuracy, runs[0].accuracy)
    assert_same(on_cpu(runs[1].model), on_cpu(runs[0].model), 1e-5)
    for field in fields(Run):
        if field.name not in ("model", "methods", "optimizer"):
            assert places(getattr(runs[1], field.name), field.name) == set()


def test_directions_are_kept_as_factors_there(two, cuda):
    runs = [trained(OGD(4, keep="factors"), two, device) for device in ("cpu", "cuda")]
    assert_same(on_cpu(runs[1].model), on_cpu(runs[0].model), 1e-5)


@pytest.mark.parametrize("config", ["momentum", "adagrad", "stop_at"])
def test_optimizers_and_convolutions_do_too(config, two, cuda):
    options = {
        "momentum": {"optimizer": "sgd", "momentum": 0.9},
        "adagrad": {"optimizer": "adagrad"},
    }
    settings = TrainConfig(2, 9, 0.01, **options.get(config, {"stop_at": 0.6}))
    runs = [trained(Replay(8), two, device, convolution, settings) for device in ("cpu", "cuda")]
    assert_same(on_cpu(runs[1].model), on_cpu(runs[0].model), 1e-9)


@pytest.mark.parametrize("cls", EVERY)
def test_a_run_of_a_cpu_goes_on_there(cls, two, cuda, tmp_path):
    method = cls(**cls.example)
    whole = trained(method, two, "cpu")
    part = trained(method, two, "cpu", until=1)
    checkpoint.save(part, two, tmp_path)
    for begun in (part, checkpoint.load(tmp_path, small("batch"), method, two, CONFIG)):
        run = proceed(begun, two, device="cuda")
        assert {w.device for w in run.model.parameters()} == {cuda}
        assert torch.equal(run.accuracy, whole.accuracy)
        assert_same(on_cpu(run.model), on_cpu(whole.model), 1e-5)


def test_a_run_from_there_goes_on_on_a_cpu_and_is_kept(two, cuda, tmp_path):
    whole = trained(Replay(8), two, "cpu")
    part = trained(Replay(8), two, "cuda", until=1)
    assert_same(on_cpu(proceed(part, two, device="cpu").model), on_cpu(whole.model), 1e-5)
    arguments = tmp_path / "run", small("batch"), Replay(8), two, CONFIG, [0, 1]
    for _ in range(2):
        run = checkpoint.kept(*arguments, device="cuda")
        assert torch.equal(run.accuracy, whole.accuracy)
        assert_same(on_cpu(run.model), on_cpu(whole.model), 1e-5)
    checkpoint.export(part, two, tmp_path / "for others")


def test_a_run_with_dropout_that_stops_there_ends_as_one_that_does_not(two, cuda):
    whole = trained(Replay(8), two, "cuda", dropping)
    part = trained(Replay(8), two, "cuda", dropping, until=1)
    assert_same(on_cpu(proceed(part, two, device="cuda").model), on_cpu(whole.model))


@pytest.mark.parametrize("kind", importances.FISHERS)
def test_fisher_information_on_cuda(kind, images, cuda):
    x, y, allowed = images.scale(images.x_test), images.y_test, torch.arange(6) < 6
    here, there = (Replicas(small("batch"), [0, 1]).to(device) for device in ("cpu", "cuda"))
    expected = importances.fisher_diagonal(here, x, y, kind, allowed=allowed)
    for place in ("cpu", "cuda"):
        given = x.to(place), y.to(place)
        found = importances.fisher_diagonal(there, *given, kind, allowed=allowed.to(place))
        assert_same({name: value.cpu() for name, value in found.items()}, expected, 1e-6)


@pytest.mark.parametrize("kind", importances.SYNAPSES)
def test_synapses_on_cuda(kind, images, cuda):
    x, allowed = images.scale(images.x_test), torch.arange(6) < 6
    here, there = (Replicas(small(), [0, 1]).to(device) for device in ("cpu", "cuda"))
    expected = importances.mas(here, x, kind, allowed)
    for place in ("cpu", "cuda"):
        found = importances.mas(there, x.to(place), kind, allowed.to(place))
        assert_same({name: value.cpu() for name, value in found.items()}, expected, 1e-6)


def test_probes_take_what_is_on_cuda_and_leave_results_on_the_cpu(images, two, cuda):
    looks = observers.Looks(probes.standing)
    summed = observers.Gradients()
    curves = observers.Curves(3)
    seen = [looks, summed, curves, observers.Displacements(), observers.Updates()]
    model = trained(Finetune(), two, "cuda", observers=seen).model
    logits, hidden = activations(model, images, images.x_test)
    results = [one.records for one in seen] + [looks.found, summed.totals, logits, hidden]
    results += [probes.activity(model, images, images.x_test), task_accuracies(model, two.to(cuda))]
    assert places(results) == set()
    y, fitted = images.y_test, torch.arange(len(images.y_test)) % 4 > 0
    fitted = torch.arange(len(y)) < 18
    expected = probes.linear_probe(hidden["act1"], y, fitted)
    for given in ((y.to(cuda), fitted), (y, fitted.to(cuda)), (y.to(cuda), fitted.to(cuda))):
        found = probes.linear_probe(hidden["act1"].to(cuda), *given)
        assert all(np.array_equal(found[key], expected[key]) for key in expected)


def test_images_are_flipped_and_cropped_there(images, cuda):
    draws = [torch.Generator().manual_seed(3) for _ in range(2)]
    moved = data.flip_and_crop(images.x_test.to(cuda), draws[0])
    assert moved.is_cuda and torch.equal(moved.cpu(), data.flip_and_crop(images.x_test, draws[1]))


# --- what would fail there fails here ---


class DrawsOfTheCpu(Replay):
    """Lacks the ``.to(loop.device)`` of its draws."""

    def before_epoch(self, loop):
        super().before_epoch(loop)
        if self.stored.draws is not None:
            self.stored.draws = self.stored.draws.cpu()


class MaskOfTheCpu(Method):
    def adjust_gradients(self, loop):
        for w in loop.model.parameters():
            w.grad.masked_fill_(torch.zeros(w.shape, dtype=torch.bool), 0.0)


class Numpy(Method):
    def after_step(self, loop):
        self.seen = next(loop.model.parameters()).detach().numpy()


class NumpyOfAnArray(Method):
    def after_step(self, loop):
        self.seen = np.asarray(loop.loss)


class GeneratorOfTheCpu(Method):
    def augment(self, loop, batch):
        self.noise = torch.rand(3, device=loop.device, generator=torch.Generator().manual_seed(0))
        return batch


class NoiseInPlace(Method):
    def augment(self, loop, batch):
        loop.loss = torch.zeros_like(batch.y, dtype=torch.float32).normal_(
            generator=torch.Generator().manual_seed(0)
        )
        return batch


class PenaltyOfTheCpu(Method):
    def penalty(self, loop, batch, logits):
        return torch.zeros(len(loop.seeds))


class LabelsOfTheCpu(Method):
    def penalty(self, loop, batch, logits):
        return F.cross_entropy(logits.transpose(1, 2), batch.y.cpu(), reduction="none").mean(1)


class GradientOfTheCpu(Method):
    def adjust_gradients(self, loop):
        for w in loop.model.parameters():
            w.grad = torch.zeros(w.shape)


PLANTED = [
    (DrawsOfTheCpu(8), RuntimeError, "same device"),
    (MaskOfTheCpu(), RuntimeError, "same device"),
    (Numpy(), TypeError, "can't convert cuda:0 device type tensor to numpy"),
    (NumpyOfAnArray(), TypeError, "can't convert cuda:0 device type tensor to numpy"),
    (GeneratorOfTheCpu(), RuntimeError, "'cuda' device type for generator but found 'cpu'"),
    (NoiseInPlace(), RuntimeError, "'cuda' device type for generator but found 'cpu'"),
    (PenaltyOfTheCpu(), RuntimeError, "same device"),
    (LabelsOfTheCpu(), RuntimeError, "same device"),
    (GradientOfTheCpu(), RuntimeError, "device"),
]


@pytest.mark.parametrize(
    ("method", "error", "message"), PLANTED, ids=lambda value: type(value).__name__
)
def test_a_planted_error_is_found_there_alone(method, error, message, two, cuda):
    assert trained(method, two, "cpu", small()).done == 2
    with pytest.raises(error, match=message):
        trained(method, two, "cuda", small())


def test_a_run_whose_methods_stayed_behind_is_found(two, cuda, monkeypatch):
    monkeypatch.setattr(Method, "to", lambda self, device: self)
    part = trained(Replay(8), two, "cpu", until=1)
    with pytest.raises(RuntimeError, match="same device"):
        proceed(part, two, device="cuda")


# --- the device itself ---


def test_tensors_say_where_they_are(cuda):
    x = torch.arange(6.0).view(2, 3)
    y = x.to("cuda")
    assert y.is_cuda and y.device == cuda and y[0].is_cuda and y.mT.is_cuda and (y + 1).is_cuda
    assert not x.is_cuda and x.device.type == "cpu" and not y.cpu().is_cuda
    assert y.cpu().numpy()[1, 2] == 5
    assert y.to(x).device == x.device and x.to(y).device == cuda and y.to(torch.float64).is_cuda
    assert y.to(cuda) is y
    assert torch.zeros_like(y).is_cuda and not torch.zeros_like(y, device="cpu").is_cuda
    assert torch.tensor([1.0], device="cuda").is_cuda and torch.as_tensor(x, device="cuda").is_cuda
    y.mul_(2)
    assert x[1, 2] == 5 and y[1, 2].item() == 10 and y.tolist()[0] == [0, 2, 4]


def test_gradients_pass_from_one_device_to_the_other(cuda):
    w = torch.ones(3, requires_grad=True)
    (w.to(cuda) ** 2).sum().backward()
    assert not w.grad.is_cuda and w.grad.tolist() == [2, 2, 2]


def test_what_cuda_takes_from_the_cpu_is_taken(cuda):
    x = torch.arange(6.0).to(cuda)
    assert x[torch.tensor([1, 2])].tolist() == [1, 2] and x[[0, 5]].tolist() == [0, 5]
    assert (x * torch.tensor(2.0))[2] == 4 and torch.where(x > 3, x, torch.tensor(0.0)).sum() == 9
    x[torch.tensor([0])] = 7.0
    x[1:3] = torch.ones(2)
    assert x.tolist() == [7, 1, 1, 3, 4, 5]


@pytest.mark.parametrize(
    "mix",
    [
        lambda x, y: x + y,
        lambda x, y: torch.cat([x, y]),
        lambda x, y: torch.where(y > 0, x, x),
        lambda x, y: x.index_select(0, y.long()),
        lambda x, y: y[x.long()],
        lambda x, y: x.index_put_((x.long(),), y),
        lambda x, y: y.add_(x),
        lambda x, y: y.sum().add_(x.sum()),
        lambda x, y: torch.vmap(lambda a, b: a * b)(x.view(3, 1), y.view(3, 1)),
    ],
)
def test_mixtures_are_refused(mix, cuda):
    x = torch.arange(3.0)
    with pytest.raises(RuntimeError, match="same device"):
        mix(x.to(cuda), x)


def test_the_device_is_gone_afterwards():
    with pretending():
        pass
    if not torch.cuda.is_available():
        with pytest.raises(ValueError, match="device 'cuda' is not there"):
            run_stream(small(), Finetune(), None, device="cuda")
