# %% [markdown]
# OPENING
#
# Before: [05b · Four Fishers](05b_four_fishers.ipynb) · Next: [05d · Where springs fail](05d_where_springs_fail.ipynb)

# %%
import copy
import inspect
from dataclasses import replace
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

plots.style()

# %% tags=["parameters"]
dataset = "shapes"  # drawn, no download; "cifar10": as in the source
train_images = 2000  # training images used, drawn at random; None: all
seeds = [0, 1]  # one network of each arm for each
width = 8  # filters of the first convolutions (64 in the source)
epochs = 5  # passes over each task, as in the source
batch_size = 16  # 64 in the source
lr = 1e-3  # of Adam
samples = 100  # images that the exact Fisher is taken on
strengths = [1e4, 1e5]  # λ of EWC with the exact Fisher
l2_strengths = [0.1]  # λ of L2, which holds all weights alike
fresh_strength = 1e5  # λ of EWC with a fresh optimizer for each task
precision = "float32"  # of training; "bfloat16" where the processor has a unit for it
threads = 1  # CPU threads
measured = ""  # folder of what runs have left, by seed and arm; empty: in out
out = ""  # folder for figures, results and networks; empty: out/05c_fisher_of_a_cnn

# %%
folder = results.output_folder(out, "05c_fisher_of_a_cnn")
images = data.load(dataset, train=train_images)
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], "class")
build = partial(models.small_vgg, 10, images.x_train.shape[-1], width)
config = training.TrainConfig(
    epochs, batch_size, lr, "adam", weight_decay=0.0, threads=threads, precision=precision
)
fresh = replace(config, fresh_optimizer=True)
names = [f"task {t + 1}" for t in range(len(stream))]
in_task = len(stream.tasks[0].y_train)
caption = f"{images.name}, {in_task:,} training images a task, {len(seeds)} seeds, {epochs} epochs a task, width {width}"

# %%
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
note = f"Three images of each class, as the network gets them: one row is learned after the other. {images.name}."
results.save_figure(fig, folder, "tasks", pd.DataFrame(rows), note)

# %% [markdown]
# ## The experiment of the source
#
# A small VGG (four convolutions, two linear layers, ten outputs) learns three tasks of three classes each. Elastic weight
# consolidation (notebook 05a) ties each weight by a spring, as stiff as its Fisher information says.
#
# The source squares other gradients than the Fisher's (notebook 05b): those of mini-batches, at λ = 10⁶, and the one of the whole set, at λ = 10.
# With the second it reports 0 % on every earlier task. It draws what it squared, filter by filter; so do we, in the appendix.
#
# The source *sums* its squares where our Fishers are means. Its λ is therefore worth more, and converted in the cell below.

# %%
batches = in_task / batch_size
exact = partial(methods.EWC, samples=samples)
arms = {
    "finetuning": (exact(0.0), config),
    "whole set, λ = 10": (methods.EWC(10.0 * batches**2, "batched", batch=in_task), config),
    "batched, λ = 10⁶": (methods.EWC(1e6 * batches, "batched"), config),
    **{f"exact, λ = {s:g}": (exact(s), config) for s in strengths},
    **{f"L2, λ = {s:g}": (methods.L2(s), config) for s in l2_strengths},
    "finetuning, fresh": (exact(0.0), fresh),
    f"exact, λ = {fresh_strength:g}, fresh": (exact(fresh_strength), fresh),
    f"L2, λ = {l2_strengths[0]:g}, fresh": (methods.L2(l2_strengths[0]), fresh),
}
Markdown(f"```python\n{inspect.getsource(methods.EWC.after_task)}```")


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
    first = checkpoint.kept(
        place / "first", build, methods.Finetune(), stream, config, [seed], until=1
    )
    name = arm.replace(", ", "_").replace(" = ", "_")
    return checkpoint.kept(
        place / name, build, [method, Remember()], stream, settings, [seed], first=first
    )


# %%
layers = [name for name, part in build().named_children() if any(True for _ in part.parameters())]
held = f"exact, λ = {fresh_strength:g}"


def per_layer(values):
    """The sum of each layer's weights and biases, as a share of all in percent: layer -> number."""
    sums = {
        layer: sum(float(v.sum()) for name, v in values.items() if name.split(".")[0] == layer)
        for layer in layers
    }
    return {layer: 100 * value / max(sum(sums.values()), 1e-30) for layer, value in sums.items()}


def fisher_of(state, t):
    """The Fisher of task t alone: what the springs gained by it."""
    now = state.importance[t]
    return (
        {name: value - state.importance[t - 1][name] for name, value in now.items()} if t else now
    )


def penalty(state, t):
    """Fisher of the tasks up to t, times the squared way of task t + 1, weight by weight."""
    way = {name: state.weights[t + 1][name] - w for name, w in state.weights[t].items()}
    return {name: f * way[name].square() for name, f in state.importance[t].items()}


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


def look_at(run):
    """What a run leaves: accuracies, where the Fisher and the penalty lie, layers put back."""
    state, tasks = run.methods[1], range(len(stream))
    shares = {"weights": per_layer({n: torch.ones_like(w) for n, w in state.weights[0].items()})}
    filters = {}
    if isinstance(run.methods[0], methods.EWC):
        shares |= {f"Fisher, {names[t]}": per_layer(fisher_of(state, t)) for t in tasks}
        shares |= {"Fisher added up": per_layer(state.importance[-1])}
        shares |= {"penalty, task 2": per_layer(penalty(state, 0))}
        for name in [n for n in state.weights[0] if n.startswith("conv") and n.endswith("weight")]:
            of_tasks = [fisher_of(state, t)[name][0].flatten(1).mean(1).tolist() for t in tasks]
            filters[name.removesuffix(".weight")] = of_tasks
    return {
        "accuracy": run.accuracy[0].tolist(),
        "shares": shares,
        "put back": {layer: put_back(run, layer) for layer in ("none", *layers, "all")},
        "filters": filters,
    }


def measure(arm, seed):
    """What a run leaves, read if it is there, and only then trained."""
    method, settings = arms[arm]
    file = Path(measured or folder / "measured") / f"{seed}, {arm}.json"
    one = (build, [method, Remember()], stream, settings, [seed])
    return checkpoint.measured(file, lambda: look_at(train(arm, seed)), *one)


# %% tags=["train"]
found = checkpoint.train_all(measure, [(arm, seed) for seed in seeds for arm in arms])
accuracy = {arm: 100 * np.array([found[arm, seed]["accuracy"] for seed in seeds]) for arm in arms}


def left(arm, key, name=None):
    """What the runs of an arm left under ``key`` and ``name``: layer -> one value a seed."""
    rows = [found[arm, seed][key] for seed in seeds]
    rows = rows if name is None else [row[name] for row in rows]
    return {layer: np.array([row[layer] for row in rows]) for layer in rows[0]}


# %% [markdown]
# ## What it keeps
#
# *Fresh*: a new Adam for every task. The others carry Adam's moments on, as the source does.
#
# **Prediction.** As the source found, the whole set's square keeps nothing of the earlier tasks. Squared batch gradients and the exact
# Fisher keep some at a large λ, at the price of the later tasks. L2, which holds all weights alike, does no better.


# %%
def one_dot_a_seed(ax, groups, index=0, shift=0.0, label=""):
    """A row for each group, a dot for each of its values and a bar at their mean; returns the table behind it."""
    for i, values in enumerate(groups.values()):
        style = {
            "color": plots.COLORS[index],
            "marker": plots.MARKERS[index],
            "ls": "",
            "ms": 4,
            "alpha": 0.8,
        }
        ax.plot(values, np.full(len(values), i + shift), label="" if i else label, **style)
        ax.plot([np.mean(values)] * 2, [i + shift - 0.14, i + shift + 0.14], color="0.2", lw=1.5)
    ax.set_yticks(range(len(groups)), list(groups))
    ax.set(ylim=(len(groups) - 0.5, -0.6), xlim=(-3, 103))
    return pd.DataFrame(
        [
            {"row": row, "seed": s, "%": v}
            for row, values in groups.items()
            for s, v in enumerate(values)
        ]
    )


# %%
shown = {
    "after all three tasks": lambda a, t: a[:, -1, t],
    "right after the task": lambda a, t: a[:, t + 1, t],
}
fig, axes = plt.subplots(1, 3, figsize=(11, 0.8 + 0.36 * len(arms)), sharey=True)
tables = []
for t, ax in enumerate(axes):
    for i, (label, of) in enumerate(shown.items()):
        groups = {arm: of(a, t) for arm, a in accuracy.items()}
        drawn = one_dot_a_seed(ax, groups, i, 0.2 if i else -0.14, label)
        tables.append(drawn.assign(task=t + 1, when=label))
    ax.set(title=names[t], xlabel="accuracy on the task (%)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
note = f"A method that keeps has its circles to the right in the first two columns.\n{caption}; test images, ten outputs; dots: seeds, bars: means."
results.save_figure(fig, folder, "kept", pd.concat(tables), note)

# %% [markdown]
# READING-KEPT
#
# ## Where the Fisher is, and where the springs pull
#
# The Fisher of a finetuned network says where springs *would* sit. What a spring costs is $F_i \Delta_i^2$: its stiffness times the squared way
# that the weight still went. And what a layer's way cost in accuracy can be tried: put the layer back to its weights after task 1, and look at
# task 1 again.
#
# **Prediction.** The head has most of the Fisher. The penalty lies in the large layer fc5, where weights move. The head put back, alone, brings half of task 1
# back to a finetuned network.

# %%
share = {f"Fisher,\n{name}": left("finetuning", "shares", f"Fisher, {name}") for name in names}
share["Fisher\nadded up"] = left(held, "shares", "Fisher added up")
share["penalty,\ntask 2"] = left(held, "shares", "penalty, task 2")
share["weights"] = left(held, "shares", "weights")

# %%
fig, axes = plt.subplots(1, len(share), figsize=(13, 2.9), sharey=True)
tables = []
for i, (ax, (label, of)) in enumerate(zip(axes, share.items(), strict=True)):
    tables.append(
        one_dot_a_seed(ax, of, 0 if i < len(names) else i - 2).assign(what=" ".join(label.split()))
    )
    ax.set(title=label, xlabel="share (%)")
    ax.title.set_fontsize("small")
note = f"The first three are of the finetuned network, the next two of {held}. Dots: seeds, bars: means.\n{caption}. Exact Fisher on {samples:,} images a task."
results.save_figure(fig, folder, "layers", pd.concat(tables), note)


# %%
of_arms = {"finetuned": "finetuning", held: held}
restored = {label: left(arm, "put back") for label, arm in of_arms.items()}

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True)
tables = []
for i, (ax, (label, of)) in enumerate(zip(axes, restored.items(), strict=True)):
    tables.append(one_dot_a_seed(ax, of, i).assign(network=label))
    ax.set(title=label, xlabel="accuracy on task 1 (%)")
axes[0].set_ylabel("layer put back")
note = f"Task 1 after three tasks, one layer's weights as they were after task 1. Dots: seeds, bars: means.\n{caption}; ten outputs."
results.save_figure(fig, folder, "put_back", pd.concat(tables), note)

# %% [markdown]
# READING-LAYERS
#
# ## Filter by filter
#
# The source draws the Fisher of each filter. Here it is the mean over a filter's weights, and a line follows each filter through the three tasks. A filter whose ReLU is silent on a task's
# images has no Fisher there.

# %%
convolutions = [layer for layer in layers if layer.startswith("conv")]
weak = 1e-4  # of the layer's largest
fig, axes = plt.subplots(1, len(convolutions), figsize=(12, 3.4), sharey=True)
rows, silent = [], {}
for ax, layer in zip(axes, convolutions, strict=True):
    fishers = np.array([found["finetuning", seed]["filters"][layer] for seed in seeds])
    silent[layer] = 100 * (fishers < weak * fishers.max(2, keepdims=True)).mean((1, 2))
    for i, line in enumerate(fishers[0].T):
        gone = line.min() < weak * fishers[0].max()
        ax.plot(
            range(3),
            np.maximum(line, 1e-12),
            color=plots.COLORS[3 if gone else 0],
            alpha=0.5,
            lw=1,
            marker=".",
        )
        rows += [
            {"layer": layer, "filter": i, "after task": t + 1, "Fisher": v}
            for t, v in enumerate(line)
        ]
    ax.set(
        title=layer, yscale="log", xticks=range(3), xticklabels=["1", "2", "3"], xlabel="after task"
    )
axes[0].set_ylabel("Fisher of a weight,\nmean over the filter")
note = f"One line a filter, seed 0, finetuned; orange: once below {weak:g} of the layer's largest.\n{caption}."
results.save_figure(fig, folder, "filters", pd.DataFrame(rows), note)

# %% [markdown]
# READING-FILTERS
#
# ## What became of the claims

# %%
numbers = {}
for arm, a in accuracy.items():
    numbers |= {f"earlier/{arm}": a[:, -1, :-1].mean(1) / 100, f"last/{arm}": a[:, -1, -1] / 100}
    numbers |= {f"task 1/{arm}": a[:, -1, 0] / 100, f"accuracy/{arm}": a[:, -1].mean(1) / 100}
    numbers[f"learned/{arm}"] = metrics.learning_accuracy(torch.tensor(a) / 100)
known = {
    "exact, held": held,
    "exact, held, fresh": f"{held}, fresh",
    "L2, held": f"L2, λ = {l2_strengths[0]:g}",
}
known |= {
    "exact, weakest": f"exact, λ = {min(strengths):g}",
    "L2, weakest": f"L2, λ = {min(l2_strengths):g}",
}
for name, arm in known.items():  # under names that other settings have too
    numbers |= {
        f"{key}/{name}": numbers[f"{key}/{arm}"]
        for key in ("earlier", "last", "accuracy", "learned")
    }
for label, of in share.items():
    numbers |= {
        f"share, {' '.join(label.split())}/{layer}": values / 100 for layer, values in of.items()
    }
for label, of in restored.items():
    numbers |= {f"put back, {label}/{layer}": values / 100 for layer, values in of.items()}
numbers |= {f"silent/{layer}": values / 100 for layer, values in silent.items()}
verdicts = claims.read_claims("05c", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = (
    "train_images",
    "width",
    "epochs",
    "batch_size",
    "lr",
    "samples",
    "strengths",
    "l2_strengths",
)
settings = {key: globals()[key] for key in (*keys, "fresh_strength", "precision")}
_ = results.save_run(folder, "05c", images.name, settings, seeds, numbers, verdicts)

# %% [markdown]
# TAKEAWAYS
#
# ## Appendix: the Fisher as the source draws it
#
# Filter by filter, as matrices for the linear layers, and as bars for the biases, after each task; one seed, finetuned.


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


def pages(line, name, pictures):
    """One picture a task in a row of axes, each over its own largest; returns the table behind them, and an image."""
    rows = []
    for t, (ax, page) in enumerate(zip(line, pictures, strict=True)):
        shown = plots.heatmap(ax, page / np.nanmax(page), f"after {names[t]}", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[], xlabel=f"largest {np.nanmax(page):.2g}")
        rows.append(
            {"layer": name, "after": names[t], "sum": np.nansum(page), "max": np.nanmax(page)}
        )
    line[0].set_ylabel(name)
    return rows, shown


state = train("finetuning", seeds[0]).methods[1]  # the one network that must be there
first = [{n: v[0] for n, v in fisher_of(state, t).items()} for t in range(len(names))]

# %%
kernels = [name for name in first[0] if name.startswith("conv") and name.endswith("weight")]
heights = [-(-len(first[0][name]) // 16) for name in kernels]  # rows of tiles
size = (12, 1.2 + 0.25 * sum(heights) + 0.6 * len(heights))
fig, axes = plt.subplots(len(kernels), len(names), figsize=size, height_ratios=heights)
rows = []
for line, name in zip(axes, kernels, strict=True):
    found, shown = pages(
        line, name.removesuffix(".weight"), [tiles(of[name].sum(1).numpy()) for of in first]
    )
    rows += found
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = (
    f"{caption}. Exact Fisher on {samples:,} images, seed 0, finetuned, summed over input channels."
)
results.save_figure(fig, folder, "kernels", pd.DataFrame(rows), note)

# %%
wide, head = [name for name in first[0] if name.startswith("fc") and name.endswith("weight")]
fig, axes = plt.subplots(2, len(names), figsize=(12, 5), height_ratios=(2, 1))
summed = [of[wide].view(len(of[wide]), 2 * width, -1).sum(2).numpy() for of in first]
rows, _ = pages(axes[0], "fc5: unit × channel of conv4", summed)
found, shown = pages(axes[1], "fc6: output × unit", [of[head].numpy() for of in first])
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = f"{caption}. Exact Fisher on {samples:,} images, seed 0, finetuned; fc5 summed over the places of a channel."
results.save_figure(fig, folder, "matrices", pd.DataFrame(rows + found), note)

# %%
biases = [name for name in first[0] if name.endswith("bias")]
fig, axes = plt.subplots(len(names), len(biases), figsize=(13, 4.6), sharex="col", sharey="col")
rows = []
for t, line in enumerate(axes):
    for ax, name in zip(line, biases, strict=True):
        values = first[t][name].numpy()
        ax.vlines(
            range(len(values)), 0, values, color=plots.COLORS[t], lw=max(0.8, 60 / len(values))
        )
        ax.set(
            title=name.removesuffix(".bias") if t == 0 else "",
            xlabel="unit" if t == len(names) - 1 else "",
        )
        ax.ticklabel_format(axis="y", scilimits=(-2, 2))
        rows += [
            {"layer": name, "after": names[t], "unit": i, "Fisher": v} for i, v in enumerate(values)
        ]
    line[0].set_ylabel(f"after {names[t]}")
note = f"{caption}. Exact Fisher of the biases on {samples:,} images, seed 0, finetuned."
results.save_figure(fig, folder, "biases", pd.DataFrame(rows), note)

# %% [markdown]
# EXERCISES
