"""What a method is: moments that the one training loop calls, all of them optional."""

from dataclasses import dataclass

import torch

METHODS = {}


@dataclass
class Batch:
    """What the loop trains on in one step; ``new`` counts the samples of the current task, which come first.

    x: ``[R, B, C, H, W]`` uint8; y: ``[R, B]``; hidden: what every ReLU put out, for methods with ``uses_hidden``.
    """

    x: torch.Tensor
    y: torch.Tensor
    new: int
    hidden: dict | None = None


class Method:
    """Base of all methods. A subclass that sets ``name`` enters METHODS and so every comparison and contract test.

    ``loop`` is the training loop's state, ``training.Loop``: ``loop.model``, ``loop.task``, ``loop.t`` and so on.

    name      key in METHODS; None leaves a class out.
    extends   name of the method that this one equals bitwise at strength 0.
    anchored  True if a huge strength keeps the weights of the task before.
    dial      name of the argument that is the method's strength (0 or more), or None.
    example   arguments with which the tests build it.
    uses_hidden  True if the penalty reads ``batch.hidden``.
    from_start   True if it acts on the steps of a first task already, so that it can't take over after it.
    """

    name = None
    extends = "finetune"
    anchored = False
    dial = None
    example = {}
    uses_hidden = False
    from_start = False

    def __init_subclass__(cls):
        if cls.__dict__.get("name"):
            METHODS[cls.name] = cls

    def before_task(self, loop):
        """Before the first step of a task."""

    def before_epoch(self, loop):
        """Before each epoch: learning rates, freezing, an extra phase by ``loop.train_epoch(x, y)``."""

    def augment(self, loop, batch):
        """Return the batch, with samples joined to it if the method replays."""
        return batch

    def penalty(self, loop, batch, logits):
        """What is added to each replica's loss, ``[R]``, or None; ``logits`` ``[R, B, outputs]`` of all outputs."""

    def adjust_gradients(self, loop):
        """After backward, before the optimizer's step."""

    def after_step(self, loop):
        """After the optimizer's step."""

    def after_epoch(self, loop):
        """After each epoch."""

    def after_task(self, loop):
        """After the last step of a task: consolidate, store."""


def take(x, index):
    """``x[index]`` along the first dimension: entries ``[R, B, ...]`` at ``index`` ``[R, B]``; faster on a CPU."""
    return x.index_select(0, index.flatten()).view(*index.shape, *x.shape[1:])


def check_strength(name, strength):
    """Return ``strength`` (a number, or one for each replica) as a float tensor; ValueError if below 0 or NaN."""
    tensor = torch.as_tensor(strength, dtype=torch.float32)
    if tensor.ndim > 1 or not bool((tensor >= 0).all()):
        raise ValueError(f"{name}={strength} is not possible; it is 0 or more, one number or one for each replica")
    return tensor


def check_share(name, value):
    """Return ``value``; ValueError if it is not a number in [0, 1]."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError(f"{name}={value!r} is not possible; it lies in [0, 1]")
    return value


def check_count(name, value, least=0):
    """Return ``value``; ValueError if it is not a whole number of ``least`` or more."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ValueError(f"{name}={value!r} is not possible; it is a whole number, {least} or more")
    return value
