"""Streams of tasks: what a network sees one after the other, and which of its outputs count.

Scenarios (van de Ven and Tolias 2019, arXiv:1904.07734):
task    the task is known at test time: of a sample's outputs only those of its own task count;
domain  every task has the same outputs: labels are counted within the task;
class   the task is unknown: all outputs count, or those of the classes seen so far
(``outputs="seen"``).
"""

from dataclasses import dataclass, replace
from difflib import get_close_matches
from functools import partial
from math import isfinite

import torch

from cf_utils._torchvision import import_torchvision
from cf_utils.checks import as_list, check_count, check_seed, is_whole, number
from cf_utils.data import Images

SCENARIOS = ("task", "domain", "class")
FIELDS = ("x_train", "y_train", "x_val", "y_val", "x_test", "y_test")


@dataclass(frozen=True, repr=False)
class Task:
    """One task: images ``[N, C, H, W]`` uint8, labels ``[N]``, indices of network outputs."""

    name: str
    labels: tuple[int, ...]
    x_train: torch.Tensor
    y_train: torch.Tensor
    x_val: torch.Tensor
    y_val: torch.Tensor
    x_test: torch.Tensor
    y_test: torch.Tensor

    def __repr__(self):
        return (
            f"<Task {self.name}: labels {list(self.labels)}, {len(self.y_train):,} training, "
            f"{len(self.y_val):,} validation, {len(self.y_test):,} test images>"
        )


@dataclass(frozen=True, repr=False)
class Stream:
    """Tasks in order.

    ``groups`` holds each task's labels (a joint stream's one task holds several groups).
    """

    name: str
    scenario: str
    tasks: tuple[Task, ...]
    groups: tuple[tuple[int, ...], ...]
    images: object
    seen_only: bool = False

    def __repr__(self):
        tasks = ", ".join(task.name for task in self.tasks)
        return f"<Stream {self.name}, {self.scenario}-incremental: {tasks}>"

    def __len__(self):
        return len(self.tasks)

    @property
    def outputs(self):
        """How many outputs a network needs."""
        return 1 + max(max(group) for group in self.groups)

    def to(self, device):
        """The same stream with every task's tensors on ``device``."""
        tasks = [
            replace(task, **{f: getattr(task, f).to(device) for f in FIELDS}) for task in self.tasks
        ]
        images = replace(
            self.images, mean=self.images.mean.to(device), std=self.images.std.to(device)
        )
        return replace(self, tasks=tuple(tasks), images=images)

    def allowed(self, t, outputs, device="cpu"):
        """Which of a network's ``outputs`` count at task ``t`` (from 0), for each label:
        ``[outputs, outputs]`` bool.

        In the task scenario a label competes with those of its own task alone. Else all rows are
        alike: all outputs, or those of the tasks up to ``t`` (in the domain scenario, and with
        ``outputs="seen"``).
        """
        table = torch.zeros(outputs, outputs, dtype=torch.bool, device=device)
        if self.scenario == "task":
            for group in self.groups:
                index = torch.tensor(group, device=device)
                table[index.unsqueeze(1), index] = True
        elif self.scenario == "class" and not self.seen_only:
            table.fill_(True)
        else:
            table[:, sorted({label for task in self.tasks[: t + 1] for label in task.labels})] = (
                True
            )
        return table


def split(images, classes, scenario="class", outputs="all"):
    """A stream over disjoint groups of classes, e.g. ``[[1, 2], [3, 4]]``.

    classes: lists or arrays of numbers, or of names as in ``images.classes``:
    ``[["cat", "dog"], ["ship"]]``.
    outputs: in the class scenario ``"all"`` outputs of the network count from the start, or those
    ``"seen"`` so far. Raises ValueError for an unknown scenario or class, a class in two tasks, or
    a task without images.
    """
    _check_images(images)
    _check_scenario(scenario, outputs)
    given = as_list(classes)
    lists = None if given is None else [as_list(group) for group in given]
    if lists is None or None in lists:
        raise ValueError(
            f"classes={given or classes!r} is no list of groups; give e.g. [[1, 2], [3, 4]]"
        )
    groups = [[_class_number(images, c) for c in group] for group in lists]
    if not groups or not all(groups):
        raise ValueError("a stream needs at least one task, and each task at least one class")
    flat = [c for group in groups for c in group]
    if twice := [c for c in flat if flat.count(c) > 1]:
        raise ValueError(
            f"class {images.classes[twice[0]]} stands in two places; "
            "tasks of a split stream are disjoint"
        )
    if scenario == "domain" and len({len(group) for group in groups}) > 1:
        raise ValueError("in the domain scenario every task needs the same number of classes")
    parts = [
        (f"[{', '.join(images.classes[c] for c in group)}]", group, lambda x: x) for group in groups
    ]
    return _stream("split", images, parts, scenario, outputs)


def _class_number(images, c):
    """The number of a class given by its number or its name; ValueError if there is none."""
    names = list(images.classes)
    if is_whole(c) and 0 <= c < len(names):
        return int(c)
    if not isinstance(c, str):
        raise ValueError(
            f"unknown class {c!r}; {images.name} has the classes 0 to {len(names) - 1}"
        )
    if names.count(c) > 1:
        raise ValueError(f"{names.count(c)} classes of {images.name} are named {c!r}; give numbers")
    if c not in names:
        near = get_close_matches(c, names)
        known = f"nearest: {', '.join(near)}" if near else f"known: {', '.join(names[:10])}"
        more = ", ..." if not near and len(names) > 10 else ""
        raise ValueError(f"{images.name} has no class named {c!r}; {known}{more}")
    return names.index(c)


def draw_classes(images, tasks, classes, seed=0):
    """Draw disjoint groups of classes for ``split``:
    ``tasks`` lists of ``classes`` class indices each, by ``seed``.

    Raises ValueError if a number is below 1 or the dataset has too few classes.
    """
    _check_images(images)
    tasks, classes = check_count("tasks", tasks, 1), check_count("classes", classes, 1)
    count = len(images.classes)
    if tasks * classes > count:
        raise ValueError(
            f"{tasks} tasks of {classes} classes need "
            f"{tasks * classes}, but {images.name} has {count}"
        )
    order = torch.randperm(
        count, generator=torch.Generator().manual_seed(check_seed("seed", seed))
    ).tolist()
    return [order[t * classes : (t + 1) * classes] for t in range(tasks)]


def permuted(images, tasks=5, seed=0, scenario="domain", outputs="all"):
    """All classes in every task; each after the first permutes the pixels by its own order.

    The permutation is the same for every channel (Goodfellow et al. 2013, arXiv:1312.6211).
    """
    _check_images(images)
    tasks = check_count("tasks", tasks, 1)
    _check_scenario(scenario, outputs)
    generator = torch.Generator().manual_seed(check_seed("seed", seed))
    pixels = images.x_train[0, 0].numel()
    orders = [torch.arange(pixels)] + [
        torch.randperm(pixels, generator=generator) for _ in range(tasks - 1)
    ]
    classes = list(range(len(images.classes)))
    parts = [
        (f"permutation {t}", classes, lambda x, order=order: x.flatten(2)[:, :, order].view_as(x))
        for t, order in enumerate(orders)
    ]
    return _stream("permuted", images, parts, scenario, outputs, step=len(classes))


def rotated(images, degrees=(0, 20, 40, 60, 80), scenario="domain", outputs="all"):
    """All classes in every task, turned counter-clockwise by ``degrees[t]`` (Lopez-Paz and Ranzato
    2017).

    Raises ValueError unless degrees is a series of finite numbers.
    """
    import_torchvision()
    from torchvision.transforms import v2

    _check_images(images)
    _check_scenario(scenario, outputs)
    angles = as_list(degrees)
    if angles is None or not all(isfinite(number(angle)) for angle in angles):
        raise ValueError(
            f"degrees={angles or degrees!r} is not possible; "
            "give an angle for each task, e.g. (0, 20, 40)"
        )
    if not angles:
        raise ValueError("degrees is empty; a rotated stream has one task or more")

    def turn(x, angle):
        turned = (
            v2.functional.rotate(c, angle, v2.InterpolationMode.BILINEAR) for c in x.split(5000)
        )
        return torch.cat(list(turned)) if angle % 360 else x

    classes = list(range(len(images.classes)))
    parts = [(f"{angle:g}°", classes, partial(turn, angle=angle)) for angle in map(float, angles)]
    return _stream("rotated", images, parts, scenario, outputs, step=len(classes))


def joint(stream):
    """Concurrent training: one task with the data of all tasks of ``stream``.

    The upper bound of the comparisons. Its accuracy counts every image the same, as
    ``metrics.accuracy_over_samples`` of a run on ``stream`` does. The one that counts every task
    the same, as ``metrics.average_accuracy`` of that run does, is
    ``training.task_accuracies(run.model, stream).mean(1)`` of the joint run. The two differ where
    tasks do in size.
    """
    check_stream(stream)
    merged = {f: torch.cat([getattr(task, f) for task in stream.tasks]) for f in FIELDS}
    labels = tuple(sorted({label for task in stream.tasks for label in task.labels}))
    return replace(
        stream, name=f"joint {stream.name}", tasks=(Task("all tasks at once", labels, **merged),)
    )


def mask_logits(logits, y, allowed):
    """Set logits ``[R, B, outputs]`` that do not count for labels y ``[R, B]`` to -inf,
    as of ``Stream.allowed``.
    """
    return logits if allowed.all() else logits.masked_fill(~allowed[y], float("-inf"))


def check_stream(stream):
    """ValueError for what is no Stream."""
    if not isinstance(stream, Stream):
        kind = type(stream).__name__
        raise ValueError(
            f"stream is of type {kind}; give a Stream, e.g. streams.split(images, [[1, 2], [3, 4]])"
        )


def _check_images(images):
    if not isinstance(images, Images):
        raise ValueError(
            f"images is of type {type(images).__name__}; give a dataset, e.g. data.load('mnist-5k')"
        )


def _check_scenario(scenario, outputs):
    if scenario not in SCENARIOS:
        raise ValueError(f"unknown scenario {scenario!r}; known are {', '.join(SCENARIOS)}")
    if outputs not in ("all", "seen"):
        raise ValueError(f"outputs={outputs!r} is unknown; it is 'all' or 'seen'")
    if outputs == "seen" and scenario != "class":
        raise ValueError("outputs='seen' belongs to the class scenario")


def _stream(kind, images, parts, scenario, outputs, step=0):
    """A stream with a task for each of ``parts``: its name,
    its classes and the function that changes its images.

    Class c of task t gets the label c + t * step; in the domain scenario, its place among the
    task's classes.
    """
    tasks = []
    for t, (name, classes, change) in enumerate(parts):
        table = torch.full((len(images.classes),), -1)
        table[classes] = (
            torch.arange(len(classes)) if scenario == "domain" else torch.tensor(classes) + t * step
        )
        tasks.append(_task(name, images, table, change))
    groups = tuple(task.labels for task in tasks)
    return Stream(
        f"{kind} {images.name}", scenario, tuple(tasks), groups, images, outputs == "seen"
    )


def _task(name, images, table, change):
    """The images whose class has an entry of 0 or more in ``table`` (class -> label),
    passed through ``change``.
    """
    parts = {}
    for part in ("train", "val", "test"):
        x, y = getattr(images, f"x_{part}"), table[getattr(images, f"y_{part}")]
        x, y = (x[y >= 0], y[y >= 0]) if (y < 0).any() else (x, y)
        if part != "val" and len(y) == 0:
            raise ValueError(f"task {name} has no {part} images in {images.name}")
        parts |= {f"x_{part}": change(x), f"y_{part}": y}
    return Task(name, tuple(table[table >= 0].tolist()), **parts)
