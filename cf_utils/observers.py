"""What watches a run: acts at its moments, changes nothing, and holds what it recorded.

``curves = Curves(100); run_stream(..., observers=[curves]); curves.table``. An observer watches one
run.
"""

import numpy as np
import pandas as pd
import torch

from cf_utils.checks import check_count
from cf_utils.methods import Moments
from cf_utils.probes import cross_entropy, layers
from cf_utils.streams import mask_logits
from cf_utils.training import accuracy_on, activations, predict


class Observer(Moments):
    """Base of what watches; a subclass appends to ``records`` at the moments that it needs.

    records: dicts, each with "task" and "step" and with numbers, or lists of one number a replica.
    """

    def __init__(self):
        self.records = []

    @property
    def table(self):
        """All that was recorded, a DataFrame with a row for each record and replica.

        "replica" counts from 0.
        """
        frame = pd.DataFrame(self.records)
        if frame.empty:
            return frame
        lists = [key for key in frame if isinstance(frame[key].iloc[0], list)]
        rows = frame.assign(replica=[range(len(values)) for values in frame[lists[0]]]).explode(
            [*lists, "replica"]
        )
        return rows.reset_index(drop=True).astype(dict.fromkeys(lists, float) | {"replica": int})

    def of(self, key, **where):
        """Steps ``[S]`` and values ``[R, S]`` of ``key``, of the records with the fields ``where``,
        e.g. task=1.
        """
        chosen = [
            record for record in self.records if all(record[k] == v for k, v in where.items())
        ]
        steps = np.array([record["step"] for record in chosen])
        return steps, np.array([record[key] for record in chosen]).T


class Looks(Observer):
    """Calls ``look(loop)`` after each task; ``found`` lists what it returned, one a task."""

    def __init__(self, look):
        super().__init__()
        self.look, self.found = look, []

    def after_task(self, loop):
        self.found.append(self.look(loop))


class Film(Observer):
    """Calls ``look(loop)`` at most ``frames`` times: before the run, evenly over it and at the end
    of each task.

    Records the dict that it returns with "task", "step" (of the whole run) and "at" (tasks trained,
    the current one in part). show: called with the film after each frame. stop: set to True while
    it runs, by another thread, it ends the run with KeyboardInterrupt. A method with phases of its
    own takes more steps, and so gets more frames. Raises ValueError for fewer frames than one for
    each task and two more.
    """

    def __init__(self, frames, look, show=lambda film: None):
        super().__init__()
        self.frames, self.look, self.show, self.stop, self.step = frames, look, show, False, 0

    def before_task(self, loop):
        if loop.t:
            return
        free = check_count("frames", self.frames, len(loop.stream) + 2) - len(loop.stream) - 1
        counts = (loop.count_steps(len(task.y_train)) for task in loop.stream.tasks)
        self.every = -(-loop.config.epochs * sum(counts) // free)
        self._frame(loop, 0.0)

    def after_step(self, loop):
        if self.stop:
            raise KeyboardInterrupt
        self.step += 1
        if self.step % self.every == 0:
            steps = loop.config.epochs * loop.count_steps(len(loop.task.y_train))
            self._frame(loop, loop.step / steps)

    def after_task(self, loop):
        if self.records[-1]["step"] == self.step:
            self.records.pop()
        self._frame(loop, 1.0)

    def _frame(self, loop, part):
        where = {"task": loop.t, "step": self.step, "at": loop.t + part}
        self.records.append(where | self.look(loop))
        self.show(self)


def _some(y, count):
    """Which ``count`` of samples with labels ``y`` ``[N]`` stand for all: the first, if they have
    every class, else as many spread evenly.
    """
    if len(y[:count].unique()) == len(y.unique()):
        return slice(count)
    return torch.linspace(0, len(y) - 1, count).long().to(y.device)


class Curves(Observer):
    """Follows every task up to the current one while that is trained.

    Records "task", "step", "on", "right", "loss" at each of the first ``dense`` steps (step 0
    included), then at every ``sparse``-th: share of right answers and mean cross-entropy (nats) on
    the first ``count`` validation images of task ``on``; where these lack one of its classes, as in
    a dataset that is sorted by class, on as many spread evenly over all.
    """

    def __init__(self, count, dense=60, sparse=25):
        super().__init__()
        self.count, self.dense, self.sparse = count, dense, sparse

    def before_task(self, loop):
        self.index = [_some(task.y_val, self.count) for task in loop.stream.tasks]
        self.after_step(loop)

    def after_step(self, loop):
        if loop.step > self.dense and loop.step % self.sparse:
            return
        for j, task in enumerate(loop.stream.tasks[: loop.t + 1]):
            x, y = task.x_val[self.index[j]], task.y_val[self.index[j]]
            logits = predict(loop.model, loop.stream.images, x)
            logits = mask_logits(logits, y.expand(len(logits), -1), loop.allowed)
            right = (logits.argmax(2) == y).double().mean(1)
            loss = cross_entropy(logits.log_softmax(2), y)
            where = {"task": loop.t, "step": loop.step, "on": j}
            self.records.append(where | {"right": right.tolist(), "loss": loss.tolist()})

    def by_task(self, key="right"):
        """As ``plots.forgetting_grid`` takes them:
        [task trained][task tested] -> steps ``[S]``, values ``[R, S]``.
        """
        tasks = range(1 + max(record["task"] for record in self.records))
        return [{j: self.of(key, task=t, on=j) for j in range(t + 1)} for t in tasks]

    def steps_to_half(self, t):
        """First step of task ``t`` (from 1) with at most half of the task before right, ``[R]``.

        As ``first_step``.
        """
        steps, right = self.of("right", task=t, on=t - 1)
        return _first(steps, right <= 0.5)

    def first_step(self, level, t=0):
        """First step of task ``t`` with ``level`` of its own images right, ``[R]``.

        The last plus 1 if none has.
        """
        steps, right = self.of("right", task=t, on=t)
        return _first(steps, right >= level)

    def largest_fall(self, t, within=60):
        """Largest fall on the task before ``t`` (from 1) in one of the first ``within`` steps:
        ``[R]``, a share.

        In [-1, 1]; below 0 where it only rises.
        """
        steps, right = self.of("right", task=t, on=t - 1)
        return -np.diff(right[:, steps <= within], axis=1).min(1)


def _first(steps, there):
    return np.where(there.any(1), steps[there.argmax(1)], steps[-1] + 1)


def _copied(model):
    """Copies of the weight matrices and kernels, name -> ``[R, P]``."""
    return {name: model.weights[name].detach().flatten(1).clone() for name in layers(model)}


class Updates(Observer):
    """Records at each step "task", "step", "layer", "update": ||dw|| / ||w|| of the weight."""

    def before_task(self, loop):
        self.before = _copied(loop.model)

    def after_step(self, loop):
        for name, before in self.before.items():
            now = loop.model.weights[name].detach().flatten(1)
            size = before.norm(dim=1)
            update = before.sub_(now).norm(dim=1) / size  # in place: nothing to allocate
            before.copy_(now)
            where = {"task": loop.t, "step": loop.step, "layer": name}
            self.records.append(where | {"update": update.tolist()})


class Displacements(Observer):
    """Records after each task "task", "step", "layer" and "moved":
    ||w after - w before|| / ||w before||.
    """

    def before_task(self, loop):
        self.before = _copied(loop.model)

    def after_task(self, loop):
        for name, before in self.before.items():
            now = loop.model.weights[name].detach().flatten(1)
            moved = (now - before).norm(dim=1) / before.norm(dim=1)
            where = {"task": loop.t, "step": loop.step, "layer": name}
            self.records.append(where | {"moved": moved.tolist()})


class Passes(Observer):
    """Records for each pass over a later task "task", "step", "fall", "long-term", "short-term".

    fall: of the accuracy on the test images of earlier tasks, mean over the tasks. long-term,
    short-term: by how much the responses of the first and of the second half of the ``layer``'s
    units to the first task's test images changed, ||after - before|| / ||before||. A pass is the
    epoch itself, not what a method did at the epoch's beginning.
    """

    def __init__(self, layer):
        super().__init__()
        self.layer = layer

    def before_epoch(self, loop):
        self.before = self._look(loop) if loop.t else None

    def after_epoch(self, loop):
        if loop.t:
            (was, before), (now, after) = self.before, self._look(loop)
            pairs = zip(before, after, strict=True)
            change = [(b - a).flatten(1).norm(dim=1) / a.flatten(1).norm(dim=1) for a, b in pairs]
            found = {"fall": was - now, "long-term": change[0], "short-term": change[1]}
            where = {"task": loop.t, "step": loop.step}
            self.records.append(where | {key: value.tolist() for key, value in found.items()})

    def _look(self, loop):
        """Accuracy on earlier tasks, and the two halves of what the layer puts out for the first
        one's images.
        """
        earlier, images = loop.stream.tasks[: loop.t], loop.stream.images
        right = [accuracy_on(loop.model, images, task.x_test, task.y_test) for task in earlier]
        _, hidden = activations(loop.model, images, earlier[0].x_test, [self.layer])
        return torch.stack(right).mean(0), hidden[self.layer].chunk(2, 2)


class Gradients(Observer):
    """Sums |gradient| over each task's steps: ``totals[task][weight's name]`` ``[R, ...]``,
    on the CPU.
    """

    def __init__(self):
        super().__init__()
        self.totals = []

    def before_task(self, loop):
        self.running = {
            n: torch.zeros_like(w, requires_grad=False) for n, w in loop.model.weights.items()
        }

    def after_step(self, loop):
        for name, weight in loop.model.weights.items():
            if weight.grad is not None:
                self.running[name] += weight.grad.abs()

    def after_task(self, loop):
        self.totals.append({name: total.cpu() for name, total in self.running.items()})
