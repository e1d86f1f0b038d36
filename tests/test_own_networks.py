"""Networks as people bring them: frozen parts, shared layers, heads of every kind."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from conftest import assert_equal_alone, assert_same_run, at, state, train
from torch import nn
from torch.nn import functional as F

from cf_utils import checkpoint
from cf_utils.methods import EWC, OGD, ActivationL1, Finetune, LwF, Moments, Replay
from cf_utils.models import mlp
from cf_utils.replicas import Replicas
from cf_utils.training import TrainConfig, proceed
from cf_utils.vectors import in_part

CONFIG = TrainConfig(epochs=2, batch_size=9, lr=0.02, optimizer="adam", weight_decay=0.1)


class HeadFirst(nn.Module):
    """Declares its head before its body."""

    def __init__(self, bias=True):
        super().__init__()
        self.classifier = nn.Linear(8, 6, bias=bias)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU())

    def forward(self, x):
        return self.classifier(self.body(x))


class TwoHeads(nn.Module):
    """Four outputs of one head and two of another, joined."""

    def __init__(self):
        super().__init__()
        self.second, self.first = nn.Linear(8, 2), nn.Linear(8, 4)
        self.body = nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU())

    def forward(self, x):
        h = self.body(x)
        return torch.cat([self.first(h), self.second(h)], 1)


class Cosine(nn.Module):
    """Scaled cosines as logits."""

    def __init__(self):
        super().__init__()
        self.scale, self.weight = nn.Parameter(torch.tensor(5.0)), nn.Parameter(torch.randn(6, 8))

    def forward(self, h):
        return self.scale * F.linear(F.normalize(h, dim=1), F.normalize(self.weight, dim=1))


def cosine():
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.ReLU(), Cosine())


HEADS = {  # builder -> names of the head's weights and the outputs that each makes
    "declared first": (HeadFirst, {"classifier.weight": (0, 6), "classifier.bias": (0, 6)}),
    "no bias": (lambda: HeadFirst(bias=False), {"classifier.weight": (0, 6)}),
    "two joined": (
        TwoHeads,
        {
            "first.weight": (0, 4),
            "first.bias": (0, 4),
            "second.weight": (4, 6),
            "second.bias": (4, 6),
        },
    ),
    "cosine": (cosine, {"3.weight": (0, 6), "3.scale": None}),
    "mlp": (lambda: mlp((36, 8, 6)), {"fc2.weight": (0, 6), "fc2.bias": (0, 6)}),
}
EVERY = pytest.mark.parametrize("name", HEADS)


@EVERY
def test_the_head_is_what_puts_out_the_logits(name):
    build, expected = HEADS[name]
    model = Replicas(build, [0, 1])
    assert model.find_head(torch.randn(3, 1, 6, 6)) == 6 == model.outputs
    assert {n: made and (made.start, made.stop) for n, made in model.head.items()} == expected


@EVERY
@pytest.mark.parametrize("scenario", ["class", "task"])
def test_warmup_trains_the_new_rows_of_any_head_alone(name, images, scenario):
    from cf_utils import streams

    stream = streams.split(images, [[0, 1], [2, 3], [4, 5]], scenario)
    states = []

    def note(loop):
        if loop.t == 1:
            states.append(state(loop.model))

    build, head = HEADS[name]
    train(
        build,
        LwF(1.0, warmup=1),
        stream,
        CONFIG,
        observers=[at("before_task", note), at("after_epoch", note)],
        until=2,
    )
    before, warm, after = states
    for key in before:
        if not head.get(key):
            assert torch.equal(warm[key], before[key]), key
        else:
            start = head[key][0]
            moved = (
                (warm[key] - before[key]).abs().reshape(3, before[key].shape[1], -1).amax((0, 2))
            )
            expected = [c for c in range(*head[key]) if c in (2, 3)]
            assert torch.nonzero(moved).flatten().tolist() == [c - start for c in expected]
    assert any(not torch.equal(after[key], before[key]) for key in before if key not in head)


@EVERY
def test_head_and_body_are_told_apart(name):
    build, head = HEADS[name]
    model = Replicas(build, [0])
    model.find_head(torch.randn(3, 1, 6, 6))
    sizes = {key: w[0].numel() for key, w in model.weights.items()}
    for part, chosen in (("head", [*head]), ("body", [key for key in sizes if key not in head])):
        expected = torch.cat(
            [torch.full((size,), float(key in chosen)) for key, size in sizes.items()]
        )
        assert torch.equal(in_part(model, part), expected)


@EVERY
def test_every_head_works_in_every_scenario(name, images):
    from cf_utils import streams

    for scenario in streams.SCENARIOS:
        stream = streams.split(images, [[0, 1], [2, 3], [4, 5]], scenario)
        for method in (EWC(1.0, fisher="batched"), OGD(2, part="head"), LwF(1.0)):
            assert train(HEADS[name][0], method, stream, CONFIG).accuracy.isfinite().all()


def test_a_head_that_cannot_be_found_is_named_by_the_caller(stream):
    class Tempered(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.out = mlp((36, 8, 8)), nn.Linear(8, 6)

        def forward(self, x):
            return self.out(self.body(x).relu()) / 3

    with pytest.raises(
        ValueError, match="no layer puts out the logits by itself; name the last one: head="
    ):
        train(Tempered, OGD(1, part="head"), stream, CONFIG)
    with pytest.raises(
        ValueError, match=r"no layer 'classifier' to be the head; there are body, body\.flatten"
    ):
        train(Tempered, Finetune(), stream, CONFIG, head="classifier")
    named = train(Tempered, LwF(1.0, warmup=1), stream, CONFIG, head="out")
    assert [*named.model.head] == ["out.weight", "out.bias"]


@pytest.mark.parametrize("head", [3, nn.Linear(2, 2), [None], {"fc2": 6}])
def test_a_head_that_is_no_name_is_refused(head, stream):
    with pytest.raises(ValueError) as error:
        train(mlp_of_six, Finetune(), stream, CONFIG, head=head)
    named = "give the name of a layer, e.g. 'classifier', or a list of names"
    assert str(error.value) == f"head is a {type(head).__name__}; {named}"


def test_a_run_whose_head_is_named_is_kept_and_goes_on(stream, tmp_path):
    def build():
        return After(lambda y, w: w * y, 2.0)

    arguments = (tmp_path / "run", build, LwF(1.0, warmup=1), stream, CONFIG, [0, 1])
    head = "inner.classifier"
    for until in (2, 3):
        run = checkpoint.kept(*arguments, device="cpu", until=until, head=head)
    assert_same_run(run, train(build, LwF(1.0, warmup=1), stream, CONFIG, [0, 1], head=head))
    with pytest.raises(ValueError, match=r"another head: \['inner.classifier'\], not None"):
        checkpoint.kept(*arguments, device="cpu")


def test_frozen_weights_stay_as_they_are(stream):
    def build():
        network = mlp((36, 10, 8, 6), "batch")
        network.fc1.requires_grad_(False)
        return network

    for config in (
        CONFIG,
        replace(CONFIG, stop_at=0.6),
        replace(CONFIG, optimizer="sgd", momentum=0.9),
    ):
        start = Replicas(build, [0, 1, 2])
        for method in (Finetune(), LwF(1.0), EWC(1.0)):
            run = train(build, method, stream, config)
            assert not run.model.weights["fc1.weight"].requires_grad
            assert torch.equal(run.model.weights["fc1.weight"], start.weights["fc1.weight"])
            assert not torch.equal(run.model.weights["fc2.weight"], start.weights["fc2.weight"])


class Twice(nn.Module):
    """One ReLU, in place, used twice."""

    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(36, 8), nn.Linear(8, 8), nn.Linear(8, 6)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x):
        return self.fc3(self.act(self.fc2(self.act(self.fc1(x.flatten(1))))))


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_a_relu_used_twice_is_recorded_twice_and_works_not_in_place(seeds):
    model, x = Replicas(Twice, seeds), torch.randn(5, 1, 6, 6)
    assert [*model.activations(model.share(x), model.relus)[1]] == ["act", "act:2"]
    assert [*model.activations(model.share(x), ["act:2"])[1]] == ["act:2"]
    _, seen = model.activations(model.share(x), ["fc1", "act", "fc2"])
    assert [*seen] == ["fc1", "act", "fc2", "act:2"]
    for r in range(len(seeds)):
        w = {name: value[r] for name, value in model.weights.items()}
        first = F.linear(x.flatten(1), w["fc1.weight"], w["fc1.bias"])
        second = F.linear(first.relu(), w["fc2.weight"], w["fc2.bias"])
        for name, value in {
            "fc1": first,
            "act": first.relu(),
            "fc2": second,
            "act:2": second.relu(),
        }.items():
            torch.testing.assert_close(seen[name][r], value)
    assert not model.replica(0).act.inplace


class Counting(nn.Module):
    """Puts another tensor in the place of its buffer at each step."""

    def __init__(self):
        super().__init__()
        self.fc = nn.Linear(36, 6)
        self.register_buffer("mean", torch.zeros(6))

    def forward(self, x):
        out = self.fc(x.flatten(1))
        if self.training:
            self.mean = 0.9 * self.mean + 0.1 * out.detach().mean(0)
        return out - self.mean


@pytest.mark.parametrize("stop_at", [None, 0.6])
def test_buffers_that_are_assigned_are_kept(stream, stop_at):
    config = replace(CONFIG, stop_at=stop_at)
    double = lambda: Counting().double()  # noqa: E731
    run = train(double, Finetune(), stream, config)
    assert (run.model.statistics["mean"].abs().sum(1) > 0).all()
    for r, seed in enumerate(run.seeds):
        assert_equal_alone(run, train(double, Finetune(), stream, config, [seed]), r)


def test_tied_weights_stay_tied_and_hidden_buffers_come_along():
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second = nn.Linear(6, 6, bias=False), nn.Linear(6, 6, bias=False)
            self.second.weight = self.first.weight
            self.register_buffer("shift", torch.randn(6), persistent=False)

        def forward(self, x):
            return self.second(self.first(x)) + self.shift

    model, x = Replicas(Tied, [0, 1]), torch.randn(3, 6)
    for r in range(2):
        network = model.replica(r)
        assert network.first.weight is network.second.weight
        torch.testing.assert_close(network(x), model.on(x)[r])


def test_recurrent_networks_run_one_after_the_other(stream):
    class Recurrent(nn.Module):
        def __init__(self):
            super().__init__()
            self.lstm, self.out = nn.LSTM(6, 5, batch_first=True), nn.Linear(5, 6)

        def forward(self, x):
            return self.out(self.lstm(x.squeeze(1))[0][:, -1])

    double = lambda: Recurrent().double()  # noqa: E731
    run = train(double, Finetune(), stream, CONFIG)
    assert_equal_alone(run, train(double, Finetune(), stream, CONFIG, [1]), 1)


class Returns(nn.Module):
    def __init__(self, what):
        super().__init__()
        self.fc, self.what = nn.Linear(36, 6), what

    def forward(self, x):
        return self.what(self.fc(x.flatten(1)))


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
@pytest.mark.parametrize(
    ("what", "said"),
    [
        (
            lambda y: (y, y),
            "the network puts out a tuple; it has to put out logits [batch, outputs]",
        ),
        (
            lambda y: {"logits": y},
            "the network puts out a dict; it has to put out logits [batch, outputs]",
        ),
        (
            lambda y: y[:, :1].squeeze(1),
            "the network puts out [2] for 2 images; it has to put out logits",
        ),
        (lambda y: y.unsqueeze(1).expand(-1, 3, -1), "the network puts out [2, 3, 6] for 2 images"),
        (
            lambda y: (100 * y).long(),
            "the network puts out int64 numbers; logits are floating-point, e.g. float32",
        ),
        (lambda y: F.one_hot(y.argmax(1), 6), "the network puts out int64 numbers; logits are"),
        (lambda y: y > 0, "the network puts out bool numbers; logits are floating-point"),
        (lambda y: y + 0j, "the network puts out complex64 numbers; logits are floating-point"),
        (lambda y: y.argmax(1), "the network puts out [2] for 2 images"),
        (
            lambda y: y.detach(),
            "no gradient leads from the logits to a weight that trains, so that there is nothing "
            "to train; detach() and argmax, say, cut it off",
        ),
        (lambda y: F.one_hot(y.argmax(1), 6).float(), "no gradient leads from the logits to a"),
    ],
)
def test_networks_that_put_out_something_else_are_refused(stream, seeds, what, said):
    with pytest.raises(ValueError) as error:
        train(lambda: Returns(what), Finetune(), stream, CONFIG, seeds)
    assert said in str(error.value) and "\n" not in str(error.value)


class Needing(nn.Linear):
    """Can't be built without arguments."""

    def __init__(self, width, *layers, classes, depth=2, **options):
        super().__init__(width, classes)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            {"build": mlp((36, 8, 6))},
            "give what builds a network, e.g. models.mlp or lambda: Net(10), not a built",
        ),
        ({"build": "mlp"}, "give what builds a network"),
        ({"build": dict}, "the builder returned a dict; it has to build a torch.nn.Module"),
        ({"seeds": [0, 0]}, "seeds=[0, 0] repeat one, whose runs would be the same"),
        (
            {"seeds": [0.1, 0.5]},
            "seeds=[0.1, 0.5] is not possible; give one seed for each replica, a whole number",
        ),
        ({"seeds": [True]}, "is not possible"),
        ({"seeds": [-1]}, "is not possible"),
        ({"observers": Moments()}, "is no list; give e.g. [observers.Curves(100)]"),
        (
            {"build": Needing},
            "the builder needs width, classes, but is called without arguments; "
            "give lambda: Needing(width=..., classes=...)",
        ),
        (
            {"build": lambda width, depth=2: mlp((36, width, 6))},
            "the builder needs width, but is called without arguments; give lambda: Net(width=...)",
        ),
        ({"build": partial(nn.Linear, 36)}, "the builder needs out_features, but is called"),
        ({"build": nn.Linear}, "give lambda: Linear(in_features=..., out_features=...)"),
        (
            {"build": lambda: nn.Sequential(nn.Flatten(), nn.LazyLinear(6))},
            "layer '1' (LazyLinear) does not know its size yet; give it one, or run the network "
            "once in its builder",
        ),
        (
            {"build": lambda: nn.Sequential(nn.Flatten(), nn.LazyBatchNorm1d(), nn.Linear(36, 6))},
            "layer '1' (LazyBatchNorm1d) does not know its size yet",
        ),
        (
            {"build": lambda: mlp((36, int(torch.randint(99, (1,))), 6))},
            "the builder returns networks of different shapes for different seeds",
        ),
        (
            {"method": ActivationL1(1.0), "build": lambda: mlp((36, 6))},
            "ActivationL1 looks at what ReLUs put out",
        ),
        (
            {"config": replace(CONFIG, batch_size=1), "build": lambda: mlp((36, 8, 6), "batch")},
            "batch_size=1 is not possible with batch-norm",
        ),
    ],
)
def test_what_does_not_fit_is_said_in_one_sentence(stream, change, said):
    arguments = {
        "build": lambda: mlp((36, 8, 6)),
        "method": Finetune(),
        "config": CONFIG,
        "seeds": [0, 1],
    } | change
    with pytest.raises(ValueError) as error:
        train(stream=stream, **arguments)
    assert said in str(error.value) and "\n" not in str(error.value)


def test_lazy_layers_that_have_run_are_layers_like_any(stream):
    def build():
        network = nn.Sequential(nn.Flatten(), nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(6))
        network(torch.zeros(2, 1, 6, 6))
        return network

    assert [*train(build, EWC(1.0), stream, CONFIG).model.head] == ["3.weight", "3.bias"]


def normed(linear):
    """Batch-norm of units, or of the pixels of a convolution."""
    body = [nn.Flatten(), nn.Linear(36, 48), nn.BatchNorm1d(48)]
    image = [nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.Flatten()]
    return nn.Sequential(*(body if linear else image), nn.Linear(48, 6))


def with_one_sample_in(images, t):
    """A stream of three tasks, of which one has one training sample."""
    groups = [[0, 1], [2, 3], [4, 5]]
    kept = ~torch.isin(images.y_train, torch.tensor(groups[t]))
    kept[torch.nonzero(images.y_train == groups[t][0])[0]] = True
    one = replace(images, x_train=images.x_train[kept], y_train=images.y_train[kept])
    from cf_utils import streams

    return streams.split(one, groups)


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
@pytest.mark.parametrize("build", [lambda: mlp((36, 8, 6), "batch"), lambda: normed(linear=True)])
@pytest.mark.parametrize("t", [0, 1])
def test_batch_norm_refuses_a_task_of_one_sample_in_a_sentence(images, build, seeds, t):
    with pytest.raises(ValueError) as error:
        train(build, Finetune(), with_one_sample_in(images, t), CONFIG, seeds)
    assert str(error.value) == (
        f"task {t + 1} gives a batch of a single sample, on which batch-norm cannot train; "
        "it needs two samples or more"
    )


def test_one_sample_trains_where_it_can(images):
    stream = with_one_sample_in(images, 1)
    for build, method in (
        (mlp_of_six, Finetune()),
        (lambda: normed(linear=False), Finetune()),  # an image has pixels enough
        (lambda: normed(linear=True), Replay(20)),  # which adds stored samples
    ):
        assert train(build, method, stream, CONFIG).accuracy.isfinite().all()


@pytest.mark.parametrize(
    "seeds",
    [
        (seed for seed in (0, 1)),
        range(2),
        torch.arange(2),
        np.arange(2),
        [*torch.arange(2)],
        (0, 1),
    ],
)
def test_seeds_may_come_in_any_series(seeds):
    assert Replicas(lambda: mlp((4, 2)), seeds).seeds == [0, 1]


@pytest.mark.parametrize("seeds", [None, 3, "01", np.array(3), torch.tensor(3), {0, 1}, {0: 1}])
def test_no_series_of_seeds_is_refused(seeds):
    with pytest.raises(ValueError, match="is not possible; give one seed for each replica"):
        Replicas(lambda: mlp((4, 2)), seeds)


@pytest.mark.parametrize("seed", [2**70, 2**64, -1, -(2**70), None, "1"])
def test_seeds_that_torch_does_not_take_are_refused_with_those_that_it_does(seed):
    with pytest.raises(ValueError) as error:
        Replicas(lambda: mlp((4, 2)), [0, seed])
    assert str(error.value) == (
        f"seeds=[0, {seed!r}] is not possible; give one seed for each replica, "
        "a whole number from 0 to 2**64 - 1, e.g. range(10)"
    )
    assert Replicas(lambda: mlp((4, 2)), [0, 2**64 - 1]).seeds == [0, 2**64 - 1]


def test_images_in_place_of_a_stream_are_refused(images, stream):
    for call in (
        lambda: train(mlp_of_six, Finetune(), images, CONFIG),
        lambda: proceed(train(mlp_of_six, Finetune(), stream, CONFIG, until=1), images),
    ):
        with pytest.raises(ValueError, match="stream is of type Images; give a Stream"):
            call()


class After(nn.Module):
    """A network, and what a weight of the module around it does to its logits."""

    def __init__(self, change, value, build=HeadFirst):
        super().__init__()
        self.inner, self.change, self.w = build(), change, nn.Parameter(torch.tensor(value))

    def forward(self, x):
        return self.change(self.inner(x), self.w)


class Layer(After):
    """Such a weight in a layer of its own."""

    def __init__(self, change, value):
        super().__init__(change, value, nn.Identity)


class Within(nn.Module):
    """Hands on what the network in it puts out."""

    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network(x)


CHANGES = {  # what comes after the head, and the weight's value, with which it may do nothing
    "scaled": (lambda y, w: w * y, 2.0),
    "scaled by 1": (lambda y, w: w * y, 1.0),
    "temperature of 1": (lambda y, w: y / w, 1.0),
    "in place": (lambda y, w: y.mul_(w), 1.0),
    "each scaled": (lambda y, w: w * y, [1.0] * 6),
    "bias of 0": (lambda y, w: y + w, [0.0] * 6),
    "gate of 0": (lambda y, w: y + w * y.flip(1), 0.0),
}
AROUND = {
    "module": lambda change, value: After(change, value),
    "deeper": lambda change, value: Within(After(change, value)),
    "deeper still": lambda *given: Within(Within(After(*given, lambda: Within(HeadFirst())))),
    "layer": lambda *given: nn.Sequential(HeadFirst(), Layer(*given)),
    "layer, deeper": lambda *given: Within(nn.Sequential(HeadFirst(), Within(Layer(*given)))),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("around", AROUND)
def test_what_changes_the_logits_after_the_head_is_not_taken_for_it(change, around):
    def build():
        return AROUND[around](*CHANGES[change])

    model = Replicas(build, [0, 1])
    model.find_head(torch.randn(3, 1, 6, 6))
    with pytest.raises(ValueError, match="no layer puts out the logits by itself; name the last"):
        _ = model.head
    (last,) = (n for n, _ in build().named_modules() if n.endswith("classifier"))
    named = Replicas(build, [0, 1], head=last)
    named.find_head(torch.randn(3, 1, 6, 6))
    assert named.head == {f"{last}.weight": slice(0, 6), f"{last}.bias": slice(0, 6)}


class Tokens(nn.Module):
    """Weights of its own before the body, as a vision transformer has; the head may start at 0."""

    def __init__(self, start=None):
        super().__init__()
        self.place, self.inner = nn.Parameter(torch.randn(1, 1, 6, 6)), HeadFirst()
        if start is not None:
            nn.init.constant_(self.inner.classifier.weight, start)

    def forward(self, x):
        return self.inner(x + self.place)


@pytest.mark.parametrize(
    "build", [Tokens, lambda: Tokens(0.0), lambda: Within(Within(Within(HeadFirst())))]
)
def test_a_head_is_found_in_a_network_with_weights_before_it_and_however_deep(build):
    model = Replicas(build, [0, 1])
    before = state(model)
    model.find_head(torch.randn(3, 1, 6, 6))
    assert [name.rpartition("classifier.")[2] for name in model.head] == ["weight", "bias"]
    assert all(torch.equal(value, before[name]) for name, value in state(model).items())


@pytest.mark.parametrize("bias", [True, False])
def test_a_head_with_a_parametrized_weight_is_found(bias):
    def build():
        network = HeadFirst(bias)
        nn.utils.parametrizations.weight_norm(network.classifier)
        return network

    model = Replicas(build, [0, 1])
    model.find_head(torch.randn(3, 1, 6, 6))
    assert [*model.head.values()] == [slice(0, 6)] * (2 + bias)


def test_a_head_whose_weight_has_columns_for_the_outputs_is_refused(stream):
    class Columns(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.randn(36, 6)), nn.Parameter(torch.zeros(6))

        def forward(self, x):
            return x.flatten(1) @ self.weight + self.bias

    train(Columns, Finetune(), stream, CONFIG)
    for head in (None, "network"):
        with pytest.raises(ValueError) as error:
            train(lambda: Within(Columns()), LwF(1.0, warmup=1), stream, CONFIG, head=head)
        assert str(error.value) == (
            "head='network' has no weight [6, ...] with a row for each output; "
            "name the layer that has"
        )


class OddNames(nn.Module):
    """Names of its own that Replicas have, too."""

    def __init__(self):
        super().__init__()
        self.weights, self.seeds = nn.Parameter(torch.ones(6, 36)), nn.Parameter(torch.zeros(6))
        self.register_buffer("head", torch.ones(1))

    def forward(self, x):
        return F.linear(x.flatten(1), self.weights * self.head, self.seeds)


def test_parameters_may_have_any_name(stream):
    run = train(OddNames, Finetune(), stream, config=CONFIG)
    assert list(run.model.weights) == ["weights", "seeds"]
    assert list(run.model.statistics) == ["head"]
    assert list(run.model.replica(0).state_dict()) == ["weights", "seeds", "head"]


class Overwriting(nn.Module):
    """Writes into what a layer has put out, as torchvision's BasicBlock does."""

    def __init__(self):
        super().__init__()
        self.body, self.last = nn.Sequential(nn.Flatten(), nn.Linear(36, 8)), nn.Linear(8, 6)

    def forward(self, x):
        out = self.body(x)
        out += 1
        return self.last(out.relu_())


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_what_a_layer_puts_out_is_recorded_before_it_is_overwritten(seeds):
    model, x = Replicas(Overwriting, seeds), torch.randn(len(seeds), 3, 1, 6, 6)
    logits, tape = model.activations(x, ["body.1"])
    network = model.replica(0)
    torch.testing.assert_close(tape["body.1"][0], network.body(x[0]))
    torch.testing.assert_close(logits[0], network(x[0]))


class Cell(nn.Module):
    """A cell that vmap has no rule for."""

    def __init__(self):
        super().__init__()
        self.cell, self.last = nn.LSTMCell(36, 8), nn.Linear(8, 6)

    def forward(self, x):
        return self.last(self.cell(x.flatten(1))[0])


class Asking(HeadFirst):
    """Asks for a value, which vmap refuses."""

    def forward(self, x):
        out = super().forward(x)
        return out if out.sum().item() < 1e9 else -out


@pytest.mark.parametrize("build", [Cell, Asking])
def test_networks_that_vmap_refuses_run_one_after_the_other(build, stream):
    assert train(build, Finetune(), stream, config=CONFIG).accuracy.isfinite().all()


def test_a_network_that_is_all_frozen_is_refused(stream):
    with pytest.raises(ValueError, match="every weight of the network is frozen"):
        train(lambda: HeadFirst().requires_grad_(False), Finetune(), stream, config=CONFIG)


class Listing(Finetune):
    """Has a list that tells no replica from another."""

    name = None

    def __init__(self):
        self.steps = [1, 2, 3]


@pytest.mark.parametrize("method", [Listing(), EWC([1.0, 1.0])])
def test_repeated_seeds_are_refused_unless_replicas_are_set_apart(method, stream):
    with pytest.raises(ValueError, match="repeat one"):
        train(mlp_of_six, method, stream, seeds=[0, 0], config=CONFIG)
    train(mlp_of_six, EWC([1.0, 2.0]), stream, seeds=[0, 0], config=CONFIG)


def mlp_of_six():
    return mlp((36, 8, 6))


def test_a_config_of_another_kind_is_refused(stream):
    with pytest.raises(ValueError, match="is no TrainConfig"):
        train(mlp_of_six, Finetune(), stream, config={"epochs": 1})
