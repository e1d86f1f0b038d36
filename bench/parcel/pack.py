import ctypes, hashlib, json, lzma, os, struct, sys, time
from pathlib import Path
from unpack import FILES, HERE, int64s, library
def split(b):
    i = 2
    while True:
        m, L = b[i + 1], struct.unpack(">H", b[i + 2:i + 4])[0]; i += 2 + L
        if m == 0xda: return i
def main(name, source, chunks):
    lib = library(); source = Path(source); files, others = [], {}
    for place, _, names in os.walk(source):
        for n in names:
            p = Path(place, n); r = str(p.relative_to(source))
            if p.suffix.lower() in (".jpg", ".jpeg"): files.append(r)
            else: others[r] = p.read_bytes().decode("latin-1")
    files.sort(); folders = sorted({str(Path(f).parent) for f in files}); heads = {}; parts = []; at = 0; out = []
    blobs = {f: (source / f).read_bytes() for f in files}
    for b in blobs.values(): heads.setdefault(b[:split(b)], len(heads))
    offsets = [0]
    for h in heads: offsets.append(offsets[-1] + len(h))
    hb = b"".join(heads); work = ctypes.create_string_buffer(lib.workspace())
    for c in range(chunks):
        names = files[len(files) * c // chunks:len(files) * (c + 1) // chunks]; bs = [blobs[n] for n in names]
        cut = [split(b) for b in bs]; scans = [b[i:] for b, i in zip(bs, cut)]; ids = bytes(heads[b[:i]] for b, i in zip(bs, cut)); off = [0]
        for s in scans: off.append(off[-1] + len(s))
        buf = ctypes.create_string_buffer(off[-1] + 65536); bad = ctypes.c_longlong(-1)
        n = lib.pack(work, hb, int64s(offsets), len(heads), ids, len(ids), b"".join(scans), int64s(off), buf, ctypes.byref(bad))
        assert n > 0, (n, bad.value)
        whole = b"".join(bs)
        out.append({"names": names, "ids": ids.hex(), "at": at, "length": n, "size": len(whole), "sha256": hashlib.sha256(whole).hexdigest()}); parts.append(buf.raw[:n]); at += n
        print(c, len(names), len(whole), n, flush=True)
    index = lzma.compress(json.dumps({"heads": hb.hex(), "offsets": offsets, "folders": folders, "others": others, "chunks": out}).encode(), preset=9 | lzma.PRESET_EXTREME)
    (HERE / FILES[name][0]).write_bytes(len(index).to_bytes(8, "little") + index + b"".join(parts))
    print(name, "index", len(index), "total", os.path.getsize(HERE / FILES[name][0]))
main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
