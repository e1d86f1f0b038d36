"""Pure functions of the accuracy matrix ``a`` ``[R, T+1, T]``.

``a[r, i, j]`` is replica r's accuracy on task j (of T) after training on i tasks; row 0 is before
any training. Each function but ``seen_accuracy`` returns ``[R]``.  In the formulas tasks and rows
count from 1: a_ij is the accuracy after task i on task j.  With one task forgetting and transfer
are 0.
"""

import numpy as np
import torch
from scipy import stats


def average_accuracy(a):
    """ACC = mean_j a_Tj, in [0, 1].

    Higher is better (Lopez-Paz and Ranzato 2017, eq. 2, arXiv:1706.08840). Every task counts the
    same, however many images it has.
    """
    return _checked(a)[:, -1].mean(1)


def accuracy_over_samples(a, counts):
    """sum_j n_j a_Tj / sum_j n_j, in [0, 1]: every image counts the same,
    as in the accuracy of joint training.

    counts: n_j, how many images each task is measured on, ``[T]``, above 0.
    """
    last, counts = _checked(a)[:, -1], torch.as_tensor(counts)
    if counts.shape != last.shape[1:] or not bool((counts > 0).all()):
        raise ValueError(
            f"counts={counts.tolist()} is not possible; it is one number above 0 for each task"
        )
    return (last * counts).sum(1) / counts.sum()


def average_incremental_accuracy(a):
    """mean_i mean_{j<=i} a_ij, in [0, 1].

    Higher is better (Rebuffi et al. 2017, iCaRL, arXiv:1611.07725).
    """
    return seen_accuracy(a).mean(1)


def learning_accuracy(a):
    """mean_j a_jj: each task right after it was trained,
    in [0, 1] (Riemer et al. 2019, arXiv:1810.11910).
    """
    return _checked(a)[:, 1:].diagonal(dim1=1, dim2=2).mean(1)


def forgetting(a):
    """F = mean_{j<T} (max_{1<=l<T} a_lj - a_Tj), in [-1, 1]; lower is better.

    Chaudhry et al. 2018, eq. 3, arXiv:1801.10112.  Libraries differ: some take the accuracy right
    after the task in place of the best one, some clip at zero; here the best after any task before
    the last, not clipped.
    """
    a = _checked(a)[:, 1:]
    if a.shape[2] < 2:
        return a.new_zeros(len(a))
    return (a[:, :-1, :-1].max(1).values - a[:, -1, :-1]).mean(1)


def backward_transfer(a):
    """BWT = mean_{j<T} (a_Tj - a_jj), in [-1, 1].

    Below 0 is forgetting (Lopez-Paz and Ranzato 2017, eq. 3).
    """
    a = _checked(a)[:, 1:]
    return (a[:, -1, :-1] - a.diagonal(dim1=1, dim2=2)[:, :-1]).sum(1) / max(a.shape[2] - 1, 1)


def forward_transfer(a):
    """FWT = mean_{j>1} (a_{j-1,j} - a_0j), in [-1, 1].

    Above 0, earlier tasks help (Lopez-Paz and Ranzato 2017, eq. 4). a_0j is the accuracy of the
    untrained network.
    """
    a = _checked(a)
    gains = a[:, 1:-1].diagonal(offset=1, dim1=1, dim2=2) - a[:, 0, 1:]
    return gains.sum(1) / max(a.shape[2] - 1, 1)


def intransigence(a, reference):
    """mean_j (a*_j - a_jj), in [-1, 1]; above 0, tasks are learned worse than by the reference.

    reference: ``[R, T]`` or ``[T]``, accuracy a*_j of a network trained on tasks 1..j (Chaudhry et
    al. 2018, eq. 4).
    """
    return (torch.as_tensor(reference) - _checked(a)[:, 1:].diagonal(dim1=1, dim2=2)).mean(1)


def seen_accuracy(a):
    """``[R, T]``: after each task i, the mean accuracy on tasks 1..i, in [0, 1]."""
    a = _checked(a)[:, 1:]
    return torch.stack([a[:, i, : i + 1].mean(1) for i in range(a.shape[1])], 1)


def interval(values, axis=0):
    """Mean and half-width of the 95 % t-interval of ``values``, one a seed, along ``axis``.

    NaN values (diverged replicas) make both NaN; with one value the half-width is NaN.
    """
    values = np.asarray(values, dtype=float)
    n = values.shape[axis]
    mean = values.mean(axis)
    if n < 2:
        return mean, np.full_like(mean, np.nan)
    return mean, stats.t.ppf(0.975, n - 1) * values.std(axis, ddof=1) / np.sqrt(n)


def _checked(a):
    if hasattr(a, "accuracy"):
        raise ValueError("an accuracy matrix is wanted, not a Run; give run.accuracy")
    a = torch.as_tensor(a)
    if a.ndim != 3 or a.shape[1] != a.shape[2] + 1:
        raise ValueError(f"an accuracy matrix has the shape [R, T+1, T], not {list(a.shape)}")
    return a


def ratio_of_means(a, b):
    """Jackknife pseudo-values ``[n]`` of mean(a) / mean(b), for paired values ``[n]``, one a seed.

    Their ``interval`` is that of the ratio (Quenouille 1956; Tukey 1958).  Unlike the mean of n
    ratios it bears single denominators near zero.  For n = 1 the ratio itself.
    """
    a, b = (np.asarray(values, dtype=float) for values in (a, b))
    n = len(a)
    if n < 2:
        return a / b
    left_out = (a.sum() - a) / (b.sum() - b)
    return n * a.sum() / b.sum() - (n - 1) * left_out
