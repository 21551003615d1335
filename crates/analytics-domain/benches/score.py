#!/usr/bin/env python3
"""Scores single rows by 100 trees with LightGBM itself and with `benches/features.rs`, in one run.

    python crates/analytics-domain/benches/score.py data.parquet

LightGBM is called through its C interface, one row a call, prepared beforehand (`SingleRowFast`), which is the fastest that
it has; and through its Python class, which is what most people call.
"""

import ctypes
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import lightgbm as lgb
import numpy as np

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../../examples"))
import train  # noqa: E402


def fast(booster, rows):
    lib = lgb.basic._LIB
    config = ctypes.c_void_p()
    handle = booster._handle
    code = lib.LGBM_BoosterPredictForMatSingleRowFastInit(
        handle, 0, 0, -1, 1, rows.shape[1], b"num_threads=1", ctypes.byref(config))
    assert code == 0
    length, out = ctypes.c_int64(), (ctypes.c_double * 1)()
    pointers = [row.ctypes.data_as(ctypes.c_void_p) for row in rows]
    call, size = lib.LGBM_BoosterPredictForMatSingleRowFast, ctypes.byref(length)

    def once():
        start = time.perf_counter_ns()
        for pointer in pointers:
            call(config, pointer, size, out)
        return (time.perf_counter_ns() - start) / len(pointers)

    def empty():
        """What calling C from Python costs by itself."""
        nothing = lib.LGBM_GetLastError
        start = time.perf_counter_ns()
        for pointer in pointers:
            nothing()
        return (time.perf_counter_ns() - start) / len(pointers)

    once()
    return statistics.median(once() for _ in range(7)), statistics.median(empty() for _ in range(7))


def by_class(booster, rows):
    start = time.perf_counter_ns()
    for row in rows[:500]:
        booster.predict(row.reshape(1, -1), num_threads=1)
    return (time.perf_counter_ns() - start) / 500


def main():
    frame, card = train.read(sys.argv[1]), train.card_of(sys.argv[1])
    names = [feature["name"] for feature in card["features"] if feature["known"] == "deciding"]
    frame = frame[frame["label"].notna()]
    x, y = train.matrix(frame, names), (frame["label"] == "bot").to_numpy().astype(int)
    booster = train.trees(x, y, 100, 31, 1)
    rows = np.ascontiguousarray(x[np.random.default_rng(1).choice(len(x), 2000)])
    every = [feature["name"] for feature in card["features"]]
    with tempfile.TemporaryDirectory() as folder:
        model, lines = os.path.join(folder, "model.txt"), os.path.join(folder, "rows.csv")
        train.save_trees(booster, names, card["catalogue"], card["zone_minutes"], model)
        place = {name: at for at, name in enumerate(names)}
        with open(lines, "w") as file:
            for row in rows:
                numbers = [row[place[name]] if name in place else np.nan for name in every]
                file.write(",".join("" if np.isnan(n) else repr(float(n)) for n in numbers) + "\n")
        booster = lgb.Booster(model_file=model)
        theirs, empty = fast(booster, rows)
        slow = by_class(booster, rows)
        command = ["cargo", "bench", "-q", "-p", "analytics-domain", "--bench", "features", "--", model, lines]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    ours = float(re.search(r"score ([0-9.]+) ns", said).group(1))
    print(json.dumps({
        "trees": 100, "features": len(names), "ours_ns": ours, "lightgbm_single_row_fast_ns": theirs - empty,
        "call_from_python_ns": empty, "lightgbm_python_ns": slow, "ratio_to_fast": ours / (theirs - empty),
        "ratio_to_python": ours / slow,
    }, indent=1))


if __name__ == "__main__":
    main()
