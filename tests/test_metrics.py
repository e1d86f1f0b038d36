import numpy as np
import pytest
import torch
from scipy import stats

from cf_utils import metrics

# Two replicas, three tasks: rows are before training and after each task, columns are the tasks.
A = torch.tensor(
    [
        [[0.1, 0.2, 0.3], [0.9, 0.1, 0.3], [0.5, 0.8, 0.2], [0.6, 0.4, 0.7]],
        [[0.0, 0.5, 0.25], [0.6, 0.7, 0.35], [0.8, 0.6, 0.45], [0.7, 0.3, 1.0]],
    ],
    dtype=torch.float64,
)
BY_HAND = {
    "average_accuracy": [(0.6 + 0.4 + 0.7) / 3, (0.7 + 0.3 + 1.0) / 3],
    "average_incremental_accuracy": [(0.9 + 0.65 + 1.7 / 3) / 3, (0.6 + 0.7 + 2.0 / 3) / 3],
    "learning_accuracy": [(0.9 + 0.8 + 0.7) / 3, (0.6 + 0.6 + 1.0) / 3],
    # The best of replica 1 on task 1 comes after task 2, and on task 2 before it was trained.
    "forgetting": [(0.3 + 0.4) / 2, (0.1 + 0.4) / 2],
    "backward_transfer": [(-0.3 - 0.4) / 2, (0.1 - 0.3) / 2],
    "forward_transfer": [(-0.1 - 0.1) / 2, (0.2 + 0.2) / 2],
}
ALONE = {
    name: 0.0 if name in ("forgetting", "backward_transfer", "forward_transfer") else 0.9
    for name in BY_HAND
}


@pytest.mark.parametrize("name", BY_HAND)
def test_metric_equals_the_value_by_hand(name):
    assert getattr(metrics, name)(A).tolist() == pytest.approx(BY_HAND[name])


@pytest.mark.parametrize("name", ALONE)
def test_metric_of_a_single_task(name):
    assert getattr(metrics, name)(torch.tensor([[[0.1], [0.9]]])).tolist() == pytest.approx(
        [ALONE[name]]
    )


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ([1.0, 0.9, 0.9], [(0.1 + 0.1 + 0.2) / 3, (0.4 + 0.3 - 0.1) / 3]),
        ([[1.0, 0.9, 0.9], [0.6, 0.6, 0.7]], [(0.1 + 0.1 + 0.2) / 3, -0.1]),
    ],
)
def test_intransigence_takes_one_reference_or_one_a_replica(reference, expected):
    assert metrics.intransigence(A, reference).tolist() == pytest.approx(expected)


def test_seen_accuracy_by_hand():
    assert metrics.seen_accuracy(A).tolist() == [
        pytest.approx(r) for r in ([0.9, 0.65, 1.7 / 3], [0.6, 0.7, 2 / 3])
    ]


@pytest.mark.parametrize("name", [*BY_HAND, "seen_accuracy"])
def test_a_diverged_replica_is_nan_and_the_other_is_not(name):
    a = A.clone()
    a[1, 2:] = torch.nan
    value = getattr(metrics, name)(a).reshape(2, -1)
    assert value[0].isfinite().all() and value[1].isnan().any()


@pytest.mark.parametrize("shape", [(4, 3), (2, 3, 3), (2, 3, 4)])
@pytest.mark.parametrize("name", [*BY_HAND, "seen_accuracy"])
def test_wrong_shape_is_named(name, shape):
    with pytest.raises(
        ValueError, match=r"shape \[R, T\+1, T\], not \[" + ", ".join(map(str, shape))
    ):
        getattr(metrics, name)(torch.zeros(shape))


@pytest.mark.parametrize("axis", [0, 1])
def test_interval_is_scipys_t_interval(axis):
    values = np.random.default_rng(0).normal(size=(5, 7))
    mean, half = metrics.interval(values, axis)
    low, high = stats.t.interval(
        0.95, values.shape[axis] - 1, values.mean(axis), stats.sem(values, axis)
    )
    np.testing.assert_allclose([mean - half, mean + half], [low, high])


def test_interval_of_one_value_has_no_width():
    mean, half = metrics.interval([0.5])
    assert mean == 0.5 and np.isnan(half)


def test_interval_of_a_diverged_replica_is_nan():
    assert np.isnan(metrics.interval([0.5, np.nan, 0.7])).all()


def test_ratio_of_means_is_exact_where_all_ratios_agree_and_bears_a_zero():
    assert metrics.ratio_of_means([2, 4, 6], [1, 2, 3]) == pytest.approx([2, 2, 2])
    a, b = np.array([1.0, 3.0, 2.0, 2.0]), np.array([0.0, 1.0, 1.0, 2.0])
    values = metrics.ratio_of_means(a, b)
    assert np.isfinite(values).all()
    assert values.mean() == pytest.approx(4 * 2 - 3 * np.mean([7 / 4, 5 / 3, 2, 3]))
    assert metrics.ratio_of_means([3], [2]).tolist() == [1.5]
