"""Where networks look and what filters look for: saliency maps, favourite images,
rankings of filters, alike maps.

A ranking of filters is a dict, layer -> scores ``[filters]``, or ranks ``[K, filters]`` by each of
K classes.
"""

import copy
from collections import defaultdict

import numpy as np
import torch
from scipy import stats
from scipy.spatial.distance import cdist
from torch import nn
from torch.func import functional_call, jacrev, vmap
from torch.nn import functional as F

from cf_utils._torchvision import import_torchvision
from cf_utils.randomness import generator

# --- maps of images ---


def grad_cam(model, x, y, layer):
    """Grad-CAM maps ``[R, B, h, w]`` in [0, 1] of a layer for labels ``y`` ``[R, B]`` (Selvaraju et
    al., 1610.02391).

    relu(sum over channels of activation * mean gradient), from least 0 to largest 1; of a layer
    without pixels a zero. Of a layer that runs more than once "name" is its first call, and
    "name:2" the second.
    """
    maps = []
    for r, network in enumerate(model.replica(r).eval() for r in range(len(model))):
        logits, kept = _put_out(network, x[r], [layer])
        (slope,) = torch.autograd.grad(logits.gather(1, y[r].unsqueeze(1)).sum(), kept)
        slope = slope.reshape(*slope.shape[:2], -1).mean(2)
        maps.append(torch.einsum("bc,bc...->b...", slope, kept[0].detach()).relu())
    maps = torch.stack(maps).reshape(*y.shape, *(kept[0].shape[2:] or (1, 1)))
    maps = maps - maps.amin((2, 3), keepdim=True)
    return maps / (maps.amax((2, 3), keepdim=True) + 1e-7)


def full_grad(network, x, y):
    """Full-gradient saliency maps ``[N, H, W]`` in [0, 1] of a network for labels ``y`` ``[N]``.

    On the CPU.
    x: standardised images ``[N, C, H, W]``; the network is in evaluation mode (Srinivas and Fleuret
    2019, arXiv:1905.00780; the package grad-cam's).
    """
    import_torchvision()
    from pytorch_grad_cam import FullGrad
    from pytorch_grad_cam.utils.model_targets import ClassifierOutputTarget

    return torch.from_numpy(FullGrad(network, [])(x, [ClassifierOutputTarget(int(c)) for c in y]))


def alike(a, b):
    """How alike maps ``[N, H, W]`` are, pair by pair:
    a dict of ``[N]``, NaN where one of the two is empty (zero).

    SSIM: structural similarity (Wang et al. 2004; window of 7 pixels, data range 1). rank:
    Spearman's correlation of the pixels. overlap: intersection over union of what lies above each
    map's own 80th percentile. All are 1 for the same map. empty: 1 where the second map is.
    """
    from skimage.metrics import structural_similarity

    there = (a.max((1, 2)) > 0) & (b.max((1, 2)) > 0)
    found = {key: np.full(len(a), np.nan) for key in ("SSIM", "rank", "overlap")} | {
        "empty": 1.0 - (b.max((1, 2)) > 0)
    }
    pairs = zip(a[there], b[there], strict=True)
    flat = [m[there].reshape(there.sum(), a[0].size) for m in (a, b)]
    found["SSIM"][there] = [structural_similarity(*pair, data_range=1) for pair in pairs]
    found["rank"][there] = stats.pearsonr(
        *(stats.rankdata(m, axis=1) for m in flat), axis=1
    ).statistic
    one, two = (m > np.quantile(m, 0.8, axis=1, keepdims=True) for m in flat)
    found["overlap"][there] = (one & two).sum(1) / (one | two).sum(1)
    return found


def attention(maps, masks):
    """Whether maps ``[R, N, H, W]`` lie on objects, masks ``[N, H, W]`` bool: a dict of ``[R, N]``.

    energy: share of the map's sum on the object, in [0, 1]. pointing: the pointing game, 1 where
    the map's maximum lies on it (Zhang et al. 2016, arXiv:1608.00507). Both are NaN for an empty
    map. empty: 1 where it is.
    """
    total = maps.sum((2, 3))
    peaks = maps.reshape(*maps.shape[:2], -1).argmax(2)
    hit = masks.reshape(len(masks), -1)[np.arange(len(masks)), peaks]
    energy = (maps * masks).sum((2, 3)) / np.where(total > 0, total, np.nan)
    return {
        "energy": energy,
        "pointing": np.where(total > 0, hit, np.nan),
        "empty": 1.0 - (total > 0),
    }


def others(maps):
    """For each image another one's map, ``[R, N, ...]``:
    its neighbour's in one random order, so never its own.
    """
    order = np.random.default_rng(0).permutation(maps.shape[1])
    return maps[:, order[np.argsort(order) - 1]]


def mean_of_chosen(values, chosen, least=5):
    """Mean over the images that are chosen (``[R, N]`` bool) and have a value:
    ``[R]``, NaN for fewer than ``least``.

    values: ``[R, N]``, NaN where an image has none.
    """
    kept = [v[m & ~np.isnan(v)] for v, m in zip(values, chosen, strict=True)]
    return np.array([v.mean() if len(v) >= least else np.nan for v in kept])


# --- favourite images of filters ---


def favourites(network, layer, images, side, start=0, steps=30):
    """The image that each filter of a convolution fires most at:
    ``[filters, C, side, side]``, standardised.

    Gradient ascent (Adam, 0.1) on the filter's mean response from faint noise, blurred every five
    steps, kept within [0, 255] (Erhan et al. 2009). network: an nn.Sequential in evaluation mode;
    images: the dataset, for its moments; start: another one gives other noise to begin with.
    """
    import_torchvision()
    from torchvision.transforms.v2.functional import gaussian_blur

    before = list(dict(network.named_children())).index(layer.split(".")[0])
    part = nn.Sequential(network[:before], network.get_submodule(layer))
    device, channels = part[-1].weight.device, len(images.mean)
    low, high = (images.scale(torch.full((channels, 1, 1), v)).to(device) for v in (0.0, 255.0))
    noise = torch.randn(
        (part[-1].out_channels, channels, side, side), generator=generator(start, layer)
    )
    x = (0.1 * noise).to(device).requires_grad_()
    optimizer = torch.optim.Adam([x], 0.1)
    for step in range(steps):
        (x.grad,) = torch.autograd.grad(-part(x).mean((2, 3)).diagonal().sum(), x)
        optimizer.step()
        with torch.no_grad():
            x.copy_((gaussian_blur(x, [3, 3], [0.6, 0.6]) if step % 5 == 4 else x).clamp(low, high))
    return x.detach()


def grey(x):
    """Mean over the channels of ``[N, C, H, W]``, each image scaled to [0, 1]: ``[N, H, W]``.

    On the CPU.
    """
    x = x.mean(1).cpu()
    x = x - x.amin((1, 2), keepdim=True)
    return x / x.amax((1, 2), keepdim=True).clamp(min=1e-8)


# --- rankings of filters ---


def match(pictures, maps, labels):
    """How well pictures ``[F, H, W]`` match each class's maps ``[N, H, W]``:
    minus MSE, and Pearson, ``[K, F]`` each.

    labels: ``[N]``; K classes, in order. The mean over the class's maps. Pearson is 0 without
    contrast.
    """
    a, b, labels = pictures.flatten(1).numpy(), maps.flatten(1).numpy(), labels.numpy()
    scores = -cdist(b, a, "sqeuclidean") / a.shape[1], np.nan_to_num(1 - cdist(b, a, "correlation"))
    return [np.stack([v[labels == c].mean(0) for c in np.unique(labels)]) for v in scores]


def rank_by_match(pictures, maps, labels):
    """Rankings by ``match``: "MSE", "Pearson" -> layer -> each class's ranks ``[K, filters]``,
    the best one's highest.

    pictures: layer -> ``[filters, H, W]``; maps ``[N, H, W]`` and labels ``[N]`` as of ``match``.
    """
    found = {layer: match(drawings, maps, labels) for layer, drawings in pictures.items()}
    kinds = ("MSE", "Pearson")
    return {
        k: {layer: stats.rankdata(v[i], axis=1) for layer, v in found.items()}
        for i, k in enumerate(kinds)
    }


def filter_scores(network, x, y, places, outputs=None, seed=0, task=0):
    """Rankings that see no picture: name -> layer -> scores ``[filters]``; on the CPU.

    network: in evaluation mode; x: standardised images ``[N, C, H, W]``; y: labels ``[N]``;
    outputs: those among which the network answers, None for all. places: layer -> name of its norm
    or ReLU, where its responses h are read. magnitude: mean |weight|. activation: mean of relu(h).
    Fisher: information of the filter's weights. Taylor: change of an image's loss if the filter
    were silent, to first order, its size averaged over the images (Molchanov et al. 2017,
    arXiv:1611.06440); signed Taylor: its mean, above 0 where that does harm. random: by seed, layer
    and task.
    """
    scores = defaultdict(dict)
    logits, hidden = _put_out(network, x, [*places.values()])
    logits = _among(logits, outputs)
    right = y
    if outputs is not None:
        right = (y.unsqueeze(1) == torch.tensor(outputs, device=y.device)).int().argmax(1)
    slopes = torch.autograd.grad(F.cross_entropy(logits, right, reduction="sum"), hidden)
    information = _fisher_of_filters(network, x, list(places), outputs)
    for layer, h, slope in zip(places, hidden, slopes, strict=True):
        weight = network.get_submodule(layer).weight
        change = -(h * slope).sum((2, 3))
        found = {"magnitude": weight.abs().mean((1, 2, 3)), "activation": h.relu().mean((0, 2, 3))}
        found |= {
            "Fisher": information[layer],
            "Taylor": change.abs().mean(0),
            "signed Taylor": change.mean(0),
        }
        found["random"] = torch.rand(len(weight), generator=generator(seed, layer, task))
        for name, values in found.items():
            scores[name][layer] = values.detach().cpu()
    return scores


def _put_out(network, x, names):
    """Logits of ``x``, and a list of what layers put out before the network may write into it.

    names: of layers; of one that runs more than once "name" is its first call, "name:2" the second.
    """
    made, hooks = defaultdict(list), []
    for name in {name.partition(":")[0] for name in names}:
        hook = lambda *parts, name=name: made[name].append(parts[2]) or parts[2].clone()  # noqa: E731
        hooks.append(network.get_submodule(name).register_forward_hook(hook))
    logits = network(x)
    for hook in hooks:
        hook.remove()
    calls = [name.partition(":") for name in names]
    return logits, [made[name][int(call or 1) - 1] for name, _, call in calls]


def _among(logits, outputs):
    return logits if outputs is None else logits[:, list(outputs)]


def _fisher_of_filters(network, x, layers, outputs):
    """Exact Fisher of each filter's weights, summed over images: layer -> ``[filters]``."""

    def log_p(weights, one):
        logits = functional_call(network, weights, one.unsqueeze(0))
        return _among(logits, outputs)[0].log_softmax(0)

    names = [f"{layer}.weight" for layer in layers]
    weights = {name: network.get_parameter(name).detach() for name in names}
    found = dict.fromkeys(layers, 0)
    for part in x.split(10):
        with torch.no_grad():
            p = vmap(log_p, (None, 0))(weights, part).exp()
            slope = vmap(jacrev(log_p), (None, 0))(weights, part)
        for layer in layers:
            squares = slope[f"{layer}.weight"].square().flatten(3).sum(3)
            found[layer] = found[layer] + torch.einsum("nk,nkf->f", p, squares)
    return found


@torch.no_grad()
def answers(network, x, y, silent, norms):
    """Each image's cross-entropy, and whether it is right, ``[2, N]``, with filters silenced.

    silent: layer -> indices of filters, whose norm then puts out 0; norms: layer -> name of the
    norm behind it.
    """
    network = copy.deepcopy(network)
    for layer, filters in silent.items():
        norm = network.get_submodule(norms[layer])
        norm.weight[filters] = norm.bias[filters] = 0
    logits = network(x)
    return np.stack(
        [F.cross_entropy(logits, y, reduction="none").numpy(), (logits.argmax(1) == y).numpy()]
    )


def ablate(network, x, y, norms):
    """Each filter silenced alone: layer -> each image's rise of the loss, and fall of accuracy,
    ``[2, filters, N]``.

    network: an nn.Sequential in evaluation mode; norms: layer -> name of the norm behind it. For
    all of its layers.
    """
    found, whole = {}, answers(network, x, y, {}, norms)
    names = list(dict(network.named_children()))
    for layer in norms:
        at, count = names.index(layer.split(".")[0]), network.get_submodule(layer).out_channels
        with torch.no_grad():
            h = network[:at](x)
        each = np.stack(
            [answers(network[at:], h, y, {layer: [f]}, norms) - whole for f in range(count)], 1
        )
        found[layer] = each * np.array([1, -1]).reshape(2, 1, 1)
    return found


def agree(a, b):
    """Rank correlation of two rankings in each layer of the first, ``[layers]`` in [-1, 1].

    0 where one has no order. Of ranks by each class the mean counts.
    """
    pairs = [
        [stats.rankdata(np.atleast_2d(scores[layer]).mean(0)) for scores in (a, b)] for layer in a
    ]
    with np.errstate(all="ignore"):
        return np.nan_to_num([np.corrcoef(*pair)[0, 1] for pair in pairs])
