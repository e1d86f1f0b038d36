# %% [markdown]
# # 09c · Clouds of features, and the losses' dials
#
# **As later tasks come, do an old task's features spread out, does a larger replay buffer hold them together, and can the saliency-preserving loss be tuned to help?**
#
# **Answer.** They spread out: of an image's ten nearest neighbours, 65.9% ± 2.2%<!--=09c hit/model 1 as ±.1%--> share its class after the first task,
# 51.1% ± 5.4%<!--=09c hit/30, model 3 as ±.1%--> after the third, with a small buffer. Whether a larger buffer holds them together is undecided, and so is a gain by
# any setting of the loss. The loss weighs only 0.0005<!--=09c term as task 2 begins/SPL as .4f--> nats in this network, which is far smaller than the source's: about
# that one it does not decide.
#
# *Numbers in the text are those of the full run: CIFAR-10 as a JPEG copy, five seeds, under an hour on one core. At quick settings the notebook takes about two minutes on two cores, on digits.*
#
# Before: [09b · Where the network looks](09b_saliency_drift.ipynb) · Next: [10 · Long-term and short-term weights](10_long_short_weights.ipynb)

# %% [markdown]
# ## The idea: measure what the picture shows
#
# The write-up behind notebook 09 ("Activation Preserving Loss") draws *features*: what the hidden layer puts out for the
# first task's test images, after each of three tasks. Buffers hold 30, 300 or 3,000 images. It sees "diffused
# activation clusters over time".
#
# Its pictures are made by *t-SNE*, which places near points near each other in a plane. Sizes and distances of clouds
# mean little there. It is one seed, judged by eye. So we measure in the layer itself:
#
# - *silhouette*, $(b - a) / \max(a, b)$: $a$ is an image's mean distance to its own class, $b$ to the nearest other.
#   One means tight clouds far apart, zero clouds that mingle;
# - *neighbourhood hit*: the share of an image's ten nearest neighbours that are of its class; a third by chance;
# - *linear probe*: how well logistic regression reads the class off the layer (notebook 03a);
# - the network's *own outputs*, among all ten, or told the task: the best of the task's three.
#
# Baselines are raw pixels, an untrained network, finetuning (nothing stored) and joint training on all tasks.
#
# **What was run is small**; a larger run is planned:
#
# | | here | the source |
# |---|---|---|
# | training images a class | 500 | 5,000 |
# | filters of the first layers | 12 | 64 |
# | training steps a task | 96 | about 1,900 |
# | stored images a task (dials) | 200 | 1,000 |
# | right just after the first task | 75%<!--=09c ten/model 1 as .0%--> | about 91 % |
# | seeds | 5 | 1 |

# %%
import inspect
from collections import OrderedDict
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch import nn

from cf_utils import (
    claims,
    data,
    methods,
    metrics,
    observers,
    plots,
    probes,
    replicas,
    results,
    streams,
    training,
)
from cf_utils.methods import controls

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "cifar10": as in the source
train_images = 500  # training images used, of all ten classes
test_images = 400  # test images used, the same
seeds = 2  # replicas
width = 4  # filters of the first two convolutions (64 in the source), of the next two twice as many
hidden = 64  # units of the hidden layer (256 in the source)
epochs = 3  # passes over each task (num_epochs in the source: 8)
batch_size = 16  # 64 in the source
lr = 2e-3  # of Adam, one for the whole stream (1e-3 in the source)
buffers = [0, 30, 300, 3000]  # part one: samples stored in all, a third of each task; 0: finetuning
embedding = "isomap"  # what draws the clouds: isomap, pca, tsne (a minute or more), umap or mds
buffer_size = 60  # part two: samples stored of each task (1,000 in the source)
replayed = 8  # stored samples joined to each batch (32 in the source)
apr_lambda = 0.2  # strength of APR
apr_samples = [1, 20]  # its n, samples of each earlier class, to try (5 in the source)
spl_lambda = 65.0  # strength of SPL; of the next three each list begins with the source's value
spl_samples = [6, 24]  # its n
saliency_threshold = [0.6, 0.3]  # its τ: above it a pixel is salient
noise_std = [0.09, 0.5, 2.0]  # its σ: deviation of the noise, in deviations of the pixels
out = ""  # folder for figures and results; empty: out/09c_embeddings_and_sweeps

# %% [markdown]
# ## Stream and network
#
# Both are notebook 09's: nine classes of CIFAR-10 in three tasks, four convolutions, one head. Nothing is stored before
# the first task ends, so all arms go on from the same network.

# %%
folder = results.output_folder(out, "09c_embeddings_and_sweeps")
images = data.load(dataset, train=train_images)
# Of all classes, however they are sorted.
some = torch.arange(test_images) * len(images.y_test) // test_images
images = replace(images, x_test=images.x_test[some], y_test=images.y_test[some])
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], scenario="class")
config = training.TrainConfig(epochs, batch_size, lr, optimizer="adam", weight_decay=0.0)
caption = (
    f"{images.name}, {train_images:,} training images, "
    f"{seeds} seeds, {epochs} epochs a task, width {width}"
)
channels, _, side = images.x_train.shape[1:]
task = stream.tasks[0]
labels = task.y_test.numpy()


def network():
    layers, inputs = OrderedDict(), channels
    for i, filters in enumerate((width, width, 2 * width, 2 * width), start=1):
        layers |= {f"conv{i}": nn.Conv2d(inputs, filters, 3, padding=1), f"act{i}": nn.ReLU()}
        inputs = filters
        layers |= {} if i % 2 else {f"pool{i}": nn.MaxPool2d(2)}
    layers |= {
        "flatten": nn.Flatten(),
        "fc5": nn.Linear(inputs * (side // 4) ** 2, hidden),
        "act5": nn.ReLU(),
    }
    return nn.Sequential(layers | {"fc6": nn.Linear(hidden, len(images.classes))})


_ = probes.embed(np.eye(40, 3), embedding)  # an unknown name fails here, before anything is trained

# %% [markdown]
# ## Measures
#
# All are taken in the hidden layer after its ReLU, on the first task's test images. The probe is fitted on its training
# images, which the network has seen.


# %%
def measure(h):  # features [R, N, D] of task 1's training and test images
    probe = probes.linear_probe(h, y, fitted)["accuracy"]
    features = h[:, ~fitted].numpy()
    return {"features": features, "probe": probe, **probes.tightness(features, labels)}


def look(model):
    """What a model makes of task 1's test images: as ``measure``,
    and how often its outputs are right, told or not.
    """
    logits, layers = training.activations(model, images, x, ["act5"])
    logits, own = logits[:, ~fitted], list(task.labels)
    answers = {"told": torch.tensor(own)[logits[:, :, own].argmax(2)], "ten": logits.argmax(2)}
    right = {
        key: (answer == task.y_test).double().mean(1).numpy() for key, answer in answers.items()
    }
    return right | measure(layers["act5"])


x, y = torch.cat([task.x_train, task.x_test]), torch.cat([task.y_train, task.y_test])
fitted = torch.arange(len(y)) < len(task.y_train)

# %% [markdown]
# ## Clouds
#
# Each buffer holds a third of its images from each task, as in the source's code. Every batch gets equally many; what
# grows is how many different ones there are. "Model 2" is the network after two tasks.
#
# **Prediction (source).** Clouds are more diffuse under models 2 and 3 than under model 1, and less so with larger
# buffers.
#
# **Prediction (ours).** The head forgets, the layer does not. Under model 3 almost nothing is right among ten outputs. But
# hit and probe fall by less than ten points, and stay above an untrained network's.

# %%
looks, accuracy = {"untrained": look(replicas.Replicas(network, range(seeds)))}, {}
first = training.run_stream(network, methods.Finetune(), stream, config, range(seeds), until=1)
looks["model 1"] = look(first.model)


def train(name, method, watch):
    """Train ``method`` from the end of the first task on, as if it had been there before.

    Accuracies are kept.
    """
    begun = training.take_over(first, method, stream)
    accuracy[name] = training.proceed(begun, stream, observers=[watch]).accuracy


def cell(total, k):
    return f"{total}, model {k}" if k > 1 else "model 1"


for total in buffers:
    after = observers.Looks(lambda loop: look(loop.model))
    train(f"buffer {total}", methods.Replay(total // 3, batch=replayed, per_task=True), after)
    looks |= {cell(total, k): found for k, found in enumerate(after.found, start=2)}
joint = training.run_stream(
    network, methods.Finetune(), streams.joint(stream), config, range(seeds)
)
looks["joint"] = look(joint.model)
looks["pixels"] = measure(images.scale(x).flatten(1).unsqueeze(0))  # one "seed" for all

# %%
kinds = list(dict.fromkeys([embedding, "pca", "isomap"]))
planes = {
    kind: {name: [probes.embed(h, kind) for h in of["features"]] for name, of in looks.items()}
    for kind in kinds
}
plane_looks = {
    kind: {name: probes.tightness(of, labels) for name, of in found.items()}
    for kind, found in planes.items()
}


def draw(kind):  # seed 0's clouds: a row for each buffer and one of the baselines
    rows = {f"{total:,} stored": [cell(total, k) for k in (1, 2, 3)] for total in buffers}
    rows["baselines"] = ["pixels", "untrained", "joint"]
    fig, axes = plt.subplots(len(rows), 3, figsize=(10, 2.1 * len(rows)), squeeze=False)
    tables = []
    for row, (label, cells) in zip(axes, rows.items(), strict=True):
        shown = [planes[kind][name][0] for name in cells]
        pairs = [
            (looks[name]["silhouette"][0], plane_looks[kind][name]["silhouette"][0])
            for name in cells
        ]
        titles = [
            f"{n.split(', ')[-1]}: {a:.2f}, here {b:.2f}"
            for n, (a, b) in zip(cells, pairs, strict=True)
        ]
        tables.append(plots.clouds(row, shown, labels, [task.labels] * 3, titles).assign(row=label))
        row[0].set_ylabel(label)
    note = (
        f"{caption}. Seed 0; {len(labels)} test images "
        f"of task 1, 0 to 2: {task.name[1:-1]}; {kind}.\n"
    )
    note += (
        "Above each: silhouette in the layer, and in this plane. Model 1 is the same in all rows."
    )
    results.save_figure(fig, folder, f"clouds_{kind}", pd.concat(tables), note)


draw(embedding)

# %% [markdown]
# **The three clouds run into each other.** After the first task each has its region (left column). With nothing stored,
# all classes end on one thread (top right). With stored images birds (2) stay apart; planes (0)
# and cars (1) mix. Joint training has three regions (last row).
#
# **The top row shows a collapsed network.** With nothing stored, exactly a ninth of all images, 11.1%<!--=09c accuracy/buffer 0 as .1%-->, are right at the end in
# every seed. It gives one answer to everything.
#
# *PCA*, the two directions of largest variance, shows the same mixing:

# %%
draw("pca")

# %% [markdown]
# ## How diffuse do the clouds become?

# %%
layer = {
    "silhouette": "silhouette",
    "hit": "neighbourhood hit (share)",
    "probe": "linear probe (share right)",
}
outputs = {
    "told": "own outputs, told the\ntask (share right)",
    "ten": "own outputs, among\nall ten (share right)",
}
order = [
    "pixels",
    "untrained",
    "model 1",
    *(cell(total, k) for k in (2, 3) for total in buffers),
    "joint",
]
for figure, of in {"layer": layer, "outputs": outputs}.items():
    columns = {
        of[key]: {name: looks[name][key] for name in order if key in looks[name]} for key in of
    }
    fig, axes, table = plots.dot_columns(columns)
    note = (
        f"{caption}.\n"
        "Test images of task 1; rows: images stored in all, and tasks trained. 95 % intervals."
    )
    results.save_figure(fig, folder, figure, table, note)

# %% [markdown]
# **The measures behave as they should.** Raw pixels have a silhouette near zero, joint training the highest. After the
# first task, being told the task changes nothing: no other outputs have been trained.
#
# **The clouds become diffuse, as the source says.** The hit falls from 65.9% ± 2.2%<!--=09c hit/model 1 as ±.1%--> to 51.1% ± 5.4%<!--=09c hit/30, model 3 as ±.1%--> with the small buffer.
# Silhouettes fall with every buffer, in the layer and in t-SNE's plane. Whether they fall further in the third task is
# undecided.
#
# **What is left is about what an untrained network has.** Its hit is 54.7%<!--=09c hit/untrained as .1%-->, that of raw pixels 51.5%<!--=09c hit/pixels as .1%-->. Whether the small
# buffer does better than either is undecided; its mean is lower.
#
# **The layer forgets too, against our prediction.** The hit falls by more than ten points. The probe falls from 78%<!--=09c probe/model 1 as .0%--> to
# 65% ± 6%<!--=09c probe/30, model 3 as ±.0%-->; whether by more than ten is undecided. It reads 70%<!--=09c probe/untrained as .0%--> off an untrained network.
#
# **Among ten outputs still more is lost.** With 300 images stored, 3%<!--=09c ten/300, model 3 as .0%--> of the first task's images are right after
# the third, and 60%<!--=09c told/300, model 3 as .0%--> when told the task.
#
# **Some replay helps; whether more helps is undecided.** Without a buffer the hit is 44.7% ± 6.6%<!--=09c hit/0, model 3 as ±.1%-->, less than with the small one; but
# that network had collapsed. With the middle one it is 56.2% ± 4.9%<!--=09c hit/300, model 3 as ±.1%-->, with the largest 54.3%<!--=09c hit/3000, model 3 as .1%-->. Five seeds do not tell these from
# the small one.
#
# **One task earlier a larger buffer seems to help.** After the second task, told the task, 59% ± 2%<!--=09c told/30, model 2 as ±.0%--> are right with the
# small and 69% ± 4%<!--=09c told/300, model 2 as ±.0%--> with the middle one. No claim was written about that. The largest adds nothing, perhaps
# because training is too short to use it.
#
# ## Can the picture be trusted?
#
# **Prediction.** Planes rank the eleven networks of a seed (untrained, each model, joint) as the layer does, with rank
# correlations above 0.8. But t-SNE's clouds are too tight.

# %%
cells = [name for name in looks if name != "pixels"]
ranks, excess = {"silhouette": {}, "hit": {}}, {"silhouette": {}, "hit": {}}
for key in ranks:
    own = np.stack([looks[name][key] for name in cells], 1)
    for kind in kinds:
        flat = np.stack([plane_looks[kind][name][key] for name in cells], 1)
        ranks[key][kind] = probes.rank_correlation(flat[:, None], own[:, None])
        excess[key][kind] = (flat - own).mean(1)
columns = {f"{key}: rank correlation,\nplane and layer": ranks[key] for key in ranks}
columns["silhouette:\nplane − layer"] = excess["silhouette"]
fig, axes, table = plots.dot_columns(columns)
results.save_figure(
    fig, folder, "planes", table, f"{caption}. {len(cells)} networks a seed; 95 % intervals."
)

# %% [markdown]
# **For ranking very different networks, yes.** Silhouettes in t-SNE's plane rank them as those in the layer do, with a
# rank correlation of 0.96 ± 0.02<!--=09c rank of silhouette/tsne as ±.2f-->. For PCA it is 0.98 ± 0.02<!--=09c rank of silhouette/pca as ±.2f-->. On one buffer against another this says little.
#
# **Tight clouds look tighter than they are.** On average t-SNE adds 0.022 ± 0.006<!--=09c excess of silhouette/tsne as ±.3f--> to the silhouette. But joint training has
# 0.16<!--=09c silhouette/joint as .2f--> in the layer and 0.25<!--=09c silhouette in tsne/joint as .2f--> in the plane, by PCA as well.
#
# ## Do the saliency-preserving loss's dials help?
#
# The saliency-preserving loss (*SPL*, notebook 09) adds to replay
#
# $$\lambda\,\tfrac{3}{N}\; \overline{\big(h(x) - h(x + \sigma\,\varepsilon\,(1 - M))\big)^2}.$$
#
# Noise $\varepsilon$ on what is not salient shall not change the last convolution's activations $h$. Salient ($M$) is where the
# Grad-CAM map exceeds τ. $N$ counts the images used.
#
# | dial | what it is | source tried | here |
# |---|---|---|---|
# | n | images of each earlier class | 3, 6 | 6, 24 |
# | τ | a pixel above it is salient | 0.5, 0.6 | 0.6, 0.3 |
# | σ | strength of the noise | 0.075, 0.1; used 0.09 | 0.09, 0.5, 2 |
#
# We turn one dial at a time; λ is the source's 65. We note the term's size as the second task begins, in *nats*, the unit
# of cross-entropy. APR, the activation-preserving loss, has n = 1 and 20.
#
# *Maps shuffled* is the control for saliency: each image gets another one's map.
#
# **Prediction.** No setting of SPL gains three points on replay. Shuffled maps change nothing. Strong noise costs learning.
# APR is better with more images.

# %%
memory = {"memory": buffer_size, "batch": replayed, "per_task": True}
places = ["act3", "conv4", "act4", "fc5", "act5", "fc6", "fc6"]  # the source's; fc6: the logits
tried = {"per_class": spl_samples, "saliency_threshold": saliency_threshold, "noise_std": noise_std}
loud = max(noise_std)


def spl(kind=methods.SPL, **changed):
    return kind(
        spl_lambda, place="conv4", **memory, **{key: of[0] for key, of in tried.items()} | changed
    )


arms = {
    "replay": methods.Replay(**memory),
    "SPL": spl(),
    "SPL, maps shuffled": spl(controls.ShuffledSPL),
}
arms[f"SPL, σ = {loud:g}, maps shuffled"] = spl(controls.ShuffledSPL, noise_std=loud)
dials = {}  # title -> value -> arm
for symbol, (key, values) in zip("nτσ", tried.items(), strict=True):
    dials[f"SPL, {symbol}"] = {
        v: "SPL" if v == values[0] else f"SPL, {symbol} = {v:g}" for v in sorted(values)
    }
    arms |= {f"SPL, {symbol} = {v:g}": spl(**{key: v}) for v in values[1:]}
dials["APR, n"] = {n: f"APR, n = {n}" for n in apr_samples}
arms |= {
    f"APR, n = {n}": methods.APR(apr_lambda, **memory, per_class=n, places=places)
    for n in apr_samples
}
terms = {}


class Weigh(observers.Observer):
    """SPL's term as task 2 begins, into ``terms``."""

    def __init__(self, name):
        self.name = name

    def before_task(self, loop):
        if loop.t == 1 and "SPL" in self.name:
            terms[self.name] = loop.methods[0].penalty(loop, None, None).detach().cpu().numpy()


for name, method in arms.items():
    train(name, method, Weigh(name))
Markdown(f"```python\n{inspect.getsource(controls.ShuffledSPL)}```")

# %%
ends = {
    "accuracy at the end (%)": metrics.average_accuracy,
    "right after each task (%)": metrics.learning_accuracy,
}
ends |= {"forgetting (points)": metrics.forgetting}
fig, axes = plt.subplots(len(ends), len(dials), figsize=(10.5, 7), sharey="row")
tables = []
for row, (label, end) in zip(axes, ends.items(), strict=True):
    for i, (ax, (dial, of)) in enumerate(zip(row, dials.items(), strict=True)):
        values = np.stack([100 * end(accuracy[name]).numpy() for name in of.values()], 1)
        tables.append(
            plots.band(ax, range(len(of)), values, dial, index=i).assign(x=list(of), measure=label)
        )
        ax.axhline(100 * float(end(accuracy["replay"]).mean()), color="0.4", ls=":", lw=1)
        ax.set(xticks=range(len(of)), xticklabels=[f"{v:g}" for v in of], xlabel=dial, xmargin=0.15)
    row[0].set_ylabel(label)
note = f"{caption}, {buffer_size} stored of each task; 95 % bands.\n"
note += (
    "Mean of the tasks, ten outputs. Dotted: replay alone. "
    "SPL's dials are one at a time off the source's values."
)
results.save_figure(fig, folder, "dials", pd.concat(tables), note)

# %% [markdown]
# **No gain by SPL is seen; a small one is not excluded.** Replay ends at 23.0% ± 4.9%<!--=09c accuracy/replay as ±.1%--> of all images. The best of five
# settings of SPL gains 0.8% ± 2.6%<!--=09c gain/best of SPL as ±.1%-->, an interval that ends just above three points. The source's gain of 11.6 points, in one
# run, stays undecided.
#
# **Strong noise may cost learning; this is undecided.** With the strongest 56% ± 7%<!--=09c learned/SPL, σ = 2 as ±.0%--> is right just after each task, with
# replay alone 61% ± 5%<!--=09c learned/replay as ±.0%-->.
#
# **APR helps, already with one image a class.** With one it gains 11.5% ± 4.0%<!--=09c gain/APR, n = 1 as ±.1%-->, with twenty 17.0% ± 4.4%<!--=09c gain/APR, n = 20 as ±.1%-->. Twenty cost
# learning: 49%<!--=09c learned/APR, n = 20 as .0%--> is right just after each task.

# %%
shown = [
    "replay",
    "SPL",
    "SPL, maps shuffled",
    f"SPL, σ = {loud:g}",
    f"SPL, σ = {loud:g}, maps shuffled",
]
columns = {
    label: {name: 100 * end(accuracy[name]) for name in shown} for label, end in ends.items()
}
columns["SPL's term as\ntask 2 begins (nats)"] = {name: terms.get(name) for name in shown}
fig, axes, table = plots.dot_columns(columns)
axes[-1].set_xscale("log")
results.save_figure(
    fig, folder, "maps", table, f"{caption}, {buffer_size} stored of each task; 95 % intervals."
)

# %% [markdown]
# **Whose map is used makes no difference, and could not.** SPL ends at 23.4%<!--=09c accuracy/SPL as .1%--> with its own maps and at 23.4%<!--=09c accuracy/SPL, maps shuffled as .1%--> with
# shuffled ones, as predicted. But its whole term is 0.0005<!--=09c term as task 2 begins/SPL as .4f--> nats (last panel). Guessing among
# ten classes costs 2.3.
#
# **Where the term is felt, we cannot tell.** With the strongest noise it weighs 2.7 ± 1.9<!--=09c term as task 2 begins/SPL, σ = 2 as ±.1f--> nats. There seeds differ widely, and
# the maps' effect is undecided.
#
# ## Where it fails
#
# **This network is too small to judge SPL.** The source's noise hardly moves its last convolution. In the source's, five
# times as wide and trained twenty times as long, it may.
#
# ## What became of the claims
#
# Fifty claims were judged on five seeds. LEDGER.md corrects for that: of the source's claims on spreading clouds only the
# fall of the hit with the small buffer then stays below p = 0.05.

# %%
numbers = {f"term as task 2 begins/{name}": values for name, values in terms.items()}
for name, of in looks.items():
    found = {f"{key}/{name}": values for key, values in of.items() if key != "features"}
    numbers |= found if name != "pixels" else {key: float(value[0]) for key, value in found.items()}
unseen = np.full(seeds, np.nan)  # claims on t-SNE's plane are not measured where none is drawn
for kind in dict.fromkeys([*kinds, "tsne"]):
    of = plane_looks.get(kind, {name: dict.fromkeys(ranks, unseen) for name in cells})
    numbers |= {f"{key} in {kind}/{name}": of[name][key] for name in cells for key in ranks}
    for key in ranks:
        numbers |= {
            f"rank of {key}/{kind}": ranks[key].get(kind, unseen),
            f"excess of {key}/{kind}": excess[key].get(kind, unseen),
        }
for name, a in accuracy.items():
    found = zip(("accuracy", "learned", "forgetting"), ends.values(), strict=True)
    numbers |= {f"{key}/{name}": end(a) for key, end in found}
for name in arms:
    numbers[f"gain/{name}"] = numbers[f"accuracy/{name}"] - numbers["accuracy/replay"]
best = max(
    (name for name in terms if "shuffled" not in name),
    key=lambda name: float(numbers[f"gain/{name}"].mean()),
)
numbers |= {"best of SPL": best, "gain/best of SPL": numbers[f"gain/{best}"]}
verdicts = claims.read_claims("09c", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
keys = [
    "train_images",
    "test_images",
    "width",
    "hidden",
    "epochs",
    "batch_size",
    "lr",
    "buffers",
    "embedding",
]
keys += ["buffer_size", "replayed", "apr_lambda", "apr_samples", "spl_lambda", "spl_samples"]
keys += ["saliency_threshold", "noise_std"]
settings = {key: globals()[key] for key in keys}
_ = results.save_run(folder, "09c", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# ## Exercises
#
# **1. Does SPL's term grow like the noise's variance?** If layers were linear, it would: 31-fold from σ = 0.09 to 0.5.
#
# ```python
# for name, value in terms.items():
#     print(name, value.mean())
# ```
#
# <details><summary>Solution</summary>
#
# In the full run it grows more than a hundredfold, to 0.061<!--=09c term as task 2 begins/SPL, σ = 0.5 as .3f-->. ReLU and pooling are not linear.
#
# </details>
#
# **2. Which clouds does a plane flatter?**
#
# ```python
# for name in looks:
#     for found in (looks, plane_looks["pca"]):
#         print(name, found[name]["silhouette"].mean().round(2))
# ```
#
# <details><summary>Solution</summary>
#
# In the full run, joint training's: two directions can hold what separates three classes.
#
# </details>

# %% [markdown]
# ## Takeaways
#
# - **Clouds become diffuse, in the layer and not only in the picture**: neighbours end about as mixed as among raw pixels.
# - **Whether a larger buffer holds them together in the end is undecided.**
# - **A t-SNE plane ranks very different networks rightly**, and makes tight clouds tighter.
# - **Weigh a term before you discuss its effect.** SPL's weighs next to nothing in this network.
#
# *Caveats.* Silhouettes take clouds to be round. Shuffled maps still favour the middle of the
# picture.
#
# **References.** van der Maaten & Hinton 2008, JMLR 9. Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7. Selvaraju et al. 2016, arXiv:1610.02391. Davari et al. 2022, arXiv:2203.13381 (probing forgetting).
