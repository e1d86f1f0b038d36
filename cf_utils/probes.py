"""What to look at inside trained replicas: sparsity, biases, updates, calibration, and what linear probes read off."""

import warnings
from dataclasses import replace

import numpy as np
import torch
from scipy import stats
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from torch.nn import functional as F

from cf_utils.checks import check_count
from cf_utils.training import activations, predict


def standing(loop):
    """How the network stands on the validation images of the tasks up to the current one: a dict of ``[R]``.

    ``output_statistics``; "accuracy" over all these tasks with all outputs; and "task-aware", on the tasks *before* the
    current one (on the first task: on itself), with the outputs of a label's own task alone. All in [0, 1].
    """
    seen = loop.stream.tasks[: loop.t + 1]
    x, y = torch.cat([task.x_val for task in seen]).cpu(), torch.cat([task.y_val for task in seen]).cpu()
    if len(y) == 0:
        raise ValueError("there are no validation images; load the data with validation=1000 or so")
    logits = predict(loop.model, loop.stream.images, x)
    own = replace(loop.stream, scenario="task").allowed(0, logits.shape[2])
    old = [label for task in seen[:-1] for label in task.labels] or list(seen[0].labels)
    aware = (logits.masked_fill(~own[y], -torch.inf).argmax(2) == y)[:, torch.isin(y, torch.tensor(old))]
    right = {"accuracy": (logits.argmax(2) == y).double().mean(1), "task-aware": aware.double().mean(1)}
    return output_statistics(logits, y, old) | right


def activity(model, images, x):
    """Of the hidden units, for images ``x`` ``[N, C, H, W]`` uint8: a dict of ``[R]``.

    sparsity: population sparsity, the share of exact zeros among all hidden activations. dead: share of units that are
    zero for every image. feature: mean of the activations that are not zero.
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
    return [name for name, value in model.weights.items() if name.endswith(".weight") and value.ndim > 2]


def output_statistics(logits, y, old):
    """How sure the outputs are: a dict of ``[R]``, for logits ``[R, N, C]``, labels ``[N]`` and the old tasks' outputs.

    nll: mean cross-entropy, nats. entropy: of the predicted distribution, nats. old: mean probability left to the
    outputs ``old``, of samples of those classes. temperature: the one that minimises the nll of the logits divided by
    it (Guo et al. 2017, arXiv:1706.04599). nll_best: the nll at that temperature.
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
    """The temperature in [0.1, 1e6] that minimises the cross-entropy, to 6 %, and that cross-entropy, ``[R]`` each."""
    grid = torch.logspace(-1, 6, 271, dtype=logits.dtype)
    losses = torch.stack([cross_entropy((logits / t).log_softmax(2), y) for t in grid])
    best = losses.min(0)
    return grid[best.indices.cpu()], best.values


def cross_entropy(log_p, y):
    """Mean cross-entropy (nats) of log-probabilities ``[R, N, C]`` for labels y ``[N]``, ``[R]``."""
    return F.nll_loss(log_p.transpose(1, 2), y.expand(len(log_p), -1), reduction="none").mean(1)


def linear_probe(h, y, fitted, floor=0.1):
    """How well a linear classifier reads the labels off features (Alain & Bengio 2016, arXiv:1610.01644).

    h: ``[R, N, D]``; y: labels ``[N]``; fitted: ``[N]`` bool, the samples that multinomial logistic regression (L2
    penalty, C = 1) is fitted on; it is scored on the others.  Each may be on any device.
    Features are standardised by the fitted samples' moments,
    with no deviation taken as less than ``floor`` times the layer's root mean square, or near-dead units would explode.
    Returns a dict: accuracy ``[R]`` and by class ``[R, C]`` (classes in order), norm: of each class's coefficients
    ``[R, C]`` (of two classes they share one), converged: share of fits that ended before the limit of 1,000 steps.
    Raises ValueError where a part lacks a class.
    """
    y, fitted = y.cpu(), fitted.cpu()
    classes = torch.unique(y)
    if any(len(torch.unique(y[part])) < max(2, len(classes)) for part in (fitted, ~fitted)):
        raise ValueError("a probe needs samples of each of two classes or more, both to fit and to score")
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
    return {"accuracy": right.mean(), "by class": by_class, "norm": norm, "converged": float(probe.n_iter_[0] < 1000)}


def held_out(y, classes, share=0.8, seed=0):
    """Samples of ``classes`` and which of them to fit a probe on: indices into y ``[N]``, and ``[N]`` bool.

    The choice depends on y, share and seed alone, so that all replicas and tasks are scored on the same digits.
    """
    order = torch.randperm(len(y), generator=torch.Generator().manual_seed(check_count("seed", seed)))
    index = torch.nonzero(torch.isin(y, torch.tensor(list(classes))))[:, 0]
    return index, torch.isin(index, order[: round(share * len(y))])


def cka(a, b):
    """Linear centred kernel alignment of features ``[R, N, D]`` and ``[R, N, E]``, in [0, 1], ``[R]``.

    1: the same up to rotation and scale (Kornblith et al. 2019, arXiv:1905.00414); NaN for constant features.
    """
    a, b = (x.double() - x.double().mean(1, keepdim=True) for x in (a, b))
    ab, aa, bb = ((x.mT @ y).flatten(1).norm(dim=1) for x, y in ((a, b), (a, a), (b, b)))
    return ab.square() / (aa * bb)


def rank_correlation(a, b):
    """Spearman's rank correlation of ``a`` and ``b`` ``[R, K, N]`` along N, mean over K, ``[R]`` in [-1, 1].

    NaN entries are left out, and rows with fewer than three others, or with all ranks tied, too.
    """
    found = np.full(a.shape[:2], np.nan)
    for i in np.ndindex(*found.shape):
        there = np.isfinite(a[i]) & np.isfinite(b[i])
        if there.sum() > 2 and min(np.ptp(a[i][there]), np.ptp(b[i][there])) > 0:
            found[i] = stats.spearmanr(a[i][there], b[i][there]).statistic
    return np.array([row[np.isfinite(row)].mean() if np.isfinite(row).any() else np.nan for row in found])
