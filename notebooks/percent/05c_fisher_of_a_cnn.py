# %% [markdown]
# # 05c · The Fisher of a convolutional network
#
# **Where in a small convolutional network does elastic weight consolidation hold on, and does that save old classes of CIFAR-10?**
#
# **Answer.** Elastic weight consolidation (EWC) hardly holds the largest layer: it has 96%<!--=05c share of the weights/fc5 as .0%--> of the weights, but 2%<!--=05c share of the Fisher/fc5 as .0%--> of the Fisher
# information, which sets how firmly a weight is held. At every strength we tried that lets the network learn its third task, it gets
# 0%<!--=05c earlier/exact, best λ as .0%--> of the first two right, as without EWC. Our run is far smaller than the source's and does not decide about it.
#
# *Numbers in the text are those of the full run: CIFAR-10 as a JPEG copy, 15,000 training images, five seeds, forty minutes on one core. At quick settings the notebook takes half a minute on two cores, on drawn shapes.*
#
# Before: [05b · Four Fishers](05b_four_fishers.ipynb) · Next: [05d · Where springs fail](05d_where_springs_fail.ipynb)

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
# | exact | each image's gradient, as in the formula | 100, 10⁴, 10⁶ (ours) |
#
# With the whole set's square the source reports 0 % on every earlier task. For the batched one we know no number. The source's README
# says that EWC is there "for preserving previously learned tasks", and we take that as the claim.
#
# **Our run is far smaller**, so it cannot refute the source.
#
# | | source | here |
# |---|---|---|
# | filters in conv1 | 64 | 16 |
# | weights | 2.4 million | 0.5 million |
# | training images of a class | up to 5,000 | about 1,500 |
# | passes over each task | 5 | 5 |

# %%
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown

from cf_utils import (
    claims,
    data,
    importances,
    methods,
    metrics,
    models,
    observers,
    plots,
    results,
    streams,
    training,
)

plots.style()

# %% tags=["parameters"]
dataset = "shapes"  # generated, no download; "cifar10": as in the source
train_images = 3000  # training images used, drawn at random
validation = 500  # training images held out, to choose λ
seeds = [0, 1]  # trained one by one
width = 8  # filters of the first convolutions (64 in the source)
epochs = 5  # passes over each task, as in the source
batch_size = 16  # 64 in the source
lr = 1e-3  # of Adam
samples = 200  # images that the exact Fisher is taken on
strengths = [1e2, 1e4]  # λ of EWC with the exact Fisher
threads = 1  # CPU threads
out = ""  # folder for figures and results; empty: out/05c_fisher_of_a_cnn

# %% [markdown]
# The source sums its squares where we take their mean, so this cell converts its λ (exercise 1). The next trains every arm, and takes
# the exact Fisher of the finetuned network after each task.

# %%
folder = results.output_folder(out, "05c_fisher_of_a_cnn")
images = data.load(dataset, validation, train=train_images)
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], "class")
build = partial(models.small_vgg, 10, images.x_train.shape[-1], width)
config = training.TrainConfig(
    epochs, batch_size, lr, optimizer="adam", weight_decay=0.0, threads=threads
)
caption = f"{images.name}, {train_images:,} training images, {len(seeds)} seeds, {epochs} epochs a task, width {width}"
names = [f"task {t + 1}" for t in range(len(stream))]
whole, batches = (
    {"fisher": "batched", "batch": len(images.y_train)},
    len(stream.tasks[0].y_train) / batch_size,
)
# The source sums over batches where we average: its strengths are worth more.
arms = {
    "finetuning": methods.Finetune(),
    "whole set, λ = 10": methods.EWC(10.0 * batches**2, **whole),
}
arms["batched, λ = 10⁶"] = methods.EWC(1e6 * batches, "batched")
arms |= {f"exact, λ = {s:g}": methods.EWC(s, samples=samples) for s in strengths}
by_seed = []  # of each seed: after each task, name -> [...]


# %%
def fisher(loop):
    """The exact Fisher after a task."""
    return {n: v.cpu()[0] for n, v in methods.EWC(0.0, samples=samples).importance_of(loop).items()}


accuracy, held_out = {}, {}
for name, arm in arms.items():
    looks = [[observers.Looks(fisher)] if name == "finetuning" else [] for _ in seeds]
    runs = [
        training.run_stream(build, arm, stream, config, [seed], observers=look)
        for seed, look in zip(seeds, looks, strict=True)
    ]
    by_seed += [look.found for of in looks for look in of]
    accuracy[name] = torch.cat([run.accuracy for run in runs])
    held_out[name] = float(
        np.mean([training.task_accuracies(run.model, stream, part="val").mean() for run in runs])
    )

# %% [markdown]
# ## Which filters have a Fisher?
#
# A *filter* is the small window of weights with which a convolution scans the image. Here each little square is one filter, three by
# three places, summed over its input channels. Bright means a large Fisher. Every panel is scaled to its own largest value.


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


convolutions = [
    name for name in by_seed[0][0] if name.startswith("conv") and name.endswith("weight")
]
heights = [-(-len(by_seed[0][0][name]) // 16) for name in convolutions]  # rows of tiles
size = (12, 1.2 + 0.25 * sum(heights) + 0.45 * len(heights))
fig, axes = plt.subplots(len(convolutions), len(names), figsize=size, height_ratios=heights)
fig.get_layout_engine().set(wspace=0.06)
rows = []
for line, name in zip(axes, convolutions, strict=True):
    pages = [found[name].sum(1).numpy() for found in by_seed[0]]
    for t, (ax, page) in enumerate(zip(line, pages, strict=True)):
        shown = plots.heatmap(
            ax,
            tiles(page / page.max()),
            f"after {names[t]}" if ax in axes[0] else "",
            vmin=0,
            vmax=1,
        )
        ax.set(xticks=[], yticks=[], aspect="equal", xlabel=f"largest {page.max():.2g}")
        rows.append({"layer": name, "after": names[t], "sum": page.sum(), "max": page.max()})
    line[0].set_ylabel(name.removesuffix(".weight"))
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = f"{caption}. Exact Fisher on {samples} images, seed 0, summed over input channels."
results.save_figure(fig, folder, "filters", pd.DataFrame(rows), note)

# %% [markdown]
# **In conv2 and conv3 fewer filters count from task to task**, in the one seed drawn. After task 1 many have some Fisher, after task 3 few.
#
# **Some filters lead twice.** The brightest of conv1 is the same after tasks 1 and 2, that of conv4 after tasks 1 and 3. The biases,
# two figures on, agree.
#
# ## A check: which outputs can have a Fisher?
#
# The formula can be worked out for a weight from hidden unit $j$ to output $k$. With $h_j$ the unit's activation and $p_k$ the probability
# that the network gives to class $k$,
#
# $$F_{kj} = \mathbb{E}_x\big[\, p_k (1 - p_k)\, h_j^2 \,\big] .$$
#
# An output that never gets any probability has no Fisher. So after each task only its own three outputs should light up.

# %%
last = [name for name in by_seed[0][0] if name.startswith("fc") and name.endswith("weight")]
fig, axes = plt.subplots(len(last), len(names), figsize=(12, 4.6), height_ratios=(2, 1))
rows = []
for line, name in zip(axes, last, strict=True):
    pages = [found[name] for found in by_seed[0]]
    pages = [
        p.view(len(p), 2 * width, -1).sum(2).numpy() if name == last[0] else p.numpy()
        for p in pages
    ]
    for t, (ax, page) in enumerate(zip(line, pages, strict=True)):
        what = "channel of conv4" if name == last[0] else "hidden unit"
        what += f", largest {page.max():.2g}"
        title = f"after {names[t]}" if ax in axes[0] else ""
        shown = plots.heatmap(ax, page / page.max(), title, what, vmin=0, vmax=1)
        rows.append({"layer": name, "after": names[t], "sum": page.sum(), "max": page.max()})
    line[0].set_ylabel(
        f"{name.removesuffix('.weight')}: {'hidden unit' if name == last[0] else 'output'}"
    )
fig.colorbar(shown, ax=axes, label="Fisher / largest of the panel", fraction=0.02, pad=0.01)
note = (
    f"{caption}. Exact Fisher on {samples} images, seed 0; fc5 summed over the places of a channel."
)
results.save_figure(fig, folder, "matrices", pd.DataFrame(rows), note)

# %% [markdown]
# **The check holds.** In the lower row only the three outputs of the task just learned light up. So no spring holds an output whose class is
# still to come.
#
# **The large layer's Fisher shrinks to a few columns.** The upper row shows fc5. After task 1 it spreads over many channels
# of conv4, after tasks 2 and 3 over one or two.

# %%
biases = [name for name in by_seed[0][0] if name.endswith("bias")]
fig, axes = plt.subplots(len(names), len(biases), figsize=(13, 4.6), sharex="col", sharey="col")
rows = []
for t, line in enumerate(axes):
    for ax, name in zip(line, biases, strict=True):
        values = by_seed[0][t][name].numpy()
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
note = f"{caption}. Exact Fisher of the biases on {samples} images, seed 0."
results.save_figure(fig, folder, "biases", pd.DataFrame(rows), note)

# %% [markdown]
# ## How much of the Fisher has each layer?
#
# Now all five seeds, with two more measures for each layer:
#
# - *Weights that carry 90 %*: the smallest share of a layer's weights that holds nine tenths of its Fisher.
# - *Overlap* of two tasks: $\sum_i \sqrt{\hat F_i\, \hat G_i}$ for two tasks' Fishers scaled to sum 1. It is 1 if they are equal, 0 if no weight is
#   in both.
#
# **Prediction.** The head and the first convolution have more of the Fisher than of the weights. In fc5 a fifth of the weights or less
# carries 90 %. Two tasks overlap more in conv1 than in fc5.

# %%
layers = list(dict.fromkeys(name.split(".")[0] for name in by_seed[0][0]))


def of_layer(found, layer):
    """A layer's weight and bias, side by side, ``[1, P]``."""
    return torch.cat([v.flatten() for n, v in found.items() if n.split(".")[0] == layer]).double()[
        None
    ]


def per_layer(measure):
    """One value a seed for each layer, the mean of ``measure(fishers of a seed, layer)``."""
    return {
        layer: np.array([float(np.mean(measure(of, layer))) for of in by_seed]) for layer in layers
    }


share = per_layer(
    lambda of, y: [
        100 * of_layer(f, y).sum() / sum(of_layer(f, z).sum() for z in layers) for f in of
    ]
)
carrying = per_layer(lambda of, y: [100 * importances.carrying(of_layer(f, y)) for f in of])
pairs = [(s, t) for t in range(len(names)) for s in range(t)]
overlap = per_layer(
    lambda of, y: [importances.overlap(of_layer(of[s], y), of_layer(of[t], y)) for s, t in pairs]
)
sizes = {layer: of_layer(by_seed[0][0], layer).shape[1] for layer in layers}
weights = {
    layer: np.full(len(seeds), 100 * size / sum(sizes.values())) for layer, size in sizes.items()
}
columns = {"share of the\nweights (%)": weights, "share of the\nFisher (%)": share}
columns |= {"weights that carry\n90 % of it (%)": carrying, "overlap of\ntwo tasks": overlap}
fig, axes, table = plots.dot_columns(columns)
note = f"{caption}. Exact Fisher on {samples} images, means over tasks; 95 % intervals."
results.save_figure(fig, folder, "layers", table, note)

# %% [markdown]
# **The Fisher is not where the weights are.** fc5 has 96%<!--=05c share of the weights/fc5 as .0%--> of the weights and 2%<!--=05c share of the Fisher/fc5 as .0%--> of the Fisher. The head has 40%<!--=05c share of the Fisher/fc6 as .0%--> with half a
# percent of the weights. The first convolution has 23%<!--=05c share of the Fisher/conv1 as .0%--> with less than a thousandth.
#
# **Towards the output fewer weights carry the Fisher.** Nine tenths of it lie on 60%<!--=05c carrying/conv1 as .0%--> of conv1's weights, 8%<!--=05c carrying/fc5 as .0%--> of fc5's and 5%<!--=05c carrying/fc6 as .0%--> of the head's.
#
# **Towards the output two tasks share less.** Overlap falls from 0.85<!--=05c overlap/conv1 as .2f--> in conv1 to 0.06<!--=05c overlap/fc5 as .2f--> in fc5. In the head it is 0.002<!--=05c overlap/fc6 as .3f-->, as the
# check demands: each task has outputs of its own. All three predictions hold.
#
# **Read the overlap with care.** The table of claims below credits this prediction to Kirkpatrick et al. (2017). They saw more overlap near the *output*,
# for tasks with the same labels and permuted pixels. Here labels differ and pictures are of one kind. Both fit one rule: tasks overlap where
# they are alike. But in notebook 05b overlap mostly told how far the weights had moved on.
#
# ## Does holding these weights save old classes?
#
# **Prediction.** The whole set's square keeps 0 % of the earlier tasks, as in the source. Squared batch gradients and the exact Fisher keep
# some, at the price of the last task.

# %%
columns = {
    "accuracy at\nthe end (%)": {
        arm: {name: 100 * a[:, -1, t].numpy() for t, name in enumerate(names)}
        for arm, a in accuracy.items()
    },
    "accuracy right\nafter it (%)": {
        arm: {name: 100 * a[:, t + 1, t].numpy() for t, name in enumerate(names)}
        for arm, a in accuracy.items()
    },
}
fig, axes, table = plots.arm_columns(columns)
results.save_figure(fig, folder, "kept", table, f"{caption}; test images, 95 % intervals.")

# %% [markdown]
# **A check.** During task 1 there are no springs yet. So right after it all arms must agree (right panel, top): they do.
#
# **Whatever learns the last task forgets the others entirely.** That holds for finetuning, for both substitutes and for the exact Fisher
# at its two smaller strengths, in every seed. The tasks had been learned: finetuning gets 74%<!--=05c learned/finetuning as .0%--> right just after each, on average, and least of task 2.
#
# **The stiffest springs keep something by not learning.** At the largest λ the network keeps 35% ± 13%<!--=05c earlier/exact, λ = 1e+06 as ±.0%--> of the earlier tasks and learns
# 10% ± 16%<!--=05c last/exact, λ = 1e+06 as ±.0%--> of the last. Seeds differ widely.
#
# **In all that is no gain we could see**: 26% ± 5%<!--=05c accuracy/exact, λ = 1e+06 as ±.0%--> of all tasks' images are right, with finetuning 26% ± 2%<!--=05c accuracy/finetuning as ±.0%-->. Between the two largest strengths we have
# not looked.
#
# **The source's 0 % is reproduced, but says little.** Finetuning keeps 0%<!--=05c earlier/finetuning as .0%--> too. So the number cannot tell whether the springs did
# anything.
#
# **Squared batch gradients keep nothing either.** At the source's λ they keep 0%<!--=05c earlier/batched, λ = 10⁶ as .0%-->, so the claim is not reproduced at our size. The last task
# reaches 73%<!--=05c last/batched, λ = 10⁶ as .0%-->, with finetuning 79%<!--=05c last/finetuning as .0%-->. Whether that is a price of five points or more is undecided.
#
# **Weak springs help to learn, against our prediction.** Right after each task the exact Fisher at its smallest strength has 77% ± 1%<!--=05c learned/exact, λ = 100 as ±.0%-->, finetuning 74% ± 2%<!--=05c learned/finetuning as ±.0%-->.
# So EWC ends ahead, as Kirkpatrick et al. found, but having kept nothing. We do not know why.
#
# ## Where it fails: no spring compares old and new
#
# **A likely reason, not tested here.** By the check above, springs hold only the outputs of tasks already seen. Task 3 is free to
# raise its own three outputs for every image. An old image then gets a new label, however well the old outputs are held.
#
# On digits notebook 05a finds the same: with ten outputs EWC saves nothing; told the task, it works. Here it was never told.
#
# ## What became of the claims
#
# "Reproduced" and "not reproduced" below are said of this small network.

# %%
numbers = {}
for name, a in accuracy.items():
    numbers[f"earlier/{name}"], numbers[f"last/{name}"] = a[:, -1, :-1].mean(1), a[:, -1, -1]
    numbers[f"accuracy/{name}"], numbers[f"learned/{name}"] = (
        metrics.average_accuracy(a),
        metrics.learning_accuracy(a),
    )
best = max((name for name in arms if name.startswith("exact")), key=held_out.get)
for key in ("earlier", "last", "accuracy", "learned"):
    numbers[f"{key}/exact, best λ"] = numbers[f"{key}/{best}"]
for layer in layers:
    numbers |= {
        f"share of the Fisher/{layer}": share[layer] / 100,
        f"overlap/{layer}": overlap[layer],
    }
    numbers |= {
        f"carrying/{layer}": carrying[layer] / 100,
        f"share of the weights/{layer}": weights[layer] / 100,
    }
verdicts = claims.read_claims("05c", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = ("train_images", "validation", "width", "epochs", "batch_size", "lr", "samples", "strengths")
settings = {key: globals()[key] for key in keys}
_ = results.save_run(folder, "05c", images.name, settings, seeds, numbers, verdicts)

# %% [markdown]
# ## Takeaways
#
# - **Springs sit where the Fisher is, not where the weights are.** The head has 40%<!--=05c share of the Fisher/fc6 as .0%--> of the Fisher with half a percent of the weights.
# - **With ten outputs EWC kept nothing** at any strength tried that let the network learn its third task.
# - **A score of 0 % needs finetuning beside it.** Here both have it.
# - **Higher accuracy is not memory.** Weak springs ended ahead of finetuning because the new tasks were learned better.
#
# *Caveats.* Five seeds, a quarter of the source's filters, about a third of its images, a JPEG copy. Three strengths, a factor of a hundred
# apart; the best on held-out images, λ = 100, is the smallest. The Fisher is taken on 2,000 images of each task. One Adam serves all tasks and
# carries its running means along.
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
# **2. Is there a strength between?** Write `strengths = [1e5, 3e5]` into the cell with the parameters. Look in the last figure for an arm that keeps
# some of the first task and still learns the last.
#
# <details><summary>What to look for</summary>
#
# We have not run it. An arm counts only if it is ahead of finetuning on earlier tasks *and* has learned the last.
#
# </details>
#
# **References.** Kirkpatrick et al. 2017, arXiv:1612.00796. The source: experiments beside the activation preserving loss.
