"""Maps, favourite images and rankings of filters on known answers."""

from collections import OrderedDict
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from cf_utils import saliency
from cf_utils.replicas import Replicas


def convolutional(norm=True, outputs=6):
    """Two convolutions and a linear layer, for images of 6 pixels."""
    layers, channels = OrderedDict(), 1
    for i in (1, 2):
        layers[f"conv{i}"] = nn.Conv2d(channels, channels := 4, 3, padding=1)
        layers |= {f"norm{i}": nn.BatchNorm2d(4)} if norm else {}
        layers[f"act{i}"] = nn.ReLU()
    return nn.Sequential(layers | {"flatten": nn.Flatten(), "fc3": nn.Linear(144, outputs)})


def test_grad_cam_is_that_of_the_package():
    from cf_utils._torchvision import import_torchvision

    import_torchvision()
    from pytorch_grad_cam import GradCAM
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    model = Replicas(lambda: convolutional(norm=False), [0, 1])
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 5, 1, 4 + 2, 6, generator=generator)
    y = torch.tensor([[0, 1, 2, 3, 4], [5, 4, 3, 2, 1]])
    found = saliency.grad_cam(model, x, y, "conv1")
    assert found.shape == (2, 5, 6, 6) and model.training
    for r in range(2):
        network = model.replica(r)
        with GradCAM(network, [network.conv1]) as package:
            expected = package(x[r], [ClassifierOutputTarget(c) for c in y[r].tolist()])
        torch.testing.assert_close(found[r], torch.from_numpy(expected), rtol=0, atol=1e-4)


def test_likeness_of_maps_by_hand():
    ramp = np.arange(100.0).reshape(10, 10) / 99
    one = np.stack([ramp, ramp, ramp, 0 * ramp])
    two = np.stack([ramp, ramp[::-1, ::-1], 0 * ramp, ramp])
    found = saliency.alike(one, two)
    assert found["SSIM"][0] == pytest.approx(1) and found["SSIM"][1] < 0.5
    np.testing.assert_allclose(found["rank"], [1, -1, np.nan, np.nan])
    np.testing.assert_allclose(found["overlap"], [1, 0, np.nan, np.nan])
    assert found["empty"].tolist() == [0, 0, 1, 0], "of the second map"
    assert np.isnan(saliency.alike(one, 0 * one)["SSIM"]).all()
    half = ramp.copy()
    half[8, 5:], half[9] = 0, 1  # of the top 20 pixels 15 are left; the next five come up
    assert saliency.alike(ramp[None], half[None])["overlap"][0] == pytest.approx(15 / 25)


def test_attention_by_hand():
    masks = np.zeros((3, 2, 2), bool)
    masks[:, 0, 0] = True
    maps = np.array(
        [[[[0.6, 0.2], [0.2, 0.0]], [[0.25, 0.75], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]]
    )
    found = saliency.attention(maps, masks)
    np.testing.assert_allclose(found["energy"], [[0.6, 0.25, np.nan]])
    np.testing.assert_allclose(found["pointing"], [[1, 0, np.nan]])
    assert found["empty"].tolist() == [[0, 0, 1]]


def test_no_image_meets_its_own_map():
    maps = np.arange(40).reshape(2, 20, 1, 1)
    found = saliency.others(maps)
    assert (found != maps).all() and (np.sort(found, axis=1) == maps).all()


def test_means_are_over_the_chosen_images_that_have_a_value_and_need_five():
    values = np.array([[1.0, 2, 3, 4, 5, np.nan, 100], [1.0, 2, 3, 4, np.nan, np.nan, 100]])
    chosen = np.array([[True] * 6 + [False]] * 2)
    np.testing.assert_allclose(saliency.mean_of_chosen(values, chosen), [3, np.nan])
    np.testing.assert_allclose(saliency.mean_of_chosen(values, chosen, least=4), [3, 2.5])


def test_match_of_pictures_and_maps_by_hand():
    maps = torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]], [[1.0, 0.0]]])
    pictures = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]], [[0.5, 0.5]]])
    mse, pearson = saliency.match(pictures, maps, torch.tensor([7, 7, 8]))
    np.testing.assert_allclose(mse, [[0, -1, -0.25], [-1, 0, -0.25]])
    np.testing.assert_allclose(pearson, [[1, -1, 0], [-1, 1, 0]], atol=1e-12)


def test_a_filters_favourite_image_is_what_it_asks_for():
    class Images:
        mean, std = torch.zeros(1), torch.ones(1)
        scale = staticmethod(lambda x: x / 255 - 0.5)

    network = nn.Sequential(
        OrderedDict(conv1=nn.Conv2d(1, 2, 1), act1=nn.ReLU(), fc2=nn.Linear(1, 1))
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
    found = saliency.favourites(network, "conv1", Images, side=5)
    assert found.shape == (2, 1, 5, 5)
    assert found.mean((1, 2, 3)).tolist() == pytest.approx([0.5, -0.5]), "white and black"
    assert saliency.grey(torch.tensor([[[[1.0, 3.0]], [[3.0, 9.0]]]])).tolist() == [[[0.0, 1.0]]]


@pytest.fixture
def two_filters():
    """One convolution whose filters take the two channels apart, each then a class's logit."""
    layers = {
        "conv1": nn.Conv2d(2, 2, 1, bias=False),
        "bn1": nn.BatchNorm2d(2, eps=0),
        "act1": nn.ReLU(),
    }
    network = nn.Sequential(
        OrderedDict(layers | {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()})
    )
    network.conv1.weight.data = torch.eye(2).view(2, 2, 1, 1)
    return network.eval()


PAIR = {"layers": ["conv1"], "names": ["conv1", "bn1", "act1", "pool", "flatten"]}


NORMS = {"conv1": "bn1"}


def test_a_silenced_filter_costs_its_own_class(two_filters):
    x, y = 4 * torch.eye(2).view(2, 2, 1, 1).expand(2, 2, 3, 3), torch.tensor([0, 1])
    found = saliency.ablate(two_filters, x, y, NORMS)["conv1"]
    sure, even = np.log(1 + np.exp(-4)), np.log(2)
    np.testing.assert_allclose(found[0], [[even - sure, 0], [0, even - sure]], atol=1e-6)
    np.testing.assert_array_equal(
        found[1], [[0, 0], [0, 1]], err_msg="of two equal logits the first one wins"
    )
    assert (two_filters.bn1.weight == 1).all(), "the network stays as it was"
    np.testing.assert_allclose(
        saliency.answers(two_filters, x, y, {"conv1": [0, 1]}, NORMS)[0], even, rtol=1e-6
    )


def test_a_filter_likes_its_own_channel_best(two_filters):
    scaled = type(
        "Images", (), {"mean": torch.zeros(2), "scale": staticmethod(lambda x: x / 127.5 - 1)}
    )
    found = saliency.favourites(two_filters, "conv1", scaled, 8)
    assert found.shape == (2, 2, 8, 8) and found.abs().max() <= 1
    assert found[0, 0].min() > 0.9 and found[1, 1].min() > 0.9
    assert found[0, 1].abs().mean() < 0.2, "the other one is left as noise"
    again, other = (saliency.favourites(two_filters, "conv1", scaled, 8, start) for start in (0, 1))
    assert torch.equal(found, again) and not torch.equal(found, other), "which is that of the start"


def test_match_of_a_picture_without_contrast_and_ranks_by_hand():
    ramp = torch.arange(4.0).view(2, 2) / 3
    maps, pictures = torch.stack([ramp, ramp, 1 - ramp]), torch.stack([ramp, 1 - ramp, 0 * ramp])
    mse, pearson = saliency.match(pictures, maps, torch.tensor([0, 0, 1]))
    np.testing.assert_allclose(mse, [[0, -5 / 9, -7 / 18], [-5 / 9, 0, -7 / 18]], atol=1e-6)
    np.testing.assert_allclose(pearson, [[1, -1, 0], [-1, 1, 0]], atol=1e-6)
    ranks = saliency.rank_by_match({"a": pictures}, maps, torch.tensor([0, 0, 1]))
    assert ranks["MSE"]["a"].tolist() == [[3, 1, 2], [1, 3, 2]], (
        "the best match's rank is the highest"
    )


def test_rankings_agree_layer_by_layer_and_not_where_one_has_no_order():
    one = {
        "a": [1, 2, 3],
        "b": np.array([[1, 2, 3], [1, 5, 3]]),
        "c": torch.tensor([5.0, 5.0, 5.0]),
    }
    other = {"a": [10, 20, 90], "b": [3, 1, 2], "c": [1, 2, 3]}
    np.testing.assert_allclose(
        saliency.agree(one, other), [1, -1, 0], err_msg="of classes' ranks the mean counts"
    )


def test_fisher_and_taylor_of_filters_against_the_definition(stream):
    model, task = Replicas(lambda: convolutional(norm=False), [3]), stream.tasks[1]
    with torch.no_grad():
        # A dead filter.
        model.weights["conv2.weight"][0, 1], model.weights["conv2.bias"][0, 1] = 0, -1.0
    x, y = stream.images.scale(task.x_train[:4]), task.y_train[:4]
    network, labels = model.replica(0).eval(), list(task.labels)
    scores = saliency.filter_scores(network, x, y, {"conv1": "act1", "conv2": "act2"}, labels)
    weight, fisher, taylor = network.get_parameter("conv2.weight"), 0, 0
    for one, label in zip(x, y, strict=True):
        h = network[:4](one.unsqueeze(0))
        log_p = network[4:](h)[0, labels].log_softmax(0)
        for value in log_p:
            (slope,) = torch.autograd.grad(value, weight, retain_graph=True)
            fisher = fisher + value.exp().detach() * slope.square().flatten(1).sum(1)
        (slope,) = torch.autograd.grad(-log_p[labels.index(int(label))], h)
        taylor = taylor + (h * slope).sum((2, 3)).abs()[0].detach() / len(y)
    torch.testing.assert_close(scores["Fisher"]["conv2"], fisher.detach())
    torch.testing.assert_close(scores["Taylor"]["conv2"], taylor)
    for kind in ("Fisher", "Taylor", "activation", "magnitude"):
        assert scores[kind]["conv2"].argmin() == 1 and scores[kind]["conv2"][1] == 0
        assert scores[kind]["conv1"].shape == (4,)


def test_scores_of_filters_by_hand(two_filters):
    x = 4 * torch.eye(2).view(2, 2, 1, 1).expand(2, 2, 3, 3)
    found = saliency.filter_scores(
        two_filters, torch.cat([x[:1], 0.5 * x[:1]]), torch.tensor([0, 0]), NORMS
    )
    assert found["magnitude"]["conv1"].tolist() == [0.5, 0.5]
    assert found["activation"]["conv1"].tolist() == [3, 0]
    # Probability of the other class; the filter's response is 4, then 2.
    wrong = 1 / (1 + np.exp([4, 2]))
    assert found["Taylor"]["conv1"].tolist() == pytest.approx([(wrong * [4, 2]).mean(), 0])
    assert torch.equal(found["Taylor"]["conv1"], found["signed Taylor"]["conv1"]), (
        "silencing it does harm everywhere"
    )
    assert found["Fisher"]["conv1"][0].item() == pytest.approx(
        (wrong * (1 - wrong) * [16, 4]).sum(), rel=1e-4
    )


class Overwriting(nn.Module):
    """Uses a ReLU twice and writes into what a layer has put out, as torchvision's blocks do."""

    def __init__(self, inplace=True):
        super().__init__()
        self.inplace, self.relu = inplace, nn.ReLU()
        self.first = nn.Conv2d(1, 4, 3, padding=1)
        self.second = nn.Conv2d(4, 4, 3, padding=1)
        self.last = nn.Linear(4, 3)

    def forward(self, x):
        h = self.relu(self.first(x))
        g = self.second(h)
        if self.inplace:
            g += h
        else:
            g = g + h
        return self.last(self.relu(g).mean((2, 3)))


@pytest.mark.parametrize("layer", ["second", "relu", "relu:2"])
def test_grad_cam_of_a_layer_that_is_overwritten_or_runs_twice(layer):
    x, y = torch.randn(2, 5, 1, 6, 6), torch.zeros(2, 5, dtype=torch.long)
    found, plain = (
        saliency.grad_cam(Replicas(partial(Overwriting, kind), [0, 1]), x, y, layer)
        for kind in (True, False)
    )
    torch.testing.assert_close(found, plain)
    assert found.shape == (2, 5, 6, 6) and found.amax() > 0.9


def test_grad_cam_tells_the_calls_of_a_layer_apart():
    model = Replicas(Overwriting, [0])
    x, y = torch.randn(1, 5, 1, 6, 6), torch.zeros(1, 5, dtype=torch.long)
    one, two = (saliency.grad_cam(model, x, y, layer) for layer in ("relu", "relu:2"))
    assert not torch.allclose(one, two)


BOTH = {"first": "first", "second": "second"}


def scores_of(places, inplace=True):
    torch.manual_seed(0)
    network = Overwriting(inplace).eval()
    return saliency.filter_scores(network, torch.randn(5, 1, 6, 6), torch.arange(5) % 3, places)


@pytest.mark.parametrize("order", [("first", "second"), ("second", "first")])
def test_filters_are_scored_by_what_their_own_layer_puts_out(order):
    found, plain = scores_of({layer: layer for layer in order}), scores_of(BOTH, inplace=False)
    for name in ("magnitude", "activation", "Fisher", "Taylor", "signed Taylor"):
        for layer in BOTH:
            torch.testing.assert_close(found[name][layer], plain[name][layer])


def test_filters_are_scored_by_a_later_call_of_their_layer():
    found = scores_of({"first": "relu", "second": "relu:2"})["activation"]
    torch.manual_seed(0)
    network, x = Overwriting(inplace=False).eval(), torch.randn(5, 1, 6, 6)
    h = network.first(x).relu()
    g = (network.second(h) + h).relu()
    for layer, expected in (("first", h), ("second", g)):
        torch.testing.assert_close(found[layer], expected.mean((0, 2, 3)).detach())
