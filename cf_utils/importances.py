"""How much each weight matters to what a network says: Fisher diagonals and memory aware synapses, exact and fast.

No loop over samples: for a linear layer with input x and gradient d at its output, the per-sample gradient of the
weight is the outer product of d and x, so that sums of squares over samples are one matrix product, (d^2)^T (x^2), and
sums of absolute values |d|^T |x|.  Weights of norms are as simple; convolutions unfold.
"""

import torch
from torch import nn
from torch.nn import functional as F

from cf_utils.randomness import generator as seeded

FISHERS = ("exact", "sampled", "empirical", "batched")
SYNAPSES = ("global", "local")
NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm)


def fisher_diagonal(model, x, y=None, kind="exact", generator=None, allowed=None, batch=64, chunk=None):
    """Diagonal of the Fisher information of a Replicas, mean over samples: weight's name -> ``[R, ...]``, 0 or more.

    x: ``[N, ...]``, scaled, shared by the replicas.  kind: "exact", the expectation of the squared gradient of log p
    over labels from the model's own p; "sampled", one label a sample drawn from p (by ``generator``, or by each
    replica's seed); "empirical", the labels y ``[N]``; "batched", squared gradients of the mean loss of each ``batch``
    samples and their labels y, which is no Fisher: what cancels within a batch is lost (Kunstner et al. 2019,
    arXiv:1905.12558).
    generator: of the CPU, on which labels are drawn.
    allowed: ``[outputs]`` bool, the outputs that count; None: all.  chunk: samples at a time; None: 1,000, of networks
    with convolutions 100.  The model is looked at in evaluation mode and left as it was.
    Raises ValueError for an unknown kind, missing or impossible labels, no samples, or a layer without a formula here.
    """
    check_kind(kind, FISHERS)
    needs = kind in ("empirical", "batched")
    _check(model, x, y, allowed, needs, kind)
    if needs:
        y = y.to(next(model.parameters()).device)
    if kind == "batched":
        return _stacked([_batched(model.replica(r), x, y, allowed, batch) for r in range(len(model))], model)

    def values(logits, part, draw):
        log_p = _masked(logits, allowed).log_softmax(1)
        p = log_p.detach().exp()
        if kind == "exact":
            counted = range(logits.shape[1]) if allowed is None else torch.nonzero(allowed)[:, 0].tolist()
            return [(log_p[:, c].sum(), p[:, c]) for c in counted]
        drawn = y[part] if needs else torch.multinomial(p.nan_to_num(1.0).cpu(), 1, generator=draw)[:, 0].to(p.device)
        return [(log_p.gather(1, drawn.unsqueeze(1)).sum(), None)]

    draws = [generator or seeded(seed, "fisher") for seed in model.seeds]
    found = [
        _sums(model.replica(r), x, lambda *given, draw=draw: values(*given, draw), torch.square, chunk)
        for r, draw in enumerate(draws)
    ]
    return _stacked(found, model)


def mas(model, x, kind="global", allowed=None, chunk=None):
    """Memory aware synapses (Aljundi et al. 2018, arXiv:1711.09601): weight's name -> ``[R, ...]``, 0 or more.

    kind: "global", the mean over samples of |d ||f(x)||^2 / d w|; "local" (Hebbian), of networks of linear layers and
    ReLU, the mean of 2 |x_i| |y_j|, with a layer's input x and its output y after ReLU (the last layer's as it is); a
    bias has the input 1.
    x: ``[N, ...]``, scaled, shared by the replicas.  allowed, chunk: as of ``fisher_diagonal``.
    Raises ValueError for an unknown kind, no samples, or a layer without a formula here.
    """
    check_kind(kind, SYNAPSES)
    _check(model, x, None, allowed, False, kind)
    if kind == "local":
        return _stacked([_hebb(model.replica(r), x, allowed) for r in range(len(model))], model)

    def values(logits, part):
        counted = logits if allowed is None else logits[:, allowed.to(logits.device)]
        return [(counted.square().sum(), None)]

    return _stacked([_sums(model.replica(r), x, values, torch.abs, chunk) for r in range(len(model))], model)


def check_kind(kind, known):
    """ValueError if ``kind`` is not one of ``known``."""
    if kind not in known:
        raise ValueError(f"kind={kind!r} is unknown; known are {', '.join(known)}")


def _check(model, x, y, allowed, needs, kind):
    if len(x) == 0:
        raise ValueError("importances need one sample or more")
    if allowed is not None and allowed.ndim != 1:
        raise ValueError(f"allowed has the shape {list(allowed.shape)}; it is one entry for each output")
    if needs and y is None:
        raise ValueError(f"kind={kind!r} needs the labels y")
    if needs and len(y) != len(x):
        raise ValueError(f"there are {len(y)} labels for {len(x)} samples")
    counted = torch.ones([*model.weights.values()][-1].shape[1], dtype=torch.bool) if allowed is None else allowed.cpu()
    if needs and not torch.isin(y.cpu(), torch.nonzero(counted)[:, 0]).all():
        raise ValueError("y has labels of outputs that do not count, or that are not there")


def _batched(network, x, y, allowed, batch, chunk=1000):
    """Mean over batches of the squared gradient of a batch's mean cross-entropy."""
    if batch < 1:
        raise ValueError(f"batch={batch} is not possible; it is 1 or more")
    network.eval()
    weights = dict(network.named_parameters())
    total = {name: torch.zeros_like(w) for name, w in weights.items()}
    starts = range(0, len(x), batch)
    for start in starts:
        images, labels = x[start : start + batch], y[start : start + batch]
        mean = dict.fromkeys(weights, 0)
        for part, of in zip(images.split(chunk), labels.split(chunk), strict=True):
            loss = F.cross_entropy(_masked(network(part.to(of.device)), allowed), of, reduction="sum") / len(labels)
            for name, gradient in zip(mean, torch.autograd.grad(loss, list(weights.values())), strict=True):
                mean[name] = mean[name] + gradient
        for name, gradient in mean.items():
            total[name] += gradient.square()
    return {name: value.detach() / len(starts) for name, value in total.items()}


def _layers(network):
    """Name -> layer with weights; ValueError for one whose importances have no formula here."""
    layers = {}
    for name, layer in network.named_modules():
        if getattr(layer, "inplace", False):
            layer.inplace = False  # it would overwrite the output that the layer before it leaves here
        if next(layer.parameters(recurse=False), None) is None:
            continue
        if isinstance(layer, nn.Conv2d):
            known = layer.groups == 1 and layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
        else:
            known = isinstance(layer, (nn.Linear, *NORMS))
            known &= not isinstance(layer, nn.LayerNorm) or len(layer.normalized_shape) == 1
        if not known:
            kind = type(layer).__name__
            raise ValueError(f"no importances for layer {name!r} ({kind}); known are linear layers, Conv2d and norms")
        layers[name] = layer
    return layers


def _outputs(network, layers, x):
    """Logits, and of each layer its input and output, in the order they are passed."""
    seen = {}
    hooks = [
        layer.register_forward_hook(lambda layer, inputs, out, name=name: seen.update({name: (inputs[0], out)}))
        for name, layer in layers.items()
    ]
    logits = network(x)
    for hook in hooks:
        hook.remove()
    return logits, seen


def _sums(network, x, values, f, size):
    """Means over samples of ``f``, square or abs, of the gradients of ``values(logits, part)``.

    ``values`` gives pairs of a sum over samples of what is differentiated, and a weight for each sample or None.
    """
    layers = _layers(network.eval())
    # A convolution needs each sample's gradient.
    size = size or (100 if any(isinstance(layer, nn.Conv2d) for layer in layers.values()) else 1000)
    total = {name: torch.zeros_like(w) for name, w in network.named_parameters()}
    device = next(network.parameters()).device
    for start in range(0, len(x), size):
        part = slice(start, start + size)
        logits, seen = _outputs(network, layers, x[part].to(device))
        linear = {}
        for value, weight in values(logits, part):
            gradients = torch.autograd.grad(value, [out for _, out in seen.values()], retain_graph=True)
            weight = torch.ones_like(logits[:, 0]).detach() if weight is None else weight
            for (name, (inputs, _)), d in zip(seen.items(), gradients, strict=True):
                if isinstance(layers[name], nn.Linear):  # summed over labels first, for one product
                    linear[name] = linear.get(name, 0) + f(d) * weight.unsqueeze(1)
                    continue
                for key, each in _each(layers[name], inputs.detach(), d):
                    total[f"{name}.{key}"] += (f(each).flatten(1).T @ weight).view(each.shape[1:])
        for name, d in linear.items():
            _add_outer(total, name, d, f(seen[name][0].detach()))
    return {name: value.detach() / len(x) for name, value in total.items()}


def _hebb(network, x, allowed, chunk=1000):
    layers = _layers(network.eval())
    if not all(isinstance(layer, nn.Linear) for layer in layers.values()):
        raise ValueError("local importances are those of linear layers with ReLU between them; this network has others")
    total = {name: torch.zeros_like(w) for name, w in network.named_parameters()}
    with torch.no_grad():
        for part in x.split(chunk):
            _, seen = _outputs(network, layers, part.to(next(network.parameters()).device))
            last = [*seen][-1]
            for name, (inputs, out) in seen.items():
                y = out.relu() if name != last else out if allowed is None else out * allowed.to(out.device)
                _add_outer(total, name, 2 * y.abs(), inputs.abs())
    return {name: value / len(x) for name, value in total.items()}


def _add_outer(total, name, d, x):
    """Add the sums over samples of d x^T and of d to a linear layer's weight and bias."""
    total[f"{name}.weight"] += d.T @ x
    if f"{name}.bias" in total:
        total[f"{name}.bias"] += d.sum(0)


def _each(layer, x, d):
    """Each sample's gradient of a layer's parameters, from its input x and the gradient d at its output."""
    if isinstance(layer, nn.Conv2d):
        options = (layer.kernel_size, layer.dilation, layer.padding, layer.stride)
        weight = torch.einsum("nol,nkl->nok", d.flatten(2), F.unfold(x, *options)).view(len(x), *layer.weight.shape)
        parts = {"weight": weight, "bias": d.flatten(2).sum(2)}
    else:
        weight = d * _normal(layer, x)
        parts = {"weight": weight, "bias": d}
        if isinstance(layer, nn.BatchNorm2d):
            parts = {key: value.flatten(2).sum(2) for key, value in parts.items()}
    return [(key, value) for key, value in parts.items() if getattr(layer, key) is not None]


def _normal(layer, x):
    """The input of a norm's scale: what comes out before weight and bias."""
    if isinstance(layer, nn.LayerNorm):
        return F.layer_norm(x, layer.normalized_shape, eps=layer.eps)
    return F.batch_norm(x, layer.running_mean, layer.running_var, eps=layer.eps)


def _masked(logits, allowed):
    return logits if allowed is None else logits.masked_fill(~allowed.to(logits.device), float("-inf"))


def _stacked(found, model):
    return {name: torch.stack([one[name] for one in found]) for name in model.weights}


def overlap(a, b):
    """How much two importances ``[R, P]`` lie on the same weights: ``[R]``, from 0 (disjoint) to 1 (proportional).

    sum sqrt(a b), each scaled to sum 1; one minus the squared Frechet distance of Kirkpatrick et al. 2017 (4.3).
    """
    a, b = (value / value.sum(1, keepdim=True) for value in (a, b))
    return (a * b).sqrt().sum(1)


def carrying(importance, share=0.9):
    """The smallest share of the weights, ``[R]`` in [0, 1], that carries ``share`` of an importance ``[R, P]``."""
    part = importance.double().sort(1, descending=True).values.cumsum(1)
    needed = (part < share * part[:, -1:]).sum(1) + 1
    return needed / importance.shape[1]
