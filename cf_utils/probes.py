"""What to look at inside trained replicas: sparsity, biases, updates, calibration,
what linear probes read off.

And how the samples of a class lie among the features of a layer.
"""

import warnings
from dataclasses import replace
from importlib import import_module

import numpy as np
import torch
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.manifold import MDS, TSNE, Isomap
from sklearn.metrics import silhouette_score
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits
from torch.nn import functional as F

from cf_utils.checks import check_seed
from cf_utils.training import activations, predict


def standing(loop):
    """How the network stands on the validation images of the tasks up to the current one:
    a dict of ``[R]``.

    ``output_statistics``; "accuracy" over all these tasks with all outputs; and "task-aware", on
    the tasks *before* the current one (on the first task: on itself), with the outputs of a label's
    own task alone. All in [0, 1].
    """
    seen = loop.stream.tasks[: loop.t + 1]
    x = torch.cat([task.x_val for task in seen]).cpu()
    y = torch.cat([task.y_val for task in seen]).cpu()
    if len(y) == 0:
        raise ValueError("there are no validation images; load the data with validation=1000 or so")
    logits = predict(loop.model, loop.stream.images, x)
    own = replace(loop.stream, scenario="task").allowed(0, logits.shape[2])
    old = [label for task in seen[:-1] for label in task.labels] or list(seen[0].labels)
    aware = (logits.masked_fill(~own[y], -torch.inf).argmax(2) == y)[
        :, torch.isin(y, torch.tensor(old))
    ]
    right = {
        "accuracy": (logits.argmax(2) == y).double().mean(1),
        "task-aware": aware.double().mean(1),
    }
    return output_statistics(logits, y, old) | right


def activity(model, images, x):
    """Of the hidden units, for images ``x`` ``[N, C, H, W]`` uint8: a dict of ``[R]``.

    sparsity: population sparsity, the share of exact zeros among all hidden activations. dead:
    share of units that are zero for every image. feature: mean of the activations that are not
    zero.
    """
    zeros = total = 0
    for chunk in x.cpu().split(500):
        _, hidden = activations(model, images, chunk)
        h = torch.cat([layer.flatten(2) for layer in hidden.values()], 2)
        zeros = zeros + (h == 0).sum(1)
        total = total + h.sum((1, 2))
    size, off = len(x) * zeros.shape[1], zeros.sum(1)
    dead, feature = (zeros == len(x)).double().mean(1), total / (size - off).clamp(min=1)
    return {"sparsity": off.double() / size, "dead": dead, "feature": feature}


def layers(model):
    """Names of the weight matrices (and kernels), first to last; the last one is the head."""
    return [
        name for name, value in model.weights.items() if name.endswith(".weight") and value.ndim > 2
    ]


def bias_statistics(model):
    """ "mean", "median" and "std" of all biases of a network's layers, those of its norms left out:
    ``[R]`` each.
    """
    names = [name.removesuffix("weight") + "bias" for name in layers(model)]
    biases = [model.weights[name].detach().cpu() for name in names if name in model.weights]
    biases = torch.cat(biases, 1)
    return {
        "mean": biases.mean(1),
        "median": biases.double().quantile(0.5, dim=1),
        "std": biases.std(1),
    }


def window_ratio(values, steps, width=5):
    """Mean of values ``[R, S]`` in ``width`` steps around ``steps`` ``[R]`` over that in as many
    just before: ``[R]``.

    ``values[:, i]`` is of step i + 1. A step too early to have ``width`` others before is moved to
    where it has.
    """
    starts = [max(int(step) - 1 - width // 2, width) for step in steps]
    return np.array(
        [
            v[s : s + width].mean() / v[s - width : s].mean()
            for v, s in zip(values, starts, strict=True)
        ]
    )


def output_statistics(logits, y, old):
    """How sure the outputs are: a dict of ``[R]``, for logits ``[R, N, C]``,
    labels ``[N]`` and the old tasks' outputs.

    nll: mean cross-entropy, nats. entropy: of the predicted distribution, nats. old: mean
    probability left to the outputs ``old``, of samples of those classes. temperature: the one that
    minimises the nll of the logits divided by it (Guo et al. 2017, arXiv:1706.04599). nll_best: the
    nll at that temperature.
    """
    log_p = logits.log_softmax(2)
    p = log_p.exp()
    of_old = torch.isin(y, torch.tensor(list(old), dtype=y.dtype, device=y.device))
    temperature, best = best_temperature(logits, y)
    return {
        "nll": cross_entropy(log_p, y),
        "entropy": -(p * log_p.clamp(min=-1e4)).sum(2).mean(1),
        "old": p[:, of_old][:, :, list(old)].sum(2).mean(1),
        "temperature": temperature,
        "nll_best": best,
    }


def best_temperature(logits, y):
    """The temperature in [0.1, 1e6] that minimises the cross-entropy, to 6 %,
    and that cross-entropy, ``[R]`` each.
    """
    grid = torch.logspace(-1, 6, 271, dtype=logits.dtype)
    losses = torch.stack([cross_entropy((logits / t).log_softmax(2), y) for t in grid])
    best = losses.min(0)
    return grid[best.indices.cpu()], best.values


def cross_entropy(log_p, y):
    """Cross-entropy (nats) ``[R]`` of log-probabilities ``[R, N, C]`` for labels y ``[N]``."""
    return F.nll_loss(log_p.transpose(1, 2), y.expand(len(log_p), -1), reduction="none").mean(1)


def linear_probe(h, y, fitted, floor=0.1):
    """How well a linear classifier reads labels off features (Alain & Bengio, arXiv:1610.01644).

    h: ``[R, N, D]``; y: labels ``[N]``; fitted: ``[N]`` bool, the samples that multinomial logistic
    regression (L2 penalty, C = 1) is fitted on; it is scored on the others.  Each may be on any
    device.
    Features are standardised by the fitted samples' moments, with no deviation taken as less than
    ``floor`` times the layer's root mean square, or near-dead units would explode.
    Returns a dict: accuracy ``[R]`` and by class ``[R, C]`` (classes in order), norm: of each
    class's coefficients ``[R, C]`` (of two classes they share one), converged: share of fits that
    ended before the limit of 1,000 steps. Raises ValueError where a part lacks a class.
    """
    y, fitted = y.cpu(), fitted.cpu()
    classes = torch.unique(y)
    if any(len(torch.unique(y[part])) < max(2, len(classes)) for part in (fitted, ~fitted)):
        raise ValueError(
            "a probe needs samples of each of two classes or more, both to fit and to score"
        )
    parts = [_probe(features, y, fitted, floor) for features in h.detach().cpu().float()]
    return {key: np.stack([part[key] for part in parts]) for key in parts[0]}


def _probe(h, y, fitted, floor):
    mean, deviation = h[fitted].mean(0), h[fitted].std(0)
    least = (floor * deviation.square().mean().sqrt()).clamp(min=1e-12)
    h = ((h - mean) / deviation.clamp(min=least)).numpy()
    y, fitted = y.numpy(), fitted.numpy()
    probe = LogisticRegression(max_iter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # reported as a share instead
        probe.fit(h[fitted], y[fitted])
    right = probe.predict(h[~fitted]) == y[~fitted]
    by_class = np.array([right[y[~fitted] == c].mean() for c in probe.classes_])
    norm = np.broadcast_to(np.linalg.norm(probe.coef_, axis=1), len(probe.classes_))
    return {
        "accuracy": right.mean(),
        "by class": by_class,
        "norm": norm,
        "converged": float(probe.n_iter_[0] < 1000),
    }


def held_out(y, classes, share=0.8, seed=0):
    """Samples of ``classes``, and which to fit a probe on: indices into y ``[N]``, ``[N]`` bool.

    The choice depends on y, share and seed alone, so that all replicas and tasks are scored on the
    same digits.
    """
    order = torch.randperm(
        len(y), generator=torch.Generator().manual_seed(check_seed("seed", seed))
    )
    index = torch.nonzero(torch.isin(y, torch.tensor(list(classes))))[:, 0]
    return index, torch.isin(index, order[: round(share * len(y))])


def cka(a, b):
    """Linear centred kernel alignment of ``[R, N, D]`` and ``[R, N, E]``, ``[R]`` in [0, 1].

    1: the same up to rotation and scale (Kornblith et al. 2019, arXiv:1905.00414); NaN for constant
    features.
    """
    a, b = (x.double() - x.double().mean(1, keepdim=True) for x in (a, b))
    ab, aa, bb = ((x.mT @ y).flatten(1).norm(dim=1) for x, y in ((a, b), (a, a), (b, b)))
    return ab.square() / (aa * bb)


def rank_correlation(a, b):
    """Spearman's rank correlation of ``a`` and ``b`` ``[R, K, N]`` along N, mean over K,
    ``[R]`` in [-1, 1].

    NaN entries are left out, and rows with fewer than three others, or with all ranks tied, too.
    """
    found = np.full(a.shape[:2], np.nan)
    for i in np.ndindex(*found.shape):
        there = np.isfinite(a[i]) & np.isfinite(b[i])
        if there.sum() > 2 and min(np.ptp(a[i][there]), np.ptp(b[i][there])) > 0:
            found[i] = stats.spearmanr(a[i][there], b[i][there]).statistic
    return np.array(
        [row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in found]
    )


def most_changed(first, then, x, layers):
    """Index of the one of ``layers`` whose responses differ most between two networks,
    relative to the first's.

    first, then: Replicas of one kind; x: standardised images ``[N, C, H, W]`` on their device. By
    the norm of the difference over all images and replicas (Nguyen et al. 2022 freeze the layers
    before it).
    """
    (_, a), (_, b) = (model.activations(model.share(x), layers) for model in (first, then))
    return int(np.argmax([((b[name] - a[name]).norm() / a[name].norm()).item() for name in layers]))


def effective_dimension(h):
    """Participation ratio of features ``[R, N, D]``: ``[R]``, from 1, a line, to D, a ball.

    (tr C)^2 / tr C^2 of their covariance C (Gao et al. 2017, bioRxiv 214262); 0 for constant
    features.
    """
    centred = (h - h.mean(1, keepdim=True)).double()
    covariance = centred.mT @ centred
    trace = covariance.diagonal(dim1=1, dim2=2).sum(1)
    return trace.square() / covariance.square().sum((1, 2)).clamp(min=1e-24)


def elongation(points, labels):
    """Ratio of the first to the second principal deviation of points ``[N, 2]``, mean over classes.

    1: round.
    """
    clouds = [points[labels == c] for c in np.unique(labels)]
    deviations = [np.linalg.svd(cloud - cloud.mean(0), compute_uv=False) for cloud in clouds]
    return float(np.mean([first / max(second, 1e-12) for first, second in deviations]))


def class_shift(h, y):
    """How far each class's mean lies from the mean of all,
    for features ``[R, N, D]`` and labels ``[N]``: ``[R, C]``.

    In deviations of each feature; the Euclidean norm over the features. Classes are in order.
    """
    mean, deviation = h.mean(1), h.std(1, unbiased=False) + 1e-9
    return torch.stack(
        [((h[:, y == c].mean(1) - mean) / deviation).norm(dim=1) for c in torch.unique(y)], 1
    )


def tightness(features, labels, k=10):
    """How a class's samples stay together among features ``[R, N, D]``, labels ``[N]``:
    a dict of ``[R]``.

    silhouette: mean of (b - a) / max(a, b), a the mean distance to the sample's own class and b to
    the nearest other class, in [-1, 1]; 0 for clouds that mingle (Rousseeuw 1987). hit:
    neighbourhood hit, the share of a sample's ``k`` nearest neighbours, itself left out, that are
    of its class, in [0, 1].
    """
    # Not itself.
    near = [
        NearestNeighbors(n_neighbors=k).fit(h).kneighbors(return_distance=False) for h in features
    ]
    hit = [(labels[index] == labels[:, None]).mean() for index in near]
    return {
        "silhouette": np.array([silhouette_score(h, labels) for h in features], float),
        "hit": np.array(hit),
    }


EMBEDDINGS = {"tsne": "t-SNE", "pca": "PCA", "umap": "UMAP", "isomap": "Isomap", "mds": "MDS"}


def embed(features, kind):
    """A plane ``[N, 2]`` of features ``[N, D]`` by one of EMBEDDINGS.

    The same in each call, and on one thread: several are much slower beside another process.
    Raises ValueError for a kind that is not known.
    """
    makers = {
        "tsne": lambda: TSNE(init="pca", perplexity=min(30, len(features) / 4), random_state=0),
        "pca": lambda: PCA(2, random_state=0),
        # Compiles for 14 s at first.
        "umap": lambda: import_module("umap").UMAP(random_state=0, n_jobs=1),
        "isomap": lambda: Isomap(n_neighbors=10),
        "mds": lambda: MDS(n_init=1, random_state=0),
    }
    if kind not in makers:
        raise ValueError(f"unknown embedding {kind!r}; known are {', '.join(makers)}")
    with warnings.catch_warnings(), threadpool_limits(1):
        # Isomap joins clouds that no neighbour links; MDS has defaults to come.
        warnings.simplefilter("ignore")
        return np.asarray(makers[kind]().fit_transform(features), dtype=float)
