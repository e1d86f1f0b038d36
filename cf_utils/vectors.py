"""Weights and gradients of stacked replicas as vectors ``[R, P]``.

Bases of them ``[R, K, P]``, and projections.
"""

import psutil
import torch
from torch.nn import functional as F

from cf_utils.streams import mask_logits


def flat(tensors):
    """Stacked tensors ``[R, ...]`` side by side, ``[R, P]``, detached."""
    return torch.cat([tensor.detach().reshape(len(tensor), -1) for tensor in tensors], 1)


def gradients(model):
    """The gradients that ``model``'s weights hold, ``[R, P]``; zero for a frozen weight."""
    return flat([torch.zeros_like(w) if w.grad is None else w.grad for w in model.parameters()])


def pieces(model, vector):
    """Pairs of a stacked weight and its part of ``vector`` ``[R, P]``, in its shape."""
    weights = list(model.parameters())
    parts = vector.split([weight[0].numel() for weight in weights], 1)
    return [(weight, part.view_as(weight)) for weight, part in zip(weights, parts, strict=True)]


def names_in(model, part):
    """Names of the weights of the "head" (what puts out the logits), of the "body" or of "all"."""
    return [n for n in model.weights if part == "all" or (part == "head") == (n in model.head)]


def in_part(model, part):
    """1 for weights of the "head", of the "body" or of "all", else 0: ``[P]``."""
    chosen = names_in(model, part)
    return torch.cat(
        [torch.full_like(w[0].flatten(), n in chosen) for n, w in model.weights.items()]
    ).detach()


def mean_gradient(loop, x, y, chunk=500):
    """Gradient ``[R, P]`` of the mean cross-entropy over shared images ``x`` ``[N, C, H, W]``
    uint8, labels ``[N]``.
    """

    def loss(logits, y):
        return F.cross_entropy(mask_logits(logits, y, loop.allowed).mT, y, reduction="sum")

    total = 0
    for images, labels in zip(x.split(chunk), y.split(chunk), strict=True):
        shared = images.expand(len(loop.model), *images.shape)
        total = total + _gradient(loop, shared, labels.expand(len(loop.model), -1), loss)
    return total / len(y)


def logit_gradient(loop, x, y):
    """Gradient ``[R, P]`` of the true class's logit,
    for one image ``[R, C, H, W]`` and label ``[R]`` a replica.
    """
    return _gradient(
        loop, x.unsqueeze(1), y.unsqueeze(1), lambda logits, y: logits[:, 0].gather(1, y).sum()
    )


def _gradient(loop, x, y, value):
    model, mode = loop.model, loop.model.training
    model.eval().zero_grad(set_to_none=True)
    value(model(loop.scaled(x)), y).backward()
    found = gradients(model.train(mode))
    model.zero_grad(set_to_none=True)
    return found


def orthonormal(new, basis=None, least=1e-3):
    """``basis`` ``[R, K, P]`` with an orthonormal basis of what the rows of ``new`` ``[R, k, P]``
    add to its span.

    The span is Gram-Schmidt's, found through the eigenvectors of the rows' products, which does not
    depend on their order. What adds less than ``least`` of the largest is rounding error, and a row
    of zeros takes its place.
    """
    rows = F.normalize(new, dim=2, eps=1e-30)
    for _ in range(2):  # twice is enough (Giraud et al. 2005)
        rows = rows if basis is None else rows - (rows @ basis.mT) @ basis
        values, vectors = torch.linalg.eigh((rows @ rows.mT).double())
        kept = values > least**2 * values[:, -1:].clamp(min=least**2)
        scale = torch.where(kept, values.rsqrt(), 0)
        rows = (vectors * scale.unsqueeze(1)).mT.to(rows) @ rows
    return rows if basis is None else torch.cat([basis, rows], 1)


def project_out(basis, vectors):
    """Take from ``vectors`` ``[R, P]``, in place, what lies along a basis ``[R, K, P]``."""
    if vectors.is_cuda:
        return vectors.sub_(torch.bmm(torch.bmm(basis, vectors.unsqueeze(2)).mT, basis).squeeze(1))
    for row, directions in zip(vectors, basis, strict=True):  # on a CPU four times as fast as bmm
        row.addmv_(directions.mT, directions @ row, alpha=-1)
    return vectors


class Factors:
    """Directions that are gradients of single samples, kept as factors and not as vectors.

    A linear layer's gradient of one sample is the outer product of the gradient d at its output and
    its input a. So its product with a gradient G is ``d . (G a)``, with another direction's ``(d .
    d')(a . a')``. With 800 directions this takes a quarter of the time and a fortieth of the
    memory of ``orthonormal``'s basis.
    """

    def __init__(self):
        self.factors, self.white = {}, None

    def add(self, new):
        """More directions: weight -> (a ``[R, k, columns]``, d ``[R, k, rows]``), as of
        ``importances.factors``; a weight that is left out does not count.
        """
        for name, pair in new.items():
            old = self.factors.get(name)
            joined = zip(old, pair, strict=True) if old else None
            self.factors[name] = tuple(torch.cat(two, 1) for two in joined) if old else pair
        products = sum(
            (a.double() @ a.double().mT) * (d.double() @ d.double().mT)
            for a, d in self.factors.values()
        )
        # What makes directions orthonormal, [R, K, K]; see ``orthonormal``.
        scale = products.diagonal(dim1=1, dim2=2).clamp(min=1e-60).rsqrt().unsqueeze(2)
        values, vectors = torch.linalg.eigh(scale * products * scale.mT)
        kept = values > 1e-6 * values[:, -1:].clamp(min=1e-6)
        white = scale * vectors * torch.where(kept, values.rsqrt(), 0).unsqueeze(1)
        self.white = white.to(next(iter(self.factors.values()))[0])

    def project_out(self, vectors, model):
        """Take from ``vectors`` ``[R, P]``, in place, what lies along the directions."""
        of = dict(zip(model.weights, (part for _, part in pieces(model, vectors)), strict=True))
        parts = [
            (a, d, of[name].view(len(vectors), d.shape[2], a.shape[2]))
            for name, (a, d) in self.factors.items()
        ]
        along = sum(((a @ part.mT) * d).sum(2) for a, d, part in parts).unsqueeze(2)
        along = self.white @ (self.white.mT @ along)
        for a, d, part in parts:
            part.sub_((d * along).mT @ a)
        return vectors


def share_along(basis, vectors):
    """Share of the length of ``vectors`` ``[R, P]`` that lies along a basis ``[R, K, P]``:
    ``[R]`` in [0, 1].
    """
    return torch.stack([(v @ x).norm() / x.norm() for v, x in zip(basis, vectors, strict=True)])


def check_room(model, count, device):
    """ValueError or MemoryError if ``count`` directions are too many for the network or for the
    device's memory.
    """
    weights = sum(weight[0].numel() for weight in model.parameters())
    if count > weights:
        raise ValueError(
            f"a basis of {count} directions is not possible: the network has {weights} weights"
        )
    # Twice, while it grows.
    needed = 2 * len(model) * count * weights * next(model.parameters()).element_size()
    free = (
        torch.cuda.mem_get_info(device)[0]
        if device.type == "cuda"
        else psutil.virtual_memory().available
    )
    if needed > free:
        raise MemoryError(
            f"{count} directions of {weights} weights for {len(model)} replicas "
            f"need {needed / 1e9:.1f} GB to grow, but {free / 1e9:.1f} GB are "
            "free; store fewer directions or train fewer replicas"
        )
