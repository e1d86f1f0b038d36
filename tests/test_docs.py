"""The code that README and CONTRIBUTING show is run as it stands there."""

import re

from conftest import assert_same, at, small, state, train

from cf_utils import methods, training
from cf_utils.files import ROOT


def code_of(name):
    return re.findall(r"```python\n(.*?)```", (ROOT / name).read_text(encoding="utf-8"), re.DOTALL)


def test_readme_example_runs(capsys):
    (example,) = code_of("README.md")
    exec(example, {})
    mean, half = eval(capsys.readouterr().out.replace("np.float64", "").replace("array", ""))
    assert 0.7 < mean < 1 and 0 < half < 0.1


def test_contributing_shows_a_method_that_keeps_its_contract(stream):
    (example,) = code_of("CONTRIBUTING.md")
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
