"""How much each weight matters to what a network says:
Fisher diagonals and memory aware synapses, exact and fast.

No loop over samples: for a linear layer with input x and gradient d at its output, a sample's
gradient of the weight is the outer product of d and x. So sums of squares over samples are one
matrix product, (d^2)^T (x^2), and sums of absolute values |d|^T |x|. Weights of norms are as
simple; convolutions unfold.
"""

from functools import partial

import torch
from torch import nn
from torch.nn import functional as F

from cf_utils.checks import check_count
from cf_utils.randomness import generator as seeded

FISHERS = ("exact", "sampled", "empirical", "batched")
SYNAPSES = ("global", "local")


def fisher_diagonal(
    model, x, y=None, kind="exact", generator=None, allowed=None, batch=64, chunk=None
):
    """Diagonal of the Fisher information of a Replicas, mean over samples:
    weight's name -> ``[R, ...]``, 0 or more.

    x: ``[N, ...]``, scaled, shared by the replicas.  kind: "exact", the expectation of the squared
    gradient of log p over labels from the model's own p; "sampled", one label a sample drawn from p
    (by ``generator``, of the CPU, or by each replica's seed); "empirical", the labels y ``[N]``;
    "batched", squared gradients of the mean loss of each ``batch`` samples and their labels y, no
    Fisher: what cancels within a batch is lost (Kunstner et al. 2019, arXiv:1905.12558).
    allowed: ``[outputs]`` bool, the outputs that count; None: all.  chunk: samples at a time; None:
    1,000, of networks with convolutions 100.  The model is looked at in evaluation mode and left as
    it was.
    Raises ValueError for an unknown kind, missing or impossible labels, no samples, or a layer
    without a formula here.
    """
    check_kind(kind, FISHERS)
    counted = _checked(model, x, y, allowed, kind)
    if kind == "batched":
        return _stacked(model, lambda network, seed: _batched(network, x, y, counted, batch))

    def scores(draw, logits, part):
        if allowed is not None:
            logits = logits.masked_fill(~counted, float("-inf"))
        log_p = logits.log_softmax(1)
        p = log_p.detach().exp()
        if kind == "exact":  # p (d log p)^2 = (sqrt(p) d log p)^2, summed over the labels
            return (p.sqrt() * log_p).T[counted]
        if kind == "empirical":
            labels = y[part].unsqueeze(1)
        else:
            labels = torch.multinomial(p.nan_to_num(1.0).cpu(), 1, generator=draw)
        return log_p.gather(1, labels.to(p.device)).T

    def one(network, seed):
        draw = generator or seeded(seed, "fisher")
        return _mean(torch.square, network, x, signals(network, x, partial(scores, draw), chunk))

    return _stacked(model, one)


def mas(model, x, kind="global", allowed=None, chunk=None):
    """Memory aware synapses (Aljundi et al. 2018, arXiv:1711.09601):
    weight's name -> ``[R, ...]``, 0 or more.

    kind: "global", the mean over samples of |d ||f(x)||^2 / d w|; "local" (Hebbian), of networks of
    linear layers and ReLU, the mean of 2 |x_i| |y_j|, with a layer's input x and its output y after
    ReLU (the last layer's as it is); a bias has the input 1.
    x: ``[N, ...]``, scaled, shared by the replicas.  allowed, chunk: as of ``fisher_diagonal``.
    Raises ValueError for an unknown kind, no samples, or a layer without a formula here.
    """
    check_kind(kind, SYNAPSES)
    counted = _checked(model, x, None, allowed, kind)

    def length(logits, part):
        return (logits.square() * counted).sum(1).unsqueeze(0)

    def one(network, seed):
        found = (
            signals(network, x, length, chunk)
            if kind == "global"
            else _hebbian(network, x, counted, chunk)
        )
        return _mean(torch.abs, network, x, found)

    return _stacked(model, one)


def check_kind(kind, known):
    """ValueError if ``kind`` is not one of ``known``."""
    if kind not in known:
        raise ValueError(f"kind={kind!r} is unknown; known are {', '.join(known)}")


def signals(network, x, scores, chunk=None):
    """Walk through samples and layers: yields (name, layer, its input, gradients at its output),
    chunk by chunk.

    ``scores(logits, part)`` gives for the samples ``x[part]`` one or more numbers each, ``[k, n]``;
    the gradients are a list of those k numbers' at the layer's output, ``[n, ...]`` each. Layers
    without weights are left out.
    """
    seen = _watched(network)
    for part in _parts(network, x, chunk):
        seen.clear()
        logits = network(x[part].to(_device(network)))
        outputs = [output for _, _, output in seen.values()]
        every = [
            torch.autograd.grad(s.sum(), outputs, retain_graph=True) for s in scores(logits, part)
        ]
        for (name, (layer, inputs, _)), *gradients in zip(seen.items(), *every, strict=True):
            yield name, layer, inputs, gradients


def factors(network, x, scores):
    """Each sample's gradient of a number, ``scores(logits, part)`` as of ``signals``, in factors.

    Weight's name -> (a ``[N, columns]``, d ``[N, rows]``): the gradient is the outer product of d
    and a. Of a linear layer they are its input and the gradient at its output; of its bias, and of
    weights without such factors, one of them is 1. Raises ValueError for a layer without a formula
    here.
    """
    found, one = {}, torch.ones(len(x), 1).to(x)
    for name, layer, inputs, gradients in signals(network, x, scores, len(x)):
        if not isinstance(layer, nn.Linear):
            (each,) = _each(layer, inputs, gradients)
            found |= {f"{name}.{key}": (value.flatten(1), one) for key, value in each.items()}
        elif inputs.ndim == 2:
            found |= {f"{name}.weight": (inputs, gradients[0]), f"{name}.bias": (one, gradients[0])}
        else:
            raise ValueError(f"linear layer {name!r} runs more than once for a sample")
    return found


def _hebbian(network, x, counted, chunk):
    """As ``signals``, with 2 y, twice a layer's output after ReLU, in place of a gradient."""
    seen = _watched(network)
    layers = [layer for layer in network.modules() if [*layer.parameters(recurse=False)]]
    if not all(isinstance(layer, nn.Linear) for layer in layers):
        raise ValueError(
            "local importances are those of linear layers "
            "with ReLU between them; this network has others"
        )
    for part in _parts(network, x, chunk):
        seen.clear()
        network(x[part].to(_device(network)))
        last = [*seen][-1]
        for name, (layer, inputs, y) in seen.items():
            signal = y.detach() * counted if name == last else y.detach().relu()
            yield name, layer, inputs, [2 * signal]


def _mean(f, network, x, found):
    """Mean over the samples x of f, square or abs, of each one's gradients,
    summed over what ``found`` has of each.
    """
    total = {name: torch.zeros_like(w) for name, w in network.named_parameters()}
    for name, layer, inputs, gradients in found:
        if isinstance(layer, nn.Linear):  # one product for all scores
            d = sum(f(gradient) for gradient in gradients)
            sums = [{"weight": d.T @ f(inputs), "bias": d.sum(0)}]
        else:
            sums = (
                {key: f(g).sum(0) for key, g in each.items()}
                for each in _each(layer, inputs, gradients)
            )
        for key, value in ((f"{name}.{key}", value) for of in sums for key, value in of.items()):
            if key in total:  # a layer may lack one
                total[key] += value
    return {name: value / len(x) for name, value in total.items()}


def _checked(model, x, y, allowed, kind):
    """The outputs that count, ``[outputs]`` bool on the model's device.

    Raises ValueError for arguments that do not fit.
    """
    if len(x) == 0:
        raise ValueError("importances need one sample or more")
    outputs = model.outputs or model.find_head(x[:1])
    allowed = torch.ones(outputs, dtype=torch.bool) if allowed is None else allowed
    if allowed.ndim != 1:
        raise ValueError(
            f"allowed has the shape {list(allowed.shape)}; it is one entry for each output"
        )
    if kind in ("empirical", "batched"):
        if y is None:
            raise ValueError(f"kind={kind!r} needs the labels y")
        if len(y) != len(x):
            raise ValueError(f"there are {len(y)} labels for {len(x)} samples")
        if not torch.isin(y.cpu(), torch.nonzero(allowed.cpu())[:, 0]).all():
            raise ValueError("y has labels of outputs that do not count, or that are not there")
    return allowed.to(next(model.parameters()).device)


def _stacked(model, one):
    """``one(network, seed)``, name -> tensor, of each replica in evaluation mode, stacked."""
    found = [
        one(model.replica(r).eval().requires_grad_(True), seed)
        for r, seed in enumerate(model.seeds)
    ]
    return {name: torch.stack([of[name] for of in found]) for name in model.weights}


def _batched(network, x, y, counted, batch, chunk=1000):
    """Mean over batches of the squared gradient of a batch's mean cross-entropy."""
    batch = check_count("batch", batch, 1)
    total = {name: torch.zeros_like(w) for name, w in network.named_parameters()}
    batches = list(zip(x.split(batch), y.split(batch), strict=True))
    for images, labels in batches:
        network.zero_grad()
        for part, of in zip(images.split(chunk), labels.split(chunk), strict=True):
            logits = network(part.to(counted.device)).masked_fill(~counted, float("-inf"))
            loss = F.cross_entropy(logits, of.to(counted.device), reduction="sum") / len(labels)
            loss.backward()
        for name, w in network.named_parameters():
            total[name] += w.grad.square()
    return {name: value / len(batches) for name, value in total.items()}


def _parts(network, x, chunk):
    """Slices of samples; few at a time where a convolution needs each sample's gradient."""
    chunk = chunk or (
        100 if any(isinstance(layer, nn.Conv2d) for layer in network.modules()) else 1000
    )
    return [slice(start, start + chunk) for start in range(0, len(x), chunk)]


def _device(network):
    return next(network.parameters()).device


def _watched(network):
    """A dict that each pass through ``network`` fills:
    name -> (layer with weights, its input, its output), in order.

    To be emptied before each. ValueError for a layer whose importances have no formula here; the
    pass raises one for a layer that runs twice.
    """
    seen, weights = {}, set()

    def note(name, layer, inputs, out):
        if name in seen:
            raise ValueError(
                f"no importances for layer {name!r}, which runs more than once in a pass; "
                "known are layers that run once"
            )
        seen[name] = layer, inputs[0].detach(), out
        return out.clone()  # what goes on is a copy: the network may write into it

    for name, layer in network.named_modules():
        own = {*layer.parameters(recurse=False)}
        if not own:
            continue
        if own & weights:
            raise ValueError(
                f"no importances for layer {name!r}, whose weights another layer shares"
            )
        weights |= own
        known = isinstance(layer, nn.Linear | nn.BatchNorm1d | nn.BatchNorm2d)
        if isinstance(layer, nn.Conv2d):
            known = (
                layer.groups == 1
                and layer.padding_mode == "zeros"
                and not isinstance(layer.padding, str)
            )
        elif isinstance(layer, nn.LayerNorm):
            known = len(layer.normalized_shape) == 1
        if not known:
            kind = type(layer).__name__
            raise ValueError(
                f"no importances for layer {name!r} ({kind}); "
                "known are linear layers, Conv2d and norms"
            )
        layer.register_forward_hook(partial(note, name))
    return seen


def _each(layer, x, gradients):
    """Each sample's gradient of a layer's weight and bias, from its input x,
    for each gradient at its output.
    """
    if isinstance(layer, nn.Conv2d):
        patches = F.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride).mT
        for d in gradients:
            weight = torch.bmm(d.flatten(2), patches).view(len(x), *layer.weight.shape)
            yield {"weight": weight, "bias": d.flatten(2).sum(2)}
        return
    if isinstance(layer, nn.LayerNorm):
        x = F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    else:
        x = F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)
    for d in gradients:
        parts = {"weight": d * x, "bias": d}
        is_image = isinstance(layer, nn.BatchNorm2d)
        yield {key: value.flatten(2).sum(2) for key, value in parts.items()} if is_image else parts


def overlap(a, b):
    """How much two importances ``[R, P]`` lie on the same weights:
    ``[R]``, from 0 (disjoint) to 1 (proportional).

    sum sqrt(a b), each scaled to sum 1; one minus the squared Frechet distance of Kirkpatrick et
    al. 2017 (4.3).
    """
    a, b = (value / value.sum(1, keepdim=True) for value in (a, b))
    return (a * b).sqrt().sum(1)


def carrying(importance, share=0.9):
    """The smallest share of the weights, ``[R]`` in [0, 1],
    that carries ``share`` of an importance ``[R, P]``.
    """
    part = importance.double().sort(1, descending=True).values.cumsum(1)
    needed = (part < share * part[:, -1:]).sum(1) + 1
    return needed / importance.shape[1]
