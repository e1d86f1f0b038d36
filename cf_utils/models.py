"""Networks of the investigations, as builders of torch.nn.Module."""

from collections import OrderedDict
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from cf_utils._torchvision import import_torchvision


class Linear(nn.Linear):
    """nn.Linear for a batch ``[B, inputs]``, or with stacked weights for a stack of batches
    ``[R, B, inputs]``.
    """

    def forward(self, x):
        # With the weight as left factor its gradient comes out in the weight's own layout, without
        # a transposing copy.
        if self.weight.ndim == 3:
            return torch.baddbmm(self.bias.unsqueeze(2), self.weight, x.mT).mT
        return torch.addmm(self.bias.unsqueeze(1), self.weight, x.t()).t()


class BatchNorm(nn.BatchNorm1d):
    """nn.BatchNorm1d for a batch ``[B, D]``, or with stacked weights for a stack of batches
    ``[R, B, D]``.
    """

    def forward(self, x):
        if self.weight.ndim == 1:
            return super().forward(x)
        if self.training:
            self.num_batches_tracked.add_(1)
        parts = (
            value.view(-1)
            for value in (self.running_mean, self.running_var, self.weight, self.bias)
        )
        # The replicas' units side by side, as channels.
        one = x.mT.reshape(1, self.weight.numel(), -1)
        return F.batch_norm(one, *parts, self.training, self.momentum, self.eps).view(x.mT.shape).mT


STACKABLE = {Linear, BatchNorm, nn.ReLU, nn.Dropout}
NORMS = {None: None, "batch": BatchNorm, "layer": nn.LayerNorm}


def mlp(sizes=(784, 120, 84, 10), norm=None, dropout=0.0):
    """A multilayer perceptron: flatten, then linear, norm, ReLU, dropout for each hidden layer,
    then linear.

    sizes: inputs, hidden units, outputs. norm: None, "batch" or "layer", between linear and ReLU.
    dropout: share of the hidden activations dropped in training, in [0, 1).  Named fc1, norm1,
    act1, drop1, fc2, ... Raises ValueError for fewer than two sizes, an unknown norm or a dropout
    outside [0, 1).
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(
            f"sizes={tuple(sizes)} is not possible; give "
            "inputs, hidden units and outputs, each 1 or more"
        )
    return _dense(OrderedDict(), sizes, norm, dropout)


def lenet5(outputs=10, channels=1, size=28, norm=None, dropout=0.0):
    """LeNet-5 (LeCun et al. 1998) with ReLU and max-pooling, for square images of ``size`` pixels.

    Two 5x5 convolutions (6 and 16 filters, the first padded by 2), each pooled by 2, then 120, 84
    and ``outputs`` units, norm and dropout as in ``mlp``; named conv1, act1, pool1, conv2, ...,
    fc3, act3, fc4, act4, fc5.
    """
    if size < 12:
        raise ValueError(
            f"size={size} is too small for lenet5; it takes images of 12 pixels or more"
        )
    return _convolutional(
        ((6, 5, 1, 2), (16, 5, 1, 0)), (1, 2), channels, size, (120, 84, outputs), norm, dropout
    )


def alexnet(outputs=10, size=64, width=1.0, dropout=0.0):
    """A network like AlexNet (Krizhevsky 2014, arXiv:1404.5997) for square colour images of
    ``size`` pixels, from 32.

    Five convolutions (64, 192, 384, 256, 256 filters times ``width``), pooled by 2 after the first,
    the second and the last, then two hidden layers of 1,024 units times width, dropout as in
    ``mlp``; named conv1, act1, pool1, conv2, ..., conv5, act5, pool5, fc6, act6, fc7, act7, fc8.
    From 64 pixels on, the first convolution takes every second one. Since it has no norm, Kaiming
    initialisation by fan-in, biases zero (He et al. 2015, arXiv:1502.01852).
    """
    if size < 32 or not width > 0:
        raise ValueError(
            f"size={size}, width={width} is not possible; size is 32 or more, width above 0"
        )
    shapes = (
        (64, 5, 2 if size >= 64 else 1, 2),
        (192, 5, 1, 2),
        (384, 3, 1, 1),
        (256, 3, 1, 1),
        (256, 3, 1, 1),
    )
    shapes = [(max(1, round(width * filters)), *rest) for filters, *rest in shapes]
    units = max(1, round(1024 * width))
    network = _convolutional(shapes, (1, 2, 5), 3, size, (units, units, outputs), dropout=dropout)
    for layer in network:
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
            nn.init.zeros_(layer.bias)
    return network


def pretrained(name, outputs):
    """A network of torchvision with ImageNet's weights and a new last layer of ``outputs`` units.

    name: "alexnet", for example. The weights are downloaded once, to torch.hub's folder; their
    checksum is verified and no code in them runs. Raises ValueError for an unknown name, a network
    without a linear last layer or with outputs beside it, or if the weights can't be had or don't
    fit.
    """
    models = import_torchvision().models
    if name not in models.list_models(models):
        raise ValueError(
            f"unknown network {name!r}; those of torchvision "
            "are known, e.g. 'alexnet' and 'resnet18'"
        )
    network = models.get_model(name)
    linear = any(isinstance(layer, nn.Linear) for layer in network.modules())
    if not linear or hasattr(network, "aux_logits"):
        raise ValueError(
            f"{name!r} does not end in one linear layer; 'alexnet' and 'resnet18', e.g., do"
        )
    try:
        weights = models.get_model_weights(name).DEFAULT.get_state_dict(
            check_hash=True, weights_only=True
        )
        network.load_state_dict(weights)
    except Exception as error:
        # Urllib, a wrong checksum, a full disk: all mean that the weights can't be used.
        reason = str(error).partition("\n")[0]
        raise ValueError(
            f"the weights of {name!r} can't be had ({reason}); train one from scratch instead"
        ) from None
    *_, (place, last) = (pair for pair in network.named_modules() if isinstance(pair[1], nn.Linear))
    network.set_submodule(place, Linear(last.in_features, outputs))
    return network


def small_vgg(outputs=10, size=32, width=64, hidden=256, channels=3):
    """Two blocks of two 3x3 convolutions (``width``, then twice as many filters), each pooled,
    and two linear layers.

    For square images of ``size`` pixels; no norm.  Named conv1, act1, conv2, act2, pool2, conv3,
    ..., act5, fc6.
    """
    if size < 4 or width < 1:
        raise ValueError(
            f"size={size}, width={width} is not possible; size is 4 or more, width 1 or more"
        )
    shapes = [(filters, 3, 1, 1) for filters in (width, width, 2 * width, 2 * width)]
    return _convolutional(shapes, (2, 4), channels, size, (hidden, outputs))


def resnet18(outputs=10, channels=3, width=64):
    """ResNet-18 (He et al. 2016, arXiv:1512.03385) with ``width`` filters in its first stage,
    for images of any size.

    Built of torchvision's blocks and initialised like torchvision's, no ReLU in place. Named conv1
    (7x7, stride 2), bn1, act1, pool, block1 to block8 (each with conv1, bn1, relu, conv2, bn2),
    average, flatten, fc.
    """
    if width < 1:
        raise ValueError(f"width={width} is not possible; it is 1 or more")
    block = import_torchvision().models.resnet.BasicBlock
    layers = OrderedDict(
        conv1=nn.Conv2d(channels, width, 7, 2, 3, bias=False), bn1=nn.BatchNorm2d(width)
    )
    layers |= {"act1": nn.ReLU(), "pool": nn.MaxPool2d(3, 2, 1)}
    inputs = width
    for i in range(8):
        filters, down = width * 2 ** (i // 2), None
        if filters != inputs:
            down = nn.Sequential(
                nn.Conv2d(inputs, filters, 1, 2, bias=False), nn.BatchNorm2d(filters)
            )
        layers[f"block{i + 1}"] = block(inputs, filters, 2 if down else 1, down)
        inputs = filters
    layers |= {
        "average": nn.AdaptiveAvgPool2d(1),
        "flatten": nn.Flatten(),
        "fc": nn.Linear(inputs, outputs),
    }
    network = nn.Sequential(layers)
    for layer in network.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(layer, nn.ReLU):
            layer.inplace = False
    return network


def _convolutional(shapes, pooled, channels, side, sizes, norm=None, dropout=0.0):
    """Convolutions (filters, kernel, stride, padding),
    pooled by 2 after those numbered in ``pooled``, then linear.
    """
    layers = OrderedDict()
    for i, (filters, kernel, stride, padding) in enumerate(shapes, start=1):
        layers[f"conv{i}"] = nn.Conv2d(channels, filters, kernel, stride, padding)
        layers[f"act{i}"] = nn.ReLU()
        channels, side = filters, (side + 2 * padding - kernel) // stride + 1
        if i in pooled:
            layers[f"pool{i}"] = nn.MaxPool2d(2)
            side //= 2
    return _dense(layers, (channels * side * side, *sizes), norm, dropout, first=len(shapes) + 1)


def _dense(layers, sizes, norm, dropout, first=1):
    """``layers``, then flatten and linear layers with norm, ReLU and dropout between them,
    numbered from ``first``.
    """
    if norm not in NORMS:
        raise ValueError(f"unknown norm {norm!r}; known are None, 'batch' and 'layer'")
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout={dropout} is not a share; it lies in [0, 1)")
    layers["flatten"] = nn.Flatten()
    for i, (inputs, units) in enumerate(pairwise(sizes[:-1]), start=first):
        layers[f"fc{i}"] = Linear(inputs, units)
        if norm:
            layers[f"norm{i}"] = NORMS[norm](units)
        layers[f"act{i}"] = nn.ReLU()
        if dropout:
            layers[f"drop{i}"] = nn.Dropout(dropout)
    layers[f"fc{first + len(sizes) - 2}"] = Linear(*sizes[-2:])
    return nn.Sequential(layers)
