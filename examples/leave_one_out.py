#!/usr/bin/env python3
"""What a model adds to the rules on bots that it never saw, and which features it needs.

    analytics simulate --seed 51 --out a.log --labels a.jsonl
    analytics simulate --seed 52 --out b.log --labels b.jsonl
    python leave_one_out.py ./analytics a.log a.jsonl b.log b.jsonl

For each kind of bot: trees learn from the first log without that kind, and are judged on that kind and on the people of the
second, by other seeds. *Rules* is the detector alone, *model* the trees alone at a probability of 0.5, *both* the detector
with the trees as a signal. Prints Markdown.
"""

import json
import os
import subprocess
import sys
import tempfile

import numpy as np
import pandas as pd
from sklearn.metrics import f1_score, roc_auc_score

import train

BOTS = ("bot", "declared_bot", "ai_agent")


def export(binary, log, labels, out, model=None):
    command = [binary, "features", "export", "--log", log, "--labels", labels, "--labelled-only", "--with-verdict",
               "--out", out] + (["--model", model] if model else [])
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return train.read(out)


def told(y, flagged, score):
    people, bots = y == 0, y == 1
    auc = roc_auc_score(y, score) if people.any() and bots.any() else float("nan")
    return f1_score(y, flagged, zero_division=0), auc, flagged[people].mean(), flagged[bots].mean()


def cells(numbers):
    f1, auc, people, found = numbers
    return f"{found:.1%} | {people:.2%} | {f1:.3f} | {auc:.3f}"


def main():
    binary, a_log, a_labels, b_log, b_labels = sys.argv[1:6]
    folder = tempfile.mkdtemp()
    path = lambda name: os.path.join(folder, name)  # noqa: E731
    a, b = export(binary, a_log, a_labels, path("a.csv")), export(binary, b_log, b_labels, path("b.csv"))
    card = train.card_of(path("a.csv"))
    names = [feature["name"] for feature in card["features"] if feature["known"] == "deciding"]
    y, v = (a["label"] == "bot").to_numpy().astype(int), (b["label"] == "bot").to_numpy().astype(int)
    x, u = train.matrix(a, names), train.matrix(b, names)
    kinds_a, kinds = a["label_kind"].to_numpy(), b["label_kind"].to_numpy()
    rules = b["detector_class"].isin(BOTS).to_numpy().astype(int)
    rules_score = b["detector_score"].to_numpy()
    print(f"{len(a)} sessions to learn from ({y.sum()} bots), {len(b)} to judge ({v.sum()} bots), "
          f"{len(names)} features.\n")
    print("| left out | sessions | rules: found | people | F1 | AUC | model: found | people | F1 | AUC "
          "| both: found | people | F1 | AUC |")
    print("| --- | ---: | " + " | ".join(["---:"] * 12) + " |")
    sums = {"rules": [], "model": [], "both": []}
    bots = sorted(set(kinds[v == 1]))
    order = dict(zip(b["session_id"], range(len(b))))
    for kind in ["nothing", *bots]:
        keep = kinds_a != kind
        booster = train.trees(x[keep], y[keep], 100, 31, 1)
        model = path("model.txt")
        train.save_trees(booster, names, card["catalogue"], card["zone_minutes"], model)
        p = booster.predict(u)
        joint = export(binary, b_log, b_labels, path("c.csv"), model)
        joint = joint.iloc[np.argsort([order[session] for session in joint["session_id"]])]
        both = joint["detector_class"].isin(BOTS).to_numpy().astype(int)
        both_score = joint["detector_score"].to_numpy()
        rows = (v == 0) | ((kinds == kind) if kind != "nothing" else (v == 1))
        of = {
            "rules": told(v[rows], rules[rows], rules_score[rows]),
            "model": told(v[rows], (p[rows] >= 0.5).astype(int), p[rows]),
            "both": told(v[rows], both[rows], both_score[rows]),
        }
        if kind != "nothing":
            for way, numbers in of.items():
                sums[way].append(numbers)
        count = int(v[rows].sum())
        print(f"| {kind} | {count} | " + " | ".join(cells(of[way]) for way in ("rules", "model", "both")) + " |",
              flush=True)
    means = {way: np.nanmean(numbers, axis=0) for way, numbers in sums.items()}
    print("| mean of kinds | | " + " | ".join(cells(means[way]) for way in ("rules", "model", "both")) + " |")

    print("\n| without | AUC | F1 | people flagged |\n| --- | ---: | ---: | ---: |")
    groups = {feature["name"]: feature["group"] for feature in card["features"]}

    def without(label, gone):
        keep = [at for at, name in enumerate(names) if name not in gone]
        p = train.trees(x[:, keep], y, 100, 31, 1).predict(u[:, keep])
        f1, auc, people, _ = told(v, (p >= 0.5).astype(int), p)
        return label, auc, f1, people

    whole = without("nothing", set())
    rows = [without(f"group {group}", {n for n in names if groups[n] == group})
            for group in sorted({groups[n] for n in names})]
    rows += sorted((without(f"`{name}`", {name}) for name in names), key=lambda row: row[2])
    for label, auc, f1, people in [whole, *rows]:
        print(f"| {label} | {auc:.4f} | {f1:.4f} | {people:.2%} |")
    print(json.dumps({"folder": folder}), file=sys.stderr)


if __name__ == "__main__":
    main()
