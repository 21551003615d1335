#!/usr/bin/env python3
"""Trains models on an export of `analytics features export`, and says how good they are on the held-out part.

    pip install lightgbm scikit-learn pandas pyarrow
    analytics features export --log access.log --labels truth.jsonl --split 0.7 --out data.parquet
    python train.py data.parquet --out models

Writes models/model.txt (LightGBM, for `--model`), models/logistic.json (the same), and models/report.json. With --fixture it
writes a small model with rows and the probabilities that Python gives them, which the tests of `analytics-domain` score
again. With --leave-out KIND sessions of that kind of actor are not learned from, and judged apart.
"""

import argparse
import json
import math
import os

import lightgbm as lgb
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, f1_score, roc_auc_score

NOT_FEATURES = {
    "session_id", "group", "started_at", "as_of", "part", "label", "label_source", "label_confidence", "label_kind",
    "detector_class", "detector_score", "model_probability",
}


def read(path):
    if path.endswith(".parquet"):
        return pd.read_parquet(path)
    return pd.read_csv(path) if path.endswith(".csv") else pd.read_json(path, lines=True)


def card_of(path):
    with open(path + ".card.json") as file:
        return json.load(file)


def matrix(frame, names):
    return np.column_stack([pd.to_numeric(frame[name].astype("float64")) for name in names])


def trees(x, y, rounds, leaves, seed):
    # Where bots are few among many people, leaves without a penalty outgrow each other and the model is worse than none.
    settings = {
        "objective": "binary", "num_leaves": leaves, "learning_rate": 0.1, "min_data_in_leaf": 20, "lambda_l2": 1.0,
        "verbose": -1, "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1,
    }
    return lgb.train(settings, lgb.Dataset(x, label=y), rounds)


def save_trees(booster, names, catalogue, zone, path):
    """LightGBM ignores the lines of the head that say which catalogue the features follow; `analytics` needs them."""
    lines = []
    for line in booster.model_to_string().split("\n"):
        lines.append(f"feature_names={' '.join(names)}" if line.startswith("feature_names=") else line)
        if line.startswith("version="):
            lines += [f"analytics_catalogue={catalogue}", f"analytics_zone={zone}"]
    with open(path, "w") as file:
        file.write("\n".join(lines))


class Logistic:
    """A logistic regression on scaled features; a missing one is at its centre, and that it is missing has a weight."""

    def __init__(self, x, y):
        with np.errstate(all="ignore"):
            self.centre = np.nan_to_num(np.nanmean(x, axis=0))
            scale = np.nan_to_num(np.nanstd(x, axis=0))
        self.scale = np.where(scale > 0, scale, 1.0)
        self.width = x.shape[1]
        self.model = LogisticRegression(max_iter=2000, C=0.1).fit(self.prepare(x), y)

    def prepare(self, x):
        missing = np.isnan(x)
        scaled = np.where(missing, 0.0, (x - self.centre) / self.scale)
        return np.hstack([scaled, missing.astype(float)])

    def predict(self, x):
        weights, there = self.model.coef_[0], self.prepare(x)
        return 1 / (1 + np.exp(-(there @ weights + self.model.intercept_[0])))

    def save(self, names, catalogue, zone, path):
        weights = self.model.coef_[0]
        columns = [
            {"name": name, "centre": float(self.centre[i]), "scale": float(self.scale[i]),
             "weight": float(weights[i]), "missing": float(weights[self.width + i])}
            for i, name in enumerate(names)
        ]
        with open(path, "w") as file:
            record = {"catalogue": catalogue, "zone": zone, "intercept": float(self.model.intercept_[0])}
            json.dump({**record, "features": columns}, file, indent=1)


def judged(y, p, limit=0.5):
    if len(y) == 0:
        return {"rows": 0}
    people = y == 0
    both = 0 < y.sum() < len(y)
    bins = np.clip((p * 10).astype(int), 0, 9)
    calibration = [
        {"said": float(p[bins == b].mean()), "was": float(y[bins == b].mean()), "rows": int((bins == b).sum())}
        for b in range(10) if (bins == b).any()
    ]
    return {
        "rows": len(y), "bots": int(y.sum()),
        "auc": float(roc_auc_score(y, p)) if both else None,
        "f1": float(f1_score(y, p >= limit, zero_division=0)),
        "recall": float((p[~people] >= limit).mean()) if (~people).any() else None,
        "false_positives": float((p[people] >= limit).mean()) if people.any() else None,
        "brier": float(brier_score_loss(y, p)), "calibration": calibration,
    }


def fixture(x, y, names, catalogue, zone, folder):
    """A model small enough to be kept, and rows with every way of being missing."""
    rng = np.random.default_rng(7)
    booster = trees(x, y, 12, 7, 1)
    save_trees(booster, names, catalogue, zone, os.path.join(folder, "trees.txt"))
    logistic = Logistic(x, y)
    logistic.save(names, catalogue, zone, os.path.join(folder, "logistic.json"))
    rows = x[rng.choice(len(x), 80, replace=False)].copy()
    rows[40:60][rng.random((20, x.shape[1])) < 0.5] = np.nan
    rows[60:70] = np.nan
    rows[60:70, :10] = 0.0
    p, q = booster.predict(rows), logistic.predict(rows)
    with open(os.path.join(folder, "rows.json"), "w") as file:
        clean = [[None if math.isnan(v) else float(v) for v in row] for row in rows]
        json.dump({"features": names, "rows": [
            {"features": row, "trees": float(a), "logistic": float(b)} for row, a, b in zip(clean, p, q)
        ]}, file, separators=(",", ":"))


def main():
    args = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    args.add_argument("data")
    args.add_argument("--out", default="models")
    args.add_argument("--rounds", type=int, default=100)
    args.add_argument("--leaves", type=int, default=31)
    args.add_argument("--seed", type=int, default=1)
    args.add_argument("--all-features", action="store_true", help="also those that are known only afterwards")
    args.add_argument("--without", default="", help="features or groups to leave out, with commas")
    args.add_argument("--leave-out", default="", help="a kind of actor that is not learned from")
    args.add_argument("--fixture", default="", help="a folder for a small model with rows")
    args.add_argument("--predictions", default="", help="a CSV for the probabilities of the held-out rows")
    args = args.parse_args()

    frame, card = read(args.data), card_of(args.data)
    if frame["part"].isna().all():
        raise SystemExit("the export is not split; make it with --split 0.7")
    if card["normalisation"] != "raw":
        raise SystemExit("the features are scaled; models read raw ones, so export without --normalise")
    without = set(filter(None, args.without.split(",")))
    names = [
        feature["name"] for feature in card["features"]
        if (args.all_features or feature["known"] == "deciding")
        and feature["name"] not in without and feature["group"] not in without
    ]
    assert not NOT_FEATURES & set(names)
    frame = frame[frame["label"].notna()]
    train, test = frame[frame["part"] == "train"], frame[frame["part"] == "test"]
    if args.leave_out:
        train = train[train["label_kind"] != args.leave_out]
    x, y = matrix(train, names), (train["label"] == "bot").to_numpy().astype(int)
    u, v = matrix(test, names), (test["label"] == "bot").to_numpy().astype(int)
    if len(set(y)) < 2:
        raise SystemExit("the training part has one class only; label both people and bots")

    os.makedirs(args.out, exist_ok=True)
    booster = trees(x, y, args.rounds, args.leaves, args.seed)
    save_trees(booster, names, card["catalogue"], card["zone_minutes"], os.path.join(args.out, "model.txt"))
    logistic = Logistic(x, y)
    logistic.save(names, card["catalogue"], card["zone_minutes"], os.path.join(args.out, "logistic.json"))

    p, q = booster.predict(u), logistic.predict(u)
    report = {"train": len(y), "features": len(names), "trees": judged(v, p), "logistic": judged(v, q)}
    if args.leave_out:
        left = (test["label_kind"] == args.leave_out).to_numpy() | (v == 0)
        report["left_out"] = {"kind": args.leave_out, "trees": judged(v[left], p[left]),
                              "logistic": judged(v[left], q[left])}
    gain = booster.feature_importance("gain")
    report["gain"] = {name: float(g) for g, name in sorted(zip(gain, names), reverse=True)[:20]}
    with open(os.path.join(args.out, "report.json"), "w") as file:
        json.dump(report, file, indent=1)
    if args.predictions:
        out = test[["session_id", "label", "label_kind"]].assign(trees=p, logistic=q)
        out.to_csv(args.predictions, index=False)
    if args.fixture:
        os.makedirs(args.fixture, exist_ok=True)
        fixture(x, y, names, card["catalogue"], card["zone_minutes"], args.fixture)
    for model in ("trees", "logistic"):
        told = report[model]
        print(f"{model}: AUC {told['auc']:.4f}, F1 {told['f1']:.4f}, people flagged {told['false_positives']:.4%}, "
              f"Brier {told['brier']:.4f} on {told['rows']} held-out sessions")


if __name__ == "__main__":
    main()
