#!/usr/bin/env python3
"""Tells people from generators by what the tracker says of the mouse, on recorded traces.

    python pointer.py FOLDER

FOLDER has one folder a source, named `…human…` or `…bot…`, with traces of lines `ms,event,x,y`. Of each trace what a
beacon would tell is worked out: length of the path, speed, entropy of the directions in eight sectors, clicks, time to the
first press. A forest is trained on all sources but one of each class, and judged on these two, for every pair; and, for
comparison, on four fifths of every source and judged on the rest.
"""

import glob
import itertools
import json
import math
import os
import sys

import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

NAMES = ["mouse_distance_px", "avg_mouse_speed", "mouse_movement_entropy", "total_clicks",
         "time_to_first_interaction_ms", "avg_time_on_page_ms"]


def told(path):
    """What one beacon would say of a trace; None of one without a move."""
    points, presses = [], []
    for line in open(path, errors="replace"):
        parts = line.strip().split(",")
        if len(parts) < 4:
            continue
        try:
            at, x, y = float(parts[0]), float(parts[2]), float(parts[3])
        except ValueError:
            continue
        points.append((at, x, y))
        if "pressed" in parts[1].lower() or "down" in parts[1].lower() or "click" in parts[1].lower():
            presses.append(at)
    if len(points) < 2:
        return None
    first, last = points[0][0], points[-1][0]
    way, sectors = 0.0, np.zeros(8)
    for (_, x, y), (_, u, v) in itertools.pairwise(points):
        step = math.hypot(u - x, v - y)
        if step > 0:
            way += step
            sectors[int((math.atan2(v - y, u - x) + math.pi) / (math.pi / 4)) % 8] += 1
    shares = sectors[sectors > 0] / max(sectors.sum(), 1)
    entropy = float(-(shares * np.log2(shares)).sum()) if len(shares) else np.nan
    span = last - first
    return [way, way / span * 1000 if span > 0 else np.nan, entropy, len(presses),
            presses[0] - first if presses else np.nan, span]


def forest():
    return RandomForestClassifier(300, random_state=1, class_weight="balanced", min_samples_leaf=3)


def main():
    data = {}
    for folder in sorted(glob.glob(os.path.join(sys.argv[1], "*", ""))):
        rows = [told(path) for path in sorted(glob.glob(os.path.join(folder, "*")))]
        rows = [row for row in rows if row is not None]
        if rows:
            data[os.path.basename(folder.rstrip("/"))] = np.nan_to_num(np.array(rows), nan=-1.0)
    people = [name for name in data if "human" in name]
    bots = [name for name in data if "bot" in name]
    print(json.dumps({name: len(rows) for name, rows in data.items()}))
    scores = {}
    for left_human, left_bot in itertools.product(people, bots):
        train = [(data[name], int(name in bots)) for name in data if name not in (left_human, left_bot)]
        x = np.vstack([rows for rows, _ in train])
        y = np.concatenate([np.full(len(rows), bot) for rows, bot in train])
        model = forest().fit(x, y)
        p = model.predict_proba(data[left_human])[:, 1], model.predict_proba(data[left_bot])[:, 1]
        truth = np.r_[np.zeros(len(p[0])), np.ones(len(p[1]))]
        auc = roc_auc_score(truth, np.r_[p[0], p[1]])
        scores.setdefault(left_bot, []).append((auc, (p[1] >= 0.5).mean(), (p[0] >= 0.5).mean()))
    for bot, several in scores.items():
        auc, found, flagged = np.mean(several, axis=0)
        print(f"{bot}: AUC {auc:.3f}, found {found:.1%}, people flagged {flagged:.1%}")
    x = np.vstack([data[n] for n in people + bots])
    y = np.concatenate([np.full(len(data[n]), int(n in bots)) for n in people + bots])
    p = cross_val_predict(forest(), x, y, cv=StratifiedKFold(5, shuffle=True, random_state=1), method="predict_proba")[:, 1]
    print(f"sources known: AUC {roc_auc_score(y, p):.3f}, found {(p[y == 1] >= 0.5).mean():.1%}, "
          f"people flagged {(p[y == 0] >= 0.5).mean():.1%}")
    for at, name in enumerate(NAMES):
        x = np.vstack([data[n] for n in people + bots])[:, at]
        y = np.concatenate([np.full(len(data[n]), int(n in bots)) for n in people + bots])
        auc = roc_auc_score(y, x)
        print(f"{name} alone: AUC {max(auc, 1 - auc):.3f}")


if __name__ == "__main__":
    main()
