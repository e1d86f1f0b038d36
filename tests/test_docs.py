"""The code that README and CONTRIBUTING show is run as it stands there."""

import re

import pytest
import test_methods as contracts
import torch
from conftest import assert_same, at, small, state, train

from cf_utils import checkpoint, data, methods, models, streams, training
from cf_utils.files import ROOT
from cf_utils.replicas import evaluating


def code_of(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


def test_readme_is_short_and_its_code_fits_a_narrow_page():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    assert len(text.encode()) < 12_000
    assert max(len(line) for block in blocks for line in block.splitlines()) <= 70


def test_readme_example_runs(capsys):
    (example,) = code_of("README.md")
    exec(example, {})
    (printed,) = re.findall(r"^replay (\d\d\.\d) ± (\d\.\d) %\n$", capsys.readouterr().out)
    mean, half = map(float, printed)
    assert 70 < mean < 100 and 0 < half < 10


def test_contributing_shows_a_method_that_keeps_its_contract(stream):
    example, *_ = code_of("CONTRIBUTING.md")
    space, first = {}, {}
    exec(example, space)

    def keep_first(loop):
        if loop.t == 0:
            first.update(state(loop.model))

    def run(method):
        config = training.TrainConfig(epochs=3, batch_size=16, optimizer="adam", weight_decay=0.0)
        return state(
            train(small(), method, stream, config, observers=[at("after_task", keep_first)]).model
        )

    try:
        assert methods.METHODS["l2-anchor"] is space["L2Anchor"]
        plain = run(methods.Finetune())
        off = run(space["L2Anchor"](0.0))
        held = run(space["L2Anchor"](1e6))
    finally:
        methods.METHODS.pop("l2-anchor", None)
    assert_same(off, plain)
    moved = max(float((plain[name] - first[name]).abs().max()) for name in first)
    kept = max(float((held[name] - first[name]).abs().max()) for name in first)
    assert kept < 0.2 * moved


@pytest.fixture
def derpp(monkeypatch):
    """The class of CONTRIBUTING's second example, as if it stood in cf_utils/methods."""
    space = {"__name__": "cf_utils.methods.derpp"}
    exec(code_of("CONTRIBUTING.md")[1], space)
    monkeypatch.setattr(methods, "DERpp", space["DERpp"], raising=False)
    yield space["DERpp"]
    methods.METHODS.pop("der++")


def test_contributing_shows_a_method_that_replays(derpp, stream, monkeypatch):
    contracts.test_method_says_what_it_does(derpp)
    contracts.test_strength_0_is_bitwise_the_method_it_extends(derpp, "batch", stream)
    contracts.test_method_changes_the_result(derpp, stream)
    contracts.test_replicas_equal_separate_runs(derpp, None, stream)
    contracts.test_penalty_is_above_zero_after_the_first_task(derpp, stream, monkeypatch)


def test_the_method_that_replays_holds_what_the_network_said(derpp, stream):
    """With room for 20 samples: logits of the last task are those of the network as it is, those
    of earlier tasks as it was, and the penalty is their mean squared distance from others.
    """
    found, run = [], train(small(), derpp(2.0, memory=20), stream, contracts.CONFIG, until=1)
    for until in (1, 2, 3):
        run = training.proceed(run, stream, until, "cpu")
        (method,), x = run.methods, stream.images.scale(run.methods[0].stored.x)
        with evaluating(run.model):
            found.append((method.then, run.model(x), method.stored.sizes))
    assert [sizes for _, _, sizes in found] == [[20], [10, 10], [6, 6, 6]]
    (one, now, _), (two, then, _), (three, last, _) = found
    torch.testing.assert_close(one, now)
    torch.testing.assert_close(two, torch.cat([one[:, :10], then[:, 10:]], 1))
    torch.testing.assert_close(three[:, :6], one[:, :6])
    torch.testing.assert_close(three[:, 12:], last[:, 12:])

    logits, batch = torch.zeros(3, 9, 6), methods.Batch(None, None, 5)
    method.stored.drawn = torch.tensor([[0, 1, 1, 17]] * 3)
    expected = 2 * three[:, [0, 1, 1, 17]].square().mean((1, 2))
    torch.testing.assert_close(method.penalty(None, batch, logits), expected)


def test_contributing_compares_methods_and_trains_a_network_of_ones_own(derpp, capsys):
    """As it stands but for fewer images, epochs and seeds."""
    compare, network = code_of("CONTRIBUTING.md")[2:]
    smaller = {
        'load("mnist-5k")': 'load("mnist-5k", train=300)',
        "epochs=5": "epochs=1",
        "range(10)": "range(2)",
    }
    for whole, part in smaller.items():
        assert whole in compare + network
        compare, network = compare.replace(whole, part), network.replace(whole, part)
    space = {}
    exec(compare, space)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        [scenario, name]
        for scenario in ("task", "domain", "class")
        for name in ("finetune", "replay", "der++")
    ]
    assert all(re.search(r" \d+\.\d ± \d+\.\d %$", line) for line in lines)
    exec(network, space)
    build, run = space["TwoHeads"], space["run"]
    assert run.accuracy.shape == (2, 6, 5) and [*run.model.head] == [
        *("first.weight", "first.bias", "second.weight", "second.bias")
    ]
    torch.manual_seed(1)
    start = build().frozen[0].weight
    torch.testing.assert_close(run.model.weights["frozen.0.weight"][1], start, rtol=0, atol=0)


def test_what_contributing_says_of_a_trained_network(tmp_path):
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for said in ('run.model.weights["', "run.model.replica(0)", "training.predict(run.model, "):
        assert said in text
    images = data.load("mnist-5k", train=300)
    stream = streams.split(images, [[1, 2], [3, 4]], "class")
    config = training.TrainConfig(epochs=1)
    run = training.run_stream(models.mlp, methods.Finetune(), stream, config, [0, 1])
    assert run.accuracy.shape == (2, 3, 2) and run.model.weights["fc1.weight"].shape[0] == 2
    logits = training.predict(run.model, images, images.x_test[:5])
    alone = run.model.replica(1)(images.scale(images.x_test[:5]))
    torch.testing.assert_close(logits[1], alone)
    checkpoint.save(run, stream, tmp_path / "mine")
    assert checkpoint.load(tmp_path / "mine", models.mlp, methods.Finetune(), stream, config).done


def test_a_run_a_stream_and_images_are_printed_in_a_line():
    images = data.load("mnist-5k", train=300)
    stream = streams.split(images, [[1, 2], [3, 4]], "class")
    assert repr(images) == (
        "<Images mnist-5k: 10 classes of 1×28×28, 300 training, 0 validation, 1,000 test images>"
    )
    assert repr(stream) == "<Stream split mnist-5k, class-incremental: [1, 2], [3, 4]>"
    assert repr(stream.tasks[0]).startswith("<Task [1, 2]: labels [1, 2], ")
    run = training.run_stream(models.mlp, methods.Finetune(), stream, seeds=[0], until=0)
    start = "<Run of 1 networks, Finetune: 0 of 2 tasks, accuracy by task now "
    assert repr(run).startswith(start) and len(repr(run)) < 100
