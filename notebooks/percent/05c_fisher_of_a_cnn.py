# %% [markdown]
# # 05c · The Fisher of a convolutional network
#
# **Which filters of a small VGG does elastic weight consolidation hold, and what do they keep of CIFAR-10?**
#
# A handful in each layer: the head, half a percent of the weights, holds 40% ± 11%<!--=05c share of the Fisher/fc6 as ±.0%--> of the Fisher, the first convolution, less than a thousandth of them, 23% ± 9%<!--=05c share of the Fisher/conv1 as ±.0%-->; the large layer between, 96%<!--=05c share of the weights/fc5 as .0%-->
# of the weights, 2%<!--=05c share of the Fisher/fc5 as .0%-->. They keep nothing that counts. As in the source the squared gradient of the whole set keeps 0%<!--=05c earlier/whole set, λ = 10 as .0%--> of every earlier task; but so do squared batch gradients (0%<!--=05c earlier/batched, λ = 10⁶ as .0%-->), which did better there, and the exact
# Fisher up to λ = 10⁴. At λ = 10⁶ it keeps 35% ± 13%<!--=05c earlier/exact, λ = 1e+06 as ±.0%--> of them and learns 10% ± 16%<!--=05c last/exact, λ = 1e+06 as ±.0%--> of the last: in all no more than finetuning (26% ± 5%<!--=05c accuracy/exact, λ = 1e+06 as ±.0%--> and 26% ± 2%<!--=05c accuracy/finetuning as ±.0%-->).
#
# *(CIFAR-10, JPEG copy, 15,000 training images, five seeds; on two cores half a minute at quick settings, on drawn shapes, and forty minutes of one core at full ones.)*
#
# Before: [05b · Four Fishers](05b_four_fishers.ipynb) · Next: [06a · Memory aware synapses](06a_memory_aware_synapses.ipynb)

# %% [markdown]
# ## The experiment of the source
#
# Three tasks of three classes of CIFAR-10, one head of ten outputs, a small VGG (four convolutions, two linear layers), Adam. The
# source draws the Fisher information filter by filter, and tries EWC (notebook 05a) with two Fishers of its own (05b): squared gradients
# of mini-batches with λ = 10⁶, and the squared gradient of the whole set with λ = 10, which kept 0 % of every earlier task.

# %%
import copy
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from cf_utils import checkpoint, data, methods, models, plots, results, streams, training

plots.style()

# %% tags=["parameters"]
dataset = "shapes"  # drawn, no download; "cifar10": as in the source
train_images = 3000  # training images used, drawn at random; None: all
seeds = [0, 1]  # trained one by one
width = 8  # filters of the first convolutions (64 in the source)
epochs = 5  # passes over each task, as in the source
batch_size = 16  # 64 in the source
lr = 1e-3  # of Adam
samples = 200  # images that the exact Fisher is taken on
strengths = [1e4, 1e5]  # λ of EWC with the exact Fisher
l2_strengths = [0.1]  # λ of L2, which holds all weights alike
fresh_strength = 1e5  # λ of EWC with a fresh optimizer for each task
precision = "float32"  # of training; "bfloat16" where the processor has a unit for it
threads = 1  # CPU threads
out = ""  # folder for figures, results and networks; empty: out/05c_fisher_of_a_cnn

# %%
folder = results.output_folder(out, "05c_fisher_of_a_cnn")
images = data.load(dataset, train=train_images)
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], "class")
build = partial(models.small_vgg, 10, images.x_train.shape[-1], width)
config = training.TrainConfig(
    epochs, batch_size, lr, optimizer="adam", weight_decay=0.0, threads=threads, precision=precision
)
fresh = replace(config, fresh_optimizer=True)
names = [f"task {t + 1}" for t in range(len(stream))]
in_task = len(stream.tasks[0].y_train)
batches = in_task / batch_size
caption = (
    f"{images.name}, {in_task:,} training images a task, {len(seeds)} seeds, {epochs} epochs a task, width {width}"
)
exact = partial(methods.EWC, samples=samples)
# The source sums its gradients over batches where our Fishers are means, so its strengths are worth more.
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


# %%
class Remember(methods.Method):
    """Keeps the weights and what a method's springs have added up after each task."""

    def __init__(self):
        self.weights, self.importance = [], []

    def after_task(self, loop):
        self.weights.append({name: w.detach().clone() for name, w in loop.model.weights.items()})
        self.importance.append(dict(loop.methods[0].springs.importance))


def train(arm, seed):
    """The run of one arm and seed, read from disk if it is there; all arms share one training on task 1."""
    method, settings = arms[arm]
    first, place = folder / "runs" / f"first_{seed}", folder / "runs" / f"{arm.replace(', ', '_')}_{seed}"
    start = checkpoint.kept(first, build, methods.Finetune(), stream, config, [seed], until=1)
    return checkpoint.kept(place, build, [method, Remember()], stream, settings, [seed], first=start)


runs = {arm: [train(arm, seed) for seed in seeds] for arm in arms}
accuracy = {arm: 100 * torch.cat([run.accuracy for run in of]).numpy() for arm, of in runs.items()}
states = {arm: [run.methods[1] for run in of] for arm, of in runs.items()}  # what Remember kept, one a seed

# %% [markdown]
# ## What it keeps
#
# **Prediction.** As the source found, nothing of the earlier tasks with the whole set's Fisher. With squared batch gradients and
# with the exact Fisher some is kept at a large λ, at the price of the later tasks. L2 does no better.

# %%
shown = {"after all three tasks": lambda a, t: a[:, -1, t], "right after the task": lambda a, t: a[:, t + 1, t]}
fig, axes = plt.subplots(1, 3, figsize=(11, 0.8 + 0.3 * len(arms)), sharey=True, sharex=True)
rows = []
for t, ax in enumerate(axes):
    for i, (label, of) in enumerate(shown.items()):
        for line, (arm, a) in enumerate(accuracy.items()):
            values, place = of(a, t), line + (0.2 if i else -0.12)
            style = {"color": plots.COLORS[i], "marker": plots.MARKERS[i], "ls": "", "ms": 4, "alpha": 0.8}
            ax.plot(values, np.full(len(values), place), label="" if line else label, **style)
            rows += [
                {"task": t + 1, "when": label, "arm": arm, "seed": s, "%": v}
                for s, v in zip(seeds, values, strict=True)
            ]
    ax.set(title=names[t], xlabel="accuracy on the task (%)", xlim=(-3, 103))
axes[0].set_yticks(range(len(arms)), list(arms))
axes[0].set_ylim(len(arms) - 0.5, -0.6)
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
note = f"One dot a seed. A method that keeps has its circles to the right in the first two columns.\n{caption}; test images, ten outputs."
results.save_figure(fig, folder, "kept", pd.DataFrame(rows), note)

# %% [markdown]
# READING-KEPT
#
# ## Layer by layer: where the Fisher is, and where the springs pull
#
# The Fisher of a network that was only finetuned says where springs *would* be. What a spring costs is $F_i \Delta_i^2$: the Fisher times
# the squared way that the weight still went in the next task. And what a layer's way costs in accuracy can be tried: put that
# layer back to its weights after task 1, and look at task 1 again.
#
# **Prediction.** The head has most of the Fisher. The penalty lies where weights move, in the large layer fc5. Putting back the head
# alone brings task 1 back when the network was finetuned.

# %%
layers = list(dict.fromkeys(name.split(".")[0] for name in states["finetuning"][0].weights[0]))
held = f"exact, λ = {fresh_strength:g}"


def per_layer(values):
    """Sums over each layer's weights and biases, as shares of all in percent: layer -> number."""
    sums = {layer: sum(float(v.sum()) for n, v in values.items() if n.split(".")[0] == layer) for layer in layers}
    return {layer: 100 * value / max(sum(sums.values()), 1e-30) for layer, value in sums.items()}


def fisher_of(state, t):
    """The Fisher of task t alone: what the springs gained by it."""
    now = state.importance[t]
    return {name: value - state.importance[t - 1][name] for name, value in now.items()} if t else now


def penalty(state, t):
    """Fisher of the tasks up to t, times the squared way of task t + 1, weight by weight."""
    way = {name: state.weights[t + 1][name] - w for name, w in state.weights[t].items()}
    return {name: f * way[name].square() for name, f in state.importance[t].items()}


share = {
    f"Fisher,\n{name}": [per_layer(fisher_of(of, t)) for of in states["finetuning"]] for t, name in enumerate(names)
}
share["Fisher\nadded up"] = [per_layer(of.importance[-1]) for of in states[held]]
share["penalty,\ntask 2"] = [per_layer(penalty(of, 0)) for of in states[held]]
share["weights"] = [per_layer({n: torch.ones_like(w) for n, w in states[held][0].weights[0].items()})] * len(seeds)

# %%
fig, axes = plt.subplots(1, len(share), figsize=(13, 2.9), sharey=True, sharex=True)
rows = []
for i, (ax, (label, of)) in enumerate(zip(axes, share.items(), strict=True)):
    values = np.array([[one[layer] for layer in layers] for one in of])
    ax.barh(range(len(layers)), values.mean(0), color=plots.COLORS[0 if i < len(names) else i - 2], alpha=0.5)
    for row in values:
        ax.plot(row, range(len(layers)), "o", color="0.25", ms=3)
    ax.set(title=label, xlabel="share (%)", xlim=(-3, 103))
    ax.title.set_fontsize("small")
    rows += [
        {"what": " ".join(label.split()), "layer": layer, "seed": s, "%": v}
        for s, row in zip(seeds, values, strict=True)
        for layer, v in zip(layers, row, strict=True)
    ]
axes[0].set_yticks(range(len(layers)), layers)
axes[0].invert_yaxis()
note = f"Bars: means; dots: seeds. The first three are of the finetuned network, the next two of {held}.\n{caption}. Exact Fisher on {samples:,} images a task."
results.save_figure(fig, folder, "layers", pd.DataFrame(rows), note)


# %%
def put_back(arm, run, layer):
    """Accuracy (%) on task 1 after the stream, a layer put back to its weights after task 1 ("all": every layer)."""
    model, then = copy.deepcopy(run.model), run.methods[1].weights[0]
    with torch.no_grad():
        for name, w in model.weights.items():
            if layer in (name.split(".")[0], "all"):
                w.copy_(then[name])
    return 100 * float(training.task_accuracies(model, stream)[0, 0])


tried = {"finetuning": "finetuned", held: held}
restored = {
    label: {layer: np.array([put_back(arm, run, layer) for run in runs[arm]]) for layer in ("none", *layers, "all")}
    for arm, label in tried.items()
}

# %%
fig, axes = plt.subplots(1, 2, figsize=(9, 3), sharey=True, sharex=True)
rows = []
for i, (ax, (label, of)) in enumerate(zip(axes, restored.items(), strict=True)):
    for line, (layer, values) in enumerate(of.items()):
        ax.plot(
            values, np.full(len(values), line), marker=plots.MARKERS[i], color=plots.COLORS[i], ls="", ms=5, alpha=0.8
        )
        ax.plot([values.mean()] * 2, [line - 0.3, line + 0.3], color="0.2", lw=1.5)
        rows += [{"network": label, "put back": layer, "seed": s, "%": v} for s, v in zip(seeds, values, strict=True)]
    ax.set(title=label, xlabel="accuracy on task 1 (%)", xlim=(-3, 103))
axes[0].set_yticks(range(len(restored[label])), list(restored[label]))
axes[0].set_ylabel("layer put back")
axes[0].invert_yaxis()
note = f"One dot a seed, the bar their mean. Task 1 after three tasks, one layer's weights as they were after task 1.\n{caption}; ten outputs."
results.save_figure(fig, folder, "put_back", pd.DataFrame(rows), note)

# %% [markdown]
# READING-LAYERS
#
# ## Filter by filter
#
# The source draws the Fisher of each filter. Ours are summed over a filter's weights and scaled by their number; lines link a filter's values after the three tasks.
# A filter whose ReLU is silent on all images of the task has none.

# %%
convolutions = [layer for layer in layers if layer.startswith("conv")]
weak = 1e-4  # of the layer's largest
fig, axes = plt.subplots(1, len(convolutions), figsize=(12, 3.4), sharey=True)
rows, silent = [], {}
for ax, layer in zip(axes, convolutions, strict=True):
    of_seeds = np.array(
        [
            [fisher_of(one, t)[f"{layer}.weight"][0].flatten(1).mean(1).numpy() for t in range(3)]
            for one in states["finetuning"]
        ]
    )
    silent[layer] = 100 * (of_seeds < weak * of_seeds.max(2, keepdims=True)).mean((1, 2))
    for i, line in enumerate(of_seeds[0].T):
        gone = line.min() < weak * of_seeds[0].max()
        ax.plot(range(3), np.maximum(line, 1e-12), color=plots.COLORS[3 if gone else 0], alpha=0.5, lw=1, marker=".")
        rows += [{"layer": layer, "filter": i, "after task": t + 1, "Fisher": v} for t, v in enumerate(line)]
    ax.set(title=layer, yscale="log", xticks=range(3), xticklabels=["1", "2", "3"], xlabel="after task")
axes[0].set_ylabel("Fisher of a weight,\nmean over the filter")
note = f"One line a filter, seed {seeds[0]}, finetuned; orange: once below {weak:g} of the layer's largest.\n{caption}."
results.save_figure(fig, folder, "filters", pd.DataFrame(rows), note)

# %% [markdown]
# READING-FILTERS
#
# ## What became of the claims

# %%
numbers = {}
for arm, a in accuracy.items():
    numbers[f"earlier/{arm}"], numbers[f"last/{arm}"] = a[:, -1, :-1].mean(1) / 100, a[:, -1, -1] / 100
    numbers[f"task 1/{arm}"] = a[:, -1, 0] / 100
    numbers[f"accuracy/{arm}"] = a[:, -1].mean(1) / 100
    numbers[f"learned/{arm}"] = a[:, 1:].diagonal(axis1=1, axis2=2).mean(1) / 100
known = {"exact, held": held, "exact, held, fresh": f"{held}, fresh", "L2, held": f"L2, λ = {l2_strengths[0]:g}"}
known |= {"exact, weakest": f"exact, λ = {min(strengths):g}", "L2, weakest": f"L2, λ = {min(l2_strengths):g}"}
for name, arm in known.items():  # under names that other settings have too
    numbers |= {f"{key}/{name}": numbers[f"{key}/{arm}"] for key in ("earlier", "last", "accuracy", "learned")}
for label, of in share.items():
    numbers |= {
        f"share, {' '.join(label.split())}/{layer}": np.array([one[layer] for one in of]) / 100 for layer in layers
    }
for label, of in restored.items():
    numbers |= {f"put back, {label}/{layer}": values / 100 for layer, values in of.items()}
numbers |= {f"silent/{layer}": values / 100 for layer, values in silent.items()}
claims = results.read_claims("05c", numbers)
Markdown(results.claims_table(claims))

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
    "fresh_strength",
    "precision",
)
settings = {key: globals()[key] for key in keys}
_ = results.save_run(folder, "05c", images.name, settings, seeds, numbers, claims)

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


first = [{n: v[0] for n, v in fisher_of(states["finetuning"][0], t).items()} for t in range(len(names))]  # of seed 0
kernels = [name for name in first[0] if name.startswith("conv") and name.endswith("weight")]
heights = [-(-len(first[0][name]) // 16) for name in kernels]  # rows of tiles
size = (12, 1.2 + 0.25 * sum(heights) + 0.45 * len(heights))
fig, axes = plt.subplots(len(kernels), len(names), figsize=size, height_ratios=heights)
fig.get_layout_engine().set(wspace=0.06)
rows = []
for line, name in zip(axes, kernels, strict=True):
    pages = [found[name].sum(1).numpy() for found in first]
    for t, (ax, page) in enumerate(zip(line, pages, strict=True)):
        shown = plots.heatmap(
            ax, tiles(page / page.max()), f"after {names[t]}" if ax in axes[0] else "", vmin=0, vmax=1
        )
        ax.set(xticks=[], yticks=[], aspect="equal", xlabel=f"largest {page.max():.2g}")
        rows.append({"layer": name, "after": names[t], "sum": page.sum(), "max": page.max()})
    line[0].set_ylabel(name.removesuffix(".weight"))
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = f"{caption}. Exact Fisher on {samples:,} images, seed {seeds[0]}, finetuned, summed over input channels."
results.save_figure(fig, folder, "filters", pd.DataFrame(rows), note)

# %%
last = [name for name in first[0] if name.startswith("fc") and name.endswith("weight")]
fig, axes = plt.subplots(len(last), len(names), figsize=(12, 4.6), height_ratios=(2, 1))
rows = []
for line, name in zip(axes, last, strict=True):
    pages = [found[name] for found in first]
    pages = [p.view(len(p), 2 * width, -1).sum(2).numpy() if name == last[0] else p.numpy() for p in pages]
    for t, (ax, page) in enumerate(zip(line, pages, strict=True)):
        what = "channel of conv4" if name == last[0] else "hidden unit"
        what += f", largest {page.max():.2g}"
        title = f"after {names[t]}" if ax in axes[0] else ""
        shown = plots.heatmap(ax, page / page.max(), title, what, vmin=0, vmax=1)
        rows.append({"layer": name, "after": names[t], "sum": page.sum(), "max": page.max()})
    line[0].set_ylabel(f"{name.removesuffix('.weight')}: {'hidden unit' if name == last[0] else 'output'}")
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = f"{caption}. Exact Fisher on {samples:,} images, seed {seeds[0]}, finetuned; fc5 summed over the places of a channel."
results.save_figure(fig, folder, "matrices", pd.DataFrame(rows), note)

# %%
biases = [name for name in first[0] if name.endswith("bias")]
fig, axes = plt.subplots(len(names), len(biases), figsize=(13, 4.6), sharex="col", sharey="col")
rows = []
for t, line in enumerate(axes):
    for ax, name in zip(line, biases, strict=True):
        values = first[t][name].numpy()
        ax.vlines(range(len(values)), 0, values, color=plots.COLORS[t], lw=max(0.8, 60 / len(values)))
        ax.set(title=name.removesuffix(".bias") if t == 0 else "", xlabel="unit" if t == len(names) - 1 else "")
        ax.ticklabel_format(axis="y", scilimits=(-2, 2))
        rows += [{"layer": name, "after": names[t], "unit": i, "Fisher": v} for i, v in enumerate(values)]
    line[0].set_ylabel(f"after {names[t]}")
note = f"{caption}. Exact Fisher of the biases on {samples:,} images, seed {seeds[0]}, finetuned."
results.save_figure(fig, folder, "biases", pd.DataFrame(rows), note)
