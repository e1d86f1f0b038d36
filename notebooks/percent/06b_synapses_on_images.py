# %% [markdown]
# # 06b · Memory aware synapses on images
#
# **A network learns four tasks of 25 kinds of images: how much less does it forget with memory aware synapses, and what does that cost?**
#
# **Answer.** TODO after the run: three plain sentences, at most three numbers. (The smaller run before this one said: at the repository's
# strength memory aware synapses, MAS, halve forgetting, later tasks are learned less well in return, and about two points are gained at the end.)
#
# *Numbers in the text are those of the full run: 100 classes of Tiny-ImageNet, TODO seeds, TODO hours on one core. At quick settings the notebook takes about a minute on two cores, on drawn shapes.*
#
# Before: [06a · Memory aware synapses](06a_memory_aware_synapses.ipynb) · Next: [07a · Learning without forgetting](07a_learning_without_forgetting.ipynb)

# %%
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from cf_utils import (
    checkpoint,
    claims,
    data,
    methods,
    metrics,
    models,
    plots,
    results,
    streams,
    training,
)
from cf_utils.methods.augment import FlipAndCrop
from cf_utils.methods.springs import outputs_of_task

plots.style()

# %% tags=["parameters"]
dataset = "shapes"  # generated, no download; "tiny-imagenet" or a folder of 100 of its classes, "tiny-imagenet-100"
tasks = 3  # drawn at random, a head each
classes = 3  # of each task
seeds = [0, 1]  # of the draw of classes and of the network; trained one by one
width = 0.125  # share of the filters of a full network
pretrained = False  # True: torchvision's AlexNet with ImageNet's weights (width does not count)
num_epochs = 4
batch_size = 16
init_lr = 2e-3  # of Adam, a fresh one for each task
reg_lambda = 0.01  # of MAS in the repository
lambdas = {"MAS": [1.0], "MAS of batches": [10.0], "EWC": [100.0]}  # tried beside it
num_freeze_layers = 0  # first convolutions that do not learn (2 in the repository)
train_images = 2000  # training images used, drawn at random
validation = 500  # training images held out, to choose λ
samples = 200  # images that EWC's Fisher is taken on
precision = "float32"  # of training; "bfloat16" where the processor has a unit for it
threads = 1  # CPU threads
measured = ""  # folder of what each run has left, kept from run to run; empty: in out
out = ""  # folder for figures, results and networks; empty: out/06b_synapses_on_images

# %%
folder = results.output_folder(out, "06b_synapses_on_images")
images = data.load(dataset, validation, train=train_images)
names = [f"task {t + 1}" for t in range(tasks)]


def task_stream(seed):
    """Tasks of classes drawn by the seed; every task has a head of its own."""
    return streams.split(images, streams.draw_classes(images, tasks, classes, seed), "task")


fig, axes = plt.subplots(tasks, 8, figsize=(10, 1.35 * tasks))
rows = []
for line, task, name in zip(axes, task_stream(seeds[0]).tasks, names, strict=True):
    for ax, label in zip(line, [*task.labels, *[None] * 8][:8], strict=True):
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        if label is not None:
            ax.imshow(task.x_train[task.y_train == label][0].permute(1, 2, 0))
            ax.set_title(images.classes[label][:16], fontsize="x-small")
            rows.append({"task": name, "class": images.classes[label]})
    line[0].set_ylabel(name)
note = f"One row is learned after the other: up to eight of the {classes} classes of each task, one image each.\nThe draw of seed {seeds[0]}; each seed has its own. {images.name}."
results.save_figure(fig, folder, "tasks", pd.DataFrame(rows), note)

# %% [markdown]
# ## The idea
#
# MAS (notebook 06a; Aljundi et al. 2018) asks of each weight $w_i$ how much the network's outputs $f(x)$ depend on it. This *importance* $\Omega_i$
# needs no labels. While the next task is learned, every weight is pulled back to its old value $w^*_i$, the harder the more important it is:
#
# $$\Omega_i = \mathbb{E}_x \left|\frac{\partial \lVert f(x)\rVert^2}{\partial w_i}\right|, \qquad
# L = L_\text{new} + \lambda \sum_i \Omega_i\, (w_i - w^*_i)^2 .$$
#
# $L_\text{new}$ is the loss on the new task, λ the *strength*. Importances add up over tasks.
#
# ## The experiment of the repository
#
# **Four tasks, each with a head of its own.** The classes of Tiny-ImageNet are split at random into four tasks of 25. A *head* is the last
# layer's outputs for one task. An image is tested among its own task's 25 classes (*told the task*), so that guessing gets 4 % right.
#
# **One run, and nothing beside it.** The repository reports forgetting of 10.2, 7.6, 4.1 and 0 % for the four tasks. It has no run without MAS,
# so its table cannot say what MAS did. We add
#
# - *finetuning*, which only learns the new task, and elastic weight consolidation (EWC). EWC's Fisher takes one label an image, drawn from the network's own answers;
# - a *floor*: after task 1 only heads learn, so that nothing can be forgotten;
# - a *ceiling*: all tasks at once, for as many passes.
#
# **Our network is another, and smaller.** It starts from random weights. The repository's had learned ImageNet first, and Tiny-ImageNet's
# classes are taken from there.
#
# | | repository | here |
# |---|---|---|
# | network | AlexNet, trained on ImageNet | like AlexNet, half of the filters, untrained |
# | weights below the heads | 57 million | 1.9 million |
# | frozen | first two convolutions | nothing |
# | side of an image (pixels) | 224 | 64 |
# | training images of a class | up to 500 | 380 |
# | passes over each task | 10 | 10 |
# | optimizer | SGD | Adam, a fresh one for each task |
# | λ of MAS | 0.01 | 0.01, and others |
# | classes to draw from | 200 | 100 |
# | runs | one | TODO seeds |
#
# So the same λ is another pull here: importance grows with the size of the outputs, and a step of Adam's is not one of SGD's.
#
# `pretrained = True` and `num_freeze_layers = 2` below give the repository's own network, where its weights can be had.
#
# ## Two forms of the importance
#
# The definition takes the size of each image's gradient and averages. The repository sums the gradient over a batch *before* it takes
# the size, so that what cancels between images is lost. Both are run, as *MAS* and *MAS of batches*.


# %%
class BatchMAS(methods.MAS):
    """MAS as the repository has it: mean over batches of |mean gradient of the outputs' squared length|."""

    def __init__(self, strength, batch=32):
        super().__init__(strength)
        self.batch = batch

    def importance_of(self, loop):
        weights, counted = loop.model.weights, outputs_of_task(loop)
        parts = loop.scaled(loop.task.x_train).split(self.batch)
        total = dict.fromkeys(weights, 0.0)
        for x in parts:
            length = loop.model.on(x)[..., counted].square().sum() / len(x)
            slopes = torch.autograd.grad(length, [*weights.values()])
            for name, slope in zip(weights, slopes, strict=True):
                total[name] = total[name] + slope.abs() / len(parts)
        return total


class FreezeLayers(methods.Method):
    """The first ``layers`` convolutions do not learn; after task 1 nothing but the head does, if ``trunk``."""

    def __init__(self, layers, trunk=False):
        self.layers, self.trunk = layers, trunk

    def before_task(self, loop):
        weights = loop.model.weights
        parts = list(dict.fromkeys(name.rpartition(".")[0] for name in weights))
        fixed = parts[:-1] if self.trunk and loop.t else parts[: self.layers]
        for name, w in weights.items():
            w.requires_grad_(name.rpartition(".")[0] not in fixed)


# %% [markdown]
# ## What each run leaves
#
# A run takes most of an hour, so it can be stopped: it is written to disk after every task, and all methods of a seed share one training on task 1.
# As it ends, its accuracies and the size of its importances are kept, and the figures below are made of these alone.

# %%
outputs, size = len(images.classes), images.x_train.shape[-1]
build = partial(models.alexnet, outputs, size, width)
if pretrained:
    build = partial(models.pretrained, "alexnet", outputs)
config = training.TrainConfig(
    num_epochs,
    batch_size,
    init_lr,
    "adam",
    weight_decay=0.0,
    fresh_optimizer=True,
    threads=threads,
    precision=precision,
)
network = "pretrained" if pretrained else f"width {width:g}"
caption = f"{images.name}, {tasks} tasks of {classes} classes, {len(seeds)} seeds, {num_epochs} epochs a task, {network}"
makers = {  # kind -> a method, from its strength λ
    "finetuning": lambda strength: methods.Finetune(),
    "only heads": lambda strength: methods.Finetune(),
    "MAS": methods.MAS,
    "MAS of batches": BatchMAS,
    "EWC": partial(methods.EWC, fisher="sampled", samples=samples),
}


def train(kind, strength, seed):
    """A run and its stream, read from disk or taken up there if a part of it is there."""
    stream, place = task_stream(seed), folder / "runs" / str(seed)
    name, freeze = f"{kind.replace(' ', '_')}_{strength:g}", FreezeLayers(num_freeze_layers)
    if kind == "all at once":  # each task told from the others, as for the others
        whole, chain = streams.joint(stream), [freeze, FlipAndCrop()]
        return checkpoint.kept(place / name, build, chain, whole, config, [seed]), whole
    start = (build, [freeze, FlipAndCrop()], stream, config, [seed])
    first = checkpoint.kept(place / "first", *start, until=1)
    freeze = FreezeLayers(num_freeze_layers, kind == "only heads")
    chain = [freeze, FlipAndCrop(), makers[kind](strength)]
    return checkpoint.kept(place / name, build, chain, stream, config, [seed], first=first), stream


# %%
def look_at(kind, strength, seed):
    """What a run leaves, trained if need be."""
    run, stream = train(kind, strength, seed)
    held_out = training.task_accuracies(run.model, stream, part="val")
    found = {"accuracy": run.accuracy[0].tolist(), "held out": float(held_out.mean())}
    springs = getattr(run.methods[-1], "springs", None)
    if springs is not None:
        every = torch.cat([v.flatten() for v in springs.importance.values()])
        found["mean importance"] = float(every.mean())
    if (kind, strength) == ("MAS", reg_lambda):
        place = folder / "runs" / "export" / str(seed)
        checkpoint.export(run, stream, place)
        files = sorted(path for path in place.rglob("*") if path.is_file())
        found["files"] = {str(f.relative_to(place)): f.stat().st_size for f in files}
    return found


def measure(kind, strength, seed):
    """What a run has left, read if it is there; only then is it trained."""
    told = {"data": images.name, "train_images": train_images, "validation": validation}
    told |= {"tasks": tasks, "classes": classes, "width": width, "pretrained": pretrained}
    told |= {"num_epochs": num_epochs, "batch_size": batch_size, "init_lr": init_lr}
    told |= {"num_freeze_layers": num_freeze_layers, "samples": samples, "precision": precision}
    told |= {"kind": kind, "strength": strength, "seed": seed}
    place = Path(measured or folder / "runs" / "measured") / f"seed_{seed}"
    file = place / f"{kind.replace(' ', '_')}_{strength:g}.pt"
    return checkpoint.kept_result(file, told, lambda: look_at(kind, strength, seed))


# %% tags=["train"]
# Seed by seed, and of each what the text rests on first: a stop leaves whole seeds.
fixed = {  # label -> kind and strength of the arms that need no choice
    "finetuning": ("finetuning", 0.0),
    "MAS (their λ)": ("MAS", reg_lambda),
    "MAS of batches (their λ)": ("MAS of batches", reg_lambda),
    "only heads after task 1": ("only heads", 0.0),
    "all tasks at once": ("all at once", 0.0),
}
tried = {
    kind: sorted({*values, *([reg_lambda] if "MAS" in kind else [])})
    for kind, values in lambdas.items()
}
order = [*list(fixed.values())[:2], ("EWC", lambdas["EWC"][0]), *list(fixed.values())[2:]]
order += [(kind, value) for kind, values in lambdas.items() for value in values]
jobs = [(*which, seed) for seed in seeds for which in dict.fromkeys(order)]
found = checkpoint.train_all(measure, jobs)

# %% [markdown]
# ## How strong?
#
# **λ is chosen on other networks than it is scored on.** Every strength is run with every seed. The λ of a seed is the one that does best, on held-out
# images at the end, with the *other* seeds. (With one seed alone, as at quick settings, with itself.)
#
# *MAS (their λ)* below has the repository's λ, *MAS* the one chosen in this way.

# %%
chosen = {}
for kind, values in tried.items():
    score = np.array([[found[kind, v, seed]["held out"] for v in values] for seed in seeds])
    others = (score.sum(0) - score) if len(seeds) > 1 else score
    chosen[kind] = [values[i] for i in others.argmax(1)]
shown = {
    "at the end": metrics.average_accuracy,
    "right after each task": metrics.learning_accuracy,
}
fig, axes = plt.subplots(1, len(tried), figsize=(11, 3.2), sharey=True)
rows = []
for ax, (kind, values) in zip(axes, tried.items(), strict=True):
    for i, (label, measured_by) in enumerate(shown.items()):
        runs = [[found[kind, v, seed]["accuracy"] for v in values] for seed in seeds]
        drawn = 100 * np.array([measured_by(torch.tensor(of)).numpy() for of in runs])
        style = {"color": plots.COLORS[i], "marker": plots.MARKERS[i], "ls": ""}
        ax.plot(values, drawn.mean(0), color=plots.COLORS[i])
        for s, line in enumerate(drawn):
            ax.plot(values, line, label="" if s else label, ms=4, alpha=0.8, **style)
            rows.append(pd.DataFrame({"kind": kind, "λ": values, "seed": seeds[s]}))
            rows[-1] = rows[-1].assign(measure=label, percent=line)
    ax.set(xscale="log", xlabel="strength λ", title=kind)
axes[0].set_ylabel("accuracy, test images (%)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
note = f"TODO after the run: what to see first. Dots: seeds, lines: means.\n{caption}. Chosen: "
note += "; ".join(f"{kind} {', '.join(f'{v:g}' for v in of)}" for kind, of in chosen.items())
results.save_figure(fig, folder, "strengths", pd.concat(rows), note)

# %% [markdown]
# TODO after the run: where the peaks lie, whether one lies at the edge of what was tried, whether seeds choose alike.
#
# ## One task after the other
#
# *Forgotten* is the accuracy right after a task minus the accuracy at the end, as a share of all test images of the task.
#
# **Prediction.** MAS forgets less than finetuning, and about as much as EWC. It pays for it in learning. The repository's form forgets more at the same λ,
# since its importances are smaller.
#
# **A check.** Two things must hold, or the code is wrong. The last task cannot be forgotten. And right after task 1 all methods must agree,
# since nothing is held yet.

# %%
of_seed = {arm: [which] * len(seeds) for arm, which in fixed.items()}
of_seed |= {kind: [(kind, value) for value in values] for kind, values in chosen.items()}
runs = {
    arm: [found[(*which, seed)] for which, seed in zip(whiches, seeds, strict=True)]
    for arm, whiches in of_seed.items()
}
accuracy = {arm: torch.tensor([run["accuracy"] for run in of]) for arm, of in runs.items()}
ceiling = accuracy.pop("all tasks at once")[:, -1, 0]
right = {name: 100 * a[:, 1:].diagonal(dim1=1, dim2=2) for name, a in accuracy.items()}
end = {name: 100 * a[:, -1] for name, a in accuracy.items()}
lost = {name: right[name] - end[name] for name in accuracy}
columns = {
    label: {name: dict(zip(names, v.T.numpy(), strict=True)) for name, v in of.items()}
    for label, of in {
        "forgotten (points)": lost,
        "accuracy right after it (%)": right,
        "accuracy at the end (%)": end,
    }.items()
}
fig, axes, table = plots.arm_columns(columns)
handles = fig.legends[0].legend_handles
fig.legends[0].remove()
fig.legend(handles, list(accuracy), loc="outside upper center", ncols=4)
note = (
    f"TODO after the run: what to see first. {caption}; test images, told the task; 95 % intervals."
)
results.save_figure(fig, folder, "forgetting", table, note)

# %% [markdown]
# **The check holds** (TODO after the run: look again): the last task stands at zero on the left, and task 1 has the same dots in the middle.
#
# Here is what was forgotten, beside the repository's table:

# %%
theirs = {f"task {t + 1}": value for t, value in enumerate((10.2, 7.6, 4.1, 0.0))}
pd.DataFrame(
    {"theirs (MAS, %)": theirs}
    | {
        name: {n: results.plus_minus(v[:, t]) for t, n in enumerate(names)}
        for name, v in lost.items()
    }
)

# %% [markdown]
# Task 4's 0 % is a definition, not a result: nothing comes after it.
#
# TODO after the run: MAS against finetuning at the repository's λ and at ours; older tasks; what later tasks pay (middle panel); what is left at
# the end; MAS against EWC; the repository's form against the definition; floor and ceiling; the repository's three numbers.
#
# ## The same λ is not the same pull
#
# What λ means depends on the size of what it multiplies. The table has λ times the mean importance (half of that for EWC, whose penalty has the factor ½), and what was forgotten as a
# share of what was learned, tasks before the last.

# %%
rows = []
for arm, of in runs.items():
    row = {"arm": arm}
    pulls = [which[1] for which in of_seed[arm]]
    sizes = [run.get("mean importance", np.nan) for run in of]
    row["λ × mean importance"] = np.mean(np.multiply(pulls, sizes)) / (2 if arm == "EWC" else 1)
    if arm in lost:
        share = 100 * lost[arm][:, :-1].sum(1) / right[arm][:, :-1].sum(1)
        row["forgotten / learned (%)"] = results.plus_minus(share)
        row["accuracy at the end (%)"] = results.plus_minus(end[arm].mean(1))
    else:
        row["accuracy at the end (%)"] = results.plus_minus(100 * ceiling)
    rows.append(row)
pd.DataFrame(rows).set_index("arm").replace(np.nan, "").map(
    lambda v: f"{v:.2g}" if isinstance(v, float) else v
)

# %% [markdown]
# TODO after the run: do arms of the same pull forget alike?
#
# ## What is left for others
#
# As the repository does, a run is written out: shared weights, and for each task a head, its classes and its performance, and the importances. These
# files were left by MAS at the repository's λ (size in bytes):

# %%
found["MAS", reg_lambda, seeds[0]]["files"]

# %% [markdown]
# ## Where it fails: little learned, little to forget
#
# **Our network has learned TODO of its images.** A network that knows more can lose more, or hold it
# better. This run cannot tell.
#
# ## What became of the claims
#
# Where a row says MAS alone, it is MAS with the λ that other seeds chose.

# %%
numbers = {"accuracy/all tasks at once": ceiling}
for name, a in accuracy.items():
    numbers |= {f"forgotten task {t + 1}/{name}": lost[name][:, t] / 100 for t in range(tasks)}
    numbers[f"forgotten/{name}"] = -metrics.backward_transfer(a)
    numbers[f"learned/{name}"] = metrics.learning_accuracy(a)
    numbers[f"accuracy/{name}"] = metrics.average_accuracy(a)
numbers |= {f"strength/{kind}": np.array(values) for kind, values in chosen.items()}
verdicts = claims.read_claims("06b", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = ("tasks", "classes", "width", "pretrained", "num_epochs", "batch_size", "init_lr")
keys += ("reg_lambda", "lambdas", "num_freeze_layers", "train_images", "validation")
settings = {key: globals()[key] for key in (*keys, "samples", "precision")}
_ = results.save_run(folder, "06b", images.name, settings, seeds, numbers, verdicts)

# %% [markdown]
# ## Takeaways
#
# - **A table of forgetting needs a row without the method.** (TODO after the run: MAS at the repository's λ and finetuning, task 1.)
# - **And a column for what was learned.** (TODO after the run.)
# - **A λ has no meaning without the size of what it multiplies.** (TODO after the run.)
# - TODO after the run: whether the repository's numbers are repeated.
#
# *Caveats.* TODO seeds, each with its own draw of classes: intervals hold both. A network with a thirtieth of the repository's weights, from nothing.
# The claims on MAS rest on the λ that other seeds chose; those on the repository's numbers rest on its λ.
#
# ## Exercises
#
# **1. A method that never forgets.** Think of one whose column "forgotten" is zero for every task, and which is useless. Which panel of the figure
# would show it?
#
# <details><summary>Solution</summary>
#
# Freeze the whole network, heads included, after task 1. Then nothing can be forgotten: task 1 keeps what it had, and the other tasks stay at what guessing
# gets. The middle panel shows it. The arm whose heads go on learning is less useless: see how far it gets.
#
# </details>
#
# **2. Hold two layers whatever happens.** Write `num_freeze_layers = 2` into the cell with the parameters, as in the repository. Is less forgotten, and is less learned?
#
# <details><summary>What to look for</summary>
#
# We have not run it. Here the frozen convolutions are random, as task 1 never trained them. So learning may suffer already in task 1. In the
# repository they had learned ImageNet.
#
# </details>
#
# **References.** Aljundi et al. 2018, arXiv:1711.09601. Krizhevsky 2014, arXiv:1404.5997. The source: the MAS repository.
