# %% [markdown]
# # 05c · The Fisher of a convolutional network
#
# **Where in a small convolutional network does elastic weight consolidation hold on, and does that save old classes of CIFAR-10?**
#
# **Answer.** TODO after the run: three plain sentences, at most three numbers. (The smaller run before this one said: EWC hardly holds
# the largest layer, and with ten outputs it saved no old class at any strength that let the network learn its third task.)
#
# *Numbers in the text are those of the full run: CIFAR-10 as a JPEG copy, all 45,000 training images of nine classes, TODO seeds, TODO hours on one core. At quick settings the notebook takes half a minute on two cores, on drawn shapes.*
#
# Before: [05b · Four Fishers](05b_four_fishers.ipynb) · Next: [05d · Where springs fail](05d_where_springs_fail.ipynb)

# %%
import copy
import re
from dataclasses import replace
from functools import partial
from itertools import pairwise
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
    importances,
    methods,
    metrics,
    models,
    plots,
    results,
    streams,
    training,
)

plots.style()

# %% tags=["parameters"]
dataset = "shapes"  # generated, no download; "cifar10": as in the source
train_images = 2000  # training images used, drawn at random
seeds = [0, 1]  # one network of each arm for each
width = 8  # filters of the first convolutions (64 in the source)
epochs = 5  # passes over each task, as in the source
batch_size = 16  # 64 in the source
lr = 1e-3  # of Adam
samples = 100  # images that the exact Fisher is taken on
strengths = [1e4, 1e5]  # λ of EWC with the exact Fisher
l2_strengths = [0.1]  # λ of L2, which holds all weights alike; the first is looked at closely
main_strength = 1e5  # of strengths, the λ that is looked at closely; set before the run
precision = "float32"  # of training; "bfloat16" where the processor has a unit for it
threads = 1  # CPU threads
measured = ""  # folder of what each run has left, kept from run to run; empty: in out
out = ""  # folder for figures, results and networks; empty: out/05c_fisher_of_a_cnn

# %%
folder = results.output_folder(out, "05c_fisher_of_a_cnn")
images = data.load(dataset, train=train_images)
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], "class")
names = [f"task {t + 1}" for t in range(len(stream))]
fig, axes = plt.subplots(3, 9, figsize=(9.5, 3.6))
rows = []
for task, name, line in zip(stream.tasks, names, axes, strict=True):
    for i, ax in enumerate(line):
        label = task.labels[i // 3]
        ax.imshow(task.x_train[task.y_train == label][i % 3].permute(1, 2, 0))
        ax.set(xticks=[], yticks=[])
        ax.set_title(images.classes[label] if i % 3 == 1 else "", fontsize="small")
    rows += [{"task": name, "class": images.classes[label]} for label in task.labels]
    line[0].set_ylabel(name)
note = f"One row is learned after the other; every image must get its class out of ten.\nThree images of each class, as the network gets them. {images.name}."
results.save_figure(fig, folder, "tasks", pd.DataFrame(rows), note)

# %% [markdown]
# ## The idea: a spring on every weight
#
# EWC (notebook 05a) ties each weight $w_i$ to the value $w^*_i$ that it had after an old task. $L_\text{new}$ is the loss on the
# new task:
#
# $$L = L_\text{new} + \frac{\lambda}{2} \sum_i F_i\, (w_i - w^*_i)^2, \qquad
# F_i = \mathbb{E}_x\, \mathbb{E}_{y \sim p(y|x)} \Big(\frac{\partial \log p(y|x)}{\partial w_i}\Big)^2 .$$
#
# **Each weight hangs on a spring.** $F_i$, its *Fisher information*, is the spring's stiffness. It is large where a small change of the
# weight changes the network's answers. The *strength* λ makes all springs stiffer together.
#
# ## The experiment
#
# **Three tasks, one network.** A small VGG has four convolutions (conv1 to conv4), a layer of 256 hidden units (fc5) and ten
# outputs, the *head* (fc6). It learns three classes of CIFAR-10, then three others, then three more. Nobody tells it which task an image
# belongs to: all ten outputs compete. The tenth class never comes.
#
# **The source tries two substitutes for the Fisher.** They square a mean gradient, in which the pulls of different images cancel
# (notebook 05b).
#
# | arm | what is squared | λ |
# |---|---|---|
# | finetuning | nothing: no springs | – |
# | whole set | the mean gradient of all images | 10, the source's |
# | batched | the mean gradient of each 64 images | 10⁶, the source's |
# | exact | each image's gradient, as in the formula | six, 100 to 10⁶ (ours) |
# | L2 | nothing: all springs are alike | 0.01, 0.1, 1 (ours) |
# | *fresh* | exact and L2 once more, and finetuning, with a new Adam for each task | as above |
#
# All other arms carry Adam's moments from task to task, as the source does. Notebook 05a found that this alone can cost more than EWC brings.
#
# With the whole set's square the source reports 0 % on every earlier task. For the batched one we know no number: that it should keep
# anything is our prediction.
#
# **Our run is smaller**, in the filters alone.
#
# | | source | here |
# |---|---|---|
# | filters in conv1 | 64 | 32 |
# | weights | 2.4 million | 1.1 million |
# | training images of a class | up to 5,000 | 5,000 |
# | passes over each task | 5 | 5 |
#
# The source sums its squares where we take their mean, so this cell converts its λ (exercise 1).

# %%
build = partial(models.small_vgg, 10, images.x_train.shape[-1], width)
config = training.TrainConfig(
    epochs, batch_size, lr, "adam", weight_decay=0.0, threads=threads, precision=precision
)
fresh = replace(config, fresh_optimizer=True)
in_task = len(stream.tasks[0].y_train)
batches = in_task / batch_size
exact = partial(methods.EWC, samples=samples)
held, alike = f"exact, λ = {main_strength:g}", f"L2, λ = {l2_strengths[0]:g}"
arms = {
    "finetuning": (exact(0.0), config),  # springs of no strength, so that the Fisher is kept
    "whole set, λ = 10": (methods.EWC(10.0 * batches**2, "batched", batch=in_task), config),
    "batched, λ = 10⁶": (methods.EWC(1e6 * batches, "batched"), config),
    **{f"exact, λ = {s:g}": (exact(s), config) for s in sorted(strengths)},
    **{f"L2, λ = {s:g}": (methods.L2(s), config) for s in sorted(l2_strengths)},
    "finetuning, fresh": (exact(0.0), fresh),
    f"{held}, fresh": (exact(main_strength), fresh),
    f"{alike}, fresh": (methods.L2(l2_strengths[0]), fresh),
}
caption = f"{images.name}, {in_task:,} training images a task, {len(seeds)} seeds, {epochs} epochs a task, width {width}"

# %% [markdown]
# ## What each run leaves
#
# A run takes minutes and its weights are large. So as it ends it is looked at, and what it leaves is kept: accuracies, where its Fisher
# and its penalty lie, and pictures. The figures below are made of that alone.
#
# Two looks need a word. A spring's *penalty* is $F_i \Delta_i^2$, its stiffness times the squared way that the weight went in spite of it. And a
# layer can be *put back* to its weights after task 1, to see what its way cost.


# %%
class Remember(methods.Method):
    """Keeps the weights and what a method's springs have added up after each task."""

    def __init__(self):
        self.weights, self.importance = [], []

    def after_task(self, loop):
        self.weights.append({name: w.detach().clone() for name, w in loop.model.weights.items()})
        self.importance.append(dict(loop.methods[0].springs.importance))


def train(arm, seed):
    """The run of an arm, read if it is there; all arms of a seed share one training on task 1."""
    (method, settings), place = arms[arm], folder / "runs" / str(seed)
    start = (build, methods.Finetune(), stream, config, [seed])
    first = checkpoint.kept(place / "first", *start, until=1)
    chain = [method, Remember()]
    return checkpoint.kept(place / short(arm), build, chain, stream, settings, [seed], first=first)


def short(arm):
    """An arm's name for a file."""
    return re.sub(r"[^\w.+-]+", "_", arm.replace("λ = ", "").replace("10⁶", "1e+06"))


# %%
layers = [name for name, part in build().named_children() if any(True for _ in part.parameters())]


def of_layer(values, layer):
    """A layer's weight and bias, side by side, ``[1, P]``."""
    parts = [v.flatten() for name, v in values.items() if name.split(".")[0] == layer]
    return torch.cat(parts).double().cpu()[None]


def shares(values):
    """The sum of each layer's weights and biases, as a share of all in percent: layer -> number."""
    sums = {layer: float(of_layer(values, layer).sum()) for layer in layers}
    return {layer: 100 * value / max(sum(sums.values()), 1e-30) for layer, value in sums.items()}


def put_back(run, layer):
    """Accuracy (%) on task 1 after the stream, a layer put back to its weights after task 1
    ("all": every layer)."""
    model, task = copy.deepcopy(run.model), stream.tasks[0]
    with torch.no_grad():
        for name, w in model.weights.items():
            if layer in (name.split(".")[0], "all"):
                w.copy_(run.methods[1].weights[0][name])
    model.to(training.pick_device())
    return 100 * float(training.accuracy_on(model, images, task.x_test, task.y_test))


# %%
def fishers(state):
    """The Fisher of each task alone, what the springs gained by it: a list of name -> ``[1, ...]``."""
    added = state.importance
    gained = [{n: v - old[n] for n, v in now.items()} for old, now in pairwise(added)]
    return [dict(added[0]), *gained]


def picture(fisher):
    """A Fisher summed as it is drawn, name -> its sum, its largest and its tones, 255 the largest."""
    found = {}
    for name, value in fisher.items():
        page = value[0].sum(1) if name.startswith("conv") and value.ndim == 5 else value[0]
        if name.startswith("fc5") and page.ndim == 2:  # places of a channel
            page = page.view(len(page), 2 * width, -1).sum(2)
        top = float(page.max())
        tones = (255 * page / max(top, 1e-30)).round().to(torch.uint8).cpu()
        found[name] = {"sum": float(page.sum()), "largest": top, "tones": tones.numpy()}
    return found


def look_at(arm, seed):
    """What a run leaves, trained if need be: numbers and texts, layer by layer."""
    run = train(arm, seed)
    state = run.methods[1]
    ways = {n: (state.weights[1][n] - w).square() for n, w in state.weights[0].items()}
    found = {"accuracy": run.accuracy[0].tolist()}
    if arm in ("finetuning", held):
        found["put back"] = {y: put_back(run, y) for y in ("none", *layers, "all")}
    found["weights"] = shares({name: torch.ones_like(w) for name, w in ways.items()})
    if isinstance(run.methods[0], methods.L2):
        return found
    of = fishers(state)
    found["Fisher"] = [shares(fisher) for fisher in of]
    found["Fisher added up"] = shares(state.importance[-1])
    found["penalty"] = shares({name: f * ways[name] for name, f in of[0].items()})
    found |= {"carrying": [], "overlap": []}
    for y in layers:
        flat = [of_layer(fisher, y) for fisher in of]
        found["carrying"].append([100 * float(importances.carrying(one)) for one in flat])
        pairs = [(flat[s], flat[t]) for t in range(len(flat)) for s in range(t)]
        found["overlap"].append([float(importances.overlap(*pair)) for pair in pairs])
    if arm == "finetuning":
        found["pictures"] = [picture(fisher) for fisher in of]
        kernels = [n for n in of[0] if n.startswith("conv") and n.endswith("weight")]
        found["filters"] = {n: [f[n][0].flatten(1).mean(1).tolist() for f in of] for n in kernels}
    return found


# %%
def measure(arm, seed):
    """What a run has left, read if it is there; only then is it trained."""
    told = {"data": images.name, "train_images": train_images, "width": width, "epochs": epochs}
    told |= {"batch_size": batch_size, "lr": lr, "samples": samples, "precision": precision}
    place = Path(measured or folder / "runs" / "measured") / f"seed_{seed}"
    told |= {"arm": arm, "seed": seed}
    file = place / f"{short(arm)}.pt"
    return checkpoint.kept_result(file, told, lambda: look_at(arm, seed))


# %% tags=["train"]
# Seed by seed, and of each what the text rests on first: a stop leaves whole seeds.
early = ["finetuning", held, "batched, λ = 10⁶", alike, "whole set, λ = 10"]
early += ["finetuning, fresh", f"{held}, fresh", f"exact, λ = {max(strengths):g}"]
jobs = [(arm, seed) for seed in seeds for arm in dict.fromkeys([*early, *arms])]
found = checkpoint.train_all(measure, jobs)
accuracy = {arm: 100 * np.array([found[arm, seed]["accuracy"] for seed in seeds]) for arm in arms}


# %% [markdown]
# ## Does holding weights save old classes?
#
# **Prediction.** The whole set's square keeps 0 % of the earlier tasks, as in the source. Squared batch gradients and the exact Fisher keep
# some at a large λ, at the price of the last task. L2, which holds all weights alike, does no better.


# %%
def one_dot_a_seed(ax, groups, index=0, shift=0.0, label=""):
    """A row for each group, a dot for each of its values and a bar at their mean; returns the table
    behind it."""
    style = {"color": plots.COLORS[index], "marker": plots.MARKERS[index], "ls": ""}
    rows = []
    for i, (row, values) in enumerate(groups.items()):
        height, middle = np.full(len(values), i + shift), np.mean(values)
        ax.plot(values, height, label="" if i else label, ms=4, alpha=0.8, **style)
        ax.plot([middle] * 2, [i + shift - 0.14, i + shift + 0.14], color="0.2", lw=1.5)
        rows += [{"row": row, "seed": s, "%": v} for s, v in zip(seeds, values, strict=True)]
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set(ylim=(len(groups) - 0.5, -0.6), xlim=(-3, 103))
    return pd.DataFrame(rows)


# %%
when = {
    "after all three tasks": lambda a, t: a[:, -1, t],
    "right after the task": lambda a, t: a[:, t + 1, t],
}
fig, axes = plt.subplots(1, 3, figsize=(11, 0.8 + 0.36 * len(arms)), sharey=True)
tables = []
for t, ax in enumerate(axes):
    for i, (label, of) in enumerate(when.items()):
        groups = {arm: of(a, t) for arm, a in accuracy.items()}
        drawn = one_dot_a_seed(ax, groups, i, 0.2 if i else -0.14, label)
        tables.append(drawn.assign(task=t + 1, when=label))
    ax.set(title=names[t], xlabel="accuracy on the task (%)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
note = f"An arm that keeps has its circles to the right in the first two columns.\n{caption}; test images, ten outputs. Dots: seeds, bars: means."
results.save_figure(fig, folder, "kept", pd.concat(tables), note)

# %% [markdown]
# **A check.** During task 1 there are no springs yet. So right after it all arms must agree (left panel, squares of one seed): they do.
#
# TODO after the run: what learns the last task, what keeps the first two, at which λ; whether a λ between 10⁴ and 10⁶ does both; whether
# 0 % of the whole set differs from finetuning (a number that finetuning has too cannot tell whether the springs did anything); batched at
# the source's λ; the weak tie and its control L2; a fresh Adam against a carried one. Seeds differ widely at the largest λ: read dots, not
# means.
#
# ## How much of the Fisher has each layer, and where do the springs pull?
#
# The first three panels show the Fisher of a finetuned network, where springs *would* sit. Then come the springs that EWC has added up, and
# the penalty that task 2 was charged.
#
# **Prediction.** The head and the first convolution have more of the Fisher than of the weights; after task 2 the head has over half. The penalty lies in the large layer fc5, where
# weights move. The head put back, alone, brings half of task 1 back to a finetuned network.


# %%
def left(arm, *keys):
    """What the runs of an arm left under ``keys``: layer -> one value a seed."""
    rows = [found[arm, seed] for seed in seeds]
    for key in keys:
        rows = [row[key] for row in rows]
    return {layer: np.array([row[layer] for row in rows]) for layer in rows[0]}


share = {f"Fisher,\n{name}": left("finetuning", "Fisher", t) for t, name in enumerate(names)}
share["Fisher\nadded up"] = left(held, "Fisher added up")
share["penalty,\ntask 2"] = left(held, "penalty")
share["weights"] = left("finetuning", "weights")
fig, axes = plt.subplots(1, len(share), figsize=(13, 2.9), sharey=True)
tables = []
for i, (ax, (label, of)) in enumerate(zip(axes, share.items(), strict=True)):
    drawn = one_dot_a_seed(ax, of, max(0, i - len(names) + 1))
    tables.append(drawn.assign(what=" ".join(label.split())))
    ax.set_title(label, fontsize="small")
    ax.set_xlabel("share (%)")
note = f"TODO after the run: what to see first. The first three panels: finetuned; the next two: {held}.\n{caption}. Exact Fisher on {samples:,} images a task. Dots: seeds, bars: means."
results.save_figure(fig, folder, "layers", pd.concat(tables), note)

# %%
of_arms = {"finetuned": "finetuning", held: held}
restored = {
    label: {layer: left(arm, "put back")[layer] for layer in ("none", *layers, "all")}
    for label, arm in of_arms.items()
}
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
tables = []
for i, (ax, (label, of)) in enumerate(zip(axes, restored.items(), strict=True)):
    tables.append(one_dot_a_seed(ax, of, i).assign(network=label))
    ax.set(title=label, xlabel="accuracy on task 1 (%)")
axes[0].set_ylabel("layer put back")
note = f"Task 1 after three tasks, one layer's weights as they were after task 1.\n{caption}; ten outputs. Dots: seeds, bars: means."
results.save_figure(fig, folder, "put_back", pd.concat(tables), note)

# %% [markdown]
# TODO after the run: **the Fisher is not where the weights are** (fc5's share of each, the head's, conv1's); where the penalty lies; which
# layer put back brings task 1 back.
#
# ## How many weights carry it, and do tasks share them?
#
# - *Weights that carry 90 %*: the smallest share of a layer's weights that holds nine tenths of its Fisher.
# - *Overlap* of two tasks: $\sum_i \sqrt{\hat F_i\, \hat G_i}$ for two tasks' Fishers scaled to sum 1. It is 1 if they are equal, 0 if no weight is
#   in both.
#
# **Prediction.** In fc5 a fifth of the weights or less carries 90 %. Two tasks overlap more in conv1 than in fc5.

# %%
carrying, overlap = (
    {
        y: np.mean([found["finetuning", seed][key][i] for seed in seeds], 1)
        for i, y in enumerate(layers)
    }
    for key in ("carrying", "overlap")
)
columns = {"weights that carry\n90 % of the Fisher (%)": carrying, "overlap of\ntwo tasks": overlap}
fig, axes, table = plots.dot_columns(columns)
note = f"TODO after the run: what to see first. Finetuned; means over tasks, 95 % intervals.\n{caption}. Exact Fisher on {samples:,} images."
results.save_figure(fig, folder, "carrying", table, note)

# %% [markdown]
# TODO after the run: in which layers few weights carry the Fisher, and where tasks share less.
#
# **Read both with care.** A filter whose ReLU is silent on a task's images has no Fisher there, so that few weights carry it where many
# filters are silent (below). And in notebook 05b overlap mostly told how far the weights had moved on. The table credits the
# prediction on overlap to Kirkpatrick et al. (2017), who saw more overlap near the *output*, for tasks with the same labels and permuted
# pixels.
#
# ## Filter by filter
#
# A *filter* is the small window of weights with which a convolution scans the image. A line follows each one through the three tasks.

# %%
kernels, weak = list(found["finetuning", seeds[0]]["filters"]), 1e-4  # of the layer's largest
fig, axes = plt.subplots(1, len(kernels), figsize=(12, 3.4), sharey=True)
rows, silent = [], {}
for ax, name in zip(axes, kernels, strict=True):
    layer = name.split(".")[0]
    means = np.array([found["finetuning", seed]["filters"][name] for seed in seeds])
    gone = means < weak * means.max(2, keepdims=True)
    silent[layer] = 100 * gone.mean((1, 2))
    for i, line in enumerate(means[0].T):
        color = plots.COLORS[3 if gone[0, :, i].any() else 0]
        ax.plot(range(3), np.maximum(line, 1e-12), color=color, alpha=0.5, lw=1, marker=".")
        rows += [
            {"layer": layer, "filter": i, "task": t + 1, "Fisher": v} for t, v in enumerate(line)
        ]
    ax.set(title=layer, yscale="log", xlabel="after task")
    ax.set_xticks(range(3), ["1", "2", "3"])
axes[0].set_ylabel("Fisher of a weight,\nmean over the filter")
note = f"One line a filter, seed {seeds[0]}, finetuned; orange: once below {weak:g} of the layer's largest.\n{caption}."
results.save_figure(fig, folder, "filters", pd.DataFrame(rows), note)

# %% [markdown]
# TODO after the run: how many filters fall silent in which layer, and whether the leading ones stay.
#
# The source draws the same Fisher in tones. Each little square is one filter, three by three places, summed over its input channels.
# Bright means a large Fisher, and every panel is scaled to its own largest value.


# %%
def tiles(filters, columns=16):
    """Filters ``[N, k, k]`` side by side, ``columns`` in a row, with a gap of one."""
    n, k = filters.shape[:2]
    columns = min(columns, n)
    page = np.full((-(-n // columns) * (k + 1) - 1, columns * (k + 1) - 1), np.nan)
    for i, tile in enumerate(filters):
        row, column = (k + 1) * (i // columns), (k + 1) * (i % columns)
        page[row : row + k, column : column + k] = tile
    return page


def pages(line, name, label, draw=lambda tones: tones, titled=True):
    """The Fisher of ``name`` after each task in a row of axes, each over its own largest; returns
    the table behind it."""
    rows = []
    for t, (ax, of) in enumerate(zip(line, found["finetuning", seeds[0]]["pictures"], strict=True)):
        of, title = of[name], f"after {names[t]}" if titled else ""
        plots.heatmap(ax, draw(of["tones"] / 255), title, vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], xlabel=f"largest {of['largest']:.2g}")
        rows.append({"layer": name, "after": names[t], "sum": of["sum"], "max": of["largest"]})
    line[0].set_ylabel(label)
    return rows


# %%
heights = [-(-len(found["finetuning", seeds[0]]["filters"][name][0]) // 16) for name in kernels]
size = (12, 1.2 + 0.25 * sum(heights) + 0.6 * len(heights))
fig, axes = plt.subplots(len(kernels), len(names), figsize=size, height_ratios=heights)
rows = []
for line, name in zip(axes, kernels, strict=True):
    rows += pages(line, name, name.split(".")[0], tiles, name == kernels[0])
shown = axes[0, 0].images[0]
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = f"{caption}. Exact Fisher on {samples:,} images, seed {seeds[0]}, finetuned, summed over input channels."
results.save_figure(fig, folder, "kernels", pd.DataFrame(rows), note)

# %% [markdown]
# ## A check: which outputs can have a Fisher?
#
# The formula can be worked out for a weight from hidden unit $j$ to output $k$. With $h_j$ the unit's activation and $p_k$ the probability
# that the network gives to class $k$,
#
# $$F_{kj} = \mathbb{E}_x\big[\, p_k (1 - p_k)\, h_j^2 \,\big] .$$
#
# An output that never gets any probability has no Fisher. So after each task only its own three outputs should light up.

# %%
fig, axes = plt.subplots(2, len(names), figsize=(12, 5), height_ratios=(2, 1))
rows = pages(axes[0], "fc5.weight", "fc5: unit × channel of conv4")
rows += pages(axes[1], "fc6.weight", "fc6: output × unit", titled=False)
shown = axes[0, 0].images[0]
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = f"Below, three outputs a task light up. fc5 is summed over the places of a channel.\n{caption}. Exact Fisher on {samples:,} images, seed {seeds[0]}, finetuned."
results.save_figure(fig, folder, "matrices", pd.DataFrame(rows), note)

# %% [markdown]
# **The check holds** (TODO after the run: look again). In the lower row only the three outputs of the task just learned light up. So no spring holds an output whose class is
# still to come.
#
# TODO after the run: fc5's columns in the upper row. The biases, last, as the source draws them:

# %%
drawn = found["finetuning", seeds[0]]["pictures"]
biases = [name for name in drawn[0] if name.endswith("bias")]
fig, axes = plt.subplots(len(names), len(biases), figsize=(13, 4.6), sharex="col", sharey="col")
rows = []
for t, line in enumerate(axes):
    for ax, name in zip(line, biases, strict=True):
        values = drawn[t][name]["tones"] / 255 * drawn[t][name]["largest"]
        thick = max(0.8, 60 / len(values))
        ax.vlines(range(len(values)), 0, values, color=plots.COLORS[t], lw=thick)
        ax.set_title(name.split(".")[0] if t == 0 else "")
        ax.set_xlabel("unit" if t == len(names) - 1 else "")
        ax.ticklabel_format(axis="y", scilimits=(-2, 2))
        here = {"layer": name, "after": names[t]}
        rows += [here | {"unit": i, "Fisher": v} for i, v in enumerate(values)]
    line[0].set_ylabel(f"after {names[t]}")
note = f"{caption}. Exact Fisher of the biases on {samples:,} images, seed {seeds[0]}, finetuned."
results.save_figure(fig, folder, "biases", pd.DataFrame(rows), note)

# %% [markdown]
# ## Where it fails: no spring compares old and new
#
# **A likely reason, not tested here.** By the check above, springs hold only the outputs of tasks already seen. Task 3 is free to
# raise its own three outputs for every image. An old image then gets a new label, however well the old outputs are held.
#
# On digits notebook 05a finds the same: with ten outputs EWC saves nothing; told the task, it works. Here it was never told.
# (TODO after the run: does this still fit what was found?)
#
# ## What became of the claims
#
# "Reproduced" and "not reproduced" below are said of a network of half the source's filters.

# %%
numbers = {}
for arm, a in accuracy.items():
    numbers |= {f"earlier/{arm}": a[:, -1, :-1].mean(1) / 100, f"last/{arm}": a[:, -1, -1] / 100}
    numbers |= {f"task 1/{arm}": a[:, -1, 0] / 100, f"accuracy/{arm}": a[:, -1].mean(1) / 100}
    numbers[f"learned/{arm}"] = metrics.learning_accuracy(torch.tensor(a) / 100)
known = {"exact, held": held, "exact, held, fresh": f"{held}, fresh", "L2, held": alike}
known["exact, weakest"] = f"exact, λ = {min(strengths):g}"
known["L2, weakest"] = f"L2, λ = {min(l2_strengths):g}"
for name, arm in known.items():  # under names that other settings have too
    for key in ("earlier", "last", "accuracy", "learned"):
        numbers[f"{key}/{name}"] = numbers[f"{key}/{arm}"]
for layer in layers:
    of_tasks = [share[f"Fisher,\n{name}"][layer] for name in names]
    numbers[f"share of the Fisher/{layer}"] = np.mean(of_tasks, 0) / 100
    numbers[f"share of the weights/{layer}"] = share["weights"][layer] / 100
    numbers |= {f"overlap/{layer}": overlap[layer], f"carrying/{layer}": carrying[layer] / 100}
for label, of in share.items():
    label = " ".join(label.split())
    numbers |= {f"share, {label}/{layer}": values / 100 for layer, values in of.items()}
for label, of in zip(("finetuned", "held"), restored.values(), strict=True):
    numbers |= {f"put back, {label}/{layer}": values / 100 for layer, values in of.items()}
numbers |= {f"silent/{layer}": values / 100 for layer, values in silent.items()}
verdicts = claims.read_claims("05c", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = ("train_images", "width", "epochs", "batch_size", "lr", "samples", "strengths")
keys += ("l2_strengths", "main_strength", "precision")
settings = {key: globals()[key] for key in keys}
_ = results.save_run(folder, "05c", images.name, settings, seeds, numbers, verdicts)

# %% [markdown]
# ## Takeaways
#
# - TODO after the run: **Springs sit where the Fisher is, not where the weights are.**
# - TODO after the run: what EWC keeps with ten outputs, and at which price.
# - **A score of 0 % needs finetuning beside it.** (TODO after the run: here both have it?)
# - TODO after the run: **Higher accuracy is not memory**, if weak springs end ahead of finetuning because new tasks are learned better.
#
# *Caveats.* TODO seeds, half the source's filters, a JPEG copy. The λ that is looked at closely, 10⁵, was set before the run, and no λ was chosen by
# a result. The Fisher is taken on 1,000 images of each task. But for the arms called fresh, one Adam serves all tasks and carries its
# running means along.
#
# ## Exercises
#
# **1. What is the source's λ worth?** It trains on $B$ batches. Where it *sums* squared batch gradients we take their *mean*. By what must
# its λ be multiplied? And where it sums the gradients first and squares then?
#
# <details><summary>Solution</summary>
#
# By $B$: a sum of $B$ squares is $B$ times their mean. By $B^2$ in the second case: the sum is $B$ times the mean gradient, and then it is squared. The cell
# that sets up the arms says `batches` and `batches**2`.
#
# </details>
#
# **2. Is there a strength between?** Write `strengths = [1e5, 2e5]` into the cell with the parameters. Look in the figure of what is kept for an arm that keeps
# some of the first task and still learns the last.
#
# <details><summary>What to look for</summary>
#
# We have not run it. An arm counts only if it is ahead of finetuning on earlier tasks *and* has learned the last.
#
# </details>
#
# **References.** Kirkpatrick et al. 2017, arXiv:1612.00796. The source: experiments beside the activation preserving loss.
