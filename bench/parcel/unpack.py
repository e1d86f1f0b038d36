"""Restore the datasets byte for byte: python3 unpack.py cifar10|tiny|mnist DATA_FOLDER  (several names: cifar10,mnist).

Standard library only. The JPEG files' scans are recoded by jcoder.so (jcoder.c beside it, no libc; built again where it
does not load). Checks the SHA-256 of what it restores, and ends with 1 if one differs.
"""

import ctypes
import hashlib
import json
import lzma
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
FILES = {"cifar10": ("cifar10.cfj", "cifar10"), "tiny": ("tiny.cfj", "tiny-imagenet-100")}


def library():
    try:
        lib = ctypes.CDLL(str(HERE / "jcoder.so"))
    except OSError:
        made = Path(tempfile.mkdtemp()) / "jcoder.so"
        flags = "-O3 -ffreestanding -fno-stack-protector -fPIC -shared -nostdlib -fno-tree-loop-distribute-patterns"
        subprocess.run(["gcc", *flags.split(), str(HERE / "jcoder.c"), "-o", str(made)], check=True)
        lib = ctypes.CDLL(str(made))
    for name in ("workspace", "pack", "unpack"):
        getattr(lib, name).restype = ctypes.c_longlong
    return lib


def int64s(values):
    return (ctypes.c_longlong * len(values))(*values)


def decode(archive, target, heads, offsets, chunk):
    """Write the files of one chunk; returns its number of files if the digest is right, else 0."""
    lib, names = library(), chunk["names"]
    with open(archive, "rb") as file:
        file.seek(chunk["at"])
        data = file.read(chunk["length"])
    out, off = ctypes.create_string_buffer(chunk["size"] + 65536), (ctypes.c_longlong * (len(names) + 1))()
    work, ids = ctypes.create_string_buffer(lib.workspace()), bytes.fromhex(chunk["ids"])
    args = work, heads, int64s(offsets), len(offsets) - 1, ids, len(names), data, ctypes.c_longlong(len(data)), out, off
    if lib.unpack(*args) != chunk["size"]:
        return 0
    view = memoryview(out)[: chunk["size"]]
    if hashlib.sha256(view).hexdigest() != chunk["sha256"]:
        return 0
    for i, name in enumerate(names):
        fd = os.open(f"{target}/{name}", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        os.write(fd, view[off[i] : off[i + 1]])
        os.close(fd)
    return len(names)


def index_of(archive):
    with open(archive, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        index = json.loads(lzma.decompress(file.read(length)))
    for chunk in index["chunks"]:
        chunk["at"] += 8 + length
    return index


def jpegs(name, folder, processes=None):
    archive, target = HERE / FILES[name][0], Path(folder, FILES[name][1])
    index = index_of(archive)
    for place in index["folders"]:
        (target / place).mkdir(parents=True, exist_ok=True)
    for other, text in index["others"].items():
        (target / other).write_bytes(text.encode("latin-1"))
    heads, offsets = bytes.fromhex(index["heads"]), index["offsets"]
    jobs = [(str(archive), str(target), heads, offsets, chunk) for chunk in index["chunks"]]
    with multiprocessing.get_context("fork").Pool(processes or min(len(jobs), os.cpu_count())) as pool:
        done = pool.starmap(decode, jobs, chunksize=1)
    return sum(done) == sum(len(chunk["names"]) for chunk in index["chunks"]), sum(done)


def mnist(folder):
    target, done = Path(folder, "MNIST", "raw"), 0
    target.mkdir(parents=True, exist_ok=True)
    digests = json.loads((HERE / "mnist" / "sha256.json").read_text())
    for name, digest in digests.items():
        data = lzma.decompress((HERE / "mnist" / f"{name}.xz").read_bytes())
        done += hashlib.sha256(data).hexdigest() == digest
        (target / name).write_bytes(data)
    return done == len(digests), done


if __name__ == "__main__":
    ok = True
    for name in sys.argv[1].split(","):
        start = time.time()
        right, files = mnist(sys.argv[2]) if name == "mnist" else jpegs(name, sys.argv[2])
        print(f"{name}: {files} files {'restored' if right else 'restored, SOME WRONG'} ({time.time() - start:.1f} s)")
        ok = ok and right
    sys.exit(not ok)
