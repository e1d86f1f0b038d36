"""The one training loop."""

import copy
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import optim
from torch.nn import functional as F

from cf_utils.methods import Batch, Method
from cf_utils.methods.base import check_count, take
from cf_utils.models import Replicas, evaluating
from cf_utils.randomness import generator
from cf_utils.streams import mask_logits

log = logging.getLogger(__name__)
OPTIMIZERS = {kind.__name__.lower(): kind for kind in (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad)}


class Diverged(FloatingPointError):
    """A replica's loss is no longer a number."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of training.

    epochs: passes over each task, at most. batch_size: samples a step; a last batch of one sample is left out, since
    batch-norm cannot train on it. lr: learning rate. optimizer: sgd, adam, adamw or adagrad.
    weight_decay: the optimizer's own (decoupled in adamw). momentum: of sgd.
    fresh_optimizer: True starts every task with a new optimizer, False keeps one for the whole stream.
    stop_at: in (0, 1]; a replica whose accuracy over an epoch's training batches exceeds it trains no further on
    this task. allow_divergence: record NaN accuracies for a replica with a NaN loss, in place of stopping with
    Diverged. threads: CPU threads (small networks are fastest, and steadiest, on one); CF_THREADS overrides it.
    """

    epochs: int = 1
    batch_size: int = 64
    lr: float = 1e-3
    optimizer: str = "adamw"
    weight_decay: float = 0.01
    momentum: float = 0.0
    fresh_optimizer: bool = False
    stop_at: float | None = None
    allow_divergence: bool = False
    threads: int = 1

    def __post_init__(self):
        for name, least in (("epochs", 0), ("batch_size", 1), ("threads", 1)):
            check_count(name, getattr(self, name), least)
        for name in ("lr", "weight_decay", "momentum"):
            value = getattr(self, name)
            if not (isinstance(value, int | float) and 0 <= value < float("inf")):
                raise ValueError(f"{name}={value!r} is not possible; it is a finite number, 0 or more")
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(f"unknown optimizer {self.optimizer!r}; known are {', '.join(OPTIMIZERS)}")
        if self.stop_at is not None and not 0 < self.stop_at <= 1:
            raise ValueError(f"stop_at={self.stop_at} is not an accuracy; it lies in (0, 1]")


@dataclass
class Run:
    """What a run leaves behind.

    accuracy: ``[R, T+1, T]`` in [0, 1], row 0 before training. model: Replicas. seeds: list of R.
    history: one dict for each task and epoch: task and epoch (from 0), loss and accuracy on the training batches,
    ``[R]`` each. epochs: ``[R, T]``, epochs trained on each task. diverged: ``[R]`` bool.
    methods: the run's own copies of the methods, with what they stored.
    """

    accuracy: torch.Tensor
    model: Replicas
    seeds: list
    history: list
    epochs: torch.Tensor
    diverged: torch.Tensor
    methods: list


@dataclass
class Loop:
    """State of the training loop, handed to methods and callbacks.

    t: index of the task, from 0. epoch: from 0. step: steps taken on this task. epoch_step: index of the step within
    this epoch. steps: steps an epoch has. active: ``[R]`` bool, replicas that still train on this task. loss: ``[R]``,
    the last step's, penalties included. moment: what a callback is called for: "before_task", "before_epoch",
    "step" (after the update; gradients are still there), "after_epoch" or "after_task". allowed: which outputs count
    in training on this task, as of ``Stream.allowed``. leaves: where replicas stop apart, a list of tensors for each
    replica, views into the stacked parameters.
    """

    model: Replicas
    methods: list
    stream: object
    config: TrainConfig
    callbacks: tuple
    device: torch.device
    optimizer: torch.optim.Optimizer | None = None
    leaves: list = field(default_factory=list)
    t: int = 0
    epoch: int = 0
    step: int = 0
    epoch_step: int = 0
    steps: int = 0
    active: torch.Tensor | None = None
    allowed: torch.Tensor | None = None
    loss: torch.Tensor | None = None
    moment: str = ""
    history: list = field(default_factory=list)

    @property
    def task(self):
        return self.stream.tasks[self.t]

    @property
    def seeds(self):
        return self.model.seeds

    def set_lr(self, lr):
        """Set the learning rate from here on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def scaled(self, x):
        """Images ``[..., C, H, W]`` uint8 as the network sees them, in the dtype of its weights."""
        return self.stream.images.scale(x).to(next(self.model.parameters()).dtype)

    def tell(self, moment):
        """Let methods, then callbacks, act on a moment."""
        self.moment = moment
        for method in self.methods:
            getattr(method, moment)(self)
        for callback in self.callbacks:
            self.moment = moment  # a method or callback that trains has set it to "step"
            callback(self)

    def count_steps(self, samples):
        """How many batches a pass over ``samples`` has; a last batch of one sample is left out."""
        full, rest = divmod(samples, self.config.batch_size)
        return full + (rest > 1 or (full == 0 and rest == 1))

    def train_epoch(self, x, y, purpose="order"):
        """One pass over samples that replicas share (y ``[N]``) or hold each (y ``[R, N]``), each in its own order.

        Returns mean loss and accuracy over the pass, ``[R]`` each.
        """
        seeds, batch_size, n = self.seeds, self.config.batch_size, y.shape[-1]
        orders = [torch.randperm(n, generator=generator(s, f"{purpose} {self.epoch}", self.t)) for s in seeds]
        self.steps = self.count_steps(n)
        batches = torch.stack(orders).to(self.device).split(batch_size, 1)[: self.steps]
        if y.ndim == 2:  # each replica's own samples, laid end to end
            batches = [index + n * torch.arange(len(seeds), device=self.device).unsqueeze(1) for index in batches]
            x, y = x.flatten(0, 1), y.flatten()
        loss = correct = count = 0
        for self.epoch_step, index in enumerate(batches):
            batch = Batch(take(x, index), take(y, index), index.shape[1])
            logits = self.train_step(batch)
            loss = loss + self.loss * batch.new
            correct = correct + (logits[:, : batch.new].max(2).indices == batch.y[:, : batch.new]).sum(1)
            count += batch.new
            self.moment = "step"
            for callback in self.callbacks:
                callback(self)
        return loss / count, correct / count

    def train_step(self, batch):
        """One step of the optimizer on ``batch``; returns the logits ``[R, B, outputs]``, detached."""
        for method in self.methods:
            batch = method.augment(self, batch)
        statistics = self._statistics_of_stopped()
        out = self.model(self.scaled(batch.x), hidden=any(method.uses_hidden for method in self.methods))
        logits, batch.hidden = out if isinstance(out, tuple) else (out, None)
        logits = mask_logits(logits, batch.y, self.allowed)
        loss = F.cross_entropy(logits.transpose(1, 2), batch.y, reduction="none").mean(1)
        for method in self.methods:
            penalty = method.penalty(self, batch, logits)
            loss = loss if penalty is None else loss + penalty
        self.model.zero_grad(set_to_none=True)
        loss.sum().backward()
        for value, rows, before in statistics:  # not sooner: backward reads them
            value[rows] = before
        for method in self.methods:
            method.adjust_gradients(self)
        self._give_gradients_to_leaves()
        self.optimizer.step()
        self.loss = loss.detach()
        self.step += 1
        for method in self.methods:
            method.after_step(self)
        return logits.detach()

    def _statistics_of_stopped(self):
        """(buffer, rows, copy of these rows) of each of the model's buffers, to keep stopped replicas as they are."""
        stopped = torch.nonzero(~self.active).squeeze(1) if self.leaves else []
        return [(value, stopped, value[stopped]) for value in self.model.statistics.values()] if len(stopped) else []

    def _give_gradients_to_leaves(self):
        """A stopped replica gets no gradient, and so no step of any kind: no momentum, no decay, no step count."""
        if not self.leaves:
            return
        active = self.active.tolist()
        for r, leaves in enumerate(self.leaves):
            for leaf, parameter in zip(leaves, self.model.parameters(), strict=True):
                leaf.grad = parameter.grad[r] if active[r] and parameter.grad is not None else None


def run_stream(build, method, stream, config=None, seeds=range(10), device="auto", callbacks=(), evaluate="test"):
    """Train replicas of a network on a stream of tasks, one after the other, and measure them after each.

    build: makes one network; or a Replicas, of which a copy is trained further (``seeds`` is then its own).
    method: a Method, or a list of them, applied in order. config: TrainConfig. seeds: one for each replica.
    device: "auto" takes CUDA where there is one. callbacks: functions of the Loop, called at each of its moments
    (see ``every`` and ``at``). evaluate: "test" or "val", the images that accuracies are measured on.
    Returns a Run. Raises ValueError for bad arguments, Diverged for a loss that is no longer a number.
    The same arguments give the same result on one machine and device.
    """
    config = config or TrainConfig()
    device = _device(device)
    if evaluate not in ("test", "val"):
        raise ValueError(f"evaluate={evaluate!r} is unknown; it is 'test' or 'val'")
    if any(len(getattr(task, f"y_{evaluate}")) == 0 for task in stream.tasks):
        raise ValueError(f"the stream has a task without {evaluate} images; load with validation=1000 or so")
    model = copy.deepcopy(build) if isinstance(build, Replicas) else Replicas(build, seeds)
    methods = [copy.deepcopy(m) for m in (method if isinstance(method, list | tuple) else [method])]
    if not all(isinstance(m, Method) for m in methods):
        raise ValueError(f"{method!r} is no method; give e.g. methods.Finetune() or a list of methods")
    for m in methods:
        strength = getattr(m, m.dial or "", None)
        if isinstance(strength, torch.Tensor) and strength.ndim == 1 and len(strength) != len(model):
            raise ValueError(f"{m.dial} has {len(strength)} entries, but there are {len(model)} replicas")
    loop = Loop(model.to(device), methods, stream.to(device), config, tuple(callbacks), device)
    with _threads(config.threads), torch.random.fork_rng(devices=[device] if device.type == "cuda" else []):
        torch.manual_seed(generator(loop.seeds, "dropout").initial_seed() % 2**63)
        return _run(loop, evaluate)


def _run(loop, evaluate):
    model, stream = loop.model, loop.stream
    outputs = _count_outputs(loop)
    accuracy = [_accuracies(loop, 0, outputs, evaluate)]
    diverged = torch.zeros(len(model), dtype=torch.bool)
    epochs = torch.zeros(len(model), len(stream), dtype=torch.int64)
    for loop.t in range(len(stream)):
        loop.allowed = stream.allowed(loop.t, outputs, loop.device)
        if loop.optimizer is None or loop.config.fresh_optimizer:
            _make_optimizer(loop)
        train_task(loop, diverged, epochs)
        row = _accuracies(loop, loop.t + 1, outputs, evaluate)
        accuracy.append(torch.where(diverged.unsqueeze(1), torch.nan, row))
        log.info("task %d of %d: mean accuracy %.3f", loop.t + 1, len(stream), row.mean())
    model.eval()
    return Run(torch.stack(accuracy, 1), model, loop.seeds, loop.history, epochs, diverged, loop.methods)


def train_task(loop, diverged, epochs):
    """Train on ``loop.task``; marks replicas with a NaN loss in ``diverged`` and counts ``epochs``."""
    config = loop.config
    loop.step = loop.epoch = 0
    loop.active = ~diverged.to(loop.device)
    loop.model.train()
    loop.tell("before_task")
    for loop.epoch in range(config.epochs):
        loop.steps = loop.count_steps(len(loop.task.y_train))
        loop.tell("before_epoch")
        loop.model.train()
        loss, accuracy = loop.train_epoch(loop.task.x_train, loop.task.y_train)
        trained = loop.active.cpu()
        epochs[:, loop.t] += trained
        loss, accuracy = (torch.where(trained, value.cpu().double(), torch.nan) for value in (loss, accuracy))
        loop.history.append({"task": loop.t, "epoch": loop.epoch, "loss": loss, "accuracy": accuracy})
        finite = torch.stack([w.detach().isfinite().flatten(1).all(1) for w in loop.model.parameters()]).all(0).cpu()
        failed = trained & ~(loss.isfinite() & finite)
        if failed.any() and not config.allow_divergence:
            seed = loop.seeds[int(failed.nonzero()[0])]
            raise Diverged(
                f"the loss of seed {seed} is no longer a finite number in task {loop.t + 1}, epoch {loop.epoch + 1}; "
                "lower lr or the method's strength, or set allow_divergence=True to record NaN for it"
            )
        diverged |= failed
        loop.active &= ~failed.to(loop.device)
        if config.stop_at is not None:
            loop.active &= ~(accuracy > config.stop_at).to(loop.device)
        loop.tell("after_epoch")
        if not loop.active.any():
            break
    loop.tell("after_task")


def every(steps, call):
    """A callback that calls ``call(loop)`` before each task's first step and then after every ``steps`` steps."""
    if steps < 1:
        raise ValueError(f"steps={steps} is not possible; it is 1 or more")

    def callback(loop):
        if loop.moment == "before_task" or (loop.moment == "step" and loop.step % steps == 0):
            call(loop)

    return callback


def at(moment, call):
    """A callback that calls ``call(loop)`` at one moment: before_task, before_epoch, step, after_epoch, after_task."""
    moments = ("before_task", "before_epoch", "step", "after_epoch", "after_task")
    if moment not in moments:
        raise ValueError(f"unknown moment {moment!r}; known are {', '.join(moments)}")
    return lambda loop: call(loop) if loop.moment == moment else None


def predict(model, images, x, hidden=False, chunk=2000):
    """Logits ``[R, N, outputs]`` of a Replicas in evaluation mode for images ``[N, C, H, W]`` uint8 that all share.

    With ``hidden=True`` also a dict of what every ReLU puts out, layer name -> ``[R, N, ...]``.
    The model may live on another device than the images; results are where the images are.
    """
    weight = next(model.parameters())
    with evaluating(model):
        parts = [model.on(images.scale(c.to(weight.device)).to(weight.dtype), hidden) for c in x.split(chunk)]
    if not hidden:
        return torch.cat(parts, 1).to(x.device)
    layers = {k: torch.cat([p[1][k] for p in parts], 1).to(x.device) for k in parts[0][1]}
    return torch.cat([p[0] for p in parts], 1).to(x.device), layers


def accuracy_on(model, images, x, y, allowed=None):
    """Share of right answers of each replica, ``[R]`` in [0, 1], for shared images ``x`` and labels ``y`` ``[N]``."""
    logits = mask_logits(predict(model, images, x), y.expand(len(model), -1), allowed)
    return (logits.argmax(2) == y).double().mean(1)


def _accuracies(loop, row, outputs, part):
    """Row ``row`` of the accuracy matrix: ``[R, T]``, on the CPU."""
    columns = []
    for j, task in enumerate(loop.stream.tasks):
        allowed = loop.stream.allowed(max(row - 1, j), outputs, loop.device)
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
        columns.append(accuracy_on(loop.model, loop.stream.images, x, y, allowed))
    return torch.stack(columns, 1).cpu()


def _count_outputs(loop):
    sample = loop.stream.tasks[0].x_train[:2]
    try:
        outputs = predict(loop.model, loop.stream.images, sample).shape[-1]
    except RuntimeError as error:
        reason = str(error).strip().splitlines()[0]
        shape = list(sample.shape[1:])
        raise ValueError(f"the network does not take the stream's images of shape {shape}: {reason}") from None
    if outputs < loop.stream.outputs:
        raise ValueError(f"the network has {outputs} outputs, but this stream needs {loop.stream.outputs}")
    return outputs


def _make_optimizer(loop):
    """One optimizer over the stacked parameters; where replicas stop apart, over views of them, replica by replica."""
    config, parameters = loop.config, list(loop.model.parameters())
    if config.stop_at is not None or config.allow_divergence:
        loop.leaves = [[p.detach()[r] for p in parameters] for r in range(len(loop.model))]
        parameters = [leaf for leaves in loop.leaves for leaf in leaves]
    options = {"fused": config.optimizer != "adagrad" or loop.device.type == "cpu"}
    options |= {"momentum": config.momentum} if config.optimizer == "sgd" else {}
    options |= {"lr": config.lr, "weight_decay": config.weight_decay}
    loop.optimizer = OPTIMIZERS[config.optimizer](parameters, **options)


def _device(name):
    if str(name) == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError):
        raise ValueError(f"device {name!r} is not there; 'cpu' is, and 'auto' takes CUDA where there is one") from None
    return device


@contextmanager
def _threads(count):
    before = torch.get_num_threads()
    wanted = os.environ.get("CF_THREADS", str(count))
    if not wanted.isdecimal() or int(wanted) < 1:
        raise ValueError(f"CF_THREADS={wanted!r} is not possible; it is a whole number, 1 or more")
    torch.set_num_threads(int(wanted))
    try:
        yield
    finally:
        torch.set_num_threads(before)
