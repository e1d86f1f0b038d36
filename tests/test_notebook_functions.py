"""Measures that one notebook alone uses stand in it; here they are taken from its cells and tried on known answers."""

import ast
import copy
import warnings
from collections import OrderedDict, defaultdict
from itertools import product

import numpy as np
import pytest
import torch
from conftest import at, small, state, train
from scipy import stats
from scipy.spatial.distance import cdist
from skimage import draw
from skimage.metrics import structural_similarity
from sklearn.decomposition import PCA
from sklearn.manifold import MDS, TSNE, Isomap
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from torch import nn
from torch.func import functional_call, jacrev, vmap
from torch.nn import functional as F

from cf_utils import methods, probes, run, training
from cf_utils.methods import preserve
from cf_utils.randomness import generator
from cf_utils.replicas import Replicas


def function(number, name, **given):
    """The function (or class) of that name as a notebook defines it; ``given``: what it takes from the cells before."""
    (path,) = run.find([number])
    tree = ast.parse((path.parent / "percent" / f"{path.stem}.py").read_text(encoding="utf-8"))
    (found,) = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and n.name == name]
    space = {"np": np, "torch": torch, "probes": probes, "methods": methods, "training": training} | given
    exec(compile(ast.Module([found], []), path.name, "exec"), space)
    return space[name]


def test_effective_dimension_of_a_line_and_of_a_ball():
    corners = torch.tensor([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
    line = corners * torch.tensor([1.0, 0.0])
    assert function("01", "effective_dimension")(torch.stack([corners, line])).tolist() == [2.0, 1.0]


def test_elongation_is_the_mean_ratio_of_deviations():
    cross = np.array([[3.0, 0.0], [-3.0, 0.0], [0.0, 1.0], [0.0, -1.0]])
    points, labels = np.concatenate([cross, cross[:, ::-1] + 9, cross * [1, 3]]), np.repeat([0, 1, 2], 4)
    assert function("01", "elongation", labels=labels)(points) == pytest.approx((3 + 3 + 1) / 3)


def test_largest_fall_by_hand():
    right = [(0, [1.0, 1.0, 1.0]), (1, [0.6, 0.9, 0.9]), (2, [0.4, 0.8, 0.9]), (3, [0.0, 0.5, 0.9])]
    records = [{"task": 1, "step": step, "on": 0, "right": values} for step, values in right]
    assert function("01", "largest_fall")(records, 1) == pytest.approx([0.4, 0.3, 0.1])
    assert function("01", "largest_fall")(records, 1, within=2) == pytest.approx([0.4, 0.1, 0.1])


def test_window_ratio_by_hand():
    values = np.array([[1.0] * 10 + [3.0] * 10])
    assert function("01", "window_ratio")(values, [13]).tolist() == [3.0]  # steps 11 to 15 against 6 to 10


def test_bias_statistics_leave_norms_out(images):
    class Training:
        @staticmethod
        def predict(model, images, x, hidden):
            return None, {"act1": torch.zeros(1, len(x), 2)}

    class Probes:
        standing = staticmethod(lambda loop: {})
        activity = staticmethod(lambda model, images, x: {})

    class Loop:
        model = Replicas(small("batch"), [0])

    with torch.no_grad():
        for name, weight in Loop.model.weights.items():
            weight.fill_(1.0 if name.startswith("fc") else 100.0)
    look = function("02", "look", training=Training, probes=Probes, images=images, by_class=torch.arange(3))
    found = look(Loop)
    assert {k: found[k].item() for k in ("mean", "median", "std")} == {"mean": 1.0, "median": 1.0, "std": 0.0}


def test_class_shift_by_hand():
    h = torch.tensor([[[0.0], [2.0], [4.0], [6.0]]])
    found = function("03a", "class_shift")(h, torch.tensor([0, 0, 1, 1]))
    assert found[0].tolist() == pytest.approx([2 / 5**0.5, 2 / 5**0.5])


def test_labels_are_the_cross_entropy_of_the_kept_samples(stream):
    method, found = function("09", "Labels", preserve=preserve, F=F)(2.0, 12, per_task=True, per_class=2), []

    def look(loop):
        if loop.t == 2 and loop.step == 2:
            x, y, weight = (value[0] for value in loop.methods[0].samples)
            losses = F.cross_entropy(loop.model.replica(0).eval()(x), y, reduction="none")
            value = loop.methods[0].penalty(loop, None, None)[0]
            found.append((value, 2.0 * (weight * losses).sum() / weight.sum()))

    config = training.TrainConfig(epochs=4, batch_size=8, lr=0.01)
    train(small(), method, stream, config, observers=[at("after_step", look)])
    ((value, expected),) = found
    torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("norms", [False, True])
def test_long_term_weights_do_not_move_by_a_bit_in_a_pass_and_do_in_rehearsal(stream, norms):
    seen = {}

    def note(loop):
        moments = loop.optimizer.state[loop.model.get_parameter("fc1/weight")]["momentum_buffer"].clone()
        seen[loop.t, loop.epoch, loop.moment] = state(loop.model) | {"momentum of fc1.weight": moments}

    config = training.TrainConfig(epochs=2, batch_size=8, lr=0.05, optimizer="sgd", momentum=0.9, weight_decay=0.1)
    method = function("10", "LongShort")(12, share=0.5, norms=norms)
    watch = [at(moment, note) for moment in ("before_epoch", "after_epoch")]
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
            assert (before["fc1.weight"][:, :5] != start["fc1.weight"][:, :5]).any(), "rehearsal moves what is held"
    first = seen[0, 0, "before_epoch"], seen[0, 1, "after_epoch"]
    assert (first[0]["fc1.weight"][:, :5] != first[1]["fc1.weight"][:, :5]).any(), "the first task trains everything"


def test_what_a_pass_did_is_measured_around_it(stream, images):
    records = []
    callback = function("10", "watch", images=images)(records, "fc2")
    config = training.TrainConfig(epochs=3, batch_size=8, lr=0.0, optimizer="sgd", weight_decay=0.0)
    train(small(), methods.Finetune(), stream, config, observers=[callback])
    assert len(records) == 6, "passes over later tasks alone"
    assert all(value.shape == (3,) and not value.any() for record in records for value in record.values())
    records.clear()
    right = []

    def note(loop):
        if loop.t == 1:
            first = stream.tasks[0]
            right.append(training.accuracy_on(loop.model, images, first.x_test, first.y_test))

    calls = [callback, *(at(moment, note) for moment in ("before_epoch", "after_epoch"))]
    config = training.TrainConfig(epochs=6, batch_size=8, lr=0.01)
    train(small(), methods.Finetune(), stream, config, observers=calls)
    falls = torch.stack(right[::2]) - torch.stack(right[1::2])
    assert falls.any() and torch.equal(torch.stack([record["fall"] for record in records[:6]]), falls)
    assert all((record["long-term"] > 0).all() and (record["short-term"] > 0).all() for record in records)


def test_likeness_of_maps_by_hand():
    alike = function("09b", "alike", stats=stats, structural_similarity=structural_similarity)
    ramp = np.arange(100.0).reshape(10, 10) / 99
    one, two = np.stack([ramp, ramp, ramp, 0 * ramp]), np.stack([ramp, ramp[::-1, ::-1], 0 * ramp, ramp])
    found = alike(one, two)
    assert found["SSIM"][0] == pytest.approx(1) and found["SSIM"][1] < 0.5
    np.testing.assert_allclose(found["rank"], [1, -1, np.nan, np.nan])
    np.testing.assert_allclose(found["overlap"], [1, 0, np.nan, np.nan])
    assert found["empty"].tolist() == [0, 0, 1, 0], "of the second map"
    assert np.isnan(alike(one, 0 * one)["SSIM"]).all()
    half = ramp.copy()
    half[8, 5:], half[9] = 0, 1  # of the top 20 pixels 15 are left; the next five come up
    assert alike(ramp[None], half[None])["overlap"][0] == pytest.approx(15 / 25)


def test_attention_by_hand():
    masks = np.zeros((3, 2, 2), bool)
    masks[:, 0, 0] = True
    maps = np.array([[[[0.6, 0.2], [0.2, 0.0]], [[0.25, 0.75], [0.0, 0.0]], [[0.0, 0.0], [0.0, 0.0]]]])
    found = function("09b", "attention")(maps, masks)
    np.testing.assert_allclose(found["energy"], [[0.6, 0.25, np.nan]])
    np.testing.assert_allclose(found["pointing"], [[1, 0, np.nan]])
    assert found["empty on shapes"].tolist() == [[0, 0, 1]]


def test_no_image_meets_its_own_map():
    maps = np.arange(40).reshape(2, 20, 1, 1)
    found = function("09b", "others")(maps)
    assert (found != maps).all() and (np.sort(found, axis=1) == maps).all()


def test_means_are_over_the_chosen_images_that_have_a_value_and_need_five():
    numbers, values = {}, np.array([[1.0, 2, 3, 4, 5, np.nan, 100], [1.0, 2, 3, 4, np.nan, np.nan, 100]])
    chosen = np.array([[True] * 6 + [False]] * 2)
    function("09b", "note", numbers=numbers, product=product)("a", {"SSIM": values}, {"all": chosen}, " after 2")
    np.testing.assert_allclose(numbers["SSIM/a, all after 2"], [3, np.nan])


def test_drawn_shapes_lie_where_their_masks_say():
    shapes = function("09b", "shapes", draw=draw)
    (images, labels, masks), again, other = shapes(90, 0), shapes(90, 0), shapes(90, 1)
    assert images.shape == (90, 3, 32, 32) and images.dtype == np.uint8 and masks.dtype == bool
    assert (np.bincount(labels) == 10).all()
    assert all((a == b).all() for a, b in zip((images, labels, masks), again, strict=True))
    assert (images != other[0]).any()
    areas = masks.mean((1, 2))
    assert areas.min() > 0.03 and areas.max() < 0.4
    spread = [image.mean(0)[mask].std() for image, mask in zip(images, masks, strict=True)]
    assert min(spread) > 15, "stripes, dark and bright, inside"


def test_tight_clouds_stay_together_and_noise_does_not():
    together = function("09c", "together", NearestNeighbors=NearestNeighbors, silhouette_score=silhouette_score)
    labels = np.arange(300) % 3
    noise = np.random.default_rng(0).normal(size=(300, 4))
    found = together([30 * np.eye(3, 4)[labels] + noise, noise], labels)
    assert found["silhouette"][0] > 0.9 and found["hit"][0] == 1
    assert abs(found["silhouette"][1]) < 0.03 and found["hit"][1] == pytest.approx(1 / 3, abs=0.05)


def test_neighbourhood_hit_by_hand():
    together = function("09c", "together", NearestNeighbors=NearestNeighbors, silhouette_score=silhouette_score)
    line, labels = np.array([[0.0], [1.0], [2.1], [10.0]]), np.array([0, 0, 1, 1])
    assert together([line], labels, k=1)["hit"].tolist() == [0.75]  # the third one's nearest is the second


def test_embeddings_are_seeded_and_an_unknown_one_is_named():
    embed = function("09c", "embed", warnings=warnings, PCA=PCA, MDS=MDS, TSNE=TSNE, Isomap=Isomap)
    plane = np.random.default_rng(0).normal(size=(60, 2)) * [5, 1]
    features = np.concatenate([plane, np.zeros((60, 3))], 1)
    for kind in ("tsne", "pca", "isomap", "mds"):
        found = embed(features, kind)
        assert found.shape == (60, 2) and np.array_equal(found, embed(features, kind))
    centred = plane - plane.mean(0)
    assert np.linalg.norm(embed(features, "pca"), axis=1) == pytest.approx(np.linalg.norm(centred, axis=1))
    with pytest.raises(ValueError, match="unknown embedding 'tsnee'; known are tsne, pca, umap, isomap, mds"):
        embed(features, "tsnee")


@pytest.mark.parametrize("memory", [0, 3, 9])
def test_going_on_from_the_shared_first_task_is_training_from_the_start(stream, memory):
    config, accuracy = training.TrainConfig(epochs=2, batch_size=8, lr=0.01), {}
    everything = methods.Replay(len(stream.tasks[0].y_train), per_task=True)
    first = train(small(), everything, stream, config, until=1)
    make, ends = (lambda: methods.Replay(memory, batch=4, per_task=True)), []
    note = at("after_task", lambda loop: ends.append(state(loop.model)))
    function("09c", "train", first=first, stream=stream, config=config, accuracy=accuracy)("arm", make(), note)
    whole = train(small(), make(), stream, config)
    assert torch.equal(accuracy["arm"], whole.accuracy)
    assert all(torch.equal(ends[-1][name], value) for name, value in state(whole.model).items())


def test_shuffled_maps_are_those_of_the_samples_that_count(stream):
    def network():
        layers = {"conv1": nn.Conv2d(1, 2, 3, padding=1), "act1": nn.ReLU(), "flatten": nn.Flatten()}
        return nn.Sequential(OrderedDict(layers | {"fc2": nn.Linear(72, 6)}))

    kinds = {"own": methods.SPL, "shuffled": function("09c", "Shuffled", generator=generator)}
    config, free, weights = training.TrainConfig(epochs=3, batch_size=8, lr=0.01), {}, {}
    for name, kind in kinds.items():

        def note(loop, name=name):
            if loop.t == 1:
                free[name], weights[name] = loop.methods[0].free.clone(), loop.methods[0].samples[2].clone()

        method = kind(1.0, 12, place="conv1", per_class=4, per_task=True)
        train(network, method, stream, config, observers=[at("before_task", note)], until=2)
    assert torch.equal(weights["own"], weights["shuffled"]) and not torch.equal(free["own"], free["shuffled"])
    for own, shuffled, weight in zip(free["own"], free["shuffled"], weights["own"] > 0, strict=True):
        assert torch.equal(own[~weight], shuffled[~weight])
        rows = [sorted(map(tuple, maps[weight].flatten(1).tolist())) for maps in (own, shuffled)]
        assert rows[0] == rows[1], "the same maps, and so the same amount of noise"


def convolutional(norm=True, outputs=6):
    """Two convolutions, named as in notebook 08, and a linear layer, for images of 6 pixels."""
    layers, channels = OrderedDict(), 1
    for i in (1, 2):
        layers[f"conv{i}"] = nn.Conv2d(channels, channels := 4, 3, padding=1)
        layers |= {f"norm{i}": nn.BatchNorm2d(4)} if norm else {}
        layers[f"act{i}"] = nn.ReLU()
    return nn.Sequential(layers | {"flatten": nn.Flatten(), "fc3": nn.Linear(144, outputs)})


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_frozen_filters_do_not_move_by_a_bit(stream, optimizer):
    scores = {"conv1": [0.0, 3.0, 1.0, 2.0], "conv2": torch.tensor([4.0, 0.0, 3.0, 0.0])}
    method, seen = function("08", "Freeze")(0.5, lambda model, task: scores), {}
    config = training.TrainConfig(2, 8, 0.05, optimizer, weight_decay=0.1, momentum=0.9 * (optimizer == "sgd"))

    def note(loop):
        seen[loop.t, loop.moment] = state(loop.model)
        seen[loop.t, "rows"] = {layer: rows.tolist() for layer, rows in loop.methods[0].rows.items()}

    calls = [at(moment, note) for moment in ("before_task", "after_task")]
    train(convolutional, method, stream, config, observers=calls)
    assert seen[0, "rows"] == {}
    assert seen[1, "rows"] == {"conv1": [1, 3], "conv2": [0, 2]}
    assert {layer: sorted(rows) for layer, rows in seen[2, "rows"].items()} == {"conv1": [1, 2, 3], "conv2": [0, 1, 2]}
    for t in (1, 2):
        start, end = seen[t, "before_task"], seen[t, "after_task"]
        for layer, rows in seen[t, "rows"].items():
            free = [i for i in range(4) if i not in rows]
            kinds = ("weight", "bias", "running_mean", "running_var")
            names = [f"{layer}.weight", f"{layer}.bias", *(f"{layer.replace('conv', 'norm')}.{kind}" for kind in kinds)]
            for name in names:
                assert torch.equal(start[name][:, rows], end[name][:, rows]), name
                assert (start[name][:, free] != end[name][:, free]).any(), name
        assert (start["fc3.weight"] != end["fc3.weight"]).any(), "the head learns"


def test_share_zero_of_freezing_is_finetuning(stream):
    freeze = function("08", "Freeze")(0.0, lambda model, task: {"conv1": torch.ones(4), "conv2": torch.ones(4)})
    config, ends = training.TrainConfig(1, 8, 0.01), []
    note = at("after_task", lambda loop: ends.append(state(loop.model)))
    for method in (freeze, methods.Finetune()):
        train(convolutional, method, stream, config, observers=[note])
    assert all(torch.equal(value, ends[-1][name]) for name, value in ends[2].items())


def test_crops_and_flips_are_windows_of_each_image_and_seeded():
    augment = function("08", "Augment", F=F, generator=generator)()

    class Loop:
        seeds, epoch, step, t = [0, 1], 0, 0, 0

    x = torch.arange(1, 2 * 20 * 3 * 36 + 1).view(2, 20, 3, 6, 6)
    found, again = (augment.augment(Loop, methods.Batch(x, torch.zeros(2, 20), 20)).x for _ in range(2))
    assert found.shape == x.shape and torch.equal(found, again)
    windows = F.pad(x, (4, 4, 4, 4)).unfold(3, 6, 1).unfold(4, 6, 1)  # [2, 20, 3, 9, 9, 6, 6]
    flips = []
    for r, b in product(range(2), range(20)):
        both = (one.view(3, 1, 1, 6, 6) for one in (found[r, b], found[r, b].flip(2)))
        kinds = [(windows[r, b] == one).all(4).all(3).all(0).any() for one in both]
        assert any(kinds)
        flips.append(bool(kinds[1] and not kinds[0]))
    assert 5 < sum(flips) < 35
    assert not torch.equal(found[0] - x[0, 0, 0, 0, 0], found[1] - x[1, 0, 0, 0, 0]), "each seed its own"


def test_match_of_pictures_and_maps_by_hand():
    maps = torch.tensor([[[0.0, 1.0]], [[0.0, 1.0]], [[1.0, 0.0]]])
    pictures = torch.tensor([[[0.0, 1.0]], [[1.0, 0.0]], [[0.5, 0.5]]])
    mse, pearson = function("08", "match", cdist=cdist)(pictures, maps, torch.tensor([7, 7, 8]))
    np.testing.assert_allclose(mse, [[0, -1, -0.25], [-1, 0, -0.25]])
    np.testing.assert_allclose(pearson, [[1, -1, 0], [-1, 1, 0]], atol=1e-12)


def test_a_filters_favourite_image_is_what_it_asks_for():
    class Images:
        mean, std = torch.zeros(1), torch.ones(1)
        scale = staticmethod(lambda x: x / 255 - 0.5)

    network = nn.Sequential(OrderedDict(conv1=nn.Conv2d(1, 2, 1), act1=nn.ReLU(), fc2=nn.Linear(1, 1)))
    with torch.no_grad():
        network[0].weight.copy_(torch.tensor([1.0, -1.0]).view(2, 1, 1, 1))
    favourites = function("08", "favourites", images=Images, side=5, generator=generator, gaussian_blur=lambda x, *_: x)
    assert favourites(network, "conv1").mean((1, 2, 3)).tolist() == [0.5, -0.5], "white and black"
    grey = function("08", "grey")
    assert grey(torch.tensor([[[[1.0, 3.0]], [[3.0, 9.0]]]])).tolist() == [[[0.0, 1.0]]]


def test_fisher_and_taylor_of_filters_against_the_definition(stream):
    model, task = Replicas(lambda: convolutional(norm=False), [3]), stream.tasks[1]
    with torch.no_grad():
        model.weights["conv2.weight"][0, 1], model.weights["conv2.bias"][0, 1] = 0, -1.0  # a dead filter
    convs, x, y = ["conv1", "conv2"], stream.images.scale(task.x_train[:4]), task.y_train[:4]
    given = {"examples": lambda model, task: (x, y), "convs": convs, "nn": nn, "F": F, "generator": generator}
    given |= {"defaultdict": defaultdict, "product": product, "vmap": vmap, "jacrev": jacrev}
    scores = function("08", "by_rivals", functional_call=functional_call, **given)(model, task)
    network, labels = model.replica(0).eval(), list(task.labels)
    weight, fisher, taylor = network.get_parameter("conv2.weight"), 0, 0
    for one, label in zip(x, y, strict=True):
        h = network[:4](one.unsqueeze(0))
        log_p = network[4:](h)[0, labels].log_softmax(0)
        for value in log_p:
            (slope,) = torch.autograd.grad(value, weight, retain_graph=True)
            fisher = fisher + value.exp().detach() * slope.square().flatten(1).sum(1)
        (slope,) = torch.autograd.grad(-log_p[labels.index(int(label))], h)
        taylor = taylor + (h * slope).mean((2, 3)).abs()[0].detach() / len(y)
    torch.testing.assert_close(scores["Fisher"]["conv2"], fisher.detach())
    torch.testing.assert_close(scores["Taylor"]["conv2"], taylor)
    for kind in ("Fisher", "Taylor", "activation", "magnitude"):
        assert scores[kind]["conv2"].argmin() == 1 and scores[kind]["conv2"][1] == 0
        assert scores[kind]["conv1"].shape == (4,)


def test_layers_before_the_one_that_changed_most(stream):
    first, task = Replicas(lambda: convolutional(norm=False), [0]), stream.tasks[0]
    with torch.no_grad():  # the second layer answers to its bias alone
        first.weights["conv2.weight"].mul_(0.001)
        first.weights["conv2.bias"].fill_(1.0)
    given = {"convs": ["conv1", "conv2"], "examples": lambda model, task: (stream.images.scale(task.x_train[:5]), None)}
    before = function("08", "before_the_change", **given)
    for layer, expected in (("conv2", ["conv1"]), ("conv1", [])):
        then = copy.deepcopy(first)
        with torch.no_grad():
            then.weights[f"{layer}.bias"].add_(1.0)
        assert before(first, then, task) == expected


@pytest.fixture
def two_filters():
    """One convolution whose filters take the two channels apart, each then a class's logit."""
    layers = {"conv1": nn.Conv2d(2, 2, 1, bias=False), "bn1": nn.BatchNorm2d(2, eps=0), "act1": nn.ReLU()}
    network = nn.Sequential(OrderedDict(layers | {"pool": nn.AdaptiveAvgPool2d(1), "flatten": nn.Flatten()}))
    network.conv1.weight.data = torch.eye(2).view(2, 2, 1, 1)
    return network.eval()


PAIR = {"layers": ["conv1"], "names": ["conv1", "bn1", "act1", "pool", "flatten"]}


def test_a_silenced_filter_costs_its_own_class(two_filters):
    answers = function("08b", "answers", copy=copy, F=F)
    x, y = 4 * torch.eye(2).view(2, 2, 1, 1).expand(2, 2, 3, 3), torch.tensor([0, 1])
    found = function("08b", "ablate", answers=answers, **PAIR)(two_filters, x, y)["conv1"]
    sure, even = np.log(1 + np.exp(-4)), np.log(2)
    np.testing.assert_allclose(found[0], [[even - sure, 0], [0, even - sure]], atol=1e-6)
    np.testing.assert_array_equal(found[1], [[0, 0], [0, 1]], err_msg="of two equal logits the first one wins")
    assert (two_filters.bn1.weight == 1).all(), "the network stays as it was"
    np.testing.assert_allclose(answers(two_filters, x, y, {"conv1": [0, 1]})[0], even, rtol=1e-6)


def test_a_filter_likes_its_own_channel_best(two_filters):
    scaled = type("Images", (), {"mean": torch.zeros(2), "scale": staticmethod(lambda x: x / 127.5 - 1)})
    given = {"nn": nn, "images": scaled, "generator": generator, "gaussian_blur": lambda x, *how: x}
    found = function("08b", "favourites", **given, **PAIR)(two_filters, "conv1", 8)
    assert found.shape == (2, 2, 8, 8) and found.abs().max() <= 1
    assert found[0, 0].min() > 0.9 and found[1, 1].min() > 0.9
    assert found[0, 1].abs().mean() < 0.2, "the other one is left as noise"


def test_match_by_hand():
    match, ramp = function("08b", "match", cdist=cdist), torch.arange(4.0).view(2, 2) / 3
    maps, pictures = torch.stack([ramp, ramp, 1 - ramp]), torch.stack([ramp, 1 - ramp, 0 * ramp])
    mse, pearson = match(pictures, maps, torch.tensor([0, 0, 1]))
    np.testing.assert_allclose(mse, [[0, -5 / 9, -7 / 18], [-5 / 9, 0, -7 / 18]], atol=1e-6)
    np.testing.assert_allclose(pearson, [[1, -1, 0], [-1, 1, 0]], atol=1e-6)
    ranks = function("08b", "by_match", match=match, stats=stats)({"a": pictures}, maps, torch.tensor([0, 0, 1]))
    assert ranks["MSE"]["a"].tolist() == [[3, 1, 2], [1, 3, 2]], "the best match's rank is the highest"


def test_rankings_agree_layer_by_layer_and_not_where_one_has_no_order():
    agree = function("08b", "agree", stats=stats, layers=["a", "b", "c"])
    one = {"a": [1, 2, 3], "b": np.array([[1, 2, 3], [1, 5, 3]]), "c": torch.tensor([5.0, 5.0, 5.0])}
    other = {"a": [10, 20, 90], "b": [3, 1, 2], "c": [1, 2, 3]}
    np.testing.assert_allclose(agree(one, other), [1, -1, 0], err_msg="of classes' ranks the mean counts")


def test_rivals_by_hand(two_filters):
    model, x = Replicas(lambda: two_filters, [0]), 4 * torch.eye(2).view(2, 2, 1, 1).expand(2, 2, 3, 3)
    given = {"F": F, "functional_call": functional_call, "jacrev": jacrev, "vmap": vmap, "generator": generator}
    rivals = function("08b", "by_rivals", defaultdict=defaultdict, **given, **PAIR)
    found = rivals(model.eval(), torch.cat([x[:1], 0.5 * x[:1]]), torch.tensor([0, 0]))
    assert found["magnitude"]["conv1"].tolist() == [0.5, 0.5] and found["activation"]["conv1"].tolist() == [3, 0]
    wrong = 1 / (1 + np.exp([4, 2]))  # probability of the other class; the filter's response is 4, then 2
    assert found["Taylor"]["conv1"].tolist() == pytest.approx([(wrong * [4, 2]).mean(), 0])
    assert torch.equal(found["Taylor"]["conv1"], found["signed Taylor"]["conv1"]), "silencing it does harm everywhere"
    assert found["Fisher"]["conv1"][0].item() == pytest.approx((wrong * (1 - wrong) * [16, 4]).sum(), rel=1e-4)
