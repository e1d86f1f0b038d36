import os
from contextlib import suppress
from dataclasses import replace

import pytest
import torch
from conftest import (
    MOMENTS,
    Told,
    assert_equal_alone,
    assert_same,
    at,
    double,
    make_images,
    small,
    state,
    train,
)
from torch import nn
from torch.nn import functional as F

from cf_utils import metrics, streams
from cf_utils.methods import METHODS, ActivationL1, Finetune, Method, Replay
from cf_utils.models import lenet5
from cf_utils.randomness import generator
from cf_utils.replicas import Replicas
from cf_utils.training import (
    OPTIMIZERS,
    PRECISIONS,
    Diverged,
    TrainConfig,
    accuracy_on,
    activations,
    mask_logits,
    predict,
    run_stream,
    start_from,
    task_accuracies,
)


# 26 images a task at 5 a batch: six batches, the last of one image, which is left out.
# A bias before batch-norm has no gradient but rounding noise, which adamw magnifies and adam's
# decay drowns.
def config(**changes):
    return TrainConfig(
        **({"epochs": 2, "batch_size": 5, "lr": 0.01, "optimizer": "adam"} | changes)
    )


CONFIG = config()


# --- replicas are as good as separate runs ---


@pytest.mark.parametrize(
    ("norm", "method", "settings"),
    [
        (None, Finetune(), {"optimizer": "sgd", "momentum": 0.9}),
        (None, Replay(8), {"optimizer": "adagrad", "lr": 0.05}),
        ("batch", Finetune(), {"optimizer": "adam"}),
        ("batch", Replay(8), {"optimizer": "adam", "fresh_optimizer": True}),
        ("layer", Finetune(), {"optimizer": "adamw"}),
        ("layer", Replay(8), {"optimizer": "sgd"}),
        (None, Finetune(), {"stop_at": 0.6, "optimizer": "adamw"}),
        ("batch", Replay(8), {"stop_at": 0.6, "optimizer": "sgd", "momentum": 0.9}),
        ("batch", Finetune(), {"stop_at": 0.6, "optimizer": "adam"}),
        ("layer", Replay(8), {"stop_at": 0.6, "optimizer": "adagrad", "lr": 0.05}),
    ],
)
def test_replicas_equal_separate_runs(stream, norm, method, settings):
    settings = config(epochs=4, **settings)
    run = train(double(norm), method, stream, settings)
    if settings.stop_at:
        # Or stopping apart is not tested.
        assert any(len(set(task)) > 1 for task in run.epochs.T.tolist())
    for r, seed in enumerate(run.seeds):
        assert_equal_alone(run, train(double(norm), method, stream, settings, [seed]), r)


@pytest.mark.parametrize("stop_at", [None, 0.5])
def test_convolutional_replicas_equal_separate_runs(stop_at):
    stream = streams.split(make_images(classes=4, size=12), [[0, 1], [2, 3]])
    settings = config(stop_at=stop_at, epochs=3)

    def build():
        return lenet5(4, size=12, norm="batch").double()

    run = train(build, Finetune(), stream, settings)
    for r, seed in enumerate(run.seeds):
        assert_equal_alone(run, train(build, Finetune(), stream, settings, [seed]), r)


@pytest.mark.parametrize("stop_at", [None, 0.6])
def test_a_replica_does_not_depend_on_its_neighbours(stream, stop_at):
    settings = config(epochs=3, stop_at=stop_at)
    few = train(double("batch"), Replay(8), stream, settings, [4, 2])
    many = train(double("batch"), Replay(8), stream, settings, [9, 2, 7, 4])
    for i, j in ((0, 3), (1, 1)):
        assert_same(
            {k: v[i] for k, v in state(few.model).items()},
            {k: v[j] for k, v in state(many.model).items()},
            1e-8,
        )
        assert few.epochs[i].tolist() == many.epochs[j].tolist()


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_stopped_replica_is_not_touched(stream, optimizer):
    frozen, compared = {}, []

    def watch(loop, moment):
        for r in torch.nonzero(~loop.active).flatten().tolist():
            now = {name: value[r] for name, value in state(loop.model).items()}
            for i, leaf in enumerate(loop.leaves[r]):
                moments = loop.optimizer.state[leaf].items()
                now |= {
                    f"{name} {i}": value.clone()
                    for name, value in moments
                    if isinstance(value, torch.Tensor)
                }
            assert_same(now, frozen.setdefault((loop.t, r), now))
            compared.append(moment)

    settings = config(
        epochs=8,
        stop_at=0.6,
        optimizer=optimizer,
        lr=0.02,
        weight_decay=0.1,
        momentum=0.9 * (optimizer == "sgd"),
    )
    run = train(small("batch"), Finetune(), stream, settings, range(5), observers=[Told(watch)])
    assert compared.count("after_step") > 10
    assert run.epochs.min() < run.epochs.max()


def test_a_stopped_replica_trains_on_the_next_task(stream):
    run = train(small(), Finetune(), stream, config(epochs=6, stop_at=0.4, lr=0.02))
    assert run.epochs.min() >= 1 and (run.epochs.sum(1) < 6 * len(stream)).all()


def test_stopping_is_counted_by_the_accuracy_of_the_epoch(stream):
    run = train(small(), Finetune(), stream, config(epochs=8, stop_at=0.6, lr=0.02))
    for row in run.history:
        for r in range(3):
            count = int(run.epochs[r, row["task"]])
            if row["epoch"] >= count:
                assert row["accuracy"][r].isnan() and row["loss"][r].isnan()
            else:
                assert (row["accuracy"][r] > 0.6) == (row["epoch"] == count - 1) or count == 8


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_a_threshold_that_is_never_reached_changes_nothing(stream, optimizer):
    runs = [
        train(
            double("layer"),
            Finetune(),
            stream,
            config(optimizer=optimizer, momentum=0.9 * (optimizer == "sgd"), stop_at=stop),
        )
        for stop in (None, 1.0)
    ]
    assert_same(state(runs[0].model), state(runs[1].model), 1e-10)


# --- the loop does what a plain loop does ---


def plain_loop(build, stream, settings, seed, make_optimizer):
    """One network on a split stream in plain torch; returns its state and its test accuracies."""
    torch.manual_seed(seed)
    network, mean, std = build(), stream.images.mean, stream.images.std
    optimizer, accuracy = make_optimizer(network.parameters()), []

    def logits(task, x):
        outputs = network(((x.float() - mean.view(1, -1, 1, 1)) / std.view(1, -1, 1, 1)).double())
        return outputs[:, list(task.labels)] if stream.scenario == "task" else outputs

    def targets(task, y):
        return y - min(task.labels) if stream.scenario == "task" else y

    for t, task in enumerate(stream.tasks):
        if settings.fresh_optimizer:
            optimizer = make_optimizer(network.parameters())
        network.train()
        for epoch in range(settings.epochs):
            order = torch.randperm(
                len(task.y_train), generator=generator(seed, f"order {epoch}", t)
            )
            for index in order.split(settings.batch_size):
                if len(index) > 1:
                    optimizer.zero_grad()
                    F.cross_entropy(
                        logits(task, task.x_train[index]), targets(task, task.y_train[index])
                    ).backward()
                    optimizer.step()
        network.eval()
        hits = [
            logits(task, task.x_test).argmax(1) == targets(task, task.y_test)
            for task in stream.tasks
        ]
        accuracy.append([float(h.double().mean()) for h in hits])
    return network.state_dict(), accuracy


@pytest.mark.parametrize("scenario", ["class", "task"])
@pytest.mark.parametrize(
    ("norm", "settings", "make"),
    [
        (
            "batch",
            {"optimizer": "sgd", "momentum": 0.9},
            lambda p: torch.optim.SGD(p, 0.01, momentum=0.9, weight_decay=0.1),
        ),
        ("batch", {"optimizer": "adam"}, lambda p: torch.optim.Adam(p, 0.01, weight_decay=0.1)),
        (
            "layer",
            {"optimizer": "adamw", "fresh_optimizer": True},
            lambda p: torch.optim.AdamW(p, 0.01, weight_decay=0.1),
        ),
        (None, {"optimizer": "adagrad"}, lambda p: torch.optim.Adagrad(p, 0.01, weight_decay=0.1)),
    ],
)
def test_a_replica_equals_a_plain_loop(images, scenario, norm, settings, make):
    stream = streams.split(images, [[0, 1], [2, 3], [4, 5]], scenario)
    settings = config(weight_decay=0.1, **settings)
    run = train(double(norm), Finetune(), stream, settings, [7, 8])
    expected, accuracy = plain_loop(double(norm), stream, settings, 7, make)
    assert_same({k: v[0] for k, v in state(run.model).items()}, expected, 1e-10)
    assert run.accuracy[0, 1:].tolist() == accuracy


def test_history_is_the_mean_over_the_epochs_images(stream):
    settings = config(epochs=1, lr=0.0, weight_decay=0.0, batch_size=7)  # 7 + 7 + 7 + 5: all 26
    run = train(double(), Finetune(), stream, settings)
    for row, task in zip(run.history, stream.tasks, strict=True):
        logits = predict(run.model, stream.images, task.x_train)
        for r in range(3):
            assert float(row["loss"][r]) == pytest.approx(
                float(F.cross_entropy(logits[r], task.y_train))
            )
            hits = (logits[r].argmax(1) == task.y_train).double().mean()
            assert float(row["accuracy"][r]) == pytest.approx(float(hits))


@pytest.mark.parametrize(
    ("batch_size", "steps"), [(1, 26), (5, 5), (13, 2), (24, 2), (25, 1), (26, 1), (99, 1)]
)
def test_only_a_last_batch_of_one_image_is_left_out(stream, batch_size, steps):
    taken = []
    watching = [
        at("before_epoch", lambda loop: taken.append(loop.steps)),
        at("after_epoch", lambda loop: taken.append(loop.step)),
    ]
    train(
        small(),
        Finetune(),
        stream,
        config(epochs=1, batch_size=batch_size),
        [0],
        observers=watching,
    )
    assert taken == [steps] * 6


# --- what a run may depend on and may change ---


def test_the_same_call_gives_the_same_bits(stream):
    runs = []
    for seed in (1, 2):  # of the global generator: it does not matter
        torch.manual_seed(seed)
        runs.append(train(small("batch", dropout=0.3), Replay(8), stream, CONFIG))
    assert_same(state(runs[0].model), state(runs[1].model))
    assert torch.equal(runs[0].accuracy, runs[1].accuracy)


@pytest.mark.parametrize(
    "settings", [CONFIG, config(optimizer="sgd", lr=1e30)], ids=["well", "diverged"]
)
def test_global_generator_and_threads_are_restored(monkeypatch, stream, settings):
    monkeypatch.delenv("CF_THREADS", raising=False)
    inside = []
    torch.set_num_threads(2)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    try:
        with suppress(Diverged):
            watch = at("after_step", lambda loop: inside.append(torch.get_num_threads()))
            train(small(dropout=0.3), Finetune(), stream, settings, observers=[watch])
        assert set(inside) == {1} and torch.get_num_threads() == 2
        assert torch.equal(torch.get_rng_state(), before)
    finally:
        torch.set_num_threads(1)


def test_threads_come_from_the_environment_first(monkeypatch, stream):
    inside = []
    monkeypatch.setitem(os.environ, "CF_THREADS", "2")
    watch = at("before_task", lambda loop: inside.append(torch.get_num_threads()))
    train(small(), Finetune(), stream, config(threads=1, epochs=0), [0], observers=[watch])
    assert set(inside) == {2}


def test_arguments_are_not_changed(stream):
    method, model = Replay(8), Replicas(small("batch"), [0, 1])
    before = state(model)
    run = start_from(model, method, stream, CONFIG, device="cpu")
    assert_same(state(model), before)
    assert len(method.stored) == 0 < len(run.methods[0].stored)
    assert run.seeds == [0, 1]


def test_a_trained_model_trains_on(stream):
    first = train(small(), Finetune(), stream, CONFIG)
    second = start_from(first.model, ActivationL1(1.0), stream, CONFIG, "cpu")
    assert torch.equal(second.accuracy[:, 0], first.accuracy[:, -1])
    assert not torch.equal(second.model.weights["fc1.weight"], first.model.weights["fc1.weight"])


def test_a_fresh_optimizer_has_no_moments(stream):
    sizes, runs = {}, []
    for fresh in (False, True):
        seen = sizes.setdefault(fresh, [])
        watch = at("before_task", lambda loop: seen.append(len(loop.optimizer.state)))
        settings = config(optimizer="adam", fresh_optimizer=fresh)
        runs.append(train(small(), Finetune(), stream, settings, observers=[watch]))
    assert sizes == {False: [0, 6, 6], True: [0, 0, 0]}
    assert torch.equal(runs[0].accuracy[:, 1], runs[1].accuracy[:, 1])
    assert not torch.equal(runs[0].model.weights["fc1.weight"], runs[1].model.weights["fc1.weight"])


@pytest.mark.parametrize("evaluate", ["test", "val"])
def test_accuracies_are_measured_on_the_images_asked_for(stream, evaluate):
    run = train(small(), Finetune(), stream, CONFIG, evaluate=evaluate)
    for j, task in enumerate(stream.tasks):
        x, y = getattr(task, f"x_{evaluate}"), getattr(task, f"y_{evaluate}")
        hits = predict(run.model, stream.images, x).argmax(2) == y
        assert run.accuracy[:, -1, j].tolist() == hits.double().mean(1).tolist()


def test_prediction_does_not_depend_on_chunks(stream, images):
    model = Replicas(double("batch"), [0, 1])
    whole, hidden = activations(model, images, images.x_test)
    parts, pieces = activations(model, images, images.x_test, chunk=5)
    assert_same(pieces | {"logits": parts}, hidden | {"logits": whole}, 1e-12)
    assert model.training


# --- moments, observers and methods ---


def test_moments_come_in_order(images):
    moments, stream = [], streams.split(images, [[0, 1], [2, 3]])
    watch = Told(lambda loop, moment: moments.append(moment))
    train(small(), Finetune(), stream, config(batch_size=13), [0], observers=[watch])
    epoch = ["before_epoch", "after_step", "after_step", "after_epoch"]
    assert moments == ["before_task", *epoch, *epoch, "after_task"] * 2


def test_observers_come_after_methods(stream):
    order = []

    class Note(Method):
        def before_task(self, loop):
            order.append("method")

    train(
        small(),
        Note(),
        stream,
        CONFIG,
        [0],
        observers=[at("before_task", lambda loop: order.append("observer"))],
    )
    assert order == ["method", "observer"] * 3


def test_methods_and_observers_share_the_moments():
    assert MOMENTS == ["before_task", "before_epoch", "after_step", "after_epoch", "after_task"]
    assert all(getattr(Method, moment) is getattr(Method.__base__, moment) for moment in MOMENTS)


def test_what_is_no_observer_is_refused(stream):
    with pytest.raises(ValueError, match=r"is no observer; give e.g. observers.Curves\(100\)"):
        train(small(), Finetune(), stream, CONFIG, [0], observers=[print])


@pytest.mark.parametrize("stop_at", [None, 1.0])
def test_a_method_divides_and_decays_the_learning_rate(stream, stop_at):
    rates, weights, moved = [], [], []

    class Schedule(Method):
        def before_epoch(self, loop):
            loop.set_lr((0.01 if loop.t else 0.1) * 0.5 ** (loop.epoch // 2))

    def watch(loop, moment):
        weight = loop.model.weights["fc1.weight"].detach()
        if moment == "after_step":
            (rate,) = {group["lr"] for group in loop.optimizer.param_groups}
            rates.append(rate)
            gradient = loop.model.weights["fc1.weight"].grad
            moved.append(torch.allclose(weight, weights[-1] - rate * gradient, rtol=0, atol=1e-12))
        weights.append(weight.clone())

    settings = config(epochs=4, batch_size=26, optimizer="sgd", weight_decay=0.0, stop_at=stop_at)
    train(double(), Schedule(), stream, settings, observers=[Told(watch)])
    assert rates == [0.1, 0.1, 0.05, 0.05] + [0.01, 0.01, 0.005, 0.005] * 2
    assert all(moved)


class Thaw(Method):
    """On later tasks the first layer is frozen for two epochs."""

    def before_epoch(self, loop):
        for name, weight in loop.model.weights.items():
            weight.requires_grad_(not (loop.t and loop.epoch < 2 and name.startswith("fc1")))


@pytest.mark.parametrize("stop_at", [None, 1.0])
def test_a_method_freezes_and_thaws_layers(stream, stop_at):
    before, moved = {}, []

    def compare(loop):
        now = state(loop.model)
        moved.append(
            [not torch.equal(now[name], before[name]) for name in ("fc1.weight", "fc2.weight")]
        )

    watching = [
        at("before_epoch", lambda loop: before.update(state(loop.model))),
        at("after_epoch", compare),
    ]
    train(small(), Thaw(), stream, config(epochs=3, stop_at=stop_at), observers=watching)
    assert moved == [[True, True]] * 3 + [[False, True], [False, True], [True, True]] * 2


class Rehearse(Method):
    """Before each epoch a pass over images of the first task, held once or for each replica."""

    def __init__(self, own):
        self.own, self.x = own, None

    def before_epoch(self, loop):
        if self.x is not None:
            self.passed = loop.train_epoch(self.x, self.y, purpose="rehearsal")

    def after_task(self, loop):
        if loop.t == 0:
            self.x, self.y = loop.task.x_train[:12], loop.task.y_train[:12]
            if self.own:
                self.x, self.y = (
                    torch.stack([value] * len(loop.seeds)) for value in (self.x, self.y)
                )


def test_a_method_runs_a_pass_of_its_own(stream):
    seen, epochs = [], []
    watch = at("after_step", lambda loop: seen.append((loop.t, loop.epoch, loop.epoch_step)))
    watching = [watch, at("before_epoch", lambda loop: epochs.append(loop.steps))]
    run = train(small(), Rehearse(own=False), stream, CONFIG, observers=watching)
    # 12 at 5 a batch.
    own = [[(t, e, s) for s in range(3 if t else 0)] for t in range(3) for e in range(2)]
    main = [[(t, e, s) for s in range(5)] for t in range(3) for e in range(2)]
    assert seen == [
        step for pair in zip(own, main, strict=True) for steps in pair for step in steps
    ]
    assert len(epochs) == 6
    assert all(value.shape == (3,) for value in run.methods[0].passed)


def test_a_pass_of_its_own_rehearses(stream):
    settings = config(epochs=8)
    plain, rehearsed = (
        train(small(), m, stream, settings) for m in (Finetune(), Rehearse(own=False))
    )
    assert (rehearsed.accuracy[:, -1, 0] > plain.accuracy[:, -1, 0] + 0.3).all()


def test_a_memory_held_once_equals_one_held_by_each_replica(stream):
    runs = [train(small(), Rehearse(own), stream, CONFIG) for own in (False, True)]
    assert_same(state(runs[0].model), state(runs[1].model))


def test_methods_act_in_their_order(stream):
    class Say(Method):
        def __init__(self, word, heard):
            self.word, self.heard = word, heard

        def __deepcopy__(self, memo):
            return self

        def before_task(self, loop):
            self.heard.append(self.word)

    heard = []
    train(small(), [Say("a", heard), Say("b", heard)], stream, CONFIG, [0])
    assert heard == ["a", "b"] * 3


# --- which outputs count ---


@pytest.mark.parametrize(
    ("scenario", "outputs", "expected"),
    [
        ("task", "all", [{0, 1}, {2, 3}]),
        ("domain", "all", [{0, 1}, {0, 1}]),
        ("class", "seen", [{0, 1}, {0, 1, 2, 3}]),
        ("class", "all", [{0, 1, 2, 3, 4, 5}] * 2),
    ],
)
def test_only_outputs_that_count_get_a_gradient(images, scenario, outputs, expected):
    stream, found = streams.split(images, [[0, 1], [2, 3]], scenario, outputs), [set(), set()]

    def watch(loop):
        for name in ("fc3.weight", "fc3.bias"):
            gradient = (
                loop.model.weights[name].grad.flatten(2)
                if "weight" in name
                else loop.model.weights[name].grad[..., None]
            )
            for _, output, _ in gradient.nonzero().tolist():
                found[loop.t].add(output)

    train(small(), Finetune(), stream, CONFIG, observers=[at("after_step", watch)])
    assert found == expected


def test_mask_logits_by_hand():
    logits = torch.arange(12.0).view(2, 2, 3)
    y, inf = torch.tensor([[0, 2], [2, 1]]), float("inf")
    assert mask_logits(logits, y, torch.ones(3, 3).bool()).equal(logits)
    table = torch.tensor([[True, True, False], [True, True, False], [False, False, True]])
    expected = [[[0, 1, -inf], [-inf, -inf, 5]], [[-inf, -inf, 8], [9, 10, -inf]]]
    assert mask_logits(logits, y, table).tolist() == expected


def constant(bias):
    """A network that puts out ``bias``, whatever it sees."""

    def build():
        network = nn.Sequential(nn.Flatten(), nn.Linear(36, len(bias)))
        nn.init.zeros_(network[1].weight)
        network[1].bias.data = torch.tensor(bias)
        return network

    return build


@pytest.mark.parametrize(
    ("scenario", "outputs", "bias", "expected"),
    [
        ("class", "all", [3.0, 2.0, 1.0, 0.0], [[0.5, 0.0]] * 3),
        ("class", "all", [0.0, 1.0, 2.0, 3.0], [[0.0, 0.5]] * 3),
        # An unseen task is measured with its own outputs and those before.
        ("class", "seen", [0.0, 1.0, 2.0, 3.0], [[0.5, 0.5], [0.5, 0.5], [0.0, 0.5]]),
        ("task", "all", [0.0, 1.0, 2.0, 3.0], [[0.5, 0.5]] * 3),
        ("domain", "all", [0.0, 1.0, 2.0, 3.0], [[0.5, 0.5]] * 3),
    ],
)
def test_accuracies_of_a_constant_network_by_hand(images, scenario, outputs, bias, expected):
    stream = streams.split(images, [[0, 1], [2, 3]], scenario, outputs)
    run = train(constant(bias), Finetune(), stream, config(epochs=0), [0])
    assert run.accuracy.tolist() == [expected]


def test_accuracy_on_counts_right_answers(images):
    model = Replicas(constant([0.0, 5.0, 0.0]), [0])
    y = torch.tensor([1, 0, 1, 1])
    assert accuracy_on(model, images, images.x_test[:4], y).tolist() == [0.75]


# --- divergence ---


def test_divergence_stops_the_run_with_a_sentence(stream):
    with pytest.raises(Diverged) as error:
        train(small(), Finetune(), stream, config(optimizer="sgd", lr=1e30))
    message = str(error.value)
    assert message.startswith(
        "the loss of seed 0 is no longer a finite number in task 1, epoch 1; lower lr"
    )
    assert "allow_divergence=True" in message and "\n" not in message


@pytest.mark.parametrize("norm", [None, "batch"])
def test_a_replica_that_diverges_leaves_the_other_alone(stream, norm):
    settings = config(allow_divergence=True)
    run = train(double(norm), ActivationL1([0.1, float("inf")]), stream, settings, [0, 1])
    assert run.diverged.tolist() == [False, True]
    assert run.accuracy[1, 1:].isnan().all() and run.accuracy[1, 0].isfinite().all()
    assert run.epochs[1, 1:].tolist() == [0, 0]
    assert_equal_alone(run, train(double(norm), ActivationL1([0.1]), stream, settings, [0]), 0)


def test_divergence_names_the_seed(stream):
    with pytest.raises(Diverged, match="the loss of seed 8 "):
        train(small(), ActivationL1([0.0, float("inf")]), stream, CONFIG, [5, 8])


def test_a_run_in_which_all_replicas_diverge_ends(stream):
    settings = config(optimizer="sgd", lr=1e30, allow_divergence=True)
    run = train(small(), Finetune(), stream, settings)
    assert run.diverged.all() and run.accuracy[:, 1:].isnan().all()


# --- wrong arguments ---


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": -1}, "epochs=-1 is not possible; it is a whole number, 0 or more"),
        ({"epochs": 1.5}, "epochs=1.5 is not possible"),
        ({"epochs": True}, "epochs=True is not possible"),
        ({"batch_size": 0}, "batch_size=0 is not possible; it is a whole number, 1 or more"),
        ({"threads": 0}, "threads=0 is not possible"),
        ({"lr": -0.1}, "lr=-0.1 is not possible; it is a finite number, 0 or more"),
        ({"lr": float("nan")}, "lr=nan is not possible"),
        ({"weight_decay": float("inf")}, "weight_decay=inf is not possible"),
        ({"momentum": -1}, "momentum=-1 is not possible"),
        ({"momentum": 0.9}, 'momentum=0.9 would do nothing in adamw; it is of optimizer="sgd"'),
        (
            {"optimizer": "rmsprop"},
            "unknown optimizer 'rmsprop'; known are sgd, adam, adamw, adagrad",
        ),
        ({"lr": "a"}, "lr='a' is not possible; it is a finite number"),
        ({"stop_at": 0}, "stop_at=0 is not an accuracy; it lies in (0, 1]"),
        ({"stop_at": 1.01}, "stop_at=1.01 is not an accuracy"),
    ],
)
def test_config_names_wrong_settings(settings, message):
    with pytest.raises(ValueError) as error:
        TrainConfig(**settings)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"device": "cuda:99"}, "device 'cuda:99' is not there; 'cpu' is"),
        ({"device": "abacus"}, "device 'abacus' is not there"),
        ({"evaluate": "train"}, "evaluate='train' is unknown; it is 'test' or 'val'"),
        ({"build": small(outputs=5)}, "the network has 5 outputs, but this stream needs 6"),
        (
            {"build": lambda: nn.Linear(3, 6)},
            "the network does not take the stream's images of shape [1, 6, 6]",
        ),
        ({"build": small()()}, "or lambda: Net(10), not a built network"),
        ({"build": "mlp"}, "or lambda: Net(10), not 'mlp'"),
        ({"method": "finetune"}, "'finetune' is no method; give e.g. methods.Finetune()"),
        ({"method": Finetune}, "is no method"),
        ({"method": [Finetune(), None]}, "is no method"),
        ({"seeds": []}, "seeds=[] is not possible; give one seed"),
        ({"seeds": 3}, "seeds=3 is not possible; give one seed"),
        ({"method": ActivationL1([0.0, 1.0])}, "strength has 2 entries, but there are 1 replicas"),
    ],
)
def test_run_stream_names_wrong_arguments(stream, change, message):
    arguments = {
        "build": small(),
        "method": Finetune(),
        "config": CONFIG,
        "seeds": [0],
        "device": "cpu",
    } | change
    with pytest.raises(ValueError) as error:
        run_stream(stream=stream, **arguments)
    assert message in str(error.value) and "\n" not in str(error.value)


def test_validation_images_must_be_there():
    stream = streams.split(make_images(val=0), [[0, 1]])
    with pytest.raises(ValueError, match="a task without val images; load with validation=1000"):
        train(small(), Finetune(), stream, CONFIG, evaluate="val")


# --- joint and sequential training, measured alike ---


@pytest.mark.parametrize("scenario", ["task", "class"])
def test_joint_training_is_measured_over_tasks_or_over_samples(images, scenario):
    """Three classes against one: the last model of one run, as if it were the other's,
    must get the same numbers.
    """
    stream = streams.split(images, [[0, 1, 2, 4], [3]], scenario)
    joint, counts = streams.joint(stream), [len(task.y_test) for task in stream.tasks]
    assert counts == [16, 4]
    run = train(small(), Finetune(), stream, CONFIG)
    together = start_from(
        run.model, Finetune(), joint, replace(CONFIG, lr=0.0, weight_decay=0.0), "cpu"
    )
    assert_same(state(together.model), state(run.model))
    over_tasks = task_accuracies(together.model, stream).mean(1)
    torch.testing.assert_close(over_tasks, metrics.average_accuracy(run.accuracy))
    over_samples = metrics.average_accuracy(together.accuracy)
    torch.testing.assert_close(over_samples, metrics.accuracy_over_samples(run.accuracy, counts))
    assert (over_tasks - over_samples).abs().max() > 0.1


def test_over_tasks_of_one_size_is_over_samples(stream):
    run = train(small(), Finetune(), stream, CONFIG)
    counts = [len(task.y_test) for task in stream.tasks]
    expected = metrics.average_accuracy(run.accuracy)
    torch.testing.assert_close(metrics.accuracy_over_samples(run.accuracy, counts), expected)
    for wrong in ([8, 8], [8, 8, 0], 8):
        with pytest.raises(
            ValueError, match=r"counts=.* is not possible; it is one number above 0 for each task"
        ):
            metrics.accuracy_over_samples(run.accuracy, wrong)


# --- on a GPU ---


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("dtype", "stop_at"), [(torch.float32, None), (torch.float64, 0.8)])
@pytest.mark.parametrize("size", [6, 12])
def test_cuda_gives_about_the_same(size, dtype, stop_at):
    build = (
        small("batch", dtype=dtype)
        if size == 6
        else lambda: lenet5(6, size=12, norm="batch").to(dtype)
    )
    stream = streams.split(make_images(test=40, size=size), [[0, 1], [2, 3], [4, 5]])
    settings = config(epochs=5, stop_at=stop_at)
    cpu, gpu = (
        run_stream(build, Replay(20), stream, settings, range(4), device=d) for d in ("cpu", "auto")
    )
    assert {p.device.type for p in gpu.model.parameters()} == {"cuda"}
    assert gpu.accuracy.device.type == "cpu"
    assert (gpu.accuracy - cpu.accuracy).abs().mean() < 0.03


@pytest.mark.parametrize(
    ("build", "size"), [(small(), 6), (lambda: lenet5(6, size=12), 12)], ids=["mlp", "cnn"]
)
def test_training_in_bfloat16_is_near_and_keeps_weights_in_float32(build, size):
    stream = streams.split(make_images(train=30, size=size), [[0, 1], [2, 3]])
    config = TrainConfig(epochs=4, batch_size=10, lr=0.005, optimizer="adam")
    full, half = (
        train(build, Finetune(), stream, replace(config, precision=p)) for p in PRECISIONS
    )
    assert {w.dtype for w in half.model.parameters()} == {torch.float32}
    # Later ones part, as any rounding makes them.
    first = (half.history[0]["loss"] - full.history[0]["loss"]).abs()
    assert 0 < first.max() < 0.02
    with pytest.raises(ValueError, match="unknown precision 'half'; known are float32, bfloat16"):
        TrainConfig(precision="half")


# --- slips in a method or a call are said in a sentence ---


class ReturnsNothing(Method):
    def augment(self, loop, batch):
        batch.x = batch.x.clone()


class JoinsImagesAlone(Method):
    def augment(self, loop, batch):
        batch.x = torch.cat([batch.x, batch.x], 1)
        return batch


class Detached(Method):
    def penalty(self, loop, batch, logits):
        return logits.detach().square().mean((1, 2))


@pytest.mark.parametrize(
    ("method", "message"),
    [
        (ReturnsNothing(), "ReturnsNothing.augment returned None; it has to return the batch"),
        (
            JoinsImagesAlone(),
            "JoinsImagesAlone.augment returned x for [2, 10] samples, but y for [2, 5]; "
            "join the same samples to both",
        ),
        (
            Detached(),
            "the penalty of Detached has no gradient, so that it would do nothing; "
            "detach() and no_grad, say, cut it off",
        ),
    ],
    ids=["nothing", "images alone", "detached"],
)
def test_a_method_that_slips_is_told(method, message, stream):
    with pytest.raises(ValueError) as error:
        train(small(), method, stream, CONFIG, [0, 1])
    assert str(error.value) == message


def test_a_name_that_a_method_has_already_is_refused():
    with pytest.raises(ValueError, match="name='replay' of Mine is that of Replay already"):
        type("Mine", (Method,), {"name": "replay"})
    with pytest.raises(ValueError, match="that of Replay already"):
        type("Replay", (Method,), {"name": "replay"})  # another one of that name
    assert METHODS["replay"] is Replay


def test_scaled_images_and_runs_are_no_input_of_predict(images, stream):
    run = train(small(), Finetune(), stream, CONFIG, [0])
    with pytest.raises(ValueError, match=r"x is torch\.float32, but has to be uint8"):
        predict(run.model, images, images.scale(images.x_test))
    with pytest.raises(ValueError, match=r"model is Run, .* such as run\.model"):
        predict(run, images, images.x_test)
    with pytest.raises(ValueError, match=r"not a Run; give run\.accuracy"):
        metrics.average_accuracy(run)


def test_methods_print_their_arguments():
    assert repr(Replay(20)).startswith("<Replay memory=20")
    assert repr(ActivationL1(0.5)) == "<ActivationL1 strength=0.5>"
