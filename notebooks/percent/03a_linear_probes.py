# %% [markdown]
# # 03a · Batch-norm, dropout and linear probes
#
# **The outputs have forgotten the old digits: what can a fresh linear classifier still read off the hidden units?**
#
# **Answer.** After five tasks a fresh classifier (a *probe*) still reads 70%<!--=03a probe/plain as .0%--> of all ten digits
# off the plain network. By itself that is no evidence of memory: off an untrained network it reads
# 79%<!--=03a probe/plain, untrained as .0%-->. Batch-norm keeps more than random features do, 89%<!--=03a probe/batch-norm as .0%-->, and so does a plain network at a
# tenth of the learning rate.
#
# *Numbers in the text are those of the full run: all of MNIST, ten seeds, half an hour on one core. At quick settings the notebook takes about a minute on two cores.*
#
# Before: [02 · Sparsity and bias](02_sparsity_and_bias.ipynb) · Next: [03b · Head or body?](03b_head_or_body.ipynb)

# %%
from dataclasses import replace
from functools import partial

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from sklearn.linear_model import LogisticRegression

from cf_utils import (
    claims,
    data,
    methods,
    metrics,
    models,
    observers,
    plots,
    probes,
    replicas,
    results,
    streams,
    training,
)

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "mnist": all 70,000
# Training digits held out: probes are fitted on 80 % of them and scored on the rest.
validation = 1500
seeds = 5  # replicas, trained side by side
epochs = 5  # passes over each task
batch_size = 64
lr = 1e-3
embedding = "pca"  # what draws the maps: pca at once, tsne in half a minute, umap, isomap or mds
out = ""  # folder for figures and results; empty: out/03a_linear_probes

# %%
folder = results.output_folder(out, "03a_linear_probes")
images = data.load(dataset, validation=validation)
stream = streams.split(images, [[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]], scenario="class")
joint = streams.joint(stream)
config = training.TrainConfig(
    epochs=epochs, batch_size=batch_size, lr=lr, optimizer="adamw", weight_decay=0.01
)
names = [task.name for task in stream.tasks]
# Classes as they come: 1, 2, 3, ..., 9, 0.
order = [label for task in stream.tasks for label in task.labels]
caption = (
    f"{images.name}, {len(images.y_train):,} training digits, {seeds} seeds, {epochs} epochs a task"
)


# %%
unfitted = np.arange(len(images.y_val)) % 5 == 0


def answers(model):
    """What a network's own head and a probe of its last hidden layer say of each held-out digit:
    probabilities ``[N, 10]``, and the layer.
    """
    logits, hidden = training.activations(model, images, images.x_val)
    h = hidden[model.relus[-1]][0]
    h = (h / h.std(0).clamp(min=0.1 * h.std())).numpy()
    fitted = LogisticRegression(max_iter=1000).fit(h[~unfitted], images.y_val[~unfitted])
    return {"head": logits[0].softmax(1).numpy(), "probe": fitted.predict_proba(h), "units": h}


examples = {
    "after five tasks": training.run_stream(
        models.mlp, methods.Finetune(), stream, config, [0]
    ).model,
    "untrained": replicas.Replicas(models.mlp, [0]),
}
said = {name: answers(model) for name, model in examples.items()}
# The first 4 that no probe was fitted on and both probes read.
good = (images.y_val == 4).numpy() & unfitted
read_by_both = np.all([of["probe"].argmax(1) == 4 for of in said.values()], axis=0)
shown = int(np.argmax(good & read_by_both))

# %%
fig, axes = plt.subplots(2, 4, figsize=(10, 4.4), width_ratios=(0.8, 1.15, 1.4, 1.4))
for row, (name, of) in zip(axes, said.items(), strict=True):
    row[0].imshow(images.x_val[shown, 0], cmap="gray_r")
    row[1].imshow(of["units"][shown].reshape(7, 12))
    for ax, who, color in zip(row[2:], ("head", "probe"), plots.COLORS, strict=False):
        ax.bar(range(10), of[who][shown], color=color)
        ax.set(xticks=range(10), ylim=(0, 1))
    row[0].set_ylabel(name)
for ax in axes[:, :2].flat:
    ax.set(xticks=[], yticks=[])
titles = ("a digit", "its 84 hidden units", "network's own head says", "a probe of the units says")
for ax, title in zip(axes[0], titles, strict=True):
    ax.set_title(title)
plt.setp(axes[1, 2:], xlabel="digit")
plt.setp(axes[:, 2], ylabel="probability")
note = (
    "Compare what the head says (blue) with what a probe of the same units says (orange).\n"
    "A probe sees the hidden units, not the head; the upper head was last trained on 9 and 0.\n"
    f"{images.name}, seed 0; a 4 that both probes read."
)
bars = [
    pd.DataFrame({"digit": range(10), "probability": of[who][shown]}).assign(network=name, who=who)
    for name, of in said.items()
    for who in ("head", "probe")
]
results.save_figure(fig, folder, "seen", pd.concat(bars), note)

# %% [markdown]
# ## The idea
#
# A *linear probe* (Alain & Bengio 2016) takes the network's hidden activations $h(x)$ as fixed features and fits a new
# linear classifier to them,
#
# $$\hat y = \arg\max_c \; w_c^\top \tilde h(x) + b_c ,$$
#
# here multinomial logistic regression on standardised features $\tilde h$. It shows what the representation holds,
# whatever the network's own last layer, its *head*, says.
#
# The notes that we start from lack three cautions:
#
# - A *random* network has useful features too. An untrained network and the bare pixels are the baselines.
# - A probe is trained itself, so its fit has to converge, on features of one scale.
# - On other digits a probe would score otherwise. Here each seed is scored on held-out digits of its own, so our
#   intervals hold this too.

# %%
# Each held-out digit is in one of so many parts; a seed is scored on one and fitted on others.
parts = max(5, seeds)
mixed = torch.randperm(len(images.y_val), generator=torch.Generator().manual_seed(0))
part = torch.empty_like(mixed)
part[mixed] = torch.arange(len(mixed)) * parts // len(mixed)


def scored_by(seed, index, shift=0):
    """Of the held-out digits ``index``: which a seed's probe uses, and which it is scored on."""
    turn = (part[index] - seed - shift) % parts
    return turn <= 0.8 * parts, turn == 0


def read(h, index, shift=0):
    """Probes of features ``[R, N, D]`` of the held-out digits ``index``, one a seed; as of
    ``probes.linear_probe``. shift: scores each on the digits of another seed.
    """
    found = []
    for seed, features in enumerate(h):
        used, scored = scored_by(seed, index, shift)
        y = images.y_val[index][used]
        found.append(probes.linear_probe(features[None, used], y, ~scored[used]))
    return {key: np.concatenate([one[key] for one in found]) for key in found[0]}


# %%
def digits_of(classes):
    """Which held-out digits are of these classes."""
    return torch.nonzero(torch.isin(images.y_val, torch.tensor(list(classes))))[:, 0]


used, scored = scored_by(0, digits_of(range(10)))
probed = (
    f"{caption}. Probes: fitted on {int((used & ~scored).sum()):,} "
    f"held-out digits, each seed's scored on {int(scored.sum()):,} of its own"
)
print(f"{probed}.")

# %% [markdown]
# Network, tasks and optimizer are those of notebook 01. After each task we probe the last hidden
# layer for the classes seen so far, at the end the first layer too.

# %%
looks, runs = {}, {}
detailed = ("plain", "batch-norm", "L1 = 1", "dropout 0.2")
nine_zero = torch.nonzero(torch.isin(images.y_test, torch.tensor([9, 0])))[:200, 0]


def look(model, classes, name=""):
    """Probes of the hidden layers for these classes, the notes' other measures,
    and the network's own accuracy.
    """
    index = digits_of(classes)
    y = images.y_val[index]
    logits, hidden = training.activations(model, images, images.x_val[index])
    last = hidden[model.relus[-1]]
    own = {"act2": read(last, index), "shift": probes.class_shift(last, y).numpy()}
    if len(classes) == 10 or name in detailed:
        own["act1"] = read(hidden["act1"], index)
    if name in ("plain", "batch-norm"):
        own |= {"again": read(last, index, shift=1)} | look_ahead(model)
    right = logits.argmax(2) == y
    own["network"] = np.array(
        [r[scored_by(seed, index)[1]].double().mean().item() for seed, r in enumerate(right)]
    )
    return own | {
        key: value.numpy() for key, value in probes.activity(model, images, images.x_test).items()
    }


# %%
def look_ahead(model, *_):
    """A probe for 9 against 0, and the last layer's features of some test digits, of one seed."""
    index, last = digits_of([9, 0]), model.relus[-1]
    h = training.activations(model, images, images.x_val[index])[1][last]
    plane = training.activations(model, images, images.x_test[nine_zero])[1][last][0]
    return {"9 and 0": read(h, index), "plane": plane.numpy()}


# %%
def train(name, build=models.mlp, method=None, stream=stream, config=config, look=look):
    """Train replicas and look at them after each task; keeps the looks by name."""

    def note(loop):
        seen = sorted({label for task in loop.stream.tasks[: loop.t + 1] for label in task.labels})
        return look(loop.model, seen, name)

    after, method = observers.Looks(note), method or methods.Finetune()
    runs[name] = training.run_stream(build, method, stream, config, range(seeds), observers=[after])
    looks[name] = after.found


def untrained(build, stream=stream):
    """Replicas as they start.

    batch-norm's statistics are those of task 1's digits, or it would do nothing.
    """
    model = replicas.Replicas(build, range(seeds))
    with torch.no_grad():
        for x in stream.tasks[0].x_train[:4000].split(50):
            model.on(images.scale(x))
    return model


# %% [markdown]
# Two checks that a reader can believe: a probe of features that *are* the answer gets everything
# right, and a probe of noise guesses.

# %%
everything = digits_of(range(10))
y = images.y_val[everything]
noise = torch.randn(1, len(y), 20, generator=torch.Generator().manual_seed(0))
for name, features in {"the answer": torch.eye(10)[y].unsqueeze(0), "noise": noise}.items():
    print(f"{name}: {100 * read(features, everything)['accuracy'][0]:.0f} % right")

# %% [markdown]
# ## What can a probe still read after five tasks?
#
# **Prediction (notes).** After five tasks a probe of the plain network still gets 72 % right where the network gets 20
# %: the representation survives and the head ignores it.
#
# Batch-norm keeps most (89 %), dropout costs (64 %), sparsity is a disaster (31 %); batch-norm rescues both. Weight
# decay of 0.1 helps a little, more of it harms.
#
# (As in the notes, runs with weight decay stop at 98 % training accuracy. A control with the usual decay stops there
# too.)

# %%
L1 = methods.ActivationL1(1.0)
nets = {norm: partial(models.mlp, norm=norm) for norm in ("batch", "layer")}
variants = {
    "plain": {},
    "batch-norm": {"build": nets["batch"]},
    "layer-norm": {"build": nets["layer"]},
    "L1 = 1": {"method": L1},
    "batch-norm, L1 = 1": {"build": nets["batch"], "method": L1},
    "dropout 0.2": {"build": partial(models.mlp, dropout=0.2)},
    "batch-norm, dropout": {"build": partial(models.mlp, norm="batch", dropout=0.2)},
    "batch-norm, dropout, L1 = 1": {
        "build": partial(models.mlp, norm="batch", dropout=0.2),
        "method": L1,
    },
}

# %%
for decay in (0.01, 0.1, 1.0, 5.0):
    variants[f"decay {decay:g}, stopped"] = {
        "config": replace(config, weight_decay=decay, stop_at=0.98)
    }
for name, options in variants.items():
    train(name, **options)
for name, build in {"plain": models.mlp, "batch-norm": nets["batch"]}.items():
    train(f"{name}, joint", build, stream=joint)
    looks[f"{name}, untrained"] = [look(untrained(build), range(10))]
pixels = images.scale(images.x_val[everything]).flatten(1).expand(seeds, -1, -1)
raw = read(pixels, everything)["accuracy"]


# %%
def strength(name, key, layer="act2"):
    """A measure of each class after each task, ``[seeds, tasks, classes in order]``.

    NaN for classes not seen yet.
    """
    values = np.full((seeds, 5, 10), np.nan)
    for t, found in enumerate(looks[name]):
        seen = sorted(order[: 2 * t + 2])
        values[:, t, [order.index(c) for c in seen]] = found[layer][key] if layer else found[key]
    return values


def tables_of(networks, layer, place, columns=4):
    """The probe's accuracy on all classes seen and on each, after each task."""
    tables = {}
    for name in networks:
        overall = np.stack([found[layer]["accuracy"] for found in looks[name]], 1).mean(0)
        tables[name] = 100 * np.vstack([overall, strength(name, "by class", layer).mean(0).T])
    fig, table = plots.number_grid(tables, ["all", *order], names, "class", "after task", columns)
    note = f"{place} hidden layer, classes seen so far; accuracy in %, mean over seeds."
    return fig, table, f"{probed}.\n{note}"


# %%
last = {name: looks[name][-1] for name in looks}
columns = {
    "network itself (%)": {name: 100 * found["network"] for name, found in last.items()},
    "probe of layer 1 (%)": {name: 100 * found["act1"]["accuracy"] for name, found in last.items()},
    "probe of layer 2 (%)": {name: 100 * found["act2"]["accuracy"] for name, found in last.items()},
}
fig, axes, table = plots.dot_columns(columns)
mean, half = metrics.interval(100 * raw)
for ax in axes[1:]:
    ax.axvspan(mean - half, mean + half, color="0.85")
    plots.mark(ax, mean, "pixels")
note = (
    "Middle and right: which networks beat the untrained ones (lower rows) and the pixels (grey)?\n"
    f"{probed}.\nAll ten digits after five tasks; 95 % intervals; grey: the pixels'."
)
results.save_figure(fig, folder, "summary", table, note)

# %% [markdown]
# **The notes' order comes out again, nearly.** Batch-norm ends highest. The plain network keeps 70% ± 3%<!--=03a probe/plain as ±.0%-->, dropout
# less. L1, the penalty on activations, is a disaster that batch-norm softens. Layer-norm, which the notes leave out,
# keeps 86%<!--=03a probe/layer-norm as .0%-->. Whether weak decay helps we cannot tell.
#
# **An untrained network serves a probe better than the plain network after five tasks.** Its second layer gives 78.9%<!--=03a probe/plain, untrained as .1%-->,
# and bare pixels give 87.9% ± 0.9%<!--=03a pixels as ±.1%-->. The stream has made the features worse than random ones.
#
# **For the plain network other digits matter less than other seeds.** Scored on other digits its probe moves by 1.2%<!--=03a deviation by digits/plain as .1%-->
# (one standard deviation); with another seed too by 4.5%<!--=03a deviation by seeds and digits/plain as .1%-->.
#
# **Of these networks only the normalised ones beat random features**: layer-norm, and batch-norm unless this L1
# penalty comes with it.
#
# ## Which digits does it still read?
#
# **Prediction (notes).** Under L1 the probe "consistently does considerably better on the newly introduced classes",
# digit 5 apart. Digit 1, of the first task, stays readable in the plain network, and 5 is the hardest.

# %%
fig, table, note = tables_of(detailed, "act2", "Last")
lead = "In each column compare the lowest two numbers, the newest digits, with those above.\n"
results.save_figure(fig, folder, "tables", table, lead + note)

# %%
newest = {}
for name in detailed:
    by = strength(name, "by class")
    newest[name] = 100 * np.stack(
        [
            by[:, t, 2 * t : 2 * t + 2].mean(1) - by[:, t, : 2 * t].mean(1)
            for t in range(1, len(names))
        ],
        1,
    )
fig, table = plots.over_tasks(
    {"newest two classes − older (points)": newest}, [list(newest)], names[1:], ylim=(-25, 85)
)
fig.axes[0].axhline(0, color="0.4", ls=":", lw=1)
note = (
    "Does L1 (green) favour the newest digits, and are [5, 6] an exception?\n"
    f"{caption}.\nProbe of the last hidden layer; above 0 the newest are read better; 95 % bands."
)
results.save_figure(fig, folder, "newest", table, note)

# %% [markdown]
# **Under L1 a probe reads the newest two digits far better than the older ones.** The gap is 36% ± 3%<!--=03a newest over older/L1 = 1 as ±.0%--> of the digits, a
# mean over the later tasks. In the plain network it is 6% ± 1%<!--=03a newest over older/plain as ±.0%-->.
#
# Digit 5 is the exception, as in the notes: under L1 it is read worse than older ones even when it is new. In the
# plain network digit 1 stays the most readable of the old ones; whether 5 is the hardest, is undecided. Under L1 half
# of digit 1 is lost.
#
# ## Do three measures of strength agree?
#
# The notes measure in three ways, after each task, how well a class is represented:
#
# - *mean shift*: how far the class's mean lies from the mean of all, in deviations;
# - *coefficients*: the norm of the probe's coefficients for the class;
# - *accuracy*: the probe's accuracy on the class.
#
# They call the results inconsistent and use the third. **Prediction.** If all three measured the same thing, they
# would rank the classes alike.


# %%
measures = {
    "mean shift": ("shift", None),
    "coefficients": ("norm", "act2"),
    "accuracy": ("by class", "act2"),
}
again = {"coefficients": ("norm", "again"), "accuracy": ("by class", "again")}
pairs = [(a, b) for i, a in enumerate(measures) for b in list(measures)[i + 1 :]]
agreement = {}
for name in ("plain", "batch-norm"):
    of = {key: strength(name, *measures[key]) for key in measures}
    agreement |= {f"{name}: {a} and {b}": probes.rank_correlation(of[a], of[b]) for a, b in pairs}
    for key, other in again.items():
        pair = f"{name}: {key} and {key}, other digits"
        agreement[pair] = probes.rank_correlation(of[key], strength(name, *other))
fig, axes, table = plots.dot_columns({"rank correlation between classes": agreement})
fig.set_size_inches(9, 4)
plots.mark(axes[0], 0, "none")
axes[0].set_xlim(-1.05, 1.05)
note = (
    "Do two measures rank the classes alike (right of the line) or the other way round (left)?\n"
    f"{probed}.\nSpearman's over the classes seen, mean over tasks 2 to 5; 95 % intervals."
)
results.save_figure(fig, folder, "agreement", table, note)

# %% [markdown]
# **They do not agree: coefficients and accuracy even rank the classes against each other.** Their rank correlation is
# -0.35 ± 0.07<!--=03a agreement/batch-norm: coefficients and accuracy as ±.2f--> with batch-norm and -0.16 ± 0.09<!--=03a agreement/plain: coefficients and accuracy as ±.2f--> without.
#
# **The mean shift agrees weakly with accuracy**: 0.43 ± 0.06<!--=03a agreement/plain: mean shift and accuracy as ±.2f--> in the plain network, 0.24 ± 0.13<!--=03a agreement/batch-norm: mean shift and accuracy as ±.2f--> with batch-norm. This
# is not noise from the split: on other digits coefficients and accuracy agree with themselves, to 0.69<!--=03a agreement/batch-norm: accuracy and accuracy, other digits as .2f--> or better.
#
# ## Does batch-norm help because sparsity cannot grow?
#
# Notebook 02 found that the plain network's units fall silent (89 % sparsity) and that batch-norm prevents it. If that
# is why batch-norm keeps the representation, three things must hold:
#
# - Forcing sparsity *under* batch-norm costs what batch-norm gained.
# - Keeping the plain network's units active *without* batch-norm wins more than half of it.
# - Sparsity explains most of the differences between networks: more than half of the variance.
#
# First, we apply the L1 penalty at several strengths. Second, after every fifth step we set each hidden bias so that
# the unit's mean input on digits of the current task is zero, which is what batch-norm does first. As that also keeps
# biases untrained, networks with frozen biases stand beside it. And we try smaller learning rates, under which
# sparsity grows less.


# %%
class Centre(methods.Method):
    """Every fifth step sets the hidden biases so that each unit's mean input over 500 digits of the
    task is zero. layers: whose biases.
    """

    def __init__(self, layers=("fc1", "fc2")):
        self.layers = layers

    def before_task(self, loop):
        self.after_step(loop)

    def after_step(self, loop):
        if loop.step % 5:
            return
        w, h = loop.model.weights, loop.scaled(loop.task.x_train[:500]).flatten(1)
        h = h.expand(len(loop.model), -1, -1)
        with torch.no_grad():
            for layer in ("fc1", "fc2"):
                weight, bias = w[f"{layer}.weight"], w[f"{layer}.bias"]
                if layer in self.layers:
                    bias.copy_(-(weight @ h.mean(1).unsqueeze(2)).squeeze(2))
                h = torch.relu(h @ weight.mT + bias.unsqueeze(1))


# %%
class Freeze(methods.Method):
    """Hidden biases take no gradient, and so no step of any kind."""

    def before_task(self, loop):
        for name in ("fc1.bias", "fc2.bias"):
            loop.model.weights[name].requires_grad_(False)


for strong in (0.01, 0.1):
    train(f"batch-norm, L1 = {strong:g}", nets["batch"], methods.ActivationL1(strong))
train("plain, centred by biases", method=Centre())
train("plain, biases frozen", method=Freeze())
for slow in (0.3, 0.1):
    train(f"plain, lr {slow * lr:g}", config=replace(config, lr=slow * lr))


# %%
def lasting(start):
    """Networks trained on the five tasks whose names start so."""
    return [name for name in looks if name.startswith(start) and len(looks[name]) == 5]


families = {
    "plain": lasting("plain"),
    "L1 without batch-norm": ["L1 = 1"],
    "dropout": ["dropout 0.2"],
    "weight decay, stopped": lasting("decay"),
    "batch-norm": lasting("batch-norm"),
    "layer-norm": ["layer-norm"],
}
points = {
    name: (100 * looks[name][4]["sparsity"], 100 * looks[name][4]["act2"]["accuracy"])
    for members in families.values()
    for name in members
}
# Networks that differ in one strength alone are joined.
ways = {
    "plain": ["plain", *lasting("plain, lr")],
    "weight decay, stopped": families["weight decay, stopped"],
    "batch-norm": ["batch-norm", *(f"batch-norm, L1 = {strong:g}" for strong in (0.01, 0.1, 1))],
}

# %%
# Where names stand, in points from their dots; those of a crowd are led to it.
places = dict.fromkeys(points, (8, 6)) | {
    "plain": (34, 44),
    "plain, biases frozen": (44, 24),
    "plain, centred by biases": (8, -15),
    "batch-norm, dropout, L1 = 1": (40, -2),
    "batch-norm, L1 = 1": (12, 7),
    "batch-norm": (-56, 14),
    "batch-norm, dropout": (-36, 30),
    "batch-norm, L1 = 0.01": (21, 16),
    "layer-norm": (-66, -16),
    "dropout 0.2": (12, 7),
    "L1 = 1": (-16, 12),
    "decay 0.01, stopped": (-116, 16),
    "decay 0.1, stopped": (-128, -6),
    "decay 1, stopped": (-100, -26),
    "decay 5, stopped": (12, -14),
}

# %%
fig, ax = plt.subplots(figsize=(10, 5.8))
rows = []
for i, (family, members) in enumerate(families.items()):
    color = plots.COLORS[i]
    joined = [[metrics.interval(v)[0] for v in points[name]] for name in ways.get(family, [])]
    if joined:
        ax.plot(*zip(*joined, strict=True), color=color, lw=1, alpha=0.5)
    for name in members:
        (x, dx), (y, dy) = map(metrics.interval, points[name])
        ax.errorbar(x, y, dy, dx, fmt=plots.MARKERS[i], color=color, capsize=2, ms=7, mec="white")
        text = name.removesuffix(", stopped")
        arrow = {"arrowstyle": "-", "color": color, "lw": 0.5, "shrinkB": 4}
        far = abs(places[name][0]) > 20
        ax.annotate(
            text,
            (x, y),
            places[name],
            textcoords="offset points",
            color=color,
            fontsize="small",
            arrowprops=arrow if far else None,
            bbox={"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.3},
        )
        rows.append({"family": family, "name": name, "x": x, "x ci95": dx, "y": y, "y ci95": dy})
base = {"pixels": raw, "untrained network": looks["plain, untrained"][0]["act2"]["accuracy"]}
for name, values in base.items():
    mean, half = metrics.interval(100 * values)
    ax.axhspan(mean - half, mean + half, color="0.85", lw=0)
    ax.axhline(mean, color="0.3", ls=":", lw=1)
    ax.annotate(
        name, (0.995, mean), (0, 3), ("axes fraction", "data"), "offset points", ha="right", size=9
    )
    rows.append({"family": "baseline", "name": name, "y": mean, "y ci95": half})
# As wide as the logarithm of the share that is active.
ax.set_xscale("function", functions=(lambda s: -np.log(101 - s), lambda v: 101 - np.exp(-v)))
ax.set(xticks=[40, 50, 60, 70, 80, 85, 90, 95], xlim=(40, 97), ylim=(None, 97))
ax.set(xlabel="sparsity after task 5 (%)", ylabel="probe of layer 2, all ten digits (%)")
note = (
    "Above the line of the untrained network a network holds more than random features do.\n"
    f"{probed}.\nMeans and 95 % intervals, of the dotted lines too. Joined: one strength varied."
)
results.save_figure(fig, folder, "sparsity", pd.DataFrame(rows), note)


# %%
def between_networks(x, y):
    """Share of the variance of y's means ``[networks]`` that a line in x explains."""
    return np.corrcoef(x.mean(0), y.mean(0))[0, 1] ** 2


def within_networks(x, y):
    """The same of what the seeds differ by, each from its network's mean."""
    dx, dy = (v - v.mean(1, keepdims=True) for v in (x, y))
    return (dx * dy).sum() ** 2 / ((dx**2).sum() * (dy**2).sum())


# %%
def pseudo_values(share, x, y):
    """Jackknife pseudo-values of share(x, y), one for each column; their interval is the share's."""
    n = x.shape[1]
    left_out = [share(np.delete(x, i, 1), np.delete(y, i, 1)) for i in range(n)]
    return n * share(x, y) - (n - 1) * np.array(left_out)


x, y = (np.stack([np.asarray(v[i]) for v in points.values()], 1) for i in (0, 1))
trend = probes.rank_correlation(x[:, None], y[:, None])  # over the variants, [seeds]
left = {name: 100 * looks[name][4]["act2"]["accuracy"] for name in lasting("")}
gain = left["batch-norm"] - left["plain"]
under = left["batch-norm"] - left["batch-norm, L1 = 1"]
centred = left["plain, centred by biases"] - left["plain"]
explained = {
    "between networks, by sparsity": pseudo_values(between_networks, x, y),
    "between networks, by the logarithm\nof the active share": pseudo_values(
        between_networks, np.log(100 - x), y
    ),
    "between seeds of one network, by sparsity": pseudo_values(within_networks, x.T, y.T),
}
shares = {
    "lost to sparsity under batch-norm": metrics.ratio_of_means(under, gain),
    "won by centred biases": metrics.ratio_of_means(centred, gain),
}

# %%
fig, axes = plt.subplots(1, 2, figsize=(11, 2.5))
tables = [
    plots.dots(ax, {row: 100 * values for row, values in of.items()}, label, index=i)
    for i, (ax, of, label) in enumerate(
        [
            (axes[0], explained, "variance of the probe's accuracy explained (%)"),
            (axes[1], shares, "share of batch-norm's gain (%)"),
        ]
    )
]
for ax in axes:
    plots.mark(ax, 50, "half")
    ax.set_xlim(min(0, ax.get_xlim()[0]))
note = (
    "Which intervals lie wholly to the right of half (dotted), and which leave it undecided?\n"
    f"{probed}.\n95 % intervals by the jackknife: over the {x.shape[1]} networks for the two upper rows "
    "on the left, over seeds for all others."
)
results.save_figure(fig, folder, "explained", pd.concat(tables), note)
Markdown(
    f"Over these {x.shape[1]} networks the rank correlation of sparsity and probe is "
    f"**{results.plus_minus(trend, '.2f')}**. Batch-norm gains {results.plus_minus(gain)} points."
)

# %% [markdown]
# **Forced sparsity costs all of batch-norm's gain, and more.** With the strongest penalty the probe falls from 89%<!--=03a probe/batch-norm as .0%--> to
# 60%<!--=03a probe/batch-norm, L1 = 1 as .0%-->, below the plain network's 70%<!--=03a probe/plain as .0%-->. But a penalty changes more than sparsity.
#
# **Centred biases win 69% ± 9%<!--=03a share of batch-norm's gain/won by centred biases as ±.0%--> of the gain.** They keep sparsity at 45%<!--=03a sparsity task 5/plain, centred by biases as .0%--> and lift the plain network's probe to 83%<!--=03a probe/plain, centred by biases as .0%-->.
# That biases are no longer trained is not the reason: frozen ones win nothing.
#
# **Between networks, sparsity explains 55% ± 25%<!--=03a variance explained/between networks, by sparsity as ±.0%--> of the variance: whether most of it, is undecided.** The rank
# correlation is -0.82 ± 0.02<!--=03a rank correlation of sparsity and probe as ±.2f-->, but we chose the networks. A decay of 5 has fewer zeros than the plain network and a far
# worse probe.
#
# **Between seeds of one network it explains 3% ± 14%<!--=03a variance explained/between seeds of one network, by sparsity as ±.0%-->.**
#
# **Activity is part of the reason; how large a part, we cannot say.** The simplest remedy is a tenth of the learning
# rate. The probe then reads 89.0% ± 0.9%<!--=03a probe/plain, lr 0.0001 as ±.1%-->, though more units are silent than with centred biases. Small steps also move
# the weights less. The notes credit such a number to orthogonal gradients, which they trained at that rate (notebook
# 04a).
#
# ## Does the first task teach features for later digits?
#
# In the notes a probe of a batch-norm network tells 9 from 0, the last pair, at 98 % already after the first task.
# They conclude that it "had pretty much learned the features". **Prediction.** If training made these features, an
# untrained network must be far worse.

# %%
others = {
    "[3, 8] first": [[3, 8], [1, 2], [5, 6], [4, 7], [9, 0]],
    "[1, 4] first": [[1, 4], [2, 3], [5, 6], [7, 8], [9, 0]],
}
transfer, starts = {}, {}
for name, build in {"plain": models.mlp, "batch-norm": nets["batch"]}.items():
    starts[name] = look_ahead(untrained(build))
    found = {"[1, 2] first": [starts[name], *looks[name]]}
    for first, groups in others.items():
        other = streams.split(images, groups, scenario="class")
        train(f"{name}, {first}", build, stream=other, look=look_ahead)
        found[first] = [look_ahead(untrained(build, other)), *looks.pop(f"{name}, {first}")]
    transfer[name] = {
        first: 100 * np.stack([of["9 and 0"]["accuracy"] for of in steps], 1)
        for first, steps in found.items()
    }
lines = {f"{n}, {o}": v for n, of in transfer.items() for o, v in of.items()}

# %%
fig, table = plots.over_tasks(
    {"probe for 9 against 0 (%)": lines},
    [[f"{n}, {o}" for o in of] for n, of in transfer.items()],
    ["start", *(f"task {t + 1}" for t in range(5))],
    ylim=(np.floor(min(v.mean(0).min() for v in lines.values())) - 4, 100.3),
)
note = (
    "Tasks 1 to 4 show no 9 or 0: does a line rise above its start, plain (left) or batch-norm?\n"
    f"{probed}.\nThe pair 9 and 0 of these; last hidden layer, 95 % bands."
)
results.save_figure(fig, folder, "transfer", table, note)

# %%
planes = [of["plane"] for of in (starts["batch-norm"], *looks["batch-norm"])]
fig, axes = plt.subplots(1, 6, figsize=(13, 2.5))
titles = ["untrained", *(f"after {name}" for name in names)]
table = plots.clouds(
    axes,
    [probes.embed(plane, embedding) for plane in planes],
    images.y_test[nine_zero].numpy(),
    [[0, 9]] * 6,
    titles,
)
note = (
    "From left to right: in which maps does a gap lie between the 9s and the 0s?\n"
    f"{caption}. Batch-norm, seed 0, {probes.EMBEDDINGS[embedding]} of the last "
    "hidden layer; only the last network has seen 9 and 0."
)
results.save_figure(fig, folder, "maps", table, note)

# %% [markdown]
# **The notes' numbers come out again, but an untrained network does nearly as well.** After the first task a probe
# gets 97.5%<!--=03a 9 against 0, 1/batch-norm, [1, 2] first as .1%-->, on an untrained network 96.9%<!--=03a 9 against 0, 0/batch-norm, [1, 2] first as .1%-->.
#
# **Later tasks may even take features away.** In the first order the plain network's probe falls from 96.7% ± 1.0%<!--=03a 9 against 0, 0/plain, [1, 2] first as ±.1%-->
# untrained to 94.9% ± 1.4%<!--=03a 9 against 0, 4/plain, [1, 2] first as ±.1%--> after four tasks. With batch-norm it does not fall. In the maps, only training on the two
# digits themselves leaves a wide gap.
#
# ## What became of the notes' claims?
#
# Each row is a claim. `claims.csv` says what is tested.

# %%
numbers = {}
for name, found in looks.items():
    for t, after in enumerate(found):
        numbers |= {f"probe task {t + 1}/{name}": after["act2"]["accuracy"]}
        numbers |= {
            f"{key} task {t + 1}/{name}": after[key] for key in ("network", "sparsity", "dead")
        }
    numbers[f"probe of layer 1/{name}"] = found[-1]["act1"]["accuracy"]
    numbers |= {
        f"probe/{name}": found[-1]["act2"]["accuracy"],
        f"network/{name}": found[-1]["network"],
    }
    for c, values in enumerate(found[-1]["act2"]["by class"].T):
        numbers[f"class {c}/{name}"] = values
    numbers[f"classes below 1 %/{name}"] = (found[-1]["act2"]["by class"] < 0.01).sum(1)
    numbers[f"rank of class 5/{name}"] = (
        1 + np.argsort(np.argsort(found[-1]["act2"]["by class"], axis=1), axis=1)[:, 5]
    )
numbers |= {f"agreement/{pair}": v for pair, v in agreement.items()}
numbers |= {f"share of batch-norm's gain/{k}": v for k, v in shares.items()}
numbers |= {f"variance explained/{' '.join(k.split())}": v for k, v in explained.items()}
numbers |= {"rank correlation of sparsity and probe": trend, "pixels": raw}
for name, values in newest.items():
    numbers |= {f"newest over older task {t + 2}/{name}": v / 100 for t, v in enumerate(values.T)}
    numbers[f"newest over older/{name}"] = values.mean(1) / 100
by = strength("L1 = 1", "by class")[:, 2]  # after task 3, when 5 is new
numbers["5 over older task 3/L1 = 1"] = by[:, order.index(5)] - by[:, :4].mean(1)

# %%
for name, of in transfer.items():
    numbers |= {
        f"9 against 0, {stage}/{name}, {first}": v / 100
        for first, values in of.items()
        for stage, v in enumerate(values.T)
    }
for c, digit in enumerate((0, 9)):
    numbers[f"digit {digit} after task 1/batch-norm"] = looks["batch-norm"][0]["9 and 0"][
        "by class"
    ][:, c]
for name in ("plain", "batch-norm"):
    moved = looks[name][-1]["act2"]["accuracy"] - looks[name][-1]["again"]["accuracy"]
    numbers[f"deviation by digits/{name}"] = float(np.sqrt(np.mean(moved**2) / 2))
    numbers[f"deviation by seeds and digits/{name}"] = float(
        np.std(looks[name][-1]["act2"]["accuracy"], ddof=min(1, seeds - 1))
    )
fits = [
    after[layer]["converged"]
    for found in looks.values()
    for after in found
    for layer in ("act1", "act2")
    if layer in after
]
numbers["converged"] = float(np.mean(fits))
verdicts = claims.read_claims("03a", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
settings = {key: globals()[key] for key in ("epochs", "batch_size", "lr", "validation")}
_ = results.save_run(folder, "03a", images.name, settings, range(seeds), numbers, verdicts)
print(f"{100 * numbers['converged']:.1f} % of {len(fits) * seeds:,} probe fits converged.")

# %% [markdown]
# ## Appendix: all tables
#
# Digit by digit, after each task: probes of every network's last layer, of four networks' first layer, and the three
# measures.

# %%
fig, table, note = tables_of(list(variants), "act2", "Last")
lead = "Follow a digit's row to the right: in which networks does it stay yellow (readable)?\n"
results.save_figure(fig, folder, "tables_last_layer", table, lead + note)

# %%
fig, table, note = tables_of(detailed, "act1", "First")
lead = "Compare with the same networks above: does their first layer keep more than their last?\n"
results.save_figure(fig, folder, "tables_first_layer", table, lead + note)

# %%
grids = {}
for name in ("plain", "batch-norm"):
    for key, where in measures.items():
        scale = 100 if key == "accuracy" else 10
        grids[f"{name}: {key}" + (" (%)" if scale == 100 else " (× 10)")] = (
            scale * strength(name, *where).mean(0).T
        )
fig, table = plots.number_grid(grids, order, names, "class", "after task", columns=3, vmax=None)
note = (
    "Compare three tables side by side: is a digit that is bright in one bright in the others?\n"
    f"{probed}.\nLast hidden layer; means over seeds, a colour scale each."
)
results.save_figure(fig, folder, "measures", table, note)

# %% [markdown]
# ## Exercises
#
# **1. Which layer?** `Centre` sets the biases of both hidden layers. Centre one layer at a time (5,000 digits, three
# seeds).

# %%
few_digits = data.load("mnist-5k", validation=1500)
few = streams.split(few_digits, [task.labels for task in stream.tasks], "class")


def zeros_and_probe(method, config=config):
    """Zeros, and what a probe of layer 2 reads of all ten digits, in words."""
    model = training.run_stream(models.mlp, method, few, config, range(3)).model
    index, fitted = probes.held_out(few_digits.y_val, range(10))
    _, hidden = training.activations(model, few_digits, few_digits.x_val[index], ["act2"])
    probe = probes.linear_probe(hidden["act2"], few_digits.y_val[index], fitted)["accuracy"]
    zeros = probes.activity(model, few_digits, few_digits.x_test)["sparsity"]
    return f"{100 * zeros.mean():.0f} % zeros, a probe reads {100 * probe.mean():.0f} %"


print("as it is:", zeros_and_probe(methods.Finetune()))
for centred in (("fc1", "fc2"),):  # your turn: ("fc1",) and ("fc2",)
    print(*centred, "centred:", zeros_and_probe(Centre(centred)))

# %% [markdown]
# You should see that the two layers differ.
#
# <details><summary>Solution</summary>
#
# Centring the second layer alone wins nearly all that centring both does. The first alone wins a few points, though
# it leaves fewer zeros (56 % against some 63 %). So the share of zeros is not all that counts.
#
# </details>
#
# **2. A larger step.** Train at three times the learning rate. Where will the new point lie in the figure of sparsity?

# %%
for factor in (1,):  # your turn: (1, 3)
    print(f"{factor} times:", zeros_and_probe(methods.Finetune(), replace(config, lr=factor * lr)))

# %% [markdown]
# You should see it to the right of the plain network, and below.
#
# <details><summary>Solution</summary>
#
# Over 90 % of the activations are zero, and the probe reads less than half of the digits: the trend goes on.
#
# </details>
#
# ## Takeaways
#
# - **A probe's accuracy means little without the untrained network's and the pixels'.** By that measure the plain
#   network's body ends worse than it began.
# - **Batch-norm, layer-norm or a small learning rate keep a representation that is better than random.** Dropout
#   without batch-norm, L1 and strong decay harm it. The outputs forget all the same: 20%<!--=03a network/batch-norm as .0%--> with batch-norm too.
# - **Networks that kept more units active mostly kept more of the representation.** Activity is part of the reason,
#   not all of it.
# - **An untrained network tells 9 from 0 nearly as well as a trained one**, so forward transfer needs that baseline
#   too.
#
# *Caveats.* One architecture; but for 9 against 0, one order of tasks; all probes are linear. We chose which networks
# to compare.
#
# **References.** Alain & Bengio 2016, arXiv:1610.01644. Ioffe & Szegedy 2015. Davari et al. 2022, arXiv:2203.13381.
# The source: Split-MNIST notes, "Sequential training with weight decay" and "Representation strength and forgetting".
