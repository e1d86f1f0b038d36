import sys, time, torch
from functools import partial
sys.path.insert(0, ".")
from cf_utils import data, models, streams, training, methods
width, precision, seeds, per, what = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
torch.manual_seed(0)
g = torch.Generator().manual_seed(0)
size = 64 if what == "alexnet" else 32
n = 3 * per
def part(n): return torch.randint(0, 256, (n, 3, size, size), dtype=torch.uint8, generator=g), torch.arange(n) % 9
(xt, yt), (xv, yv), (xs, ys) = part(n), part(0), part(900)
p = torch.full((3,), 127.0)
images = data.Images("made", tuple("abcdefghi"), xt, yt, xv, yv, xs, ys, p, p / 2)
stream = streams.split(images, [[0, 1, 2], [3, 4, 5], [6, 7, 8]], "class")
build = partial(models.alexnet, 9, 64, 0.5) if what == "alexnet" else partial(models.small_vgg, 9, 32, width)
config = training.TrainConfig(1, 64, 1e-3, optimizer="adam", weight_decay=0.0, precision=precision)
method = {"finetune": methods.Finetune(), "alexnet": methods.Finetune(), "ewc": methods.EWC(1e4, samples=200),
          "replay": methods.Replay(1000, 32, per_task=True),
          "apr": methods.APR(0.2, 1000, 32, True, 5, ["act3", "conv4", "act4", "fc5", "act5", "fc6", "fc6"]),
          "spl": methods.SPL(65.0, 1000, "conv4", 0.09, 0.6, 6, batch=32, per_task=True)}[what]
class Times:
    pass
run = training.run_stream(build, method, stream, config, range(seeds), "cuda", until=1)
torch.cuda.synchronize(); t = time.time()
run = training.proceed(run, stream, 3, "cuda")
torch.cuda.synchronize(); t = time.time() - t
steps = 2 * (per // 64)
print(f"{what} w{width} {precision} seeds={seeds}: {steps / t:7.1f} steps/s {2 * per * seeds / t:9.0f} new img/s ({t:.1f} s)", flush=True)
