"""Probes: known answers by hand."""

import copy
from collections import OrderedDict

import numpy as np
import pytest
import torch
from conftest import at, small, train
from threadpoolctl import threadpool_info, threadpool_limits
from torch import nn

from cf_utils import methods, probes, training
from cf_utils.replicas import Replicas

CONFIG = training.TrainConfig(epochs=2, batch_size=8)


def test_best_temperature_undoes_a_factor_on_calibrated_logits():
    p = torch.tensor([0.8, 0.2])
    logits = (10 * p.log()).expand(1, 10, 2)
    temperature, loss = probes.best_temperature(logits, torch.tensor([0] * 8 + [1] * 2))
    assert temperature.item() == pytest.approx(10, rel=0.03)
    assert loss.item() == pytest.approx(float(-(p * p.log()).sum()), rel=1e-3)


def test_output_statistics_by_hand():
    logits = torch.tensor([[[0.0, 0.0], [0.0, np.log(3)]]])
    found = probes.output_statistics(logits, torch.tensor([0, 1]), old=[0])
    assert found["nll"].item() == pytest.approx((np.log(2) + np.log(4 / 3)) / 2)
    assert found["old"].item() == pytest.approx(0.5)
    entropy = (np.log(2) - 0.25 * np.log(0.25) - 0.75 * np.log(0.75)) / 2
    assert found["entropy"].item() == pytest.approx(entropy)


def test_activity_counts_zeros_and_dead_units(images):
    model = Replicas(small(), [0])
    with torch.no_grad():
        for name, weight in model.weights.items():
            weight.zero_()
            if name == "fc1.bias":
                # Four of ten units say 2 to everything, eight of the next layer say nothing.
                weight[0, :4] = 2.0
    found = probes.activity(model, images, images.x_test)
    assert found["sparsity"].item() == pytest.approx(14 / 18)
    assert found["dead"].item() == pytest.approx(14 / 18)
    assert found["feature"].item() == pytest.approx(2.0)


def test_task_aware_accuracy_is_of_old_tasks_alone(stream):
    found = []
    look = at("after_task", lambda loop: found.append((probes.standing(loop), loop.model)))
    train(small(), methods.Finetune(), stream, CONFIG, observers=[look])
    standing, model = found[-1]
    logits = torch.cat(
        [
            training.predict(model, stream.images, task.x_val)[:, :, list(task.labels)]
            for task in stream.tasks[:2]
        ],
        1,
    )
    y = torch.cat([task.y_val - task.labels[0] for task in stream.tasks[:2]])
    torch.testing.assert_close(standing["task-aware"], (logits.argmax(2) == y).double().mean(1))


def test_standing_needs_validation_images(stream, images):
    bare = type(stream)(
        **{**vars(stream), "tasks": tuple(replace_val(task) for task in stream.tasks)}
    )
    look = at("after_task", probes.standing)
    with pytest.raises(
        ValueError, match="no validation images; load the data with validation=1000"
    ):
        train(small(), methods.Finetune(), bare, CONFIG, observers=[look])


def replace_val(task):
    from dataclasses import replace

    return replace(task, x_val=task.x_val[:0], y_val=task.y_val[:0])


def test_linear_probe_reads_labels_off_features_and_nothing_off_noise():
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(3).repeat(200)
    fitted = torch.arange(600) < 480
    clear = torch.eye(3)[y] + 0.1 * torch.randn(600, 3, generator=generator)
    found = probes.linear_probe(
        torch.stack([clear, torch.randn(600, 3, generator=generator)]), y, fitted
    )
    assert found["accuracy"][0] == 1.0 and abs(found["accuracy"][1] - 1 / 3) < 0.12
    assert found["by class"].shape == found["norm"].shape == (2, 3)
    assert found["by class"].mean(1) == pytest.approx(found["accuracy"])  # as many of each class
    assert (found["norm"][0] > 5 * found["norm"][1]).all()
    assert found["converged"].tolist() == [
        1.0,
        1.0,
    ]


def test_linear_probe_of_two_classes_gives_both_one_norm():
    x = torch.tensor([[-1.0], [1.0]]).repeat(20, 1).unsqueeze(0)
    found = probes.linear_probe(x, torch.tensor([4, 7]).repeat(20), torch.arange(40) < 30)
    assert found["by class"].tolist() == [[1.0, 1.0]]
    assert found["norm"][0, 0] == found["norm"][0, 1] > 0


def test_a_unit_that_is_nearly_dead_does_not_decide():
    y = torch.tensor([0, 1]).repeat(100)
    x = torch.stack([2.0 * y - 1, torch.zeros(200)], 1) + 0.5 * torch.randn(
        200, 2, generator=torch.Generator().manual_seed(0)
    )
    x[:, 1] = 1e-6 * (torch.arange(200) == 0)
    fitted = torch.arange(200) < 160
    x[~fitted, 1] = 1e-3  # a thousand of its deviations, against the label
    assert probes.linear_probe(x.unsqueeze(0), y, fitted)["accuracy"][0] > 0.9


def test_linear_probe_needs_every_class_on_both_sides():
    y = torch.tensor([0, 1] * 10)
    for fitted in (torch.arange(20) < 0, (torch.arange(20) < 10) & (y == 0), torch.arange(20) < 20):
        with pytest.raises(
            ValueError, match="a probe needs samples of each of two classes or more"
        ):
            probes.linear_probe(torch.zeros(1, 20, 2), y, fitted)


def test_held_out_digits_are_split_once_for_all():
    y = torch.arange(10).repeat(100)
    index, fitted = probes.held_out(y, [3, 4])
    assert set(y[index].tolist()) == {3, 4} and len(index) == 200
    assert 0.7 < fitted.float().mean() < 0.9
    everything, all_fitted = probes.held_out(y, range(10))
    assert all_fitted.sum() == 800
    assert set(index[fitted].tolist()) <= set(everything[all_fitted].tolist())


def test_cka_is_one_up_to_rotation_and_scale_and_zero_for_unrelated_features():
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    x, y = corners[:, :1], corners[:, 1:]
    turned = corners @ torch.tensor([[0.6, 0.8], [-0.8, 0.6]]) * 3 + 1
    found = probes.cka(torch.stack([corners, corners]), torch.stack([corners, turned]))
    assert found.tolist() == pytest.approx([1, 1])
    assert probes.cka(x.unsqueeze(0), y.unsqueeze(0)).item() == pytest.approx(0)
    assert probes.cka(corners.unsqueeze(0), x.unsqueeze(0)).item() == pytest.approx(0.5**0.5)


def test_rank_correlation_leaves_out_what_is_not_there():
    a = np.array([[[1, 2, 3, np.nan], [1, 2, 3, 4], [1, 2, np.nan, np.nan], [1, 1, 1, 1]]])
    b = np.array([[[1, 5, 9, 0], [4, 3, 2, 1], [1, 2, 3, 4], [1, 2, 3, 4]]])
    assert probes.rank_correlation(a[:, :1], b[:, :1]).tolist() == [1.0]
    assert probes.rank_correlation(a, b).tolist() == [0.0]  # of 1 and -1; the others have no rank
    assert np.isnan(probes.rank_correlation(a[:, 2:], b[:, 2:])).all()


def test_effective_dimension_of_a_line_and_of_a_ball():
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    line = corners * torch.tensor([1.0, 0.0])
    assert probes.effective_dimension(torch.stack([corners, line])).tolist() == [2.0, 1.0]


def test_elongation_is_the_mean_ratio_of_deviations():
    cross = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    points = np.concatenate([cross, cross[:, ::-1] + 9, cross * [1, 3]])
    labels = np.repeat([0, 1, 2], 4)
    assert probes.elongation(points, labels) == pytest.approx((3 + 3 + 1) / 3)


def test_window_ratio_by_hand():
    values = np.array([[1.0] * 10 + [3.0] * 10])
    assert probes.window_ratio(values, [13]).tolist() == [3.0]  # steps 11 to 15 against 6 to 10


def test_class_shift_by_hand():
    h = torch.tensor([[[0.0], [2.0], [4.0], [6.0]]])
    found = probes.class_shift(h, torch.tensor([0, 0, 1, 1]))
    assert found[0].tolist() == pytest.approx([2 / 5**0.5, 2 / 5**0.5])


def test_tight_clouds_stay_together_and_noise_does_not():
    labels = np.arange(300) % 3
    noise = np.random.default_rng(0).normal(size=(300, 4))
    found = probes.tightness([30 * np.eye(3, 4)[labels] + noise, noise], labels)
    assert found["silhouette"][0] > 0.9 and found["hit"][0] == 1
    assert abs(found["silhouette"][1]) < 0.03 and found["hit"][1] == pytest.approx(1 / 3, abs=0.05)


def test_neighbourhood_hit_by_hand():
    line, labels = np.array([[0.0], [1.0], [2.1], [10.0]]), np.array([0, 0, 1, 1])
    # The third one's nearest is the second.
    assert probes.tightness([line], labels, k=1)["hit"].tolist() == [0.75]


def test_embeddings_are_seeded_and_an_unknown_one_is_named():
    plane = np.random.default_rng(0).normal(size=(60, 2)) * [5, 1]
    features = np.concatenate([plane, np.zeros((60, 3))], 1)
    for kind in ("tsne", "pca", "isomap", "mds"):
        found = probes.embed(features, kind)
        assert found.shape == (60, 2) and np.array_equal(found, probes.embed(features, kind))
    centred = plane - plane.mean(0)
    assert np.linalg.norm(probes.embed(features, "pca"), axis=1) == pytest.approx(
        np.linalg.norm(centred, axis=1)
    )
    with pytest.raises(
        ValueError, match="unknown embedding 'tsnee'; known are tsne, pca, umap, isomap, mds"
    ):
        probes.embed(features, "tsnee")


def test_an_embedding_takes_one_thread(monkeypatch):
    seen = []

    class Recorded:
        def __init__(self, **options):
            pass

        def fit_transform(self, features):
            seen.extend(pool["num_threads"] for pool in threadpool_info())
            return features

    monkeypatch.setattr(probes, "TSNE", Recorded)
    with threadpool_limits(2):
        probes.embed(np.eye(8, 2), "tsne")
    assert seen and set(seen) == {1}


def test_bias_statistics_leave_norms_out():
    model = Replicas(small("batch"), [0, 1])
    with torch.no_grad():
        for name, weight in model.weights.items():
            weight.fill_(1.0 if name.startswith("fc") else 100.0)
        model.weights["fc3.bias"][1] = 5.0  # 6 of 24
    found = {key: values.tolist() for key, values in probes.bias_statistics(model).items()}
    assert found == {
        "mean": [1.0, 2.0],
        "median": [1.0, 1.0],
        "std": [0.0, pytest.approx(np.sqrt(12 * 6 / 23))],
    }


def test_the_layer_that_changed_most(stream):
    layers = {
        "conv1": nn.Conv2d(1, 4, 3, padding=1),
        "act1": nn.ReLU(),
        "conv2": nn.Conv2d(4, 4, 3),
        "act2": nn.ReLU(),
    }
    first = Replicas(
        lambda: nn.Sequential(OrderedDict(layers | {"end": nn.Flatten(), "fc": nn.Linear(64, 6)})),
        [0],
    )
    with torch.no_grad():  # the second layer answers to its bias alone
        first.weights["conv2.weight"].mul_(0.001)
        first.weights["conv2.bias"].fill_(1.0)
    x = stream.images.scale(stream.tasks[0].x_train[:5])
    for layer, expected in (("conv2", 1), ("conv1", 0)):
        then = copy.deepcopy(first)
        with torch.no_grad():
            then.weights[f"{layer}.bias"].add_(1.0)
        assert probes.most_changed(first, then, x, ["act1", "act2"]) == expected
