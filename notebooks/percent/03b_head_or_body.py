# %% [markdown]
# # 03b · Head or body?
#
# **Is an old task gone from the network, or only out of reach of its head?**
#
# It depends on normalisation. A new head wins back 64%<!--=03b share won back/plain as .0%--> of what the plain network lost, and 89%<!--=03b share won back/batch-norm as .0%--> with
# batch-norm. On an *untrained* body it would win back 76%<!--=03b share won back by an untrained body/plain as .0%-->, so the plain body ends worse than it began.
# A forgotten task also leaves a trace that speeds up relearning: without batch-norm part of it is in the
# body, with batch-norm we find it in the head alone.
#
# *Numbers in the text are those of the full run: all of MNIST, ten seeds, half an hour on one core. At quick settings the notebook takes about a minute on two cores.*
#
# Before: [03a · Batch-norm, dropout and linear probes](03a_linear_probes.ipynb) · Next: [04a · Orthogonal gradient descent](04a_orthogonal_gradients.ipynb)

# %%
import copy
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
# Training digits held out: probes are fitted on a part of them and scored on the rest.
validation = 1500
seeds = 5  # replicas, trained side by side
epochs = 5  # passes over each task
batch_size = 64
lr = 1e-3
level = 0.95  # share of a relearned task's digits that must be right
out = ""  # folder for figures and results; empty: out/03b_head_or_body

# %%
folder = results.output_folder(out, "03b_head_or_body")
images = data.load(dataset, validation=validation)
first = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]]
stream = streams.split(images, first, scenario="class")
joint = streams.joint(stream)
config = training.TrainConfig(
    epochs=epochs, batch_size=batch_size, lr=lr, optimizer="adamw", weight_decay=0.01
)
names = [task.name for task in stream.tasks]
stages = ["start", *names]
kinds = {"plain": models.mlp} | {
    f"{norm}-norm": partial(models.mlp, norm=norm) for norm in ("batch", "layer")
}
caption = (
    f"{images.name}, {len(images.y_train):,} training digits, {seeds} seeds, {epochs} epochs a task"
)
unfitted = torch.arange(len(images.y_val)) % 5 == 0  # that the picture's heads are not fitted on


# %%
def place(model):
    """Where digits 1 and 2 lie: by a new head fitted to the two, and by the network's own head."""
    index = torch.nonzero(images.y_val.unsqueeze(1).eq(torch.tensor([1, 2])).any(1))[:, 0]
    logits, hidden = training.activations(model, images, images.x_val[index])
    h, out, y = hidden[model.relus[-1]][0], logits[0], images.y_val[index]
    h = (h / h.std(0).clamp(min=0.1 * h.std())).numpy()
    shown = unfitted[index].numpy()
    head = LogisticRegression(max_iter=1000).fit(h[~shown], y[~shown])
    own = out[:, [1, 2]].max(1).values - out[:, [9, 0]].max(1).values
    points = {
        "digit": y[shown],
        "new head": head.decision_function(h[shown]),
        "own head": own[shown],
    }
    return pd.DataFrame({key: np.asarray(values) for key, values in points.items()})


one = training.run_stream(models.mlp, methods.Finetune(), stream, config, [0], until=1)
places = {
    "after [1, 2]": place(one.model),
    "after the stream": place(training.proceed(one, stream).model),
    "untrained": place(replicas.Replicas(models.mlp, [0])),
}

# %%
fig, axes = plt.subplots(1, 3, figsize=(11, 3.7), sharex=True)
for ax, (title, table) in zip(axes, places.items(), strict=True):
    for i, digit in enumerate((1, 2)):
        chosen = table[table.digit == digit]
        ax.scatter(
            chosen["new head"],
            chosen["own head"],
            s=14,
            marker=plots.MARKERS[i],
            color=plots.COLORS[i],
            alpha=0.6,
            linewidths=0,
            label=f"digit {digit}",
        )
    ax.axhline(0, color="0.3", lw=1)
    ax.axvline(0, color="0.3", lw=1, ls=":")
    limit = 1.1 * table["own head"].abs().max()
    ax.set(title=title, xlabel="a new head: 1 ← → 2 (logit)", ylim=(-limit, limit))
axes[0].set_ylabel("own head:  9 or 0 ← → 1 or 2\n(difference of logits)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
note = (
    "Up and down is the head, left and right the body: which changes from left to middle panel?\n"
    "Below the line the network's head prefers 9 or 0 to 1 or 2 (scales differ). Where the "
    "colours part from side to side,\na new head can still tell the digits apart. "
    f"{images.name}, plain network, seed 0."
)
together = pd.concat([table.assign(network=title) for title, table in places.items()])
results.save_figure(fig, folder, "head_and_body", together, note)

# %% [markdown]
# ## The idea
#
# Split a network into a *body* (all layers but the last, which compute features) and a *head* (the last
# layer). After the stream we refit the head alone to all ten digits, as a *linear probe* (notebook 03a).
#
# Four accuracies split the loss: $J$ of the jointly trained network, $P_J$ of a probe on it, and $A$ and
# $P$, the same two for the sequentially trained network.
#
# $$\underbrace{J - A}_{\text{lost}} = \underbrace{P - A}_{\text{won back by a new head}} + \underbrace{P_J - P}_{\text{gone from the body}} + \underbrace{J - P_J}_{\text{probe's own cost}} .$$
#
# Two published opinions start from here. Davari et al. (2022) find with probes that representations forget
# little. Hess et al. (2023) answer that they had *learned* little that is special to a task; relative to
# that, they forget as badly as outputs.

# %% [markdown]
# ## The stream, looked at six times
#
# Network, tasks and optimizer are those of notebook 01. Before training and after each task we fit
# probes to the last hidden layer. One probe is for all ten digits, seen or not. Others are for one
# pair each, as if told the task (*task-aware*). Each seed's probes are scored on held-out digits of
# their own, so that intervals hold the choice of digits too (notebook 03a).

# %%
# Each held-out digit is in one of so many parts; a seed is scored on one and fitted on others.
parts = max(5, seeds)
mixed = torch.randperm(len(images.y_val), generator=torch.Generator().manual_seed(0))
part = torch.empty_like(mixed)
part[mixed] = torch.arange(len(mixed)) * parts // len(mixed)
compared = torch.randperm(len(images.y_test), generator=torch.Generator().manual_seed(0))[:1000]
looks, runs = {}, {}


def probe(hidden, logits, classes):
    """A probe of features of the held-out digits of some classes.

    On the same digits, the network's outputs for these.
    """
    classes, found = sorted(classes), []
    index = torch.nonzero(torch.isin(images.y_val, torch.tensor(classes)))[:, 0]
    y = images.y_val[index]
    for seed, (h, out) in enumerate(zip(hidden[:, index], logits[:, index], strict=True)):
        turn = (part[index] - seed) % parts
        used, scored = turn <= 0.8 * parts, turn == 0
        one = probes.linear_probe(h[None, used], y[used], ~scored[used])
        right = torch.tensor(classes)[out[:, classes].argmax(1)] == y
        by_class = [right[scored & (y == c)].double().mean().item() for c in classes]
        found.append(one | {"outputs": np.array([by_class])})
    return {key: np.concatenate([one[key] for one in found]) for key in found[0]}


# %%
def look(model):
    """Probes for each of the pairs and for all ten digits; features of some test digits."""
    logits, hidden = training.activations(model, images, images.x_val)
    last = hidden[model.relus[-1]]
    return {
        "pairs": [probe(last, logits, pair) for pair in first],
        "all": probe(last, logits, range(10)),
        "features": training.activations(model, images, images.x_test[compared])[1],
    }


# %%
class StartAndEnds(observers.Observer):
    """Looks at the model before training and after each task."""

    def __init__(self, look):
        super().__init__()
        self.look = look

    def before_task(self, loop):
        if loop.t == 0:
            model = copy.deepcopy(loop.model)
            with torch.no_grad():
                # batch-norm's statistics at the start: task 1's, or it would do nothing.
                for x in loop.task.x_train[:4000].split(50):
                    model.on(images.scale(x))
            self.records.append(self.look(model))

    def after_task(self, loop):
        self.records.append(self.look(loop.model))


def train(name, build, stream=stream):
    """Train replicas; look at them before training and after each task."""
    seen = StartAndEnds(look)
    runs[name] = training.run_stream(
        build, methods.Finetune(), stream, config, range(seeds), observers=[seen]
    )
    looks[name] = seen.records


for name, build in kinds.items():
    train(name, build)
    train(f"{name}, joint", build, joint)

# %% [markdown]
# ## How much does a new head win back?
#
# **Prediction (notes).** A probe finds 72 % where the plain network finds 20 %, and 89 % with batch-norm.
# So forgetting is "shallow": a new head wins back most of what is lost.

# %%
split = {}
for name in kinds:
    end, best = looks[name][-1], looks[f"{name}, joint"][-1]
    a, p = end["all"]["outputs"].mean(1), end["all"]["by class"].mean(1)
    j, pj = best["all"]["outputs"].mean(1), best["all"]["by class"].mean(1)
    split[name] = {"lost": j - a, "won back by a new head": p - a, "gone from the body": pj - p}
    split[name] |= {
        "untrained network's probe": looks[name][0]["all"]["by class"].mean(1),
        "probe": p,
    }
    split[name] |= {"outputs": a, "joint probe": pj, "joint": j}

# %%
fig, ax = plt.subplots(figsize=(10, 3.2))
segments = {
    "kept by the outputs": (None, "outputs"),
    "won back by a new head": ("outputs", "probe"),
    "gone from the body": ("probe", "joint probe"),
}
rows = []
for row, of in enumerate(split.values()):
    for i, (label, (start, end)) in enumerate(segments.items()):
        low = 100 * of[start].mean() if start else 0
        mean, half = metrics.interval(100 * of[end])
        color, name = plots.COLORS[(7, 0, 1)[i]], label if row == 0 else None
        ax.barh(row, mean - low, left=low, color=color, alpha=(0.6, 0.8, 0.5)[i], label=name)
        ax.errorbar(mean, row + 0.15, xerr=half, color="0.1", capsize=3)
        rows.append({"row": row, "to": label, "mean": mean, "ci95": half})
    for what, style in {"untrained network's probe": "-", "joint": ":"}.items():
        mean, half = metrics.interval(100 * of[what])
        name = {"joint": "jointly trained network"}.get(what, "new head on an untrained body")
        ax.plot(
            [mean] * 2,
            [row - 0.48, row + 0.48],
            style,
            color="0.1",
            lw=2.5,
            label=name if row == 0 else None,
        )
        ax.fill_betweenx(
            [row - 0.48, row + 0.48], mean - half, mean + half, color="0.1", alpha=0.3, lw=0
        )
        rows.append({"row": row, "to": what, "mean": mean, "ci95": half})
ax.set(yticks=range(len(split)), yticklabels=list(split), xlabel="all ten digits right (%)")
ax.set(xlim=(0, 100), ylim=(len(split) - 0.4, -0.6))
fig.legend(loc="outside upper center", ncols=3)
note = (
    "Where a bar's blue ends left of the thick mark, the body holds less than random features do.\n"
    f"{caption}.\nHeld-out digits, each seed's own; 95 % intervals."
)
table = pd.DataFrame(rows)
table["row"] = table["row"].map(dict(enumerate(split)))
results.save_figure(fig, folder, "split", table, note)

# %% [markdown]
# **A new head wins back most of the loss, as the notes say. That alone is no sign of memory.** The notes
# lacked the thick marks: a probe of the *untrained* plain network already gets 78.6%<!--=03b untrained network's probe/plain as .1%-->. After the stream it
# gets 69.4% ± 3.1%<!--=03b probe/plain as ±.1%-->: training left less than there was.
#
# **With a norm the body ends above its random start.** The probe gets 89.0% ± 0.9%<!--=03b probe/batch-norm as ±.1%--> with batch-norm and
# 85.9% ± 0.9%<!--=03b probe/layer-norm as ±.1%--> with layer-norm. Only what they add to random features can be called kept or learned.
# (Accuracies are means over classes. Untrained, batch-norm has the first task's statistics.)
#
# ## When does the body lose it, and when does it learn?
#
# We probe for all ten digits, seen or not, before the first task and after each.
#
# **Prediction (notes).** With batch-norm a probe for all ten digits gets 85 % after the first task and 89 %
# after the last: most features come with the first task.

# %%
ten = {name: 100 * np.stack([of["all"]["accuracy"] for of in looks[name]], 1) for name in kinds}
fig, table = plots.over_tasks(
    {"probe for all ten digits (%)": ten}, [list(ten)], stages, (None, None)
)
note = (
    "In which task does a line change most, and does any end below its start?\n"
    f"{caption}.\nLast hidden layer, held-out digits; 95 % bands."
)
results.save_figure(fig, folder, "all_ten", table, note)

# %% [markdown]
# **The later tasks teach more than the first.** With batch-norm the probe gets 82.8%<!--=03b all ten, 1/batch-norm as .1%--> after the first
# task and 89.1%<!--=03b all ten, 5/batch-norm as .1%--> after the last, close to the notes. But an untrained network already gives
# 79.4%<!--=03b all ten, 0/batch-norm as .1%-->: the first task adds about half as much as the other four together.
#
# The plain network starts alike and then loses, down to 66.7%<!--=03b all ten, 4/plain as .1%--> after the fourth task.
#
# ## Is a forgotten task relearned faster?
#
# Ebbinghaus measured memory by *savings*: what cannot be recalled may still be learned again in less
# time. We train the first pair again, with a fresh optimizer, and count the steps until 95 % of its
# held-out digits are right. Three networks start:
#
# - *after the stream*: learned the first pair and lost it;
# - *never saw*: learned only the other four pairs;
# - *fresh*: learned nothing.
#
# The first against the third shows what any experience saves; against the second, what memory of the pair
# saves. These two also start with a *new head*, at its initial weights: what is saved then is in the body.

# %%
task = streams.split(images, first[:1])
relearn = {}


def new_head(model, build):
    """A copy of ``model`` with the last layer that its seeds start with."""
    model, start = copy.deepcopy(model), replicas.Replicas(build, range(seeds))
    with torch.no_grad():
        for part in ("fc3.weight", "fc3.bias"):
            model.weights[part].copy_(start.weights[part])
    return model


for name in ("plain", "batch-norm"):
    train(f"{name}, never saw [1, 2]", kinds[name], streams.split(images, first[1:]))
    starts = {
        "after the stream": runs[name].model,
        "never saw [1, 2]": runs[f"{name}, never saw [1, 2]"].model,
    }
    starts |= {
        f"{start}, new head": new_head(model, kinds[name]) for start, model in starts.items()
    }
    starts["fresh"] = replicas.Replicas(kinds[name], range(seeds))
    for start, model in starts.items():
        relearn[name, start] = observers.Curves(500, dense=200)
        training.start_from(
            model, methods.Finetune(), task, config, observers=[relearn[name, start]]
        )

# %%
steps = {key: curves.first_step(level) for key, curves in relearn.items()}
fig, axes = plt.subplots(1, 3, figsize=(13, 3.6), width_ratios=(1, 1, 1.1))
tables = []
for ax, name in zip(axes, ("plain", "batch-norm"), strict=False):
    for i, (_, start) in enumerate(key for key in relearn if key[0] == name):
        x, right = relearn[name, start].of("right", task=0, on=0)
        drawn = plots.band(ax, x[x < 150], 100 * right[:, x < 150], start, index=i, marker=False)
        tables.append(drawn.assign(network=name))
    ax.set(
        title=name,
        xlabel="step of training on [1, 2]",
        ylabel="digits 1 and 2 right (%)",
        ylim=(-3, 103),
    )
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
rows = {f"{name}, {start}": values for (name, start), values in steps.items()}
tables.append(plots.dots(axes[2], rows, f"steps until {level:.0%} are right"))
note = (
    "Does having seen the pair save steps: blue against orange, with new heads green against red?\n"
    f"{caption}. Held-out digits; 95 % bands and intervals."
)
results.save_figure(fig, folder, "savings", pd.concat(tables), note)

# %% [markdown]
# **Nothing is saved against a fresh network.** A fresh network learns the pair in 7<!--=03b steps to relearn/plain, fresh as .0f--> steps. After the
# stream the plain network needs 52 ± 7<!--=03b steps to relearn/plain, after the stream as ±.0f-->, and with batch-norm 65 ± 3<!--=03b steps to relearn/batch-norm, after the stream as ±.0f-->. Having learned other
# digits is a handicap.
#
# **The forgotten pair left a trace.** It saves 27 ± 11<!--=03b steps saved by memory/plain as ±.0f--> steps against a network
# that never saw the pair, and 43 ± 5<!--=03b steps saved by memory/batch-norm as ±.0f--> with batch-norm: a third or more. So against an
# equal handicap memory helps. (A little may be practice: this control trained on one task fewer.)
#
# **Where is the trace?** With a new head everything goes faster: the old head had learned to suppress the
# first pair's outputs. In the plain network memory still saves 14 ± 7<!--=03b steps saved by memory/plain, new head as ±.0f--> steps, so part of the trace is in the
# body. With batch-norm it saves 0 ± 2<!--=03b steps saved by memory/batch-norm, new head as ±z.0f-->: the trace seems to sit in the head.
#
# ## Do representations forget as badly as outputs?
#
# We score each pair's probe before the network trains on the pair, right after, and at the end of the
# stream. *Learned* is the gain from before to after, *forgotten* the fall from after to the end. The
# network's outputs are scored alike. We ask twice: between the two digits of a pair (guessing gets 50 %),
# and among all ten.
#
# **Prediction.** If Davari et al. are right, probes forget far fewer points than outputs. If Hess et al.
# are right, probes forget as large a share of what they learned.

# %%
opinions = {}
for name in kinds:
    ways = {"pairs": lambda f, key: np.stack([of[key].mean(1) for of in f["pairs"]])}
    ways["all ten"] = lambda f, key: np.stack([f["all"][key][:, pair].mean(1) for pair in first])
    for way, read in ways.items():
        change = {}
        for who, key in (("probes", "by class"), ("outputs", "outputs")):
            right = np.stack([read(found, key) for found in looks[name]])  # [stages, pairs, seeds]
            change[f"{who} learned"] = np.mean(
                [right[j + 1, j] - right[j, j] for j in range(4)], axis=0
            )
            change[f"{who} forgot"] = np.mean(
                [right[j + 1, j] - right[5, j] for j in range(4)], axis=0
            )
        for who in ("probes", "outputs"):
            ratio = metrics.ratio_of_means(change[f"{who} forgot"], change[f"{who} learned"])
            change[f"{who} forgot / learned"] = ratio
        opinions[f"{name}, {way}"] = change
arms = ("outputs learned", "outputs forgot", "probes learned", "probes forgot")
columns = {
    f"{title} (points)": {
        arm: {name: 100 * opinions[f"{name}, {way}"][arm] for name in kinds} for arm in arms
    }
    for way, title in {"pairs": "within a pair", "all ten": "among all ten"}.items()
}

# %%
fig, axes, table = plots.arm_columns(columns)
fig.set_size_inches(10, 3.6)
low = min(ax.get_xlim()[0] for ax in axes)
plt.setp(axes, xlim=(low, 103))
note = (
    "Compare forgot with learned, for the outputs and for the probes: level dots, and all is gone.\n"
    f"{caption}. Mean over tasks 1 to 4, held-out digits; 95 % intervals."
)
results.save_figure(fig, folder, "opinions", table, note)

# %%
columns = {
    f"forgotten ÷ learned, {title}": {
        who: {name: opinions[f"{name}, {way}"][f"{who} forgot / learned"] for name in kinds}
        for who in ("outputs", "probes")
    }
    for way, title in {"pairs": "within a pair", "all ten": "among all ten"}.items()
}
fig, axes, table = plots.arm_columns(columns)
fig.set_size_inches(10, 2.8)
for ax in axes:
    plots.mark(ax, 1, "all of it")
limits = [ax.get_xlim() for ax in axes]
plt.setp(axes, xlim=(min(0, *(low for low, _ in limits)), max(high for _, high in limits)))
note = (
    "Do probes (orange) forget as large a share of what they learned as outputs (blue) do?\n"
    f"{caption}. Ratios of means over tasks 1 to 4, with jackknife intervals (95 %)."
)
results.save_figure(fig, folder, "ratios", table, note)

# %% [markdown]
# **Representations lose far less than outputs, as Davari et al. say.** Within a pair the plain network's
# outputs forget 46%<!--=03b outputs forgot/plain, pairs as .0%--> and its probes 4.9%<!--=03b probes forgot/plain, pairs as .1%-->. With batch-norm it is 39%<!--=03b outputs forgot/batch-norm, pairs as .0%--> and 0.8%<!--=03b probes forgot/batch-norm, pairs as .1%-->.
# Our limit was a tenth of the outputs' loss: batch-norm is below, for the plain network we cannot tell.
#
# **Without a norm Hess et al. seem right too.** The plain network's probes had gained little, and forget
# 0.93 ± 0.37<!--=03b probes forgot / learned/plain, pairs as ±.2f--> of it: most, perhaps all. Among all ten digits they forget more than they had learned. With
# a norm most is kept: 0.32 ± 0.14<!--=03b probes forgot / learned/batch-norm, pairs as ±.2f--> is forgotten with batch-norm, 0.15 ± 0.07<!--=03b probes forgot / learned/layer-norm, pairs as ±.2f--> with layer-norm.
#
# **What is kept need not come from the task.** By a probe, a batch-norm network that never saw the first pair
# tells its digits apart as well. In the plain network we cannot tell. So who is right depends on the
# network, and on what "learned" is measured from (exercise 2).
#
# ## What became of the claims
#
# `claims.csv` says what is tested; the verdict follows from the interval.

# %%
numbers = {f"{what}/{name}": v for name, of in split.items() for what, v in of.items()}
numbers |= {
    f"share won back/{name}": of["won back by a new head"] / of["lost"]
    for name, of in split.items()
}
numbers |= {
    f"share won back by an untrained body/{n}": (
        of["untrained network's probe"] - of["probe"] + of["won back by a new head"]
    )
    / of["lost"]
    for n, of in split.items()
}
numbers |= {f"{what}/{name}": v for name, of in opinions.items() for what, v in of.items()}

# %%
for name in ("plain", "batch-norm"):
    without = looks[f"{name}, never saw [1, 2]"][-1]["pairs"][0]["accuracy"]
    numbers[f"exclusion/{name}"] = looks[name][-1]["pairs"][0]["accuracy"] - without
numbers |= {f"steps to relearn/{name}, {start}": v for (name, start), v in steps.items()}
for name in kinds:
    ten = [found["all"]["accuracy"] for found in looks[name]]
    numbers |= {f"all ten, {stage}/{name}": v for stage, v in enumerate(ten)}
    numbers |= {
        f"all ten, gain in task 1/{name}": ten[1] - ten[0],
        f"all ten, gain later/{name}": ten[5] - ten[1],
    }
for name in ("plain", "batch-norm"):
    for head in ("", ", new head"):
        saved = steps[name, f"never saw [1, 2]{head}"] - steps[name, f"after the stream{head}"]
        numbers[f"steps saved by memory/{name}{head}"] = saved
verdicts = claims.read_claims("03b", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %% [markdown]
# ## Appendix: how much do the features change, and which digits?
#
# *Linear CKA* (centred kernel alignment, Kornblith et al. 2019) asks whether two networks find the same
# digits alike. For features $X$ and $Y$ of the same digits, each with its mean subtracted,
#
# $$\text{CKA} = \frac{\lVert Y^\top X \rVert_F^2}{\lVert X^\top X \rVert_F \, \lVert Y^\top Y \rVert_F} .$$
#
# It is 1 where the features are the same up to rotation and scale, and 0 where none correlate. The
# directions of largest variance count most. We compare the network after each task with itself after the
# last, and different seeds with each other (dotted).

# %%
layers = {"act1": "first hidden layer", "act2": "second hidden layer"}
alike, strangers = {}, {}
for name in kinds:
    features = [found["features"] for found in looks[name]]
    for layer in layers:
        end = features[-1][layer]
        alike[name, layer] = torch.stack(
            [probes.cka(f[layer], end) for f in features[:-1]], 1
        ).numpy()
        # Of disjoint pairs of seeds.
        strangers[name, layer] = probes.cka(end[0:-1:2], end[1::2]).numpy()

# %%
fig, axes = plt.subplots(1, 2, figsize=(10, 3.6), sharey=True)
tables = []
for ax, (layer, title) in zip(axes, layers.items(), strict=True):
    for i, name in enumerate(kinds):
        drawn = plots.band(ax, stages[:-1], alike[name, layer], name, index=i)
        tables.append(drawn.assign(layer=title, strangers=strangers[name, layer].mean()))
        ax.axhline(strangers[name, layer].mean(), color=plots.COLORS[i], ls=":", lw=1)
    ax.set(title=title, xlabel="network after", ylim=(0, 1.02))
    plots.end_labels(ax, gap=0.075)
axes[0].set_ylabel("CKA with the network after [9, 0]")
note = (
    "Is the final network more like itself after [1, 2] than like its random start (leftmost)?\n"
    f"{caption}. 1,000 test digits of all classes; 95 % "
    "bands. Dotted: different seeds after the last task."
)
results.save_figure(fig, folder, "cka", pd.concat(tables), note)

# %%
tables = {}
for name in kinds:
    found = [after["all"] for after in looks[name]]
    rows = [
        [after["accuracy"].mean() for after in found],
        *np.stack([f["by class"].mean(0) for f in found], 1),
    ]
    tables[name] = 100 * np.array(rows)
fig, table = plots.number_grid(tables, ["all", *range(10)], stages, "class", "after", columns=3)
note = (
    "Follow a row: does a digit brighten when its own pair is trained, and fade again later?\n"
    f"{caption}. Probes of the last hidden layer, held-out digits; means (%)."
)
results.save_figure(fig, folder, "all_ten_by_class", table, note)

# %%
numbers |= {
    f"CKA {layer} {stage}/{name}": v
    for (name, layer), values in alike.items()
    for stage, v in zip(stages, values.T, strict=False)
}
numbers |= {f"CKA {layer} strangers/{name}": v for (name, layer), v in strangers.items()}
settings = {key: globals()[key] for key in ("epochs", "batch_size", "lr", "validation", "level")}
_ = results.save_run(folder, "03b", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# **After the stream, no network is more like itself after the first task than like its own random start.**
# Still, changed features can be read. In the second layer, layer-norm keeps the least of its first task
# (0.08<!--=03b CKA act2 [1, 2]/layer-norm as .2f-->), and yet it serves a probe well. CKA weighs the directions of largest variance, and these
# probably belong to the task at hand.
#
# ## Exercises
#
# **1. Half relearned.** Does the forgotten pair also reach 50 % sooner?

# %%
for (name, start), seen in relearn.items():
    reached = seen.first_step(level)  # your turn: 0.5
    print(f"{name}, {start}: {results.plus_minus(reached)} steps")

# %% [markdown]
# You should see the same order, earlier.
#
# <details><summary>Solution</summary>
#
# In the full run it needs two thirds of the steps of the network that never saw it, with batch-norm less
# than half.
#
# </details>
#
# **2. Learned since when?** The cell measures how much a probe gains, among all ten digits, while its pair is trained.
# Measure from the untrained network instead.

# %%
for name in kinds:
    right = [[found["all"]["by class"][:, pair].mean(1) for pair in first] for found in looks[name]]
    gains = [right[j + 1][j] - right[j][j] for j in range(4)]  # your turn: right[0][j]
    print(f"{name}: {results.plus_minus(100 * np.mean(gains, axis=0))} points")

# %% [markdown]
# You should see that the plain network had learned less, and batch-norm more.
#
# <details><summary>Solution</summary>
#
# In the full run the plain probes' gain falls from seven points to two: most of it repaired damage by earlier
# tasks. With batch-norm it rises from six to eleven.
#
# </details>
#
# ## Takeaways
#
# - **A probe needs an untrained network beside it.** 69%<!--=03b probe/plain as .0%--> sounds like memory; random features give 79%<!--=03b untrained network's probe/plain as .0%-->.
# - **Head or body depends on the norm.** With batch-norm most of the loss is in the head; without a norm the
#   body ends below its random start.
# - **Savings need a control with the same handicap**, and a new head to tell where they sit.
#
# *Caveats.* One architecture, one order of tasks, linear probes. Intervals hold the choice of seeds and of
# scored digits, not that of the task order. Ratios are of means, with jackknife intervals.
#
# **References.** Davari et al. 2022, arXiv:2203.13381. Hess et al. 2023, arXiv:2304.00933. Kornblith et al. 2019,
# arXiv:1905.00414. Ebbinghaus 1885. The source: Split-MNIST notes, "Representation strength and forgetting".
