"""scikit-learn on the features of the classifier: multinomial naive Bayes and a linear SVM.

usage: sklearn_side.py OUT SET…   reads OUT/<set>.json and OUT/<set>.{train,test}.svm, and writes
OUT/<set>.sklearn.json. Needed for the comparison alone, never to build or to test.
"""

import json
import sys
import time

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.datasets import load_svmlight_files
from sklearn.metrics import f1_score, roc_auc_score
from sklearn.naive_bayes import MultinomialNB
from sklearn.svm import LinearSVC

BINS = 15


def ece(confidence, right):
    """As in classifier/src/calibrate/metrics.rs: fifteen equal bins, the label decided."""
    at = np.clip(np.ceil(confidence * BINS).astype(int) - 1, 0, BINS - 1)
    return float(
        sum(abs((confidence[at == b] - right[at == b]).sum()) for b in range(BINS)) / len(right)
    )


def coverage_at(confidence, right, precision):
    """The largest share that can be kept at this precision; equal confidences go together."""
    order = np.argsort(-confidence, kind="stable")
    confidence, right = confidence[order], right[order]
    precisions = np.cumsum(right) / np.arange(1, len(right) + 1)
    ends = np.append(confidence[:-1] != confidence[1:], True)
    kept = np.nonzero(ends & (precisions >= precision))[0]
    return float((kept[-1] + 1) / len(right)) if len(kept) else 0.0


def figures(probabilities, classes, truth, outside):
    """The figures of the table, of in-scope rows; `outside` is the class of the others, or None."""
    probabilities = probabilities.copy()
    inside = np.ones(len(truth), bool) if outside is None else truth != outside
    if outside is not None:
        probabilities[:, classes == outside] = 0
        probabilities /= np.maximum(probabilities.sum(axis=1, keepdims=True), 1e-300)
    confidence, decided = probabilities.max(axis=1), classes[probabilities.argmax(axis=1)]
    right = (decided == truth)[inside].astype(float)
    sure = confidence[inside]
    occurring = np.unique(truth[inside])
    f1 = f1_score(truth[inside], decided[inside], labels=occurring, average="macro")
    return {
        "accuracy": float(right.mean()),
        "macro_f1": float(f1),
        "ece": ece(sure, right),
        "brier": float(((sure - right) ** 2).mean()),
        "coverage_at": {"95": coverage_at(sure, right, 0.95), "97": coverage_at(sure, right, 0.97)},
        "oos_auroc": None if inside.all() else float(roc_auc_score(inside, confidence)),
    }


def measure(out, name):
    with open(f"{out}/{name}.json", encoding="utf-8") as file:
        own = json.load(file)
    x, y, x_test, y_test = load_svmlight_files([f"{out}/{name}.train.svm", f"{out}/{name}.test.svm"])
    y, y_test = y.astype(int), y_test.astype(int)
    models = {
        "MultinomialNB": MultinomialNB(alpha=own["alpha"], fit_prior=not own["uniform_prior"]),
        "LinearSVC": CalibratedClassifierCV(LinearSVC(C=1.0), method="sigmoid", cv=3),
    }
    told = {}
    for model_name, model in models.items():
        started = time.time()
        model.fit(x, y)
        seconds = time.time() - started
        probabilities = model.predict_proba(x_test)
        told[model_name] = figures(
            probabilities, model.classes_, y_test, own["out_of_scope_class"]
        ) | {"fit_seconds": seconds}
        print(name, model_name, json.dumps(told[model_name]), flush=True)
    with open(f"{out}/{name}.sklearn.json", "w", encoding="utf-8") as file:
        json.dump(told, file, indent=2)


if __name__ == "__main__":
    for set_name in sys.argv[2:]:
        measure(sys.argv[1], set_name)
