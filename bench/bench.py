"""Speed, memory and scaling of cf_utils, beside Avalanche and a hand-written loop.

    python bench/bench.py [--quick] [--data mnist|mnist-5k] [--repeats N] [--out figures/bench]

Every contender trains the network 784-120-84-10 on the same five tasks of digits ([1, 2], ..., [9,
0], class scenario), in batches of 64, with Adam at 1e-3 and no weight decay.  Ten replicas and
Avalanche are given one CPU thread and two, each in turn, and of both the faster counts; one replica
and the hand-written loop get one thread. A task is trained for one epoch (mnist-5k, which is small:
five).  The clock runs while a task is trained, from before its first batch is drawn to after its
memory is stored: no imports, no building of datasets, no evaluation. Contenders take turns, so that
a slow minute of the machine hits all of them; a ratio is formed within each turn, and its median
over the turns is held against the bar.  The first turn is not counted.

The hand-written loop keeps standardised float32 images in memory; cf_utils keeps uint8 and
standardises each batch. Avalanche runs on ready float32 tensors (kindest to it) and on its stock
SplitMNIST; see avalanche_worker.py. Writes bench.json, bench.md, scaling.csv and scaling.png into
the folder --out.
"""

import argparse
import io
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pandas as pd
import seaborn
import torch
from torch import nn
from torch.nn import functional as F

from cf_utils import data, metrics, models, observers, streams, training
from cf_utils.methods import EWC, MAS, OGD, Finetune, LwF, Replay

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib import ticker

HERE = Path(__file__).resolve().parent
CLASSES = [[1, 2], [3, 4], [5, 6], [7, 8], [9, 0]]
BATCH, LR, MEMORY = 64, 1e-3, 500
EPOCHS = {"mnist": 1, "mnist-5k": 5}
STRENGTH = 1.0
METHODS = {
    "finetune": Finetune,
    "replay": lambda: Replay(MEMORY),
    "ewc": lambda: EWC(STRENGTH, fisher="empirical"),  # as Avalanche computes it, with the labels
    "mas": lambda: MAS(STRENGTH),
    "lwf": lambda: LwF(STRENGTH, temperature=2.0),
}
# Ten replicas to Avalanche.
BARS = {"finetune": 1 / 10, "replay": 1 / 10, "ewc": 1 / 8, "mas": 1 / 8, "lwf": 1 / 7}
# Not in Avalanche; held against our finetuning.
OURS = {"ogd, one direction a task": lambda: OGD(1, of="loss")}
REPLICAS, TASKS, GPU_REPLICAS = (1, 2, 5, 10, 20, 50), 10, (1, 10, 100, 1000)
TEN = "cf_utils, ten replicas"
ONE = "cf_utils, one replica"
HAND = "hand-written"
FUSED = "hand-written, fused Adam"
SCALING, QUICK_SCALING = (10_000, 2000), (1000, 500)  # images in all, and images a task
MEMORY_BAR, OGD_BAR = 1.5e9, 2
LEARNED = 0.9


class BenchError(RuntimeError):
    """The measurement cannot be made; the message is one sentence."""


class Avalanche:
    """The worker process in Avalanche's own environment."""

    def __init__(self, python, stream):
        images = stream.images
        self.epochs = EPOCHS[images.name]
        tasks = [(images.scale(task.x_train), task.y_train) for task in stream.tasks]
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name, "tasks.pt")
        torch.save({"tasks": tasks, "classes": CLASSES, "root": str(data.root())}, path)
        self.errors = tempfile.TemporaryFile("w+")  # noqa: SIM115
        command = [python, HERE / "avalanche_worker.py", path]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, text=True
        )
        self.versions = self._read()

    def train(self, method, turn, benchmark, threads):
        """Seconds of one seed's training, and its accuracy on the last task's training images."""
        request = {
            "method": method,
            "memory": MEMORY,
            "strength": STRENGTH,
            "batch_size": BATCH,
            "lr": LR,
            "epochs": self.epochs,
        }
        request |= {"benchmark": benchmark, "threads": threads, "seed": turn}
        with suppress(BrokenPipeError):  # a worker that has ended; _read says why
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
        answer = self._read()
        return answer["seconds"], answer["accuracy"]

    def close(self):
        self.process.kill()
        self.process.wait()
        self.folder.cleanup()

    def _read(self):
        line = self.process.stdout.readline()
        if not line:
            self.errors.seek(0)
            raise BenchError(f"the Avalanche worker ended: {last_line(self.errors.read())}")
        return json.loads(line)


def config(epochs, threads):
    """The same settings as every other contender's."""
    return training.TrainConfig(
        epochs, BATCH, LR, optimizer="adam", weight_decay=0.0, threads=threads
    )


class Clock(observers.Observer):
    """Records the seconds of each task's training."""

    def before_task(self, loop):
        self.start = self.now(loop)

    def after_task(self, loop):
        self.records.append(self.now(loop) - self.start)

    def now(self, loop):
        if loop.device.type == "cuda":
            torch.cuda.synchronize(loop.device)
        return time.perf_counter()


def timed(stream, method, replicas, seed=0, device="cpu", epochs=1, threads=1):
    """Seconds of training on each task, for all replicas together, and the Run."""
    clock, seeds = Clock(), range(seed, seed + replicas)
    run = training.run_stream(
        models.mlp,
        (METHODS | OURS)[method](),
        stream,
        config(epochs, threads),
        seeds,
        device,
        [clock],
    )
    return clock.records, run


def ours(stream, replicas, threads):
    """A contender: ``replicas`` seeds at once."""

    def train(method, turn):
        epochs = EPOCHS[stream.images.name]
        seconds, run = timed(stream, method, replicas, 100 * turn, epochs=epochs, threads=threads)
        task = stream.tasks[-1]
        accuracy = training.accuracy_on(run.model, stream.images, task.x_train, task.y_train)
        return sum(seconds) / replicas, accuracy.mean().item()

    return train


def hand_written(stream, fused):
    """A contender: the loop that a careful person writes for one network."""
    tasks = [(stream.images.scale(task.x_train), task.y_train) for task in stream.tasks]

    def train(method, turn):
        torch.manual_seed(turn)
        net = nn.Sequential(
            nn.Flatten(),
            nn.Linear(784, 120),
            nn.ReLU(),
            nn.Linear(120, 84),
            nn.ReLU(),
            nn.Linear(84, 10),
        )
        optimizer = torch.optim.Adam(net.parameters(), lr=LR, fused=fused)
        start = time.perf_counter()
        for x, y in tasks:
            for _ in range(EPOCHS[stream.images.name]):
                for index in torch.randperm(len(y)).split(BATCH):
                    optimizer.zero_grad()
                    F.cross_entropy(net(x[index]), y[index]).backward()
                    optimizer.step()
        seconds = time.perf_counter() - start
        with torch.no_grad():
            return seconds, (net(x).argmax(1) == y).float().mean().item()

    return train


def on_threads(name, threads):
    return f"{name}, {threads} thread{'s' if threads > 1 else ''}"


def contenders(stream, avalanche, threads):
    """Name -> function of method and turn that returns seconds a seed and accuracy."""
    found = {on_threads(TEN, count): ours(stream, 10, count) for count in threads}
    found[ONE] = ours(stream, 1, 1)
    if avalanche:
        # SplitMNIST is the full set, so it is compared only where cf_utils trains on that as well.
        kinds = ["tensors"] + (["SplitMNIST"] if stream.images.name == "mnist" else [])
        for kind in kinds:
            for count in threads:
                found[on_threads(f"Avalanche, {kind}", count)] = (
                    lambda method, turn, kind=kind, count=count: avalanche.train(
                        method, turn, kind, count
                    )
                )
    return found | {HAND: hand_written(stream, None), FUSED: hand_written(stream, True)}


def race(stream, avalanche, threads, repeats):
    """Rows of method, contender, turn, seconds a seed and accuracy; contenders take turns."""
    entered, rows = contenders(stream, avalanche, threads), []
    for turn in range(repeats + 1):
        for method in [*METHODS, *OURS]:
            for name, train in entered.items():
                if name in (HAND, FUSED) and method != "finetune":
                    continue
                if method in OURS and not name.startswith(TEN):
                    continue
                seconds, accuracy = train(method, turn)
                rows.append(
                    {
                        "method": method,
                        "contender": name,
                        "turn": turn,
                        "seconds": seconds,
                        "accuracy": accuracy,
                    }
                )
        say(f"turn {turn} of {repeats}" + " (not counted)" * (turn == 0))
    table = pd.DataFrame(row for row in rows if row["turn"])
    for cell, accuracy in table.groupby(["contender", "method"]).accuracy.median().items():
        if accuracy < LEARNED:
            raise BenchError(
                f"{' with '.join(cell)} learned too little: "
                f"accuracy {accuracy:.3f} on its last task"
            )
    return table


def ratios(table):
    """Every comparison: its ratio in each turn,
    and the bar that the median is held against (None: no bar).

    Of a contender's thread counts the faster one counts, in each turn anew.
    """
    found = []
    for method, rows in table.groupby("method", sort=False):
        rivals = rows.contender.str.replace(r", \d+ threads?$", "", regex=True)
        times = rows.groupby([rivals, "turn"], sort=False).seconds.min()
        theirs = [name for name in rivals.unique() if name.startswith("Avalanche")]
        bars = {(TEN, name): BARS[method] for name in theirs}
        bars |= {(ONE, name): 0.25 if method in ("finetune", "replay") else None for name in theirs}
        bars |= {(ONE, HAND): 1.3, (ONE, FUSED): None} if HAND in times else {}
        for (a, b), bar in bars.items():
            values = (times[a] / times[b]).tolist()
            middle = statistics.median(values)
            met = None if bar is None else middle <= bar
            found.append(
                {
                    "method": method,
                    "of": a,
                    "to": b,
                    "ratios": values,
                    "median": middle,
                    "bar": bar,
                    "met": met,
                }
            )
    best = {
        m: rows[rows.contender.str.startswith(TEN)].groupby("turn").seconds.min()
        for m, rows in table.groupby("method")
    }
    for method in OURS:
        values = (best[method] / best["finetune"]).tolist()
        middle = statistics.median(values)
        row = {
            "method": method,
            "of": TEN,
            "to": "the same, finetune",
            "ratios": values,
            "median": middle,
        }
        found.append(row | {"bar": OGD_BAR, "met": middle <= OGD_BAR})
    return found


def peak_memory(name):
    """Peak resident bytes of a fresh process that trains ten replicas; method -> bytes.

    Called first: a child's peak starts at what its parent holds when it forks.
    """
    found = {}
    for method in METHODS:
        command = [sys.executable, __file__, "--data", name, "--measure-memory", method]
        child = subprocess.run(command, capture_output=True, text=True)
        if child.returncode:
            raise BenchError(last_line(child.stderr).removeprefix("error: "))
        found[method] = int(child.stdout)
    return found


def print_own_peak(name, method):
    """What the fresh process does: load the data, train and evaluate ten replicas,
    print its peak in bytes.
    """
    stream = streams.split(data.load(name), CLASSES)
    training.run_stream(
        models.mlp, METHODS[method](), stream, config(EPOCHS[name], 1), range(10), "cpu"
    )
    unit = 1 if sys.platform == "darwin" else 1024
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit)


def sample(images, count):
    """``count`` training images and 100 test images, drawn at random."""
    generator = torch.Generator().manual_seed(0)
    train = torch.randperm(len(images.y_train), generator=generator)[:count]
    test = torch.randperm(len(images.y_test), generator=generator)[:100]
    return replace(
        images,
        x_train=images.x_train[train],
        y_train=images.y_train[train],
        x_test=images.x_test[test],
        y_test=images.y_test[test],
    )


def scaling(images, sizes, repeats):
    """Rows of study, method, count, turn and seconds, one epoch a task.

    replicas: training ``count`` replicas on the five tasks of ``sizes[0]`` images.
    task: training ten replicas on task number ``count`` of ten permuted tasks of ``sizes[1]``
    images each.
    """
    split = streams.split(sample(images, sizes[0]), CLASSES)
    permuted = streams.permuted(sample(images, sizes[1]), TASKS)
    rows = []
    for turn in range(repeats + 1):
        for method in METHODS:
            for count in REPLICAS:
                rows.append(("replicas", method, count, turn, sum(timed(split, method, count)[0])))
            tasks = timed(permuted, method, 10)[0]
            rows += [
                ("task", method, number, turn, seconds) for number, seconds in enumerate(tasks, 1)
            ]
        say(f"scaling: turn {turn} of {repeats}" + " (not counted)" * (turn == 0))
    table = pd.DataFrame(rows, columns=["study", "method", "count", "turn", "seconds"])
    return table[table.turn > 0]


def exponents(table):
    """Slopes in log-log, one a turn: of time against replicas,
    and of the time of tasks 2..T against T - 1.

    Task 1 is left out since replay has nothing to replay in it.
    """
    found = {}
    for (study, method), rows in table.groupby(["study", "method"], sort=False):
        slopes = []
        for _, turn in rows.groupby("turn"):
            counts, seconds = turn["count"].to_numpy(), turn.seconds.to_numpy()
            if study == "task":
                counts, seconds = counts[1:] - 1, np.cumsum(seconds[1:])
            slopes.append(float(np.polyfit(np.log(counts), np.log(seconds), 1)[0]))
        found[f"{'tasks' if study == 'task' else study}, {method}"] = slopes
    return found


def draw(result):
    """scaling.png as bytes."""
    table, s = pd.DataFrame(result["scaling"]), result["settings"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4))
    left.set_title("Five split tasks")
    left.set(
        xscale="log",
        yscale="log",
        xlabel="replicas trained at once",
        ylabel="training time of all replicas (s)",
    )
    draw_lines(left, table[table.study == "replicas"])
    left.set_xticks(REPLICAS, REPLICAS)
    left.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    left.yaxis.set_major_formatter(ticker.FormatStrFormatter("%g"))
    left.minorticks_off()
    left.set_xlim(0.85, REPLICAS[-1] * 2.8)
    right.set_title("Streams of permuted tasks")
    right.set(xlabel="tasks in the stream", ylabel="training time of ten replicas (s)")
    tasks = table[table.study == "task"].sort_values("count")
    draw_lines(right, tasks.assign(seconds=tasks.groupby(["method", "turn"]).seconds.cumsum()))
    right.set_xticks(range(1, TASKS + 1))
    right.set_xlim(0.5, TASKS + 2.5)
    right.set_ylim(0)
    caption = (
        "{}: {:,} images in all (left), {:,} a task (right); one epoch, batch {}.\n"
        "One thread of a machine with {} cores. Mean and 95 % t-interval of {} repeats."
    ).format(s["data"], *s["scaling_images"], BATCH, s["cores"], s["repeats"])
    figure.tight_layout()
    figure.text(0.5, -0.01, caption, ha="center", va="top", fontsize=8)
    seaborn.despine(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=150, bbox_inches="tight")
    plt.close(figure)
    return buffer.getvalue()


def draw_lines(axis, table):
    """Mean seconds against count with 95 % intervals: a line a method, named at its right end."""
    colors = seaborn.color_palette("colorblind")
    for (method, rows), color in zip(table.groupby("method"), colors, strict=False):
        turns = rows.pivot(index="turn", columns="count", values="seconds")
        mean, half = metrics.interval(turns.to_numpy())
        axis.errorbar(turns.columns, mean, half, color=color, marker="o", markersize=4, capsize=3)
        end = (turns.columns[-1], mean[-1])
        axis.annotate(
            method, end, xytext=(8, 0), textcoords="offset points", va="center", color=color
        )


def on_gpu(images, repeats):
    """Seconds of training on CUDA: replicas -> one value a turn; empty without a GPU."""
    if not torch.cuda.is_available():
        return {}
    stream = streams.split(sample(images, 10_000), CLASSES)
    found = {count: [] for count in GPU_REPLICAS}
    for turn in range(repeats + 1):
        for count, seconds in found.items():
            taken = sum(timed(stream, "finetune", count, device="cuda")[0])
            seconds += [taken] if turn else []
    return found


def markdown(result):
    """bench.md: what was measured, as tables."""
    s = result["settings"]
    lines = [
        f"Training on {s['data']}, {s['images']:,} images in five tasks, epochs a task: "
        f"{s['epochs']}, batch {BATCH}, Adam; {s['cpu']}, {s['cores']} cores, torch {s['torch']}, "
        f"{s['repeats']} repeats, load {s['load_at_start']} at the start.",
        "",
        *rows_of(
            [
                "method",
                "contender",
                "seconds a seed, median",
                "min",
                "max",
                "accuracy on the last task, median",
            ]
        ),
    ]
    times = pd.DataFrame(result["times"]).groupby(["method", "contender"], sort=False)
    for (method, name), part in times:
        t = part.seconds
        lines += [
            row(
                method,
                name,
                f"{t.median():.2f}",
                f"{t.min():.2f}",
                f"{t.max():.2f}",
                f"{part.accuracy.median():.3f}",
            )
        ]
    lines += ["", *rows_of(["method", "ratio of time a seed", "median", "min", "max", "bar", ""])]
    for r in result["ratios"]:
        bar, met = "none", ""
        if r["bar"] is not None:
            bar, met = f"≤ {r['bar']:.3g}", "met" if r["met"] else "not met"
        spread = [f"{value:.3f}" for value in (r["median"], min(r["ratios"]), max(r["ratios"]))]
        lines += [row(r["method"], f"{r['of']} / {r['to']}", *spread, bar, met)]
    if not s["avalanche"]:
        lines += ["", "Avalanche was not measured: its environment is missing."]
    lines += ["", *rows_of(["peak memory of ten replicas", "GB", "bar", ""])]
    for method, peak in result["memory"].items():
        lines += [
            row(
                method,
                f"{peak / 1e9:.2f}",
                f"≤ {MEMORY_BAR / 1e9:g}",
                "met" if peak <= MEMORY_BAR else "not met",
            )
        ]
    lines += ["", *rows_of(["time grows with", "exponent, median", "min", "max"])]
    for name, slopes in result["exponents"].items():
        lines += [row(name, *(f"{f(slopes):.2f}" for f in (statistics.median, min, max)))]
    lines += ["", *scaling_rows(pd.DataFrame(result["scaling"])), "", *gpu_rows(result["gpu"])]
    return "\n".join(lines) + "\n"


def scaling_rows(table):
    """Median seconds against replicas and for each task."""
    lines = []
    for study, label in (("replicas", "replicas"), ("task", "task number")):
        part = table[table.study == study]
        seconds = part.pivot_table(
            index="method", columns="count", values="seconds", aggfunc="median", sort=False
        )
        lines += [*rows_of([f"seconds; {label}", *map(str, seconds.columns)])]
        lines += [
            row(method, *(f"{value:.3g}" for value in values))
            for method, *values in seconds.itertuples()
        ] + [""]
    return lines[:-1]


def gpu_rows(seconds):
    if not seconds:
        return ["No CUDA device: replicas on a GPU were not measured."]
    one = seconds[1]
    lines = rows_of(["replicas on the GPU", "seconds, median", "time of one replica, times", "aim"])
    for count, values in seconds.items():
        times = statistics.median(a / b for a, b in zip(values, one, strict=True))
        aim = f"< 2: {'met' if times < 2 else 'not met'}" if count == 100 else ""
        lines.append(row(count, f"{statistics.median(values):.3f}", f"{times:.2f}", aim))
    return lines


def row(*cells):
    return "| " + " | ".join(map(str, cells)) + " |"


def rows_of(heads):
    """The two head rows of a Markdown table."""
    return [row(*heads), row(*["---"] * len(heads))]


def write(path, content):
    """Write bytes or text in one step, so that no half-written file is ever seen."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content if isinstance(content, bytes) else content.encode())
    os.replace(part, path)


def last_line(text):
    return (text.strip() or "no message").splitlines()[-1]


def say(text):
    print(text, file=sys.stderr, flush=True)


def settings(args, images, avalanche, load):
    return {
        "data": images.name,
        "images": len(images.y_train),
        "repeats": args.repeats,
        "quick": args.quick,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "avalanche": avalanche.versions if avalanche else None,
        "scaling_images": [
            min(len(images.y_train), size) for size in (QUICK_SCALING if args.quick else SCALING)
        ],
        "epochs": EPOCHS[images.name],
        "threads": args.threads,
        "cores": os.cpu_count(),
        "cpu": cpu_name(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "load_at_start": round(load, 2),
    }


def cpu_name():
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def start_avalanche(args, stream):
    """The worker; None with a clear line where --quick may go without it."""
    if Path(args.avalanche_python).exists():
        return Avalanche(args.avalanche_python, stream)
    hint = "`make bench` creates it, --avalanche-python names another"
    missing = f"{args.avalanche_python} is missing; {hint}"
    if not args.quick:
        raise BenchError(missing)
    say(f"Avalanche is skipped: {missing}")


def measure(args):
    """Everything that bench.json holds."""
    load = os.getloadavg()[0]
    if load > 0.5:
        say(
            f"the machine is busy (load {load:.1f}): the timings "
            "will be noisy, and two threads far too slow"
        )
    memory = peak_memory(args.data)
    images = data.load(args.data)
    stream = streams.split(
        replace(images, x_test=images.x_test[::50], y_test=images.y_test[::50]), CLASSES
    )
    avalanche = start_avalanche(args, stream)
    result = {"settings": settings(args, images, avalanche, load), "memory": memory}
    try:
        times = race(stream, avalanche, args.threads, args.repeats)
    finally:
        if avalanche:
            avalanche.close()
    table = scaling(images, result["settings"]["scaling_images"], args.repeats)
    result |= {
        "times": times.to_dict("records"),
        "ratios": ratios(times),
        "exponents": exponents(table),
    }
    result |= {"scaling": table.to_dict("records"), "gpu": on_gpu(images, args.repeats)}
    return result


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="mnist-5k, two repeats, into out/bench"
    )
    parser.add_argument("--gpu", action="store_true", help="replicas on CUDA alone, printed")
    parser.add_argument("--data", choices=["mnist", "mnist-5k"], help="default: mnist")
    parser.add_argument("--repeats", type=int, help="default: 5")
    parser.add_argument("--out", type=Path, help="default: figures/bench")
    parser.add_argument(
        "--avalanche-python", default=str(HERE.parent / ".venv-bench" / "bin" / "python")
    )
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--measure-memory", choices=METHODS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    args.data = args.data or ("mnist-5k" if args.quick else "mnist")
    args.repeats = (2 if args.quick else 5) if args.repeats is None else args.repeats
    args.out = args.out or HERE.parent / ("out" if args.quick else "figures") / "bench"
    if args.repeats < 1 or min(args.threads) < 1:
        parser.error("--repeats and --threads are 1 or more")
    return args


def main():
    args = arguments()
    os.environ.pop("CF_THREADS", None)
    torch.set_num_threads(1)
    try:
        if args.measure_memory:
            print_own_peak(args.data, args.measure_memory)
            return
        if args.gpu:
            print("\n".join(gpu_rows(on_gpu(data.load(args.data), args.repeats))))
            return
        args.out.mkdir(parents=True, exist_ok=True)
        result = measure(args)
        write(args.out / "bench.json", json.dumps(result, indent=1) + "\n")
        write(args.out / "scaling.csv", pd.DataFrame(result["scaling"]).to_csv(index=False))
        write(args.out / "bench.md", markdown(result))
        write(args.out / "scaling.png", draw(result))
        print(markdown(result))
        say(f"written to {args.out}")
    except (BenchError, data.DataError, training.Diverged, OSError) as error:
        raise SystemExit(f"error: {error}") from None


if __name__ == "__main__":
    main()
