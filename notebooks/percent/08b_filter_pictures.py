# %% [markdown]
# # 08b · What a filter's picture says
#
# **Does the picture that a filter likes best, or its match with a saliency map, say which filters a network needs?**
#
# Neither does. In a ResNet-18 that is right on 61% ± 8%<!--=08b accuracy/trained as ±.0%--> of ten classes, the ranking of a layer's filters by how well their pictures match saliency maps has a correlation of -0.01 ± 0.07<!--=08b agreement/MSE as ±.2f--> (squared error) and 0.02 ± 0.06<!--=08b agreement/Pearson as ±.2f--> (Pearson) with how much the loss rises as each filter is silenced, at 64 pixels as at 32; a Taylor expansion has 0.33 ± 0.09<!--=08b agreement/Taylor as ±.2f-->, and 0.73 ± 0.09<!--=08b agreement early/Taylor as ±.2f--> in the first three layers.
# The match by squared error says mostly how near a picture is to an even grey: with every map replaced by its mean the ranking is nearly the same (0.88 ± 0.03<!--=08b likeness/MSE, flat map as ±.2f-->). Without the half of a layer's filters that match best the network is as right as without the other half.
#
# *Numbers in the text are those of the full run: ten classes of Tiny-ImageNet, five seeds, half an hour on one core. At quick settings the notebook takes half a minute on two cores, on digits.*
#
# Before: [08 · Freezing the filters that match a saliency map](08_saliency_freezing.ipynb) · Next: [09 · Losses that preserve activations or saliency](09_preserving_losses.ipynb)

# %% [markdown]
# ## The idea
#
# A write-up by Feenstra and Dow ("A Method for Relieving Catastrophic Forgetting With Explainability") protects an old task by freezing the filters that matter to it. To find them it draws each filter's *favourite image* by gradient ascent on the input (*activation maximisation*, Erhan et al. 2009), and compares it pixel by pixel with the *full-gradient saliency map* (Srinivas and Fleuret 2019)
# of a class's images, by mean squared error (MSE) or Pearson's correlation. The filters whose pictures match best are taken for those "most strongly contributing to positive predictions", and squared error for the better measure, since it takes account of "the spatial information that is crucial for this comparison". What it says of freezing, after a second task, depends on much else.
#
# Whether a network needs a filter can be measured without any second task: silence it and see how much worse the network gets. This notebook does so with one filter at a time and with half of them, in a ResNet-18, and asks how well rankings by match, and those that see no picture, agree with it. Then it asks whether the match is a property of the trained network at all: whether another start of the ascent, other images, another class, or a network that has not learned anything
# gives another ranking (the sanity check of Adebayo et al. 2018).

# %%
import inspect
from collections import defaultdict
from dataclasses import replace
from functools import partial
from itertools import product

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import torch
from IPython.display import Markdown
from torch.nn import functional as F

from cf_utils import claims, data, methods, models, plots, results, saliency, streams, training
from cf_utils.methods import schedules
from cf_utils.randomness import generator

plots.style()

# %% tags=["parameters"]
dataset = "mnist-5k"  # 5,000 digits, no download; "folder:tiny-imagenet-100": photographs
per_class = 60  # training images of each of ten classes
tested = 20  # test images of each, by which filters are ablated
shown = 4  # training images of each, by which filters are ranked
side = 32  # pixels to which images are scaled; everything is done at half of it as well
width = 4  # filters of the first layers (64 in torchvision's)
seeds = 2  # draws of classes and of weights
epochs = 6  # passes over the training images
batch_size = 32
lr = 2e-3  # of AdamW, falling to zero along a cosine
out = ""  # folder for figures and results; empty: out/08b_filter_pictures

# %% [markdown]
# ## Networks and pictures
#
# Ten classes are drawn anew for each seed. The network is torchvision's ResNet-18, narrower: a convolution of 7×7 at stride 2, pooling, and eight blocks of two convolutions. Its filters are looked at in nine layers, the first convolution of all and the first of each block: there a batch-norm and a ReLU follow, and nothing passes a filter by. The *untrained* network has the same initial weights; a pass at learning rate 0 gave its norms their statistics. Random crops and flips keep the trained one from learning its images by heart. (In a trial without them, one seed and eight epochs, it was right on 99 % of its training images and over-sure on others: silencing filters of the last blocks made the *test* loss smaller on average, so that it no longer said what is needed.)

# %%
folder = results.output_folder(out, "08b_filter_pictures")
# The parameters.
settings = {k: v for k, v in globals().items() if type(v) in (int, float) and k[0] != "_"}
images, sizes = data.load(dataset), {"": side, ", half size": side // 2}
runs = list(product(sizes, range(seeds)))  # of everything: the suffix of its numbers, the seed
text = (
    f"{images.name.removeprefix('folder:')}, ten classes "
    f"of {per_class} images, {seeds} seeds, {epochs} epochs"
)
caption = f"{text}, width {width}, {side} pixels"


def drawn(seed, size):
    """One task of ten classes, drawn by ``seed`` and numbered from 0, as a stream.

    Images scaled to ``size`` pixels.
    """
    chosen, parts = (
        torch.randperm(len(images.classes), generator=generator(seed, "classes"))[:10],
        {},
    )
    for part, most in (("train", per_class), ("test", tested)):
        x, y = getattr(images, f"x_{part}"), getattr(images, f"y_{part}")
        found = torch.stack([torch.nonzero(y == c).squeeze(1)[:most] for c in chosen])
        x = F.interpolate(x[found.flatten()].float(), (size, size), mode="bilinear", antialias=True)
        parts |= {
            f"x_{part}": x.byte(),
            f"y_{part}": torch.arange(10).repeat_interleave(found.shape[1]),
        }
    return streams.split(
        replace(images, classes=tuple(images.classes[c] for c in chosen), **parts), [range(10)]
    )


resnet18 = partial(models.resnet18, 10, images.x_train.shape[1], width)


class Augment(methods.Method):
    """Random crops after padding by 4 black pixels, and random flips,
    of each sample of a single network.
    """

    def augment(self, loop, batch):
        source = generator(loop.seeds[0], f"crops {loop.epoch} {loop.step}")
        down, right, flip = torch.randint(9, (batch.x.shape[1], 3), generator=source).T
        batch.x = data.mirror_and_shift(batch.x[0], down, right, flip % 2 == 1).unsqueeze(0)
        return batch


def fit(stream, seed, epochs, lr):
    config = training.TrainConfig(epochs, batch_size, lr, "adamw")
    return training.run_stream(
        resnet18, [Augment(), schedules.Cosine()], stream, config, [seed], "cpu"
    ).model


layers = ["conv1", *(f"block{i}.conv1" for i in range(1, 9))]
norms = {layer: layer.replace("conv", "bn") for layer in layers}

# %% [markdown]
# The favourite image is the one at which the filter's mean response is largest: gradient ascent from faint noise, blurred now and then. For the comparison its mean over colours is scaled to [0, 1], as each map is, and a filter's *mean rank* over the ten classes counts; the write-up leaves both open. Pictures are drawn twice, from different noise. Maps and all else that ranks filters see the same training images, those of each class drawn before anything is ranked.


# %%
def examples(task):
    """``shown`` training images of each class, standardised, and their labels."""
    index = torch.cat(
        [torch.nonzero(task.y_train == c).squeeze(1)[:shown] for c in task.y_train.unique()]
    )
    return images.scale(task.x_train[index]), task.y_train[index]


tasks, nets, pictures, maps, numbers = {}, {}, {}, {}, defaultdict(list)
for (size, seed), kind in product(runs, ("trained", "untrained")):
    stream = drawn(seed, sizes[size])
    tasks[size, seed], at = stream.tasks[0], (kind, size, seed)
    nets[at] = fit(stream, seed, *((epochs, lr) if kind == "trained" else (1, 0.0)))
    numbers[f"accuracy/{kind}{size}"].append(training.task_accuracies(nets[at], stream).item())
    network = nets[at].replica(0)
    maps[at] = saliency.full_grad(network, *examples(stream.tasks[0]))
    for start in (0, 1):
        drawings = {
            layer: saliency.favourites(network, layer, images, sizes[size], start)
            for layer in layers
        }
        pictures[*at, start] = {
            layer: saliency.grey(drawing) for layer, drawing in drawings.items()
        }
pd.Series({name: results.plus_minus(100 * np.array(v), unit=" %") for name, v in numbers.items()})

# %%
fig, axes = plt.subplots(2, 5, figsize=(12, 5.2))
rows, places = (
    [],
    ["kernels of conv1", *(f"favourites, {layers[i]}" for i in (0, 4, 8)), "maps, one a class"],
)
for (kind, row), (column, place) in product(
    zip(("trained", "untrained"), axes, strict=True), enumerate(places)
):
    network, layer = nets[kind, "", 0].replica(0), place.split(", ")[-1]
    tiles = (
        saliency.favourites(network, layer, images, side)
        if layer in layers
        else network.conv1.weight.detach()
    )
    tiles = maps[kind, "", 0][::shown][:8].unsqueeze(1) if place == places[-1] else tiles[:16]
    tiles, across = tiles - tiles.amin((1, 2, 3), keepdim=True), min(4, len(tiles))
    tiles = F.pad(
        (tiles / tiles.amax((1, 2, 3), keepdim=True)).expand(-1, 3, -1, -1), [1] * 4, value=1.0
    )
    tiles = tiles.unflatten(0, (-1, across)).permute(0, 3, 1, 4, 2).flatten(2, 3).flatten(0, 1)
    row[column].imshow(tiles, interpolation="nearest")
    row[column].set(
        xticks=[],
        yticks=[],
        title=place if kind == "trained" else "",
        ylabel="" if column else kind,
    )
    row[column].spines[:].set_visible(False)
    for i, v in enumerate(pictures[kind, "", 0, 0][layer][:16] if layer in layers else []):
        rows.append(
            {
                "network": kind,
                "layer": layer,
                "filter": i,
                "mean": v.mean().item(),
                "deviation": v.std().item(),
            }
        )
results.save_figure(
    fig, folder, "filters", pd.DataFrame(rows), f"Each scaled to its own range; seed 0.\n{caption}"
)

# %% [markdown]
# The trained network is right on 61% ± 8%<!--=08b accuracy/trained as ±.0%--> of the test images at 64 pixels and on 50% ± 7%<!--=08b accuracy/trained, half size as ±.0%--> at 32, the untrained one at chance. The first layer's filters like one colour each, trained or not, and their kernels show some stripes and edges after training, no more. In the middle training shows: textures of a direction and a scale in place of noise. Of the last block's pictures nothing can be recognised. Maps are blobs about the middle, of the trained network and of the untrained one. (To look at; one seed.)
#
# ## Which filters are needed
#
# A filter is silenced by setting what its norm puts out to zero. How much the cross-entropy of the test images rises, and how much of their accuracy is lost, is what the rankings are held against, layer by layer. The two halves of the test images say how well it is known.
#
# **Prediction (ours).** The two halves agree (Spearman above 0.5), and training images know it as well. By the loss more is known than by the accuracy.


# %%
Markdown(
    f"```python\n{inspect.getsource(saliency.answers)}\n\n{inspect.getsource(saliency.ablate)}```"
)

# %%
needed = {}
for size, seed in runs:
    network, task = nets["trained", size, seed].replica(0), tasks[size, seed]
    each = saliency.ablate(network, images.scale(task.x_test), task.y_test, norms)
    for i, key in enumerate(("loss", "accuracy")):
        needed[key, size, seed] = {layer: v[i].mean(1) for layer, v in each.items()}
        halves = [{layer: v[i, :, half::2].mean(1) for layer, v in each.items()} for half in (0, 1)]
        numbers[f"halves/{key}{size}"].append(saliency.agree(*halves).mean())
effects = {
    "rise of the loss, mean": ("loss", np.mean),
    "… largest": ("loss", np.max),
    "fall of accuracy, largest": ("accuracy", np.max),
}
pd.DataFrame(
    {
        name: {
            at: np.mean([of(needed[key, "", seed][at]) for seed in range(seeds)]) for at in layers
        }
        for name, (key, of) in effects.items()
    }
).round(4)

# %% [markdown]
# **One filter alone matters in the first layers only.** Silencing one of the first convolution raises the loss by 0.3 on average and costs up to 22 points; in the last blocks the mean rise is zero within 0.001, a filter at most one point (table, mean over seeds). So the two halves of the test images agree by 0.32 ± 0.26<!--=08b halves/loss as ±.2f--> only, less than we said, and by the accuracy hardly at all (0.11 ± 0.11<!--=08b halves/accuracy as ±.2f-->): in late layers which single filter is needed is not a question with a clear answer.
#
# ## Rankings against the ablation
#
# Nine rankings of the filters within a layer. *MSE* and *Pearson*: the match of picture and maps. *Magnitude*: the mean absolute weight. *Activation*: the mean response after the ReLU. *Fisher*: the information of the filter's weights. *Taylor*: the change of an image's loss if the filter were silenced, to first order, its absolute value averaged over the images (Molchanov et al. 2017); *signed Taylor*: averaged with its sign, and so an estimate of what ablation measures. *Ablation*: the rise of the loss on the same training images. And *random*. Agreement is Spearman's correlation with the rise of the test loss, within each layer,
# averaged over the layers. Beside it stands what the *untrained* network's ranking says of the trained network's filters, and everything at half of the image's size, with networks trained at that size: the write-up expects its method to gain from "high-resolution images […], as saliency maps are much more clearly defined".
#
# **Prediction (source).** The filters that match best are those that matter more than the average; squared error finds them, Pearson's correlation hardly; at higher resolution better. **Ours.** Neither match agrees with the ablation by more than 0.1, at either size, and the untrained network's ranking is as good. Fisher and Taylor do agree, Taylor best; magnitude and activation less, but more than either match. (The trial with one seed showed that Taylor does not agree in the last layers; signed Taylor was added for that, and claims about it, and on early and late layers, are marked in claims.csv as made after the trial.)


# %%
scores, by_layer = {}, defaultdict(list)
for (size, seed), kind in product(runs, ("trained", "untrained")):
    at, (x, y) = (kind, size, seed), examples(tasks[size, seed])
    scores[at] = saliency.rank_by_match(pictures[*at, 0], maps[at], y)
    scores[at] |= saliency.filter_scores(nets[at].replica(0).eval(), x, y, norms, seed=seed)
    if kind == "trained":
        each = saliency.ablate(nets[at].replica(0), x, y, norms)
        scores[at]["ablation"] = {layer: v[0].mean(1) for layer, v in each.items()}
    for name, ranking in scores[at].items():
        end = f"{name}{size}" + (", untrained" if kind == "untrained" else "")
        alike = saliency.agree(ranking, needed["loss", size, seed])
        by_layer[end].append(alike)
        for part, of in {"": alike, " early": alike[:3], " late": alike[-3:]}.items():
            numbers[f"agreement{part}/{end}"].append(of.mean())
        numbers[f"agreement by accuracy/{end}"].append(
            saliency.agree(ranking, needed["accuracy", size, seed]).mean()
        )
rankings = [
    "MSE",
    "Pearson",
    "random",
    "magnitude",
    "activation",
    "Fisher",
    "Taylor",
    "signed Taylor",
    "ablation",
]

# %%
arms = {
    f"{side} pixels": "",
    f"{side // 2} pixels": ", half size",
    f"{side} pixels, of the untrained": ", untrained",
}
columns = {
    arm: {r: numbers.get(f"agreement/{r}{end}") for r in rankings} for arm, end in arms.items()
}
fig, axes, table = plots.arm_columns({"Spearman with the\nrise of the loss": columns})
fig.set_size_inches(7.5, 5.6)
results.save_figure(fig, folder, "agreement", table, f"{text}, width {width}; 95 % intervals.")

# %%
fig, ax = plt.subplots(figsize=(8.5, 3.8))
ax.axhline(0, color="0.4", lw=1)
lines, short = (
    ["MSE", "Pearson", "Taylor", "signed Taylor", "ablation"],
    [at.replace(".conv1", "") for at in layers],
)
table = pd.concat(
    [plots.band(ax, short, by_layer[name], name, index=i) for i, name in enumerate(lines)]
)
ax.set(xlabel="layer", ylabel="Spearman with the rise of the loss", ylim=(-1, 1.03))
plots.end_labels(ax, gap=0.07)
table = table.rename(columns={"x": "layer", "label": "ranking"})
results.save_figure(fig, folder, "by_layer", table, f"{caption}; 95 % bands.")

# %% [markdown]
# **Neither match knows which filters are needed**: MSE -0.01 ± 0.07<!--=08b agreement/MSE as ±.2f-->, Pearson 0.02 ± 0.06<!--=08b agreement/Pearson as ±.2f-->, random 0.01 ± 0.07<!--=08b agreement/random as ±.2f-->; early or late, by loss or by accuracy, at 64 pixels or at 32 (0.00 ± 0.10<!--=08b agreement/MSE, half size as ±.2f-->), and no better than with the untrained network's pictures and maps (0.05 ± 0.08<!--=08b agreement/MSE, untrained as ±.2f-->).
#
# That it can be known is shown by the others: 0.50 ± 0.23<!--=08b agreement/ablation as ±.2f--> by ablation on the training images, 0.33 ± 0.09<!--=08b agreement/Taylor as ±.2f--> by Taylor and 0.29 ± 0.08<!--=08b agreement/Fisher as ±.2f--> by Fisher. Taylor's agreement falls from layer to layer, to little from the fifth block on; in the last block it turns round (−0.25 in the figure: a filter there that moves the loss of training images much, either way, is one the test loss can spare).
# Mean activation (-0.02 ± 0.07<!--=08b agreement/activation as ±.2f-->) does not know it either, against our prediction, and magnitude a little, in the first layers (0.20 ± 0.09<!--=08b agreement early/magnitude as ±.2f-->; a norm follows each of these convolutions, and scales its weights anew).
#
# ## Half of the filters
#
# What freezing or pruning decides is which half to keep. So the half that a ranking puts lowest is silenced, or the half that it puts highest, in one layer at a time (the accuracy left is averaged over the layers) and in all nine at once, where a quarter is tried as well. A ranking is good if much is left without its lowest half, and little without its highest.
#
# **Prediction (source).** Without the half that matches best less is left than without a random half. **Ours.** The halves by MSE differ by no more than chance's; by Taylor and ablation far more is left without the lowest half than without the highest. With half of all layers silenced, every network is near chance (10 %), whatever the ranking.

# %%
ends, ways = (
    {"lowest": 1, "highest": -1},
    {"one": "half of one layer", "quarter": "a quarter of all layers"},
)
ways["half"] = "half of all layers"
for seed, name, end, key in product(range(seeds), rankings, ends, ways):
    network, task, ranking = (
        nets["trained", "", seed].replica(0),
        tasks["", seed],
        scores["trained", "", seed][name],
    )
    order = {
        at: np.argsort(ends[end] * np.atleast_2d(v).mean(0), kind="stable")
        for at, v in ranking.items()
    }
    chosen = {at: v[: len(v) // (4 if key == "quarter" else 2)].copy() for at, v in order.items()}
    trials = [{at: v} for at, v in chosen.items()] if key == "one" else [chosen]
    x = images.scale(task.x_test)
    left = [saliency.answers(network, x, task.y_test, silent, norms)[1].mean() for silent in trials]
    numbers[f"left {key}/{name}, {end}"].append(np.mean(left))
columns = {
    f"accuracy (%) without\n{label}": {
        f"silenced: {end}-ranked": {
            r: 100 * np.array(numbers[f"left {key}/{r}, {end}"]) for r in rankings
        }
        for end in ends
    }
    for key, label in ways.items()
}
fig, axes, table = plots.arm_columns(columns)
whole = 100 * np.mean(numbers["accuracy/trained"])
results.save_figure(
    fig, folder, "halves", table, f"{caption}; none silenced: {whole:.1f} %; 95 % intervals."
)

# %% [markdown]
# **By MSE it makes no difference which half goes**: 52% ± 7%<!--=08b left one/MSE, lowest as ±.0%--> are left without the half of a layer that matches worst, 52% ± 6%<!--=08b left one/MSE, highest as ±.0%--> without the half that matches best. By Taylor it is 56% ± 7%<!--=08b left one/Taylor, lowest as ±.0%--> and 48% ± 4%<!--=08b left one/Taylor, highest as ±.0%-->, and without a quarter of all layers at once 41% ± 7%<!--=08b left quarter/Taylor, lowest as ±.0%--> and 20% ± 5%<!--=08b left quarter/Taylor, highest as ±.0%--> (Fisher 43%<!--=08b left quarter/Fisher, lowest as .0%--> and 17%<!--=08b left quarter/Fisher, highest as .0%-->; random filters 27%<!--=08b left quarter/random, lowest as .0%-->). MSE's means lean the source's way there (29% ± 6%<!--=08b left quarter/MSE, lowest as ±.0%--> and 22% ± 8%<!--=08b left quarter/MSE, highest as ±.0%-->), which five seeds do not show.
# For many filters at once Fisher and Taylor have higher means than ablation of single ones (32% ± 7%<!--=08b left quarter/ablation, lowest as ±.0%-->), and signed Taylor, its estimate, a lower one than random filters (18%<!--=08b left quarter/signed Taylor, lowest as .0%-->): what a filter costs alone need not be what it costs together with others.
#
# ## Is the match a property of the network?
#
# The ranking by match is compared with that from *another start* of the gradient ascent; from *other images* of the same classes (each half against the other); from *another class* (mean over pairs); from the *untrained* network; and from a mixture, the trained network's pictures with the untrained network's maps, or the other way round. The last rows ask what in a picture decides: it is compared with a *flat map*, in which each map's pixels are replaced by their mean (so that nothing is left of where
# anything is), and with the picture's *brightness* and *contrast*, mean and standard deviation of its pixels, themselves.
#
# **Prediction (source).** Squared error takes account of where things are; each class has filters of its own. **Ours.** What decides is how dark a picture is, as maps are dark: with flat maps the ranking by MSE is the same (above 0.9). Nor do other images, another class, or an untrained network's maps change it (above 0.8). Another start of the ascent gives a ranking that is alike (above 0.5). The untrained network's own ranking is not unlike the trained one's (above 0). (In the trial maps were no darker than pictures, and contrast decided more than brightness; the claim on it was made after that.)

# %%
for seed in range(seeds):
    y, (a, b) = (
        examples(tasks["", seed])[1],
        ((kind, "", seed) for kind in ("trained", "untrained")),
    )
    drawings, seen, one = pictures[*a, 0], maps[a], torch.arange(len(y)) % 2 == 0
    flat, ways = (
        seen.mean((1, 2), keepdim=True).expand_as(seen),
        {"another start": (pictures[*a, 1], seen, y)},
    )
    ways |= {
        "untrained network": (pictures[*b, 0], maps[b], y),
        "untrained maps": (drawings, maps[b], y),
    }
    ways |= {"untrained pictures": (pictures[*b, 0], seen, y), "flat map": (drawings, flat, y)}
    found = {name: saliency.rank_by_match(*given) for name, given in ways.items()}
    for name, of in {"brightness": torch.mean, "contrast": torch.std}.items():
        found[name] = {
            kind: {layer: of(v, (1, 2)) for layer, v in drawings.items()}
            for kind in ("MSE", "Pearson")
        }
    split = [saliency.rank_by_match(drawings, seen[part], y[part]) for part in (one, ~one)]
    for kind in ("MSE", "Pearson"):
        for name, ranking in found.items():
            numbers[f"likeness/{kind}, {name}"].append(
                saliency.agree(scores[a][kind], ranking[kind]).mean()
            )
        numbers[f"likeness/{kind}, other images"].append(
            saliency.agree(split[0][kind], split[1][kind]).mean()
        )
        pairs = [
            np.corrcoef(v)[np.triu_indices(len(v), 1)].mean() for v in scores[a][kind].values()
        ]
        numbers[f"likeness/{kind}, another class"].append(np.mean(pairs))
    for name in ("magnitude", "activation", "Fisher", "Taylor", "signed Taylor"):
        numbers[f"likeness/{name}, untrained network"].append(
            saliency.agree(scores[a][name], scores[b][name]).mean()
        )
    for kind, at in {"trained": a, "untrained": b}.items():
        numbers[f"brightness/maps, {kind}"].append(maps[at].mean().item())
        numbers[f"brightness/pictures, {kind}"].append(
            np.mean([v.mean() for v in pictures[*at, 0].values()])
        )
numbers = {name: np.array(values) for name, values in numbers.items()}

# %%
rows = [
    "other images",
    "another class",
    "another start",
    "untrained maps",
    "untrained pictures",
    "untrained network",
]
rows += ["flat map", "brightness", "contrast"]
of = {k: {r: numbers[f"likeness/{k}, {r}"] for r in rows} for k in ("MSE", "Pearson")}
of["Pearson"]["flat map"] = None  # nothing correlates with what is flat
fig, axes, table = plots.arm_columns({"Spearman with the\nranking by match": of})
fig.set_size_inches(7, 5.2)
results.save_figure(fig, folder, "likeness", table, f"{caption}; 95 % intervals.")

# %% [markdown]
# **The match by MSE is a property of pictures more than of places.** With flat maps, in which nothing is anywhere, the ranking is the same but for little (0.88 ± 0.03<!--=08b likeness/MSE, flat map as ±.2f-->). The squared error to an even grey is the picture's variance and the squared distance of its mean from that grey; so a picture of little contrast (-0.59 ± 0.07<!--=08b likeness/MSE, contrast as ±.2f-->) and middling brightness is near every map. Other images give the same ranking (0.99<!--=08b likeness/MSE, other images as .2f-->), other classes nearly (0.81 ± 0.11<!--=08b likeness/MSE, another class as ±.2f-->), an untrained network's maps largely (0.67 ± 0.11<!--=08b likeness/MSE, untrained maps as ±.2f-->), and another noise to start from a rather different one (0.60 ± 0.04<!--=08b likeness/MSE, another start as ±.2f-->).
# We had expected that the darker picture matches better; it does not (0.15 ± 0.22<!--=08b likeness/MSE, brightness as ±.2f-->), as maps are no darker than pictures are. The sanity check is passed, by the pictures alone: an untrained network with the same initial weights ranks otherwise (0.06 ± 0.07<!--=08b likeness/MSE, untrained network as ±.2f-->). Pearson's correlation does see places: it hangs on the maps (untrained ones 0.34 ± 0.22<!--=08b likeness/Pearson, untrained maps as ±.2f-->) and less on the noise (0.74 ± 0.05<!--=08b likeness/Pearson, another start as ±.2f-->), and is of no more use.
#
# ## What became of the claims

# %%
verdicts = claims.read_claims("08b", numbers, globals())
Markdown(claims.claims_table(verdicts))

# %%
_ = results.save_run(folder, "08b", images.name, settings, range(seeds), numbers, verdicts)

# %% [markdown]
# ## Takeaways
#
# - **A match of favourite image and saliency map does not say which filters are needed**: it agrees with ablation by -0.01 ± 0.07<!--=08b agreement/MSE as ±.2f--> (MSE) and 0.02 ± 0.06<!--=08b agreement/Pearson as ±.2f--> (Pearson). It is reproducible for the wrong reason.
# - **Squared error to a map asks for an even grey picture.** Try each score on a map from which the information it should use has been removed.
# - **Fisher and Taylor do say it**, in the layers where single filters matter, and choose which quarter of all filters a network can spare: 43%<!--=08b left quarter/Fisher, lowest as .0%--> and 41%<!--=08b left quarter/Taylor, lowest as .0%--> of 61%<!--=08b accuracy/trained as .0%--> are left, random ones leave 27%<!--=08b left quarter/random, lowest as .0%-->.
# - **Late filters are not needed one by one**: there no ranking can be judged by silencing them singly.
# - *Caveats.* A narrow ResNet-18 and ten classes. Which late filters are needed is hardly known (above), so that no agreement there says little; in the first three layers, where it is known, agreements of up to 0.23 (MSE) and 0.32 (Pearson) are not excluded. What quarters leave was not compared seed by seed. One way to draw a favourite image of many (regularised ones look better), and one saliency map. Silencing one filter asks what the network loses without it and with all others as they are; two filters that stand in for each other are then both not needed. Freezing a filter is not keeping it: what it reads changes. Filters in the second convolution of a block, past which the input flows, were not ranked. How maps and images are brought to one form, and classes to one ranking, is our choice.
# - *To try.* `width=8`: are single late filters needed where there are fewer? `epochs=40`: what do the first kernels become?
#
# **References.** Feenstra and Dow 2023, "A Method for Relieving Catastrophic Forgetting With Explainability". Erhan et al. 2009 (visualizing higher-layer features of a deep network). Srinivas and Fleuret 2019 (full-gradient saliency), arXiv:1905.00780. Adebayo et al. 2018 (sanity checks for saliency maps), arXiv:1810.03292. Molchanov et al. 2017 (pruning by Taylor expansion), arXiv:1611.06440. He et al. 2015 (ResNet), arXiv:1512.03385.
