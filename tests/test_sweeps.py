import numpy as np
import pytest
from conftest import double, small, train

from cf_utils import metrics, sweeps
from cf_utils.methods import ActivationL1
from cf_utils.training import TrainConfig


def test_sweep_trains_each_strength_like_a_run_of_its_own(stream):
    config = TrainConfig(epochs=2, batch_size=9, lr=0.02)
    strengths = [0.0, 3.0]
    found = sweeps.sweep(double(), ActivationL1, strengths, stream, config, [4, 5, 6])
    assert {key: values.shape for key, values in found.items()} == dict.fromkeys(
        ("accuracy", "learned", "forgotten", "test"), (2, 3)
    )
    for k, strength in enumerate(strengths):
        run = train(double(), ActivationL1(strength), stream, config, [4, 5, 6], evaluate="val")
        assert found["accuracy"][k] == pytest.approx(
            100 * metrics.average_accuracy(run.accuracy).numpy()
        )
        assert found["learned"][k] == pytest.approx(
            100 * metrics.learning_accuracy(run.accuracy).numpy()
        )
        assert found["forgotten"][k] == pytest.approx(
            -100 * metrics.backward_transfer(run.accuracy).numpy()
        )
        test = train(double(), ActivationL1(strength), stream, config, [4, 5, 6])
        assert found["test"][k] == pytest.approx(
            100 * metrics.average_accuracy(test.accuracy).numpy()
        )


def test_what_diverges_in_a_sweep_is_nan(stream):
    config = TrainConfig(epochs=2, batch_size=9, lr=0.1, optimizer="sgd")
    found = sweeps.sweep(small(), ActivationL1, [0.0, 1e30], stream, config, [0])
    assert all(np.isfinite(values[0]).all() for values in found.values())
    assert np.isnan(found["test"][1]).all() and np.isnan(found["accuracy"][1]).all()
