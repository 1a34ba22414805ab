"""Joins what was measured into results.json and results.md. usage: table.py OUT PAGE_DIR"""

import json
import pathlib
import sys

SETS = ["banking77", "clinc150", "credsystem16", "tweetsentbr", "olist_neg_pos", "olist_3"]
HEADS = ["intent", "sentiment", "frustrated", "urgent"]
COLUMNS = "accuracy | macro-F1 | ECE | Brier | coverage at 95 % | at 97 % | AUROC out of scope"


def read(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def share(value):
    return "–" if value is None else f"{value:.3f}"


def cells(of):
    coverage = of["coverage_at"]
    values = [of["accuracy"], of["macro_f1"], of["ece"], of["brier"]]
    values += [coverage["95"], coverage["97"], of.get("oos_auroc")]
    return " | ".join(share(value) for value in values)


def public(measured):
    lines = ["## Public sets", "", f"| set | model | {COLUMNS} |", "|---|---|" + "---|" * 7]
    for name in SETS:
        of = measured.get(name)
        if of is None:
            lines.append(f"| {name} | skipped: the set is not at hand |" + " |" * 7)
            continue
        lines.append(f"| {name} | **this classifier** | {cells(of['test'])} |")
        for model, figures in (of.get("sklearn") or {}).items():
            lines.append(f"| | scikit-learn {model} | {cells(figures)} |")
    lines += ["", "What is certified, and what came of it on the held-out fifth:", ""]
    lines += ["| set | certified | answered | of these right | out of scope answered | ECE, Brier raw → calibrated (held out) |"]
    lines += ["|---|---|---|---|---|---|"]
    for name in SETS:
        if (of := measured.get(name)) is None:
            continue
        test, held = of["test"], of["held_out"]
        change = f"{held['ece_raw']:.3f} → {held['ece']:.3f}, {held['brier_raw']:.3f} → {held['brier']:.3f}"
        lines.append(
            f"| {name} | {of['promise'].replace('|', '/')} | {share(test['coverage_auto'])} | "
            f"{share(test['precision_auto'])} | {share(test['oos_auto'])} | {change} |"
        )
    return lines


def provider(measured):
    lines = ["## The bundled model, on its validation rows", ""]
    lines += ["Authored text, not customers'. Below the intent head, the same rows as hasty hands would have written them.", ""]
    lines += [f"| head | {COLUMNS} | answered | of these right | out of scope answered |", "|---|" + "---|" * 10]
    for head in HEADS:
        of = measured.get(f"provider_{head}")
        if of is None:
            continue
        rows = [(f"**{head}**", of["test"])]
        rows += [(name, figures) for name, figures in of["hasty"]] if head == "intent" else []
        for name, test in rows:
            auto = " | ".join(share(test[key]) for key in ["coverage_auto", "precision_auto", "oos_auto"])
            lines.append(f"| {name} | {cells(test)} | {auto} |")
    intent = measured.get("provider_intent")
    if intent and intent.get("second_intents"):
        lines += ["", f"Two intents in one message: `{json.dumps(intent['second_intents'])}`."]
    return lines


def cost(measured):
    lines = ["## Cost", ""]
    if of := measured.get("scale"):
        lines.append(
            f"20,000 rows × 30 labels, recipe chosen and five folds: {of['train_seconds']:.0f} s, "
            f"{of['peak_memory']} at the peak, {of['artifact_bytes'] / 2**20:.1f} MiB, "
            f"read back and tested in {of['reload_ms']:.0f} ms."
        )
    return lines


def main():
    out, page = map(pathlib.Path, sys.argv[1:3])
    measured = {}
    for name in SETS + [f"provider_{head}" for head in HEADS] + ["scale"]:
        if (of := read(out / f"{name}.json")) is not None:
            of["sklearn"] = read(out / f"{name}.sklearn.json")
            measured[name] = of
    (page / "results.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    head = (page / "head.md").read_text(encoding="utf-8").rstrip()
    lines = [head, ""] + public(measured) + [""] + provider(measured) + [""] + cost(measured)
    (page / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
