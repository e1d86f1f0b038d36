"""What acts on a run: moments that the one training loop calls, all of them optional."""

import inspect
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import torch

METHODS = {}
MOMENTS = (
    *("before_task", "before_epoch", "augment", "penalty", "adjust_gradients"),
    *("after_step", "after_epoch", "after_task"),
)
WATCHED = tuple(name for name in MOMENTS if name.startswith(("before_", "after_")))


@dataclass
class Batch:
    """What a step trains on; ``new`` counts the samples of the current task, which come first.

    x: ``[R, B, C, H, W]`` uint8; y: ``[R, B]``; hidden: what every ReLU put out, for methods with
    ``uses_hidden``.
    """

    x: torch.Tensor
    y: torch.Tensor
    new: int
    hidden: dict | None = None


class Moments:
    """Moments of a run, which methods and observers share; a subclass has those that it needs.

    ``loop`` is the training loop's state, ``training.Loop``: ``loop.model``, ``loop.task``,
    ``loop.t`` and so on. Raises ValueError for a subclass with a function named nearly as a moment
    is, or as other libraries name theirs (``on_step``): it would never be called.
    """

    _moments = WATCHED

    def __init_subclass__(cls):
        super().__init_subclass__()
        for name, value in vars(cls).items():
            if name in cls._moments or name.startswith("_") or not inspect.isfunction(value):
                continue
            near = get_close_matches(name, MOMENTS, 1, 0.75)
            if near or name.startswith(("before_", "after_", "on_")):
                meant = f"; did you mean {near[0]}?" if {*near} & {*cls._moments} else ";"
                whose = " of what only watches" if cls._moments == WATCHED else ""
                raise ValueError(
                    f"{cls.__name__}.{name} is no moment{whose} and would never be called{meant} "
                    f"Moments are {', '.join(cls._moments)}; a helper's name may begin with _"
                )

    def before_task(self, loop):
        """Before the first step of a task."""

    def before_epoch(self, loop):
        """Before each epoch: learning rates, freezing, a phase by ``loop.train_epoch(x, y)``."""

    def after_step(self, loop):
        """After the optimizer's step; the gradients are still there."""

    def after_epoch(self, loop):
        """After each epoch."""

    def after_task(self, loop):
        """After the last step of a task: consolidate, store, look."""


class Method(Moments):
    """Base of all methods.

    A subclass that sets ``name`` enters METHODS and so every comparison and contract test;
    ValueError if another class has that name.
    name      key in METHODS; None leaves a class out.
    extends   name of the method that this one equals bitwise at strength 0.
    anchored  True if a huge strength keeps the weights of the task before.
    dial      name of the argument that is the method's strength (0 or more), or None.
    example   arguments with which the tests build it.
    uses_hidden  True if the penalty reads ``batch.hidden``.
    from_start   True if it acts on the steps of a first task already, so that it can't take over
    after it.
    """

    _moments = MOMENTS
    name = None
    extends = "finetune"
    anchored = False
    dial = None
    example = {}
    uses_hidden = False
    from_start = False

    def __init_subclass__(cls):
        super().__init_subclass__()
        if cls.__dict__.get("name"):
            there = METHODS.get(cls.name)
            of = [(one.__module__, one.__qualname__) for one in (there or cls, cls)]
            if of[0] != of[1]:  # else the same class, defined again in a notebook
                raise ValueError(
                    f"name={cls.name!r} of {cls.__name__} is that of {there.__name__} already; "
                    "choose another, or None to leave the class out of comparisons"
                )
            METHODS[cls.name] = cls

    def __repr__(self):
        plain = {k: v for k, v in vars(self).items() if isinstance(v, str | int | float)}
        if isinstance(strength := getattr(self, self.dial or "", None), torch.Tensor):
            plain[self.dial] = strength.tolist()
        return f"<{' '.join([type(self).__name__, *(f'{k}={v!r}' for k, v in plain.items())])}>"

    def to(self, device):
        """Move all tensors and networks that the method holds to ``device``; returns the method."""
        for key, value in vars(self).items():
            setattr(self, key, moved(value, device))
        return self

    def augment(self, loop, batch):
        """Return the batch, with samples joined to it if the method replays."""
        return batch

    def penalty(self, loop, batch, logits):
        """What is added to each replica's loss, ``[R]``, or None.

        ``logits`` ``[R, B, outputs]`` of all outputs.
        """

    def adjust_gradients(self, loop):
        """After backward, before the optimizer's step."""


def watches(one):
    """Whether ``one`` acts at any of the moments that observers have."""
    return any(
        name in vars(one) or getattr(type(one), name) is not getattr(Moments, name)
        for name in WATCHED
    )


def take(x, index):
    """``x[index]`` along the first dimension: entries ``[R, B, ...]`` at ``index`` ``[R, B]``.

    Faster on a CPU.
    """
    return x.index_select(0, index.flatten()).view(*index.shape, *x.shape[1:])


def moved(value, device):
    """``value`` with its tensors on ``device``: itself, or those in networks, lists, dicts,
    tuples and own objects.

    Lists, dicts and objects stay the same ones.
    """
    if isinstance(value, torch.Tensor | torch.nn.Module):
        return value.to(device)
    if isinstance(value, dict):
        value.update({key: moved(part, device) for key, part in value.items()})
    elif isinstance(value, list):
        value[:] = [moved(part, device) for part in value]
    elif isinstance(value, tuple):
        return tuple(moved(part, device) for part in value)
    elif type(value).__module__.startswith("cf_utils"):  # such as a method's Memory
        for key, part in vars(value).items():
            setattr(value, key, moved(part, device))
    return value


def check_strength(name, strength):
    """Return ``strength`` (a number, or one for each replica) as a float tensor.

    Raises ValueError if below 0 or no number.
    """
    values = (
        strength.detach().cpu().numpy()
        if isinstance(strength, torch.Tensor)
        else np.asarray(strength)
    )
    if values.dtype.kind not in "iuf" or values.ndim > 1 or not (values >= 0).all():
        raise ValueError(
            f"{name}={strength!r} is not possible; it is 0 "
            "or more, one number or one for each replica"
        )
    return torch.as_tensor(strength, dtype=torch.float32)
