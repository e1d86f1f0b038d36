"""The one training loop."""

import copy
import logging
import os
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from torch import optim
from torch.nn import functional as F

from cf_utils.checks import as_list, check_count, check_number, check_switch, is_whole, number
from cf_utils.methods import Batch, Method
from cf_utils.methods.base import WATCHED, Moments, take, watches
from cf_utils.progress import watching
from cf_utils.randomness import generator
from cf_utils.replicas import Replicas, digest, evaluating
from cf_utils.streams import check_stream, mask_logits

log = logging.getLogger(__name__)
PRECISIONS = ("float32", "bfloat16")
OPTIMIZER_KEYS = (
    "optimizer",
    "lr",
    "weight_decay",
    "momentum",
    "fresh_optimizer",
    "stop_at",
    "allow_divergence",
)
OPTIMIZERS = {
    kind.__name__.lower(): kind for kind in (optim.SGD, optim.Adam, optim.AdamW, optim.Adagrad)
}


class Diverged(FloatingPointError):
    """A replica's loss is no longer a number."""


@dataclass(frozen=True)
class TrainConfig:
    """Settings of training.

    epochs: passes over each task, at most. batch_size: samples a step; a last batch of one sample
    is left out, since batch-norm cannot train on it. lr: learning rate. optimizer: sgd, adam, adamw
    or adagrad. weight_decay: the optimizer's own (decoupled in adamw). momentum: of sgd.
    fresh_optimizer: a new one for every task, in place of one for the whole stream. stop_at: in (0,
    1]; a replica whose accuracy over an epoch's training batches exceeds it trains no further on
    this task. allow_divergence: record NaN accuracies for a replica with a NaN loss, in place of
    raising Diverged. threads: of the CPU (small networks are fastest, and steadiest, on one);
    CF_THREADS overrides it. precision: "float32", or "bfloat16", in which the training passes
    compute (torch.autocast; weights, optimizer and loss stay float32, and so does whatever is
    measured); about twice as fast for convolutions where the processor has a unit for it
    (avx512_bf16, amx_bf16), slower where it has none.
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
    precision: str = "float32"

    def __post_init__(self):
        for name, least in (("epochs", 0), ("batch_size", 1), ("threads", 1)):
            self._keep(name, check_count(name, getattr(self, name), least))
        for name in ("lr", "weight_decay", "momentum"):
            self._keep(name, check_number(name, getattr(self, name)))
        for name in ("fresh_optimizer", "allow_divergence"):
            self._keep(name, check_switch(name, getattr(self, name)))
        if self.optimizer not in OPTIMIZERS:
            raise ValueError(
                f"unknown optimizer {self.optimizer!r}; known are {', '.join(OPTIMIZERS)}"
            )
        if self.momentum and self.optimizer != "sgd":
            raise ValueError(
                f"momentum={self.momentum:g} would do nothing in {self.optimizer}; "
                'it is of optimizer="sgd"'
            )
        if self.precision not in PRECISIONS:
            raise ValueError(
                f"unknown precision {self.precision!r}; known are {', '.join(PRECISIONS)}"
            )
        if self.stop_at is not None:
            if not 0 < number(self.stop_at) <= 1:
                raise ValueError(f"stop_at={self.stop_at!r} is not an accuracy; it lies in (0, 1]")
            self._keep("stop_at", float(self.stop_at))

    def _keep(self, name, value):
        object.__setattr__(self, name, value)  # past the dataclass, which is frozen


@dataclass(repr=False)
class Run:
    """What a run leaves behind.

    accuracy: ``[R, done + 1, T]`` in [0, 1], row 0 before training; done = T at the end. seeds:
    list of R.
    history: one dict for each task and epoch: task and epoch (from 0), loss and accuracy on the
    training batches, ``[R]`` each. epochs: ``[R, T]``, epochs trained on each task. diverged:
    ``[R]`` bool. methods: the run's own copies, with what they stored. optimizer: its state, None
    if every task has a fresh one. rng: state of torch's generator, from which dropout draws.
    config, evaluate: as it was trained with. start: digest of the weights it began with. Model,
    methods and optimizer stay on the device that it was trained on; all else is on the CPU.
    """

    accuracy: torch.Tensor
    model: Replicas
    seeds: list
    history: list
    epochs: torch.Tensor
    diverged: torch.Tensor
    methods: list
    optimizer: dict | None = None
    rng: torch.Tensor | None = None
    config: TrainConfig = TrainConfig()
    evaluate: str = "test"
    start: str = ""

    def __repr__(self):
        given = self.methods if isinstance(self.methods, list | tuple) else [self.methods]
        names = ", ".join(type(method).__name__ for method in given)
        last = ", ".join(f"{a:.2f}" for a in self.accuracy[:, -1].mean(0))
        return (
            f"<Run of {len(self.seeds)} networks, {names}: {self.done} of "
            f"{self.accuracy.shape[2]} tasks, accuracy by task now {last}>"
        )

    @property
    def done(self):
        """How many tasks it has been trained on."""
        return self.accuracy.shape[1] - 1


@dataclass
class Loop:
    """State of the training loop, handed to methods and observers.

    t: index of the task, from 0. epoch: from 0. step: steps taken on this task. epoch_step: index
    of the step within this epoch. steps: steps an epoch has. active: ``[R]`` bool, replicas that
    still train on this task. loss: ``[R]``, the last step's, penalties included. allowed: which
    outputs count in training on this task, as of ``Stream.allowed``; all_count: whether that is all
    of them, for every label. leaves: where replicas stop apart, a list of tensors for each replica,
    views into the stacked parameters.
    """

    model: Replicas
    methods: list
    stream: object
    config: TrainConfig
    observers: tuple
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
    all_count: bool = False
    loss: torch.Tensor | None = None
    history: list = field(default_factory=list)

    @property
    def task(self):
        return self.stream.tasks[self.t]

    @property
    def seeds(self):
        return self.model.seeds

    def __post_init__(self):
        self.allow(count_outputs(self.model, self.stream))

    def allow(self, outputs):
        """Set which of the network's ``outputs`` count on the current task."""
        self.allowed = self.stream.allowed(self.t, outputs, self.device)
        self.all_count = bool(self.allowed.all())

    def set_lr(self, lr):
        """Set the learning rate from here on."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def scaled(self, x):
        """Images ``[..., C, H, W]`` uint8 as the network sees them, in the dtype of its weights."""
        return self.stream.images.scale(x).to(next(self.model.parameters()).dtype)

    def computing(self):
        """A block in which passes compute in ``config.precision``."""
        return torch.autocast(
            self.device.type, torch.bfloat16, enabled=self.config.precision == "bfloat16"
        )

    def tell(self, moment):
        """Let methods, then observers, act on a moment of ``methods.Moments``, by its name."""
        for one in [*self.methods, *self.observers]:
            getattr(one, moment)(self)

    def count_steps(self, samples):
        """How many batches a pass over ``samples`` has; a last batch of one sample is left out."""
        full, rest = divmod(samples, self.config.batch_size)
        return full + (rest > 1 or (full == 0 and rest == 1))

    def train_epoch(self, x, y, purpose="order"):
        """One pass over samples that replicas share (y ``[N]``) or hold each (y ``[R, N]``),
        each in its own order.

        Returns mean loss and accuracy over the pass, ``[R]`` each.
        """
        seeds, n = self.seeds, y.shape[-1]
        orders = [
            torch.randperm(n, generator=generator(s, f"{purpose} {self.epoch}", self.t))
            for s in seeds
        ]
        self.steps = self.count_steps(n)
        index = torch.stack(orders).to(self.device)
        if y.ndim == 2:  # each replica's own samples, laid end to end
            index += n * torch.arange(len(seeds), device=self.device).unsqueeze(1)
            x, y = x.flatten(0, 1), y.flatten()
        batches = index.split(self.config.batch_size, 1)[: self.steps]
        loss = correct = count = 0
        for self.epoch_step, index in enumerate(batches):
            batch = Batch(take(x, index), take(y, index), index.shape[1])
            logits = self.train_step(batch)
            loss = loss + self.loss * batch.new
            correct = correct + (
                logits[:, : batch.new].max(2).indices == batch.y[:, : batch.new]
            ).sum(1)
            count += batch.new
        return loss / count, correct / count

    def train_step(self, batch):
        """One optimizer step on ``batch``; returns the logits ``[R, B, outputs]``, detached."""
        for method in self.methods:
            batch = _checked_batch(method.augment(self, batch), method)
        stopped = torch.nonzero(~self.active).squeeze(1) if self.leaves else []
        kept = (
            {name: value[stopped] for name, value in self.model.statistics.items()}
            if len(stopped)
            else {}
        )
        x = self.scaled(_channels_last(batch.x) if self.config.precision == "bfloat16" else batch.x)
        with self.computing():
            looked_at = (
                self.model.relus if any(method.uses_hidden for method in self.methods) else ()
            )
            with _saying_why(self.t):
                raw, batch.hidden = self.model.activations(x, looked_at)
            if not raw.requires_grad:
                raise ValueError(
                    "no gradient leads from the logits to a weight that trains, so that there is "
                    "nothing to train; detach() and argmax, say, cut it off"
                )
            raw = raw.to(next(self.model.parameters()).dtype)
            logits = raw if self.all_count else mask_logits(raw, batch.y, self.allowed)
            loss = F.cross_entropy(logits.transpose(1, 2), batch.y, reduction="none").mean(1)
            for method in self.methods:
                penalty = method.penalty(self, batch, raw)
                loss = loss if penalty is None else loss + _checked_penalty(penalty, method, loss)
        self.model.zero_grad(set_to_none=True)
        loss.sum().backward()
        for name, before in kept.items():
            # Of stopped replicas; not sooner, since backward reads them.
            self.model.statistics[name][stopped] = before
        for method in self.methods:
            method.adjust_gradients(self)
        self._give_gradients_to_leaves()
        self.optimizer.step()
        self.loss = loss.detach()
        self.step += 1
        self.tell("after_step")
        return logits.detach()

    def _give_gradients_to_leaves(self):
        """A stopped replica gets no gradient, and so no step of any kind:
        no momentum, no decay, no step count.
        """
        active = self.active.tolist() if self.leaves else []
        for r, leaves in enumerate(self.leaves):
            for leaf, parameter in zip(leaves, self.model.parameters(), strict=True):
                leaf.grad = parameter.grad[r] if active[r] and parameter.grad is not None else None


@contextmanager
def _saying_why(t):
    """Turn what batch-norm raises for a batch of one sample into a sentence."""
    try:
        yield
    except ValueError as error:
        if not str(error).startswith("Expected more than 1 value per channel"):
            raise
        raise ValueError(
            f"task {t + 1} gives a batch of a single sample, on which batch-norm cannot train; "
            "it needs two samples or more"
        ) from None


def _checked_batch(batch, method):
    """What a method makes of a batch; ValueError for no batch, or other samples than labels."""
    whose = f"{type(method).__name__}.augment"
    if not isinstance(batch, Batch):
        raise ValueError(f"{whose} returned {batch!r}; it has to return the batch")
    if batch.x.shape[:2] != batch.y.shape:
        raise ValueError(
            f"{whose} returned x for {list(batch.x.shape[:2])} samples, but y for "
            f"{list(batch.y.shape)}; join the same samples to both"
        )
    return batch


def _checked_penalty(penalty, method, loss):
    """The penalty of a method; ValueError unless it is one number for each replica, as the loss,
    and has a gradient or is 0.
    """
    shape = list(penalty.shape) if isinstance(penalty, torch.Tensor) else type(penalty).__name__
    if shape != list(loss.shape):
        raise ValueError(
            f"the penalty of {type(method).__name__} is {shape}, but has to be {list(loss.shape)}, "
            "one number for each replica; sum or average over every dimension but the first"
        )
    if not penalty.requires_grad and penalty.any():
        raise ValueError(
            f"the penalty of {type(method).__name__} has no gradient, so that it would do nothing; "
            "detach() and no_grad, say, cut it off"
        )
    return penalty


def _channels_last(x):
    """Images ``[R, B, C, H, W]`` with a pixel's colours side by side in memory,
    as bfloat16's convolutions want it.
    """
    return x.movedim(2, 4).contiguous().movedim(4, 2)


def run_stream(
    build,
    method,
    stream,
    config=None,
    seeds=range(10),
    device="auto",
    observers=(),
    evaluate="test",
    until=None,
    head=None,
):
    """Train replicas of a network on a stream of tasks, and measure them after each.

    build: makes one network (see ``start_from`` for trained ones, ``proceed`` for a Run). method: a
    Method, or a list of them, applied in order. config: TrainConfig. seeds: one for each replica.
    device: "auto" takes CUDA where there is one. observers: what watches the run at each of its
    moments (``observers``); what they record stays with them. evaluate: "test" or "val", the images
    that accuracies are measured on. until: stop once so many tasks are trained; None: all. head: as
    of ``Replicas``.
    Returns a Run; the same arguments give the same one on one machine and device. Raises ValueError
    for bad arguments, Diverged for a loss that is no longer a number.
    """
    if isinstance(build, Run):
        raise ValueError(
            "run_stream takes what builds a network; "
            "training.proceed(run, stream) goes on with a Run"
        )
    if isinstance(build, Replicas):
        raise ValueError(
            "run_stream takes what builds a network; "
            "training.start_from(replicas, ...) starts from these"
        )
    return start_from(
        Replicas(build, seeds, head), method, stream, config, device, observers, evaluate, until
    )


def start_from(
    replicas, method, stream, config=None, device="auto", observers=(), evaluate="test", until=None
):
    """As ``run_stream``, from a copy of Replicas as they are, trained or not."""
    if not isinstance(replicas, Replicas):
        raise ValueError(
            f"start_from takes Replicas, not {type(replicas).__name__}; run_stream takes a builder"
        )
    device = pick_device(device)
    check_stream(stream)
    model = copy.deepcopy(replicas)
    blank = torch.zeros(len(replicas), len(stream))
    run = Run(blank.unsqueeze(1), model, model.seeds, [], blank.long(), blank[:, 0].bool(), method)
    run.config, run.evaluate, run.start = config or TrainConfig(), evaluate, digest(model.weights)
    return _go_on(run, stream, device, observers, until)


def proceed(run, stream, until=None, device="auto", observers=(), **changes):
    """Go on with a copy of a run after its last task, as if it had never stopped.

    On another kind of device than before that holds to rounding, and dropout draws other masks.
    stream: the run's own, or one of as many tasks. until: as of ``run_stream``, tasks of the
    earlier part counted. changes: ``method`` or ``config``, for the tasks to come; what is not
    named stays as it was.
    Raises ValueError for other changes, or for one that the optimizer's state does not fit.
    """
    if not isinstance(run, Run):
        raise ValueError(f"proceed takes a Run, not {type(run).__name__}; run_stream starts one")
    if unknown := changes.keys() - {"method", "config"}:
        raise ValueError(f"{min(unknown)} can't change within a run; method and config can")
    check_stream(stream)
    run = copy.deepcopy(run)
    run.methods, before = changes.get("method", run.methods), run.config
    run.config = changes.get("config", before)
    for key in OPTIMIZER_KEYS if run.optimizer is not None else ():
        was, now = getattr(before, key), getattr(run.config, key, None)
        if was != now:
            raise ValueError(
                f"the run goes on with its optimizer, so {key} stays {was!r}, not {now!r}"
            )
    return _go_on(run, stream, device, observers, until)


def _go_on(run, stream, device, observers, until):
    """Train ``run`` itself on the tasks that it lacks."""
    device, until = pick_device(device), len(stream) if until is None else until
    _check(run, stream, until)
    run.methods = _copied(run.methods, len(run.model))
    _check_fits(run.model, run.methods, run.config)
    observers = _checked_observers(observers)
    for one in run.methods:
        one.to(device)
    data, progress = stream.to(device), watching(until)
    loop = Loop(
        run.model.to(device),
        run.methods,
        data,
        run.config,
        (*observers, *progress),
        device,
        history=run.history,
    )
    try:
        with (
            _threads(run.config.threads),
            torch.random.fork_rng(devices=[device] if device.type == "cuda" else []),
        ):
            torch.manual_seed(generator(loop.seeds, "dropout").initial_seed())
            _train(loop, run, until)
    except KeyboardInterrupt:
        place = f"in task {loop.t + 1} of {len(stream)}, epoch {loop.epoch + 1}"
        raise KeyboardInterrupt(f"stopped {place}; nothing of this call is kept") from None
    finally:
        for one in progress:
            one.close()
    return run


def _checked_observers(given):
    """The observers as a list; ValueError if something is none, or would record nothing."""
    observers = as_list(given)
    if observers is None:
        raise ValueError(f"observers={given!r} is no list; give e.g. [observers.Curves(100)]")
    for one in observers:
        if not isinstance(one, Moments):
            raise ValueError(f"{one!r} is no observer; give e.g. observers.Curves(100)")
        if not watches(one):
            raise ValueError(
                f"{type(one).__name__} acts at no moment and would record nothing; "
                f"an observer's moments are {', '.join(WATCHED)}"
            )
    return observers


def take_over(run, method, stream, device="auto"):
    """A copy of a run on the first task, handed to another method, which is told of that task.

    ``proceed(take_over(run, method, stream), stream)`` ends as if the method had been there from
    the start, so that many methods share one training on the first task (a contract test over all
    of them).
    Raises ValueError if the run has trained more than one task, or none, or for a method that acts
    on a first task.
    """
    if run.done != 1:
        raise ValueError(
            f"the run has trained {run.done} tasks; a method can take over after the first alone"
        )
    device, run = pick_device(device), copy.deepcopy(run)
    run.methods = _copied(method, len(run.model))
    if early := [type(m).__name__ for m in run.methods if m.from_start]:
        raise ValueError(
            f"{early[0]} acts on the first task already, so it can't take over after it"
        )
    loop = Loop(run.model.to(device), run.methods, stream.to(device), run.config, (), device)
    loop.tell("before_task")
    loop.tell("after_task")
    return run


def _check_fits(model, methods, config):
    """ValueError if seeds repeat though nothing sets replicas apart, or network,
    method and settings do not fit.
    """
    apart = [v for m in methods for v in vars(m).values() if _one_each(v, len(model))]
    if len({str(row) for row in zip(model.seeds, *apart, strict=True)}) < len(model.seeds):
        raise ValueError(
            f"seeds={model.seeds} repeat one, whose runs would be the same; give different ones"
        )
    if not any(w.requires_grad for w in model.parameters()):
        raise ValueError("every weight of the network is frozen, so that there is nothing to train")
    if needy := [type(m).__name__ for m in methods if m.uses_hidden and not model.relus]:
        raise ValueError(
            f"{needy[0]} looks at what ReLUs put out, but the network has no nn.ReLU layers"
        )
    if config.batch_size == 1 and model.has_batch_norm:
        raise ValueError(
            "batch_size=1 is not possible with batch-norm, which needs two samples or more"
        )


def _one_each(values, replicas):
    """Whether these are values of a method that can differ from replica to replica."""
    is_series = isinstance(values, list) or (isinstance(values, torch.Tensor) and values.ndim)
    return is_series and len(values) == replicas


def _check(run, stream, until):
    if not isinstance(run.config, TrainConfig):
        raise ValueError(
            f"config={run.config!r} is no TrainConfig; give e.g. TrainConfig(epochs=5)"
        )
    if run.evaluate not in ("test", "val"):
        raise ValueError(f"evaluate={run.evaluate!r} is unknown; it is 'test' or 'val'")
    if any(len(getattr(task, f"y_{run.evaluate}")) == 0 for task in stream.tasks):
        raise ValueError(
            f"the stream has a task without {run.evaluate} images; load with validation=1000 or so"
        )
    if run.accuracy.shape[2] != len(stream):
        raise ValueError(
            f"the run is one on {run.accuracy.shape[2]} tasks, but this stream has {len(stream)}"
        )
    if not is_whole(until) or not run.done <= until <= len(stream):
        raise ValueError(
            f"until={until!r} is not possible; it is a number of tasks, {run.done} to {len(stream)}"
        )


def _copied(method, replicas):
    methods = [copy.deepcopy(m) for m in (method if isinstance(method, list | tuple) else [method])]
    if not all(isinstance(m, Method) for m in methods):
        raise ValueError(
            f"{method!r} is no method; give e.g. methods.Finetune() or a list of methods"
        )
    for m in methods:
        strength = getattr(m, m.dial or "", None)
        if isinstance(strength, torch.Tensor) and strength.ndim == 1 and len(strength) != replicas:
            raise ValueError(
                f"{m.dial} has {len(strength)} entries, but there are {replicas} replicas"
            )
    return methods


def _train(loop, run, until):
    """Train on the tasks that ``run`` still lacks, up to ``until``,
    and measure it before the first and after each.
    """
    model, stream, outputs = loop.model, loop.stream, count_outputs(loop.model, loop.stream)
    if run.done == 0:
        run.accuracy = task_accuracies(model, stream, 0, run.evaluate).unsqueeze(1)
    if run.optimizer is not None:
        _make_optimizer(loop)
        loop.optimizer.load_state_dict(run.optimizer)
    source = (
        torch.cuda.default_generators[loop.device.index]
        if loop.device.type == "cuda"
        else torch.default_generator
    )
    if run.rng is not None and len(run.rng) == len(source.get_state()):
        # Not that of another kind of device.
        source.set_state(run.rng)
    for loop.t in range(run.done, until):
        loop.allow(outputs)
        if loop.optimizer is None or loop.config.fresh_optimizer:
            _make_optimizer(loop)
        train_task(loop, run.diverged, run.epochs)
        row = task_accuracies(model, stream, loop.t + 1, run.evaluate)
        row = torch.where(run.diverged.unsqueeze(1), torch.nan, row)
        run.accuracy = torch.cat([run.accuracy, row.unsqueeze(1)], 1)
        log.info("task %d of %d: mean accuracy %.3f", loop.t + 1, len(stream), row.mean())
    run.optimizer = (
        None if loop.config.fresh_optimizer or not loop.optimizer else loop.optimizer.state_dict()
    )
    run.rng = source.get_state()
    model.eval()


def train_task(loop, diverged, epochs):
    """Train on ``loop.task``; marks replicas with a NaN loss as ``diverged``, counts ``epochs``."""
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
        found = {"loss": loss, "accuracy": accuracy}
        found = {k: torch.where(trained, v.cpu().double(), torch.nan) for k, v in found.items()}
        loop.history.append({"task": loop.t, "epoch": loop.epoch, **found})
        failed = _failed(loop, trained, found["loss"])
        diverged |= failed
        loop.active &= ~failed.to(loop.device)
        if config.stop_at is not None:
            loop.active &= ~(found["accuracy"] > config.stop_at).to(loop.device)
        loop.tell("after_epoch")
        if not loop.active.any():
            break
    loop.tell("after_task")


def _failed(loop, trained, loss):
    """Which of the replicas that trained have a loss or weight that is no number any more.

    Raises Diverged unless the settings allow it.
    """
    finite = [w.detach().isfinite().reshape(len(w), -1).all(1) for w in loop.model.parameters()]
    failed = trained & ~(loss.isfinite() & torch.stack(finite).all(0).cpu())
    if failed.any() and not loop.config.allow_divergence:
        seed = loop.seeds[int(failed.nonzero()[0])]
        raise Diverged(
            f"the loss of seed {seed} is no longer a finite number in task "
            f"{loop.t + 1}, epoch {loop.epoch + 1}; lower lr or the method's "
            "strength, or set allow_divergence=True to record NaN for it"
        )
    return failed


def predict(model, images, x, chunk=None):
    """Logits ``[R, N, outputs]`` of Replicas in evaluation mode for shared ``x``, on its device.

    x: ``[N, C, H, W]`` uint8; ValueError for others. chunk: images at a time; None: 2,000, of
    networks with convolutions on a CPU 100, which its cache holds.
    """
    return activations(model, images, x, (), chunk)[0]


def activations(model, images, x, layers=None, chunk=None):
    """As ``predict``, and beside the logits a dict of what layers put out, name -> ``[R, N, ...]``.

    layers: their names, as of ``Replicas.activations``; None: every ReLU.
    """
    if not isinstance(model, Replicas):
        raise ValueError(
            f"model is {type(model).__name__}, but has to be Replicas, such as run.model"
        )
    if x.dtype != torch.uint8:
        raise ValueError(
            f"x is {x.dtype}, but has to be uint8, images as they are in the dataset, which are "
            "standardised here"
        )
    weight = next(model.parameters())
    convolutional = any(w.ndim == 5 for w in model.weights.values())
    layout = torch.channels_last if convolutional else torch.contiguous_format
    chunk = chunk or (100 if convolutional and weight.device.type == "cpu" else 2000)
    layers = model.relus if layers is None else layers
    with evaluating(model):
        scaled = (
            images.scale(part.to(weight.device, memory_format=layout)).to(weight.dtype)
            for part in x.split(int(chunk))
        )
        logits, hidden = zip(
            *(model.activations(model.share(part), layers) for part in scaled), strict=True
        )
    joined = {
        name: torch.cat([part[name] for part in hidden], 1).to(x.device) for name in hidden[0]
    }
    return torch.cat(logits, 1).to(x.device), joined


def accuracy_on(model, images, x, y, allowed=None):
    """Share of right answers of each replica, ``[R]`` in [0, 1],
    for shared images ``x`` and labels ``y`` ``[N]``.

    allowed: which outputs count, as of ``Stream.allowed``; None: all.
    """
    logits = predict(model, images, x)
    if allowed is not None:
        logits = mask_logits(logits, y.expand(len(model), -1), allowed)
    return (logits.argmax(2) == y).double().mean(1)


def task_accuracies(model, stream, done=None, part="test"):
    """Accuracies ``[R, T]`` in [0, 1] on each task's "test" or "val" images,
    by the rules of the stream's scenario.

    done: how many tasks count as seen; None: all. On the CPU.
    """
    outputs, columns = model.outputs or count_outputs(model, stream), []
    for j, task in enumerate(stream.tasks):
        x, y = getattr(task, f"x_{part}"), getattr(task, f"y_{part}")
        after = max((len(stream) if done is None else done) - 1, j)
        columns.append(
            accuracy_on(model, stream.images, x, y, stream.allowed(after, outputs, x.device))
        )
    return torch.stack(columns, 1).cpu()


def count_outputs(model, stream):
    """How many outputs a network has, found by a pass.

    Raises ValueError if it does not take the stream's images.
    """
    sample, weight = stream.tasks[0].x_train[:2], next(model.parameters())
    try:
        outputs = model.find_head(stream.images.scale(sample.to(weight.device)).to(weight.dtype))
    except RuntimeError as error:
        reason, shape = str(error).strip().partition("\n")[0], list(sample.shape[1:])
        raise ValueError(
            f"the network does not take the stream's images of shape {shape}: {reason}"
        ) from None
    if outputs < stream.outputs:
        raise ValueError(
            f"the network has {outputs} outputs, but this stream needs {stream.outputs}"
        )
    return outputs


def _make_optimizer(loop):
    """One optimizer over the stacked parameters.

    Where replicas stop apart, over views of them, replica by replica.
    """
    config, parameters = loop.config, list(loop.model.parameters())
    if config.stop_at is not None or config.allow_divergence:
        loop.leaves = [[p.detach()[r] for p in parameters] for r in range(len(loop.model))]
        parameters = [leaf for leaves in loop.leaves for leaf in leaves]
    fused = config.optimizer != "adagrad" or loop.device.type == "cpu"
    options = {"lr": config.lr, "weight_decay": config.weight_decay, "fused": fused}
    if config.optimizer == "sgd":
        options["momentum"] = config.momentum
    loop.optimizer = OPTIMIZERS[config.optimizer](parameters, **options)
    if config.optimizer == "sgd" and config.momentum:
        # Fused SGD takes parameters with a buffer, or without: not both.
        for p in parameters:
            loop.optimizer.state[p]["momentum_buffer"] = torch.zeros_like(p)


def pick_device(name="auto"):
    """The torch.device of that name, "auto": CUDA where there is one.

    Raises ValueError for one that is not there.
    """
    name = ("cuda" if torch.cuda.is_available() else "cpu") if str(name) == "auto" else name
    try:
        return torch.empty(0, device=torch.device(name)).device  # with its number
    except (RuntimeError, AssertionError):
        raise ValueError(
            f"device {name!r} is not there; 'cpu' is, and 'auto' takes CUDA where there is one"
        ) from None


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
