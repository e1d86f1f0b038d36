import copy
import inspect
from collections import OrderedDict
from dataclasses import replace
from functools import partial

import pytest
import torch
from conftest import (
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

from cf_utils import importances, saliency, streams, vectors
from cf_utils.methods import (
    APR,
    EWC,
    L2,
    MAS,
    METHODS,
    OGD,
    SI,
    SPL,
    ActivationL1,
    Batch,
    Finetune,
    LwF,
    Method,
    Replay,
    controls,
    memory,
    ogd,
)
from cf_utils.methods.base import check_strength
from cf_utils.methods.freeze import Freeze
from cf_utils.methods.long_short import LongShort
from cf_utils.methods.springs import Quadratic
from cf_utils.observers import Observer
from cf_utils.randomness import generator
from cf_utils.training import Loop, TrainConfig, activations, predict

CONFIG = TrainConfig(epochs=2, batch_size=5, lr=0.01, optimizer="adam")
HUGE = 1e6


def build(cls, **arguments):
    return cls(**(cls.example | arguments))


def cases(chosen):
    """Methods as parameters, by name."""
    return [pytest.param(cls, id=cls.name or cls.__name__) for cls in chosen]


class Anchor(Method):
    """Pulls weights back to where the task before left them:
    what the contract of anchored methods is tried on.
    """

    dial, anchored, example = "strength", True, {"strength": 1.0}

    def __init__(self, strength):
        self.strength, self.anchors = check_strength("strength", strength), None

    def penalty(self, loop, batch, logits):
        if self.anchors is not None:
            pairs = [(w, self.anchors[name]) for name, w in loop.model.weights.items()]
            return self.strength * sum((w - a).square().flatten(1).sum(1) for w, a in pairs)

    def after_task(self, loop):
        self.anchors = {name: w.detach().clone() for name, w in loop.model.weights.items()}


ALL = list(METHODS.values())
DIALLED = [cls for cls in [*ALL, Anchor] if cls.dial]
PENALISING = [cls for cls in [*ALL, Anchor] if cls.penalty is not Method.penalty and cls.dial]


# --- contracts of every method ---


@pytest.mark.parametrize("cls", cases(ALL))
def test_method_says_what_it_does(cls):
    assert inspect.cleandoc(cls.__dict__.get("__doc__") or "")
    assert METHODS[cls.name] is cls and cls.extends in {None, *METHODS}
    assert cls.dial is None or cls.dial in inspect.signature(cls).parameters


def ends(cls, network, stream):
    """What runs at strength 0 and of the method that it extends end with: two dicts of tensors."""
    pair = build(cls, **{cls.dial: 0}), build(METHODS[cls.extends])
    runs = [train(network, method, stream, CONFIG) for method in pair]
    return [state(run.model) | {"accuracy": run.accuracy} for run in runs]


def largest(zero, plain):
    """The largest difference, and the name of the tensor that has it."""
    return max(
        (float((zero[name].double() - plain[name].double()).abs().max()), name) for name in plain
    )


def fail_at_strength_0(cls, norm, stream):
    """Fail, and say whether the difference is rounding, which in float64 is far smaller."""
    (far, name), (far_in_double, _) = (
        largest(*ends(cls, network(norm), stream)) for network in (small, double)
    )
    found = (
        f"{cls.__name__} at {cls.dial}=0 ends up to {far:.1g} away from {cls.extends} ({name}), "
        f"in float64 up to {far_in_double:.1g}"
    )
    if far_in_double > 1e-4 * far:
        pytest.fail(f"{found}: it does something at {cls.dial}=0")
    pytest.fail(
        f"{found}. That is rounding alone, but runs have to be equal bit by bit. Leave what "
        f"{cls.extends} computes as it is and add one term to it, or none (None). Let the last "
        f"operation of the term be the product with {cls.dial}. Keep the layout in memory: a term "
        "of the logits starts with logits.mT, [R, outputs, B], as the cross-entropy does. "
        "Gradients and weights change by terms that are exactly 0, not by factors that cancel."
    )


@pytest.mark.parametrize("norm", [None, "batch"])
@pytest.mark.parametrize("cls", cases(cls for cls in DIALLED if cls.extends))
def test_strength_0_is_bitwise_the_method_it_extends(cls, norm, stream):
    zero, plain = ends(cls, small(norm), stream)
    if not all(torch.equal(zero[name], plain[name]) for name in plain):
        fail_at_strength_0(cls, norm, stream)


class Rounded(Method):
    """Equals finetuning at strength 0 up to rounding."""

    dial, example = "strength", {"strength": 1.0}

    def __init__(self, strength):
        self.strength = strength

    def adjust_gradients(self, loop):
        for w in loop.model.weights.values():
            w.grad.div_(3).mul_(3 + self.strength)


class Shifted(Rounded):
    """Does something at strength 0."""

    def adjust_gradients(self, loop):
        for w in loop.model.weights.values():
            w.grad.add_(w.detach(), alpha=0.1 + self.strength)


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Rounded, r"strength=0 ends up to \S+e-0\d away from finetune \(.*rounding alone"),
        (Shifted, r"strength=0 ends up to \S+ away .* it does something at strength=0"),
    ],
)
def test_a_difference_at_strength_0_is_told_from_rounding(cls, message, stream):
    with pytest.raises(pytest.fail.Exception, match=message):
        test_strength_0_is_bitwise_the_method_it_extends(cls, None, stream)


@pytest.mark.parametrize(
    ("penalty", "given"),
    [
        (lambda logits: logits.square().mean(), r"\[\]"),
        (lambda logits: logits.square().mean(2), r"\[3, 5\]"),
        (lambda logits: logits.square().mean((1, 2)).unsqueeze(1), r"\[3, 1\]"),
        (lambda logits: 0.5, "float"),
    ],
)
def test_a_penalty_of_another_shape_is_named(penalty, given, stream):
    class Wrong(Method):
        def penalty(self, loop, batch, logits):
            return penalty(logits)

    message = rf"the penalty of Wrong is {given}, but has to be \[3\], one number for each replica"
    with pytest.raises(ValueError, match=message):
        train(small(), Wrong(), stream, CONFIG)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("after_taks", "after_taks is no moment .*; did you mean after_task?"),
        ("before_epochs", "before_epochs is no moment .*; did you mean before_epoch?"),
        ("on_step", "Mine.on_step is no moment .*never be called; Moments are before_task, "),
        ("on_task_end", "Mine.on_task_end is no moment .*never be called; Moments are "),
        ("after_training", "never be called; Moments are before_task, before_epoch, a"),
    ],
)
@pytest.mark.parametrize("base", [Method, Observer])
def test_a_misspelt_moment_is_named_as_the_class_is_made(base, name, message):
    with pytest.raises(ValueError, match=message):
        type("Mine", (base,), {name: lambda self, loop: None, "name": "misspelt"})
    assert "misspelt" not in METHODS
    type("Mine", (base,), {f"_{name}": lambda self: None, "first_step": lambda self: None})


@pytest.mark.parametrize(
    ("name", "moment"), [("penalties", "penalty"), ("adjust_grads", "adjust_gradients")]
)
def test_moments_of_methods_alone_are_none_of_observers(name, moment):
    with pytest.raises(ValueError, match=f"{name} is no moment and .*; did you mean {moment}?"):
        type("Mine", (Method,), {name: lambda self, loop: None})
    for wrong in (name, moment):
        message = (
            f"Mine.{wrong} is no moment of what only watches and would never be called; Moments "
            "are before_task, before_epoch, after_step, after_epoch, after_task; a helper's name "
        )
        with pytest.raises(ValueError, match=message):
            type("Mine", (Observer,), {wrong: lambda self, loop: None})


@pytest.mark.parametrize("cls", cases(cls for cls in [*ALL, Anchor] if cls.extends))
def test_method_changes_the_result(cls, stream):
    run = train(small(), build(cls), stream, CONFIG)
    plain = train(small(), build(METHODS[cls.extends]), stream, CONFIG)
    for r in range(3):
        assert any(
            not torch.equal(w[r], plain.model.weights[name][r])
            for name, w in run.model.weights.items()
        )


@pytest.mark.parametrize("cls", cases(PENALISING))
def test_penalty_is_above_zero_after_the_first_task(cls, stream, monkeypatch):
    found, penalty = [], cls.penalty

    def listen(self, loop, batch, logits):
        value = penalty(self, loop, batch, logits)
        if loop.t:
            found.append(value.detach().clone())
        return value

    monkeypatch.setattr(cls, "penalty", listen)
    train(small(), build(cls), stream, CONFIG)
    assert found[0].shape == (3,)
    assert (torch.stack(found) >= 0).all() and (torch.stack(found).max(0).values > 0).all()


@pytest.mark.parametrize("cls", cases(cls for cls in DIALLED if cls.anchored))
def test_huge_strength_keeps_the_weights_that_matter_to_the_first_task(cls, images):
    stream = streams.split(images, [[0, 1], [2, 3]])
    settings = TrainConfig(epochs=10, batch_size=5, lr=1e-3, optimizer="adam", weight_decay=0.0)

    def moved(method):
        first, mattered = {}, {}

        def note(loop):
            if loop.t == 0:
                first.update(state(loop.model))
                springs = getattr(loop.methods[0], "springs", None)
                mattered.update(springs.importance if springs else {})

        weights = train(
            small(), method, stream, settings, observers=[at("after_task", note)]
        ).model.weights
        ways = {name: w.detach() - first[name] for name, w in weights.items()}
        held = {name: mattered.get(name, torch.ones_like(way)) > 1e-4 for name, way in ways.items()}
        return tuple(torch.cat([v.flatten() for v in values.values()]) for values in (ways, held))

    (held, mattered), (free, _) = (
        moved(build(cls, **{cls.dial: HUGE})),
        moved(build(METHODS[cls.extends])),
    )
    # The rest leads to units that are silent on the first task.
    assert mattered.float().mean() > 0.8
    assert held[mattered].norm() < 0.2 * free[mattered].norm()
    assert held[mattered].abs().max() < 0.01


@pytest.mark.parametrize("stop_at", [None, 0.6])
@pytest.mark.parametrize("cls", cases([*ALL, Anchor]))
def test_replicas_equal_separate_runs(cls, stop_at, stream):
    settings = TrainConfig(epochs=4, batch_size=9, lr=0.02, optimizer="adam", stop_at=stop_at)
    run = train(double("batch"), build(cls), stream, settings)
    for r, seed in enumerate(run.seeds):
        assert_equal_alone(run, train(double("batch"), build(cls), stream, settings, [seed]), r)


@pytest.mark.parametrize("cls", cases(ALL))
def test_same_call_gives_the_same_bits(cls, stream):
    runs = [train(small(dropout=0.2), build(cls), stream, CONFIG) for _ in range(2)]
    assert_same(state(runs[0].model), state(runs[1].model))


@pytest.mark.parametrize("scenario", streams.SCENARIOS)
@pytest.mark.parametrize("cls", cases(ALL))
def test_method_works_on_tasks_of_growing_size(cls, scenario, images):
    kept = (images.y_train > 1) | (torch.arange(len(images.y_train)) < 24)
    fewer = replace(images, x_train=images.x_train[kept], y_train=images.y_train[kept])
    stream = streams.split(fewer, [[0, 1], [2, 3]], scenario)
    assert [len(task.y_train) for task in stream.tasks] == [8, 26]
    assert train(small(), build(cls), stream, CONFIG).accuracy.isfinite().all()


@pytest.mark.parametrize("value", [-1, -0.5])
@pytest.mark.parametrize("cls", cases(DIALLED))
def test_negative_strength_is_refused(cls, value):
    with pytest.raises(ValueError, match=rf"{cls.dial}={value} is not possible"):
        build(cls, **{cls.dial: value})


# --- anchors: L2, elastic weight consolidation, memory aware synapses, synaptic intelligence ---


def after_each_task(build, method, stream, look, config=CONFIG):
    found = []
    run = train(
        build,
        method,
        stream,
        config,
        observers=[at("after_task", lambda loop: found.append(look(loop)))],
    )
    return run, found


def test_penalty_is_zero_at_the_anchor_and_quadratic_around_it(stream):
    method = build(METHODS["l2"], strength=3.0)
    run = train(double(), method, stream, replace(CONFIG, epochs=1))
    method, loop = run.methods[0], Loop(run.model, [], stream, CONFIG, (), torch.device("cpu"))
    assert (method.penalty(loop, None, None) == 0).all()
    with torch.no_grad():
        run.model.weights["fc1.bias"][1] += 2.0
    assert method.penalty(loop, None, None).tolist() == [0.0, pytest.approx(3 / 2 * 10 * 4), 0.0]


def test_ewc_sums_a_quadratic_for_every_task_into_one(stream):
    def look(loop):
        return state(loop.model), {name: value.clone() for name, value in fisher(loop).items()}

    def fisher(loop):
        return importances.fisher_diagonal(
            loop.model, loop.scaled(loop.task.x_train), allowed=loop.allowed[0]
        )

    run, found = after_each_task(double("batch"), EWC(4.0), stream, look)
    loop = Loop(run.model, [], stream, CONFIG, (), torch.device("cpu"))
    with torch.no_grad():
        for w in run.model.weights.values():
            w += 0.1 * torch.randn(
                w.shape, generator=torch.Generator().manual_seed(0), dtype=w.dtype
            )
    total = run.methods[0].penalty(loop, None, None)
    parts = [
        (f[n] * (w - a[n]).square()).flatten(1).sum(1)
        for a, f in found
        for n, w in run.model.weights.items()
    ]
    torch.testing.assert_close(total, 4.0 / 2 * sum(parts))


def test_ewc_takes_the_fisher_on_as_many_images_as_told(stream):
    run = train(double(), Finetune(), stream, CONFIG)
    loop = Loop(run.model, [], stream, CONFIG, (), torch.device("cpu"))
    chosen = torch.randperm(26, generator=generator(0, "fisher", 0))[:7]
    expected = importances.fisher_diagonal(run.model, loop.scaled(stream.tasks[0].x_train[chosen]))
    assert_same(EWC(1.0, samples=7).importance_of(loop), expected)
    assert_same(EWC(1.0, samples=99).importance_of(loop), EWC(1.0).importance_of(loop), 1e-12)


def test_online_ewc_decays_old_fishers_around_the_last_weights(stream):
    run, found = after_each_task(
        double(),
        EWC(1.0, online=0.5),
        stream,
        lambda loop: (state(loop.model), EWC(1.0).importance_of(loop)),
    )
    method = run.methods[0]
    for name in run.model.weights:
        f1, f2, f3 = (fisher[name] for _, fisher in found)
        torch.testing.assert_close(method.springs.importance[name], 0.25 * f1 + 0.5 * f2 + f3)
        torch.testing.assert_close(method.springs.anchor[name], found[-1][0][name])


def test_mas_adds_up_importances(stream):
    run, found = after_each_task(
        double(), MAS(1.0, "local"), stream, lambda loop: MAS(1.0, "local").importance_of(loop)
    )
    for name, value in run.methods[0].springs.importance.items():
        torch.testing.assert_close(value, sum(of[name] for of in found))


def test_ewc_takes_the_fisher_over_the_outputs_of_the_scenario(images):
    stream = streams.split(images, [[0, 1], [2, 3], [4, 5]], "task")
    _, found = after_each_task(double(), EWC(1.0), stream, EWC(1.0).importance_of)
    for task, fisher in zip(stream.tasks, found, strict=True):
        others = [c for c in range(6) if c not in task.labels]
        assert (fisher["fc3.bias"][:, others] == 0).all()
        assert (fisher["fc3.bias"][:, list(task.labels)] > 0).all()


def test_si_credits_the_way_of_gradient_descent():
    """SGD's step is -lr * gradient: with one batch an epoch each step saves lr * gradient^2."""
    images = make_images()
    stream = streams.split(images, [[0, 1], [2, 3]])
    squares, lr = {}, 0.1

    def note(loop):
        for name, w in loop.model.weights.items():
            squares[name] = squares.get(name, 0) + lr * w.grad.square()

    config = TrainConfig(epochs=3, batch_size=26, lr=lr, optimizer="sgd", weight_decay=0.0)
    first = replace(stream, tasks=stream.tasks[:1], groups=stream.groups[:1])
    start = state(train(double(), Finetune(), first, replace(config, lr=0.0)).model)
    run = train(double(), SI(0.0, damping=0.5), first, config, observers=[at("after_step", note)])
    for name, found in run.methods[0].springs.importance.items():
        way = run.model.weights[name].detach() - start[name]
        torch.testing.assert_close(found, squares[name] / (way.square() + 0.5))


def test_si_leaves_its_own_penalty_out_of_the_credit(stream):
    """At the second task's first step the penalty is zero, later it is not:
    credit = (gradient - penalty's) * step.
    """
    before, seen = {}, []

    def note(loop, moment):
        si, w = loop.methods[0], loop.model.weights["fc1.weight"]
        if moment == "after_step" and loop.t == 1:
            springs = si.springs
            own = (
                2
                * 5.0
                * springs.importance["fc1.weight"]
                * (before["w"] - springs.anchor["fc1.weight"])
            )
            seen.append(-(w.grad - own) * (w.detach() - before["w"]))
        if moment == "after_epoch" and loop.t == 1:
            before["saved"] = si.saved["fc1.weight"].clone()
        before["w"] = w.detach().clone()

    train(double(), SI(5.0), stream, CONFIG, observers=[Told(note)])
    torch.testing.assert_close(before["saved"], sum(seen))


def test_two_springs_are_one():
    draw = torch.Generator().manual_seed(0)
    points = [{"w": torch.randn(2, 3, generator=draw, dtype=torch.float64)} for _ in range(4)]
    forces = [{"w": torch.rand(2, 3, generator=draw, dtype=torch.float64)} for _ in range(3)]
    forces[1]["w"][0, 0] = forces[0]["w"][0, 0] = 0.0  # a weight that nothing holds yet
    springs = Quadratic()
    assert springs.value(points[3]).tolist() == [0.0, 0.0] and springs.gradient(points[3]) == {}
    for force, point in zip(forces, points, strict=False):
        springs.add(force, point)
    w = {"w": points[3]["w"].clone().requires_grad_()}
    value = springs.value(w)
    pairs = list(zip(forces, points, strict=False))
    torch.testing.assert_close(
        value, sum((f["w"] * (w["w"] - p["w"]).square()).sum(1) for f, p in pairs)
    )
    value.sum().backward()
    torch.testing.assert_close(
        w["w"].grad, sum(2 * f["w"] * (w["w"] - p["w"]) for f, p in pairs).detach()
    )
    torch.testing.assert_close(springs.gradient(w)["w"], w["w"].grad)
    springs.scale(3.0)
    torch.testing.assert_close(springs.value(w), 3 * value)
    springs.move(points[0])
    assert (springs.value(points[0]) == 0).all() and (springs.value(w) > 0).all()


def test_each_replica_has_its_own_strength_and_pull(stream):
    for cls in (EWC, L2, MAS, SI):
        strengths = [0.0, 0.3, 3.0]
        run = train(double(), cls(strengths), stream, CONFIG)
        for r, strength in enumerate(strengths):
            assert_equal_alone(run, train(double(), cls(strength), stream, CONFIG, [r]), r)


def test_anchored_methods_name_wrong_arguments():
    for make, message in [
        (
            lambda: EWC(1.0, fisher="x"),
            "kind='x' is unknown; known are exact, sampled, empirical, batched",
        ),
        (lambda: EWC(1.0, samples=0), "samples=0 is not possible; it is a whole number, 1 or more"),
        (lambda: EWC(1.0, batch=0), "batch=0 is not possible"),
        (lambda: EWC(1.0, online=2), r"online=2 is not possible; it lies in \[0, 1\], or is None"),
        (lambda: MAS(1.0, "x"), "kind='x' is unknown; known are global, local"),
        (lambda: SI(1.0, damping=0), "damping=0 is not possible; it is above 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            make()


# --- learning without forgetting ---


@pytest.mark.parametrize("scenario", streams.SCENARIOS)
@pytest.mark.parametrize("squared", [True, False])
def test_lwf_by_hand(images, scenario, squared):
    """The penalty at the second task's second step:
    KL of old and new outputs on the new images alone, T = 3.
    """
    stream = streams.split(images, [[0, 1], [2, 3], [4, 5]], scenario)
    method, found = LwF(2.0, temperature=3.0, squared=squared), []

    class Look(Method):
        def penalty(self, loop, batch, logits):
            if loop.t < 2 or loop.step != 1:
                return
            teacher = loop.methods[0].teacher
            x = loop.scaled(batch.x)[1]
            old, new = teacher.replica(1)(x), loop.model.replica(1).train()(x)
            groups = {"task": [[0, 1], [2, 3]], "class": [[0, 1, 2, 3]], "domain": [[0, 1]]}[
                scenario
            ]
            expected = 0
            for group in groups:
                p, log_q = (old[:, group] / 3).softmax(1), (new[:, group] / 3).log_softmax(1)
                expected += 2.0 * (9 if squared else 1) * F.kl_div(log_q, p, reduction="batchmean")
            found.append((loop.methods[0].penalty(loop, batch, logits)[1], expected))

    train(double(outputs=2 if scenario == "domain" else 6), [method, Look()], stream, CONFIG)
    ((value, expected),) = found
    assert expected > 0
    torch.testing.assert_close(value, expected)


def test_lwf_teacher_is_the_network_before_the_task_and_the_penalty_starts_at_zero(stream):
    starts, found = {}, []

    class Look(Method):
        def before_task(self, loop):
            starts[loop.t] = state(loop.model)

        def penalty(self, loop, batch, logits):
            if loop.t and loop.step == 0:
                assert_same(state(loop.methods[0].teacher), starts[loop.t])
                found.append(loop.methods[0].penalty(loop, batch, logits))

    train(double(), [LwF(2.0), Look()], stream, CONFIG)
    assert len(found) == 2
    for value in found:
        torch.testing.assert_close(value, torch.zeros_like(value), rtol=0, atol=1e-12)


def test_lwf_keeps_old_outputs_when_strong(stream):
    def drift(strength):
        start = {}
        task = stream.tasks[1]

        def note(loop):
            if loop.t == 1:
                start["old"] = predict(loop.model, stream.images, task.x_train)[..., :2].softmax(2)

        first = replace(stream, tasks=stream.tasks[:2], groups=stream.groups[:2])
        config = TrainConfig(epochs=20, batch_size=9, lr=1e-3, optimizer="adam", weight_decay=0.0)
        run = train(small(), LwF(strength), first, config, observers=[at("before_task", note)])
        now = predict(run.model, stream.images, task.x_train)[..., :2].softmax(2)
        return (now - start["old"]).abs().mean()

    assert drift(1e3) < 0.2 * drift(0.0)


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
@pytest.mark.parametrize("scenario", streams.SCENARIOS)
def test_lwf_warms_up_the_new_rows_of_the_head_alone(images, scenario, optimizer):
    stream = streams.split(images, [[0, 1], [2, 3]], scenario)
    kept = []
    watch = [at("before_task", lambda loop: kept.append(state(loop.model)))]
    watch.append(at("after_epoch", lambda loop: kept.append(state(loop.model))))
    outputs = 2 if scenario == "domain" else 6
    trained = [scenario == "domain" or c in (2, 3) for c in range(outputs)]
    settings = replace(
        CONFIG,
        fresh_optimizer=True,
        optimizer=optimizer,
        momentum=0.9 * (optimizer == "sgd"),
        weight_decay=0.0,
    )
    moving, moving_rows = set(), []

    def look(loop):
        if loop.t and loop.epoch == 0:
            key = {"adamw": "exp_avg", "sgd": "momentum_buffer"}[optimizer]
            moving.update(
                id(w) for w, moments in loop.optimizer.state.items() if moments[key].any()
            )
            moving_rows.extend(
                loop.optimizer.state[loop.model.weights["fc3.bias"]][key].any(0).tolist()
            )

    watch.append(at("after_epoch", look))
    run = train(
        small("batch", outputs=outputs), LwF(1.0, warmup=1), stream, settings, observers=watch
    )
    _, _, _, start, warm, end = kept
    head = {id(run.model.weights[name]) for name in ("fc3.weight", "fc3.bias")}
    assert moving == head and moving_rows == trained  # no momentum for what waits
    assert all(torch.equal(start[name], warm[name]) for name in run.model.statistics)
    for name in ("fc1.weight", "norm2.bias"):
        assert torch.equal(start[name], warm[name]) and not torch.equal(warm[name], end[name])
    moved = (warm["fc3.weight"] != start["fc3.weight"]).any(2)
    assert moved.all(0).tolist() == trained
    assert moved.any(0).tolist() == moved.all(0).tolist()


def test_lwf_names_wrong_arguments():
    for arguments, message in [
        ({"temperature": 0}, "temperature=0 is not possible"),
        ({"warmup": -1}, "warmup=-1 is"),
    ]:
        with pytest.raises(ValueError, match=message):
            LwF(1.0, **arguments)


# --- activation- and saliency-preserving losses ---


class At(Method):
    """Calls ``look(loop)`` at the second step of the third task, before its update."""

    def __init__(self, look):
        self.look, self.found = look, []

    def __deepcopy__(self, memo):
        return self

    def before_task(self, loop):
        self.start = copy.deepcopy(loop.model)

    def penalty(self, loop, batch, logits):
        if loop.t == 2 and loop.step == 1:
            self.found.append(self.look(loop, self.start))


def convolution():
    layers = {
        "conv1": nn.Conv2d(1, 4, 3, padding=1),
        "act1": nn.ReLU(),
        "conv2": nn.Conv2d(4, 5, 3),
        "act2": nn.ReLU(),
    }
    return nn.Sequential(
        OrderedDict(layers | {"flatten": nn.Flatten(), "fc3": nn.Linear(80, 6)})
    ).double()


def test_apr_by_hand(stream):
    """At the second step: mean over the samples of the squared distances to the activations before
    the task.
    """

    def look(loop, start):
        x, _, weight = (value[1] for value in loop.methods[0].samples)
        total = 0
        for end, times in ((1, 1), (4, 2)):  # conv1 once, the output of act2 twice
            now, then = (m.replica(1)[:end](x) for m in (loop.model, start))
            total = total + times * (now - then).square().flatten(1).mean(1)
        return loop.methods[0].penalty(loop, None, None)[1], 3 * (
            weight * total
        ).sum() / weight.sum()

    spy = At(look)
    places = ["conv1", "act2", "act2"]
    train(
        convolution, [APR(3.0, 12, per_task=True, per_class=2, places=places), spy], stream, CONFIG
    )
    ((value, expected),) = spy.found
    assert value > 0
    torch.testing.assert_close(value, expected)


def test_apr_keeps_stored_samples_of_earlier_classes_that_were_right_and_no_others(stream):
    def look(loop, start):
        method = loop.methods[0]
        stored, labels = loop.scaled(method.stored.x), method.stored.y
        logits = start.eval()(method.samples[0])
        right = start(stored).argmax(2) == labels
        return (
            method.samples,
            logits,
            stored,
            right,
            labels,
            method.kept_at,
            method.penalty(loop, None, None),
        )

    spy = At(look)
    run = train(small("batch"), [APR(1.0, 26, per_task=True, per_class=3), spy], stream, CONFIG)
    (((x, y, weight), logits, stored, right, labels, places, penalty),) = spy.found
    assert places == ["act1", "act2", "fc3"] and penalty.shape == (3,)
    assert y.shape == weight.shape == (3, 12) and set(labels.flatten().tolist()) == {0, 1, 2, 3}
    assert (logits.argmax(2) == y)[weight == 1].all()
    for r in range(3):
        for c in range(4):
            expected = min(3, int((right[r] & (labels[r] == c)).sum()))
            assert int(weight[r, y[r] == c].sum()) == expected
        assert {sample.numpy().tobytes() for sample in x[r]} <= {
            sample.numpy().tobytes() for sample in stored[r]
        }
    assert 0 < weight.sum() < weight.numel(), "some, but not all, were right"
    assert run.accuracy.isfinite().all()


@pytest.mark.parametrize(("place", "end"), [("conv1", 1), ("conv2", 3)])
def test_spl_by_hand(stream, place, end):
    """Noise where the map was not above the threshold:
    everywhere, nowhere, and where it says, enlarged if need be.
    """

    def look(loop, start):
        method = loop.methods[0]
        x, y, weight = method.samples
        mask = (saliency.grad_cam(start, x, y, place)[2] > method.saliency_threshold).double()
        assert mask.shape[1:] == {"conv1": (6, 6), "conv2": (4, 4)}[place]
        mask = F.interpolate(mask.unsqueeze(1), (6, 6), mode="bilinear")
        noise = torch.randn(
            x.shape[1:], generator=generator(loop.seeds[2], "noise 0 1", 2)
        ).double()
        layer = loop.model.replica(2)[:end]
        noisy = x[2] + 0.7 * noise * (1 - mask)
        distance = (layer(x[2]) - layer(noisy)).square().flatten(1).mean(1)
        count = weight[2].sum()
        return method.penalty(loop, None, None)[2], 5 * 3 / count * (
            weight[2] * distance
        ).sum() / count

    for threshold in (-1.0, 0.3, 1.0):
        spy = At(look)
        method = SPL(5.0, 12, place, noise_std=0.7, saliency_threshold=threshold, per_class=2)
        train(convolution, [method, spy], stream, CONFIG)
        ((value, expected),) = spy.found
        assert value > 0 or threshold == -1
        torch.testing.assert_close(value, expected)


def test_preserving_losses_name_wrong_arguments(stream):
    with pytest.raises(ValueError, match="per_class=0 is not possible"):
        APR(1.0, 10, per_class=0)
    with pytest.raises(
        ValueError, match=r"no layer 'conv9'; there are flatten, fc1, act1, fc2, act2, fc3"
    ):
        train(small(), APR(1.0, 10, places=["conv9"]), stream, CONFIG)


# --- what APR and SPL are held against ---


def test_labels_are_the_cross_entropy_of_the_kept_samples(stream):
    method, found = controls.Labels(2.0, 12, per_task=True, per_class=2), []

    def look(loop):
        if loop.t == 2 and loop.step == 2:
            x, y, weight = (value[0] for value in loop.methods[0].samples)
            losses = F.cross_entropy(loop.model.replica(0).eval()(x), y, reduction="none")
            value = loop.methods[0].penalty(loop, None, None)[0]
            found.append((value, 2.0 * (weight * losses).sum() / weight.sum()))

    config = TrainConfig(epochs=4, batch_size=8, lr=0.01)
    train(small(), method, stream, config, observers=[at("after_step", look)])
    ((value, expected),) = found
    torch.testing.assert_close(value, expected)


def test_shuffled_maps_are_those_of_the_samples_that_count(stream):
    def network():
        layers = {
            "conv1": nn.Conv2d(1, 2, 3, padding=1),
            "act1": nn.ReLU(),
            "flatten": nn.Flatten(),
        }
        return nn.Sequential(OrderedDict(layers | {"fc2": nn.Linear(72, 6)}))

    kinds = {"own": SPL, "shuffled": controls.ShuffledSPL}
    config, free, weights = TrainConfig(epochs=3, batch_size=8, lr=0.01), {}, {}
    for name, kind in kinds.items():

        def note(loop, name=name):
            if loop.t == 1:
                free[name], weights[name] = (
                    loop.methods[0].free.clone(),
                    loop.methods[0].samples[2].clone(),
                )

        method = kind(1.0, 12, place="conv1", per_class=4, per_task=True)
        train(network, method, stream, config, observers=[at("before_task", note)], until=2)
    assert torch.equal(weights["own"], weights["shuffled"])
    assert not torch.equal(free["own"], free["shuffled"])
    for own, shuffled, weight in zip(
        free["own"], free["shuffled"], weights["own"] > 0, strict=True
    ):
        assert torch.equal(own[~weight], shuffled[~weight])
        rows = [sorted(map(tuple, maps[weight].flatten(1).tolist())) for maps in (own, shuffled)]
        assert rows[0] == rows[1], "the same maps, and so the same amount of noise"


# --- arguments ---


@pytest.mark.parametrize("value", [[0.5, -1.0], float("nan"), [[1.0]]])
def test_impossible_strength_is_refused(value):
    with pytest.raises(
        ValueError,
        match=r"s=.* is not possible; it is 0 or more, one number or one for each replica",
    ):
        check_strength("s", value)


# --- activation-l1 ---


def test_activation_l1_by_hand():
    act1 = torch.tensor([[[1.0, 0.0], [2.0, 5.0]], [[0.0, 0.0], [0.0, 4.0]]])  # means 2 and 1
    act2 = torch.tensor([[[3.0], [0.0]], [[1.0], [2.0]]])  # means 1.5 and 1.5
    batch = Batch(None, None, 2, {"act1": act1, "act2": act2})
    assert ActivationL1(2.0).penalty(None, batch, None).tolist() == [7.0, 5.0]
    assert ActivationL1([1.0, 10.0]).penalty(None, batch, None).tolist() == [3.5, 25.0]


def test_activation_l1_is_added_to_each_replicas_loss(stream):
    settings = TrainConfig(epochs=1, batch_size=26, lr=0.0, weight_decay=0.0)
    run = train(double(), ActivationL1([0.0, 0.5, 4.0]), stream, settings)
    logits, hidden = activations(run.model, stream.images, stream.tasks[0].x_train)
    for r, strength in enumerate([0.0, 0.5, 4.0]):
        expected = F.cross_entropy(logits[r], stream.tasks[0].y_train)
        expected += strength * (hidden["act1"][r].mean() + hidden["act2"][r].mean())
        assert float(run.history[0]["loss"][r]) == pytest.approx(float(expected))


def test_each_replica_has_the_strength_of_its_own(stream):
    strengths = [0.0, 0.3, 3.0]
    run = train(double(), ActivationL1(strengths), stream, CONFIG)
    for r, strength in enumerate(strengths):
        assert_equal_alone(run, train(double(), ActivationL1(strength), stream, CONFIG, [r]), r)


def test_activation_l1_makes_activations_smaller(stream):
    settings = TrainConfig(epochs=10, batch_size=5, lr=0.01)
    runs = [train(small(), ActivationL1(s), stream, settings) for s in (0.0, 1.0)]
    plain, sparse = (
        activations(run.model, stream.images, stream.tasks[2].x_test)[1] for run in runs
    )
    assert all(sparse[name].mean() < 0.5 * plain[name].mean() for name in plain)


# --- replay ---


class Spy(Method):
    """Keeps every batch that reaches it."""

    def __init__(self, batches):
        self.batches = batches

    def __deepcopy__(self, memo):
        return self

    def augment(self, loop, batch):
        self.batches.append((loop.t, batch))
        return batch


def spied(method, stream, settings=CONFIG, **options):
    batches = []
    run = train(small(), [method, Spy(batches)], stream, settings, **options)
    return run, batches


@pytest.mark.parametrize(
    ("room", "sizes"),
    [
        (10, [[10], [5, 5], [3, 3, 3]]),
        (100, [[26], [26, 26], [26, 26, 26]]),
        (2, [[2], [1, 1], [1, 1, 0]]),
        (0, [[0], [0, 0], [0, 0, 0]]),
    ],
)
def test_memory_is_shared_evenly_by_the_tasks_seen(stream, room, sizes):
    found = []
    watch = at("after_task", lambda loop: found.append(loop.methods[0].stored.sizes))
    train(small(), Replay(room), stream, CONFIG, observers=[watch])
    assert found == sizes


@pytest.mark.parametrize(
    ("sizes", "room", "kept"),
    [
        ([26, 26, 26], 30, [10, 10, 10]),
        ([26, 26, 26], 31, [10, 10, 10]),
        ([26, 4, 26], 30, [13, 4, 13]),
        ([2, 3, 26], 30, [2, 3, 25]),
        ([5, 5], 100, [5, 5]),
        ([9, 9, 9], 2, [1, 1, 0]),
        ([9, 9], 0, [0, 0]),
        ([7], 3, [3]),
    ],
)
def test_what_a_small_task_leaves_goes_to_the_others(sizes, room, kept):
    assert memory.shares(sizes, room) == kept


@pytest.mark.parametrize("room", [1, 2])
def test_a_memory_smaller_than_the_tasks_is_not_emptied(stream, room):
    for method in (Replay(room), APR(1.0, room)):
        run = train(small(), method, stream, CONFIG)
        stored = run.methods[0].stored
        assert stored.sizes == [1] * room + [0] * (3 - room)
        assert len(stored) == room == stored.y.shape[1]
        assert run.accuracy.isfinite().all()


def test_memory_of_each_task_stays_as_it_was(stream):
    found = []
    watch = at("after_task", lambda loop: found.append(loop.methods[0].stored.sizes))
    train(small(), Replay(10, per_task=True), stream, CONFIG, observers=[watch])
    assert found == [[10], [10, 10], [10, 10, 10]]


def pictures(x):
    return {picture.numpy().tobytes() for picture in x}


def test_memory_holds_different_images_of_its_tasks(stream):
    stored = train(small(), Replay(30), stream, CONFIG).methods[0].stored
    parts = zip(stored.x.split(stored.sizes, 1), stored.y.split(stored.sizes, 1), strict=True)
    for task, (x, y) in zip(stream.tasks, parts, strict=True):
        assert all(len(pictures(mine)) == 10 for mine in x)
        for c in task.labels:
            assert pictures(x[y == c]) <= pictures(task.x_train[task.y_train == c])
        assert not torch.equal(x[0], x[1])


@pytest.mark.parametrize("old", [3, None])
def test_batch_is_new_samples_then_old_ones(stream, old):
    _, batches = spied(Replay(10, batch=old), stream)
    assert [t for t, _ in batches] == [0] * 10 + [1] * 10 + [2] * 10
    for t, batch in batches:
        labels = set(stream.tasks[t].labels)
        assert batch.new == 5 and batch.y.shape == (3, 5 + (old or 5) * (t > 0))
        assert set(batch.y[:, :5].flatten().tolist()) <= labels
        assert set(batch.y[:, 5:].flatten().tolist()) <= set(range(2 * t))


def test_old_samples_come_from_the_memory_of_the_replica(stream):
    held = {}

    def look(loop):
        held[loop.t] = [pictures(x) for x in loop.methods[0].stored.x]

    _, batches = spied(Replay(10), stream, observers=[at("after_task", look)])
    drawn = [
        set().union(*(pictures(b.x[r, b.new :]) for t, b in batches if t == 1)) for r in range(3)
    ]
    assert drawn == held[0]  # in 50 draws of 10 all of them turn up
    assert held[0][0] != held[0][1]


def test_draws_differ_between_replicas_and_epochs(stream):
    places = []  # in the memory, which differs between replicas whatever the draws
    watch = at("after_epoch", lambda loop: loop.t and places.extend(loop.methods[0].stored.draws))
    train(small(), Replay(10), stream, CONFIG, observers=[watch])
    assert len(places) == 12 and places[0].shape == (5, 5)
    assert not any(torch.equal(a, b) for i, a in enumerate(places) for b in places[:i])


def test_a_method_on_replay_sees_which_samples_are_in_the_batch(stream):
    found = []

    class Looking(Replay):
        def penalty(self, loop, batch, logits):
            if loop.t:
                x, y = self.stored.at(self.stored.drawn)
                found.append(
                    torch.equal(x, batch.x[:, batch.new :])
                    and torch.equal(y, batch.y[:, batch.new :])
                )

    train(small(), Looking(10, batch=3), stream, CONFIG)
    assert len(found) == 20 and all(found)


def test_loss_and_accuracy_of_a_batch_with_old_samples(stream):
    settings = TrainConfig(epochs=1, batch_size=26, lr=0.0, weight_decay=0.0)
    run, batches = spied(Replay(10), stream, settings)
    logits = run.model(stream.images.scale(batches[1][1].x))
    loss = [F.cross_entropy(a, b) for a, b in zip(logits, batches[1][1].y, strict=True)]
    assert run.history[1]["loss"].tolist() == pytest.approx(
        [float(value.detach()) for value in loss]
    )
    hits = (logits.argmax(2) == batches[1][1].y)[:, :26].double().mean(1)
    assert run.history[1]["accuracy"].tolist() == pytest.approx(hits.tolist())


def test_replay_forgets_less(stream):
    settings = TrainConfig(epochs=8, batch_size=5, lr=0.01)
    plain, replayed = (
        train(small(), method, stream, settings) for method in (Finetune(), Replay(60))
    )
    assert (replayed.accuracy[:, -1, 0] > plain.accuracy[:, -1, 0] + 0.3).all()


@pytest.mark.parametrize("order", [1, -1])
def test_replay_joins_the_passes_of_other_methods(stream, order):
    class Twice(Method):
        def before_epoch(self, loop):
            x, y = (torch.cat([value, value]) for value in (loop.task.x_train, loop.task.y_train))
            loop.train_epoch(x, y, purpose="twice")

    run = train(small(), [Replay(10), Twice()][::order], stream, CONFIG)
    assert run.accuracy.isfinite().all()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((1.5,), "memory=1.5"), ((-1,), "memory=-1"), ((10, 0), "batch=0"), ((10, 1.5), "batch=1.5")],
)
def test_replay_names_wrong_arguments(arguments, message):
    with pytest.raises(ValueError, match=f"{message} is not possible"):
        Replay(*arguments)


# --- orthogonal gradient descent ---


def ogd_run(stream, norm=None, seeds=(0, 1, 2), optimizer="sgd", momentum=0.0, **arguments):
    """Train with OGD.

    Returns the run and, for each projected step: gradient and step, flat, and the basis.
    """
    records = []

    def note(loop, moment):
        if moment == "before_task":
            note.weights = vectors.flat(loop.model.parameters())
        method = loop.methods[0]
        if moment == "after_step" and method.basis is not None:
            step = vectors.flat(loop.model.parameters()) - note.weights
            records.append((vectors.gradients(loop.model), step, method.basis))
        if moment == "after_step":
            note.weights = vectors.flat(loop.model.parameters())

    settings = replace(CONFIG, optimizer=optimizer, momentum=momentum, weight_decay=0.0)
    return train(
        small(norm), OGD(**arguments), stream, settings, seeds, observers=[Told(note)]
    ), records


def overlap(vectors, basis):
    """Largest |v_k . g| / |g| of each replica."""
    return (basis @ vectors.unsqueeze(2)).squeeze(2).abs().amax(1) / vectors.norm(dim=1)


@pytest.mark.parametrize("norm", [None, "batch", "layer"])
@pytest.mark.parametrize(
    "arguments",
    [{"directions": 1, "of": "loss"}, {"directions": 4}, {"directions": 3, "of": "loss"}],
)
def test_projected_gradient_is_orthogonal_to_the_basis(stream, norm, arguments):
    run, records = ogd_run(stream, norm, **arguments)
    assert len(records) > 5
    for gradient, _, basis in records:
        assert (overlap(gradient, basis) < 1e-5).all()
    basis = run.methods[0].basis
    products = basis @ basis.mT
    there = products.diagonal(dim1=1, dim2=2) > 0.5
    assert basis.shape[1] == 2 * arguments["directions"] and there.float().mean() > 0.9
    assert (products - torch.diag_embed(there.float())).abs().max() < 1e-5


@pytest.mark.parametrize(("optimizer", "momentum"), [("sgd", 0.9), ("adamw", 0.0)])
def test_only_a_projected_step_is_orthogonal_under_momentum_and_adam(stream, optimizer, momentum):
    for project, low, high in (("gradient", 0.01, 1), ("step", 0, 1e-4), ("both", 0, 1e-4)):
        arguments = {
            "directions": 2,
            "project": project,
            "optimizer": optimizer,
            "momentum": momentum,
        }
        _, records = ogd_run(stream, **arguments)
        worst = torch.stack([overlap(step, basis) for _, step, basis in records]).amax(0)
        assert (worst >= low).all() and (worst <= high).all()


def test_projecting_both_feeds_adam_projected_gradients(stream):
    _, gradient = ogd_run(stream, directions=2, project="gradient", optimizer="adam")
    _, both = ogd_run(stream, directions=2, project="both", optimizer="adam")
    (g, step, basis), (same, freed, _) = gradient[0], both[0]
    torch.testing.assert_close(same, g)
    torch.testing.assert_close(
        freed, step - torch.einsum("rk,rkp->rp", (basis @ step.unsqueeze(2))[..., 0], basis)
    )


def test_before_anything_is_stored_ogd_is_finetuning(stream):
    first = replace(stream, tasks=stream.tasks[:1], groups=stream.groups[:1])
    runs = [train(small("batch"), method, first, CONFIG) for method in (OGD(3), Finetune())]
    assert_same(state(runs[0].model), state(runs[1].model))


def test_ogd_that_projects_nothing_is_finetuning(stream):
    runs = [
        train(small(), method, stream, CONFIG) for method in (OGD(3, project="nothing"), Finetune())
    ]
    assert_same(state(runs[0].model), state(runs[1].model))
    assert runs[0].methods[0].basis.shape[1] == 6


@pytest.mark.parametrize("part", ["head", "body"])
def test_projection_of_a_part_leaves_the_rest_alone(stream, part):
    run, _ = ogd_run(stream, directions=2, part=part)
    chosen = vectors.in_part(run.model, part).bool()
    basis = run.methods[0].basis
    assert (basis[:, :, ~chosen] == 0).all() and (basis[:, :, chosen].norm(dim=2) > 0.5).any()
    assert chosen.sum() == (8 * 6 + 6 if part == "head" else 36 * 10 + 10 + 10 * 8 + 8)


def test_stored_gradients_are_those_of_autograd(stream):
    run = train(double("batch"), Finetune(), stream, CONFIG)
    loop = Loop(run.model.train(), [], stream, CONFIG, (), torch.device("cpu"))
    task, net = stream.tasks[0], run.model.replica(1).eval()
    x = stream.images.scale(task.x_train).double()
    found = ogd.task_gradients(loop, 1, "loss")[1, 0]
    expected = torch.autograd.grad(F.cross_entropy(net(x), task.y_train), list(net.parameters()))
    torch.testing.assert_close(found, torch.cat([g.flatten() for g in expected]))
    label = task.y_train[2]
    found = vectors.logit_gradient(loop, task.x_train[[2, 2, 2]], label.expand(3))[1]
    expected = torch.autograd.grad(net(x[2:3])[0, label], list(net.parameters()))
    torch.testing.assert_close(found, torch.cat([g.flatten() for g in expected]))
    assert run.model.training and all(w.grad is None for w in run.model.parameters())


def test_a_direction_that_is_there_already_becomes_zero():
    v, w = torch.eye(3)[:2] * 5
    basis = vectors.orthonormal(torch.stack([v, v, w]).unsqueeze(0))
    torch.testing.assert_close(basis[0].mT @ basis[0], torch.diag(torch.tensor([1.0, 1, 0])))
    assert (basis[0].norm(dim=1) == 0).sum() == 1
    more = vectors.orthonormal(torch.tensor([[[1.0, 1, 1], [2, 2, 0]]]), basis)[0, 3:]
    torch.testing.assert_close(more.mT @ more, torch.diag(torch.tensor([0.0, 0, 1])))
    nothing = vectors.orthonormal(torch.tensor([[[3.0, 1, 0]]]), basis)[0, 3:]
    assert (nothing == 0).all()


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 3, 3), nn.BatchNorm2d(3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 6)
    )


@pytest.mark.parametrize(
    ("build", "arguments"),
    [
        (double(), {"directions": 5}),
        (double("batch"), {"directions": 5}),
        (double("layer"), {"directions": 5, "part": "body"}),
        (double("batch"), {"directions": 9, "part": "head"}),
        (double(), {"directions": 5, "project": "both"}),
        (lambda: lenet().double(), {"directions": 4}),
    ],
)
def test_directions_kept_as_factors_train_the_same_network(stream, build, arguments):
    settings = replace(CONFIG, optimizer="adam", weight_decay=0.0, epochs=2)
    whole, factors = (
        train(build, OGD(**arguments, keep=keep), stream, settings)
        for keep in ("vectors", "factors")
    )
    assert len(whole.methods[0].basis[0]) == 2 * arguments["directions"]
    assert factors.methods[0].basis is None
    for name, weight in whole.model.weights.items():
        torch.testing.assert_close(factors.model.weights[name], weight, rtol=1e-5, atol=1e-7)


def test_factors_leave_frozen_weights_out(stream):
    def frozen():
        network = double()()
        network.fc2.weight.requires_grad_(False)
        return network

    runs = [train(frozen, OGD(4, keep=keep), stream, CONFIG) for keep in ("vectors", "factors")]
    a, b = (run.model.weights for run in runs)
    assert all(torch.allclose(a[name], b[name], rtol=1e-6, atol=1e-8) for name in a)
    begun = train(frozen, Finetune(), stream, CONFIG, until=0).model.weights
    assert torch.equal(b["fc2.weight"], begun["fc2.weight"])


def test_ogd_refuses_what_it_cannot_do(stream, monkeypatch):
    for arguments, message in [
        ({"of": "x"}, "of='x' is unknown; known are loss, logit"),
        ({"part": "x"}, "part='x' is unknown; known are all, head, body"),
        ({"project": "x"}, "project='x' is unknown; known are gradient, step, both, nothing"),
        ({"directions": -1}, "directions=-1 is not possible"),
        ({"keep": "x"}, "keep='x' is unknown; known are vectors, factors"),
        ({"of": "loss", "keep": "factors"}, "a mean gradient has no factors"),
    ]:
        with pytest.raises(ValueError, match=message):
            OGD(**arguments)
    with pytest.raises(
        ValueError, match="a basis of 1200 directions is not possible: the network has 512 weights"
    ):
        train(small(), OGD(600), stream, CONFIG)
    monkeypatch.setattr(
        vectors.psutil, "virtual_memory", lambda: type("memory", (), {"available": 1000})
    )
    with pytest.raises(
        MemoryError,
        match=r"8 directions of 512 weights for 3 replicas need 0\.0 GB to grow, but 0\.0 GB",
    ):
        train(small(), OGD(4), stream, CONFIG)


# --- long- and short-term weights ---


@pytest.mark.parametrize("norms", [False, True])
def test_long_term_weights_do_not_move_by_a_bit_in_a_pass_and_do_in_rehearsal(stream, norms):
    seen = {}

    def note(loop, moment):
        moments = loop.optimizer.state[loop.model.weights["fc1.weight"]]["momentum_buffer"].clone()
        seen[loop.t, loop.epoch, moment] = state(loop.model) | {"momentum of fc1.weight": moments}

    config = TrainConfig(
        epochs=2, batch_size=8, lr=0.05, optimizer="sgd", momentum=0.9, weight_decay=0.1
    )
    method = LongShort(12, share=0.5, norms=norms)
    watch = [at(moment, partial(note, moment=moment)) for moment in ("before_epoch", "after_epoch")]
    train(small("batch"), method, stream, config, observers=watch)
    for t, epoch in ((1, 0), (1, 1), (2, 0), (2, 1)):
        start, end = seen[t, epoch, "before_epoch"], seen[t, epoch, "after_epoch"]
        for name in ("fc1.weight", "momentum of fc1.weight", "fc2.bias"):
            half = start[name].shape[1] // 2
            assert torch.equal(start[name][:, :half], end[name][:, :half])
            assert (start[name][:, half:] != end[name][:, half:]).any()
        for name in ("norm1.weight", "norm2.running_mean"):
            assert torch.equal(start[name], end[name]) == norms
        assert (start["fc3.weight"] != end["fc3.weight"]).flatten(1).any(1).all(), "the head learns"
        if epoch:
            before = seen[t, 0, "after_epoch"]
            assert (before["fc1.weight"][:, :5] != start["fc1.weight"][:, :5]).any(), (
                "rehearsal moves what is held"
            )
    first = seen[0, 0, "before_epoch"], seen[0, 1, "after_epoch"]
    assert (first[0]["fc1.weight"][:, :5] != first[1]["fc1.weight"][:, :5]).any(), (
        "the first task trains everything"
    )


def test_long_term_weights_name_wrong_arguments():
    for arguments, message in [
        ({"share": 1.5}, r"share=1.5 is not possible; it lies in \[0, 1\]"),
        ({"share": True}, "share=True is not possible"),
        ({"every": 0}, "every=0 is not possible; it is a whole number, 1 or more"),
        ({"memory": -1}, "memory=-1 is not possible"),
    ]:
        with pytest.raises(ValueError, match=message):
            LongShort(**({"memory": 10} | arguments))


# --- freezing of filters ---


def convolutional(norm=True, outputs=6):
    """Two convolutions, with their norms if wanted, and a linear layer, for images of 6 pixels."""
    layers, channels = OrderedDict(), 1
    for i in (1, 2):
        layers[f"conv{i}"] = nn.Conv2d(channels, channels := 4, 3, padding=1)
        layers |= {f"norm{i}": nn.BatchNorm2d(4)} if norm else {}
        layers[f"act{i}"] = nn.ReLU()
    return nn.Sequential(layers | {"flatten": nn.Flatten(), "fc3": nn.Linear(144, outputs)})


NORMS = {"conv1": "norm1", "conv2": "norm2"}


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_filters_do_not_move_by_a_bit(stream, optimizer):
    scores = {"conv1": [0.0, 3.0, 1.0, 2.0], "conv2": torch.tensor([4.0, 0.0, 3.0, 0.0])}
    method, seen = Freeze(0.5, lambda model, task: scores, NORMS), {}
    config = TrainConfig(
        2, 8, 0.05, optimizer, weight_decay=0.1, momentum=0.9 * (optimizer == "sgd")
    )

    def note(loop, moment):
        seen[loop.t, moment] = state(loop.model)
        seen[loop.t, "rows"] = {
            layer: rows.tolist() for layer, rows in loop.methods[0].rows.items()
        }

    watch = [at(moment, partial(note, moment=moment)) for moment in ("before_task", "after_task")]
    train(convolutional, method, stream, config, observers=watch)
    assert seen[0, "rows"] == {}
    assert seen[1, "rows"] == {"conv1": [1, 3], "conv2": [0, 2]}
    assert {layer: sorted(rows) for layer, rows in seen[2, "rows"].items()} == {
        "conv1": [1, 2, 3],
        "conv2": [0, 1, 2],
    }
    for t in (1, 2):
        start, end = seen[t, "before_task"], seen[t, "after_task"]
        for layer, rows in seen[t, "rows"].items():
            free = [i for i in range(4) if i not in rows]
            kinds = ("weight", "bias", "running_mean", "running_var")
            names = [
                f"{layer}.weight",
                f"{layer}.bias",
                *(f"{layer.replace('conv', 'norm')}.{kind}" for kind in kinds),
            ]
            for name in names:
                assert torch.equal(start[name][:, rows], end[name][:, rows]), name
                assert (start[name][:, free] != end[name][:, free]).any(), name
        assert (start["fc3.weight"] != end["fc3.weight"]).any(), "the head learns"


def test_share_zero_of_freezing_is_finetuning(stream):
    freeze = Freeze(
        0.0, lambda model, task: {"conv1": torch.ones(4), "conv2": torch.ones(4)}, NORMS
    )
    config, ends = TrainConfig(1, 8, 0.01), []
    note = at("after_task", lambda loop: ends.append(state(loop.model)))
    for method in (freeze, Finetune()):
        train(convolutional, method, stream, config, observers=[note])
    assert all(torch.equal(value, ends[-1][name]) for name, value in ends[2].items())


@pytest.mark.parametrize("share", [-0.1, 1.5, float("nan"), None])
def test_an_impossible_share_of_freezing_is_refused(share):
    with pytest.raises(ValueError, match=rf"share={share} is not possible; it lies in \[0, 1\]"):
        Freeze(share, lambda model, task: {})
