"""Joins what was measured into results.json and results.md. usage: table.py OUT PAGE_DIR"""

import json
import pathlib
import sys

SETS = ["banking77", "clinc150", "credsystem16", "tweetsentbr", "olist_neg_pos", "olist_3"]
HEADS = ["intent", "sentiment", "frustrated", "urgent"]
COLUMNS = "accuracy | macro-F1 | ECE | ECE by chance | Brier | coverage at 95 % | at 97 % | AUROC out of scope"


def read(path):
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def share(value):
    return "–" if value is None else f"{value:.3f}"


def cells(of, by_chance=None):
    coverage = of["coverage_at"]
    values = [of["accuracy"], of["macro_f1"], of["ece"], by_chance, of["brier"]]
    values += [coverage["95"], coverage["97"], of.get("oos_auroc")]
    return " | ".join(share(value) for value in values)


def outside(of, test):
    if test["oos_auto"] is None:
        return "–"
    rows = of["test_outside"]
    return f"{share(test['oos_auto'])} ({round(test['oos_auto'] * rows)} of {rows})"


def public(measured):
    lines = ["## Public sets", "", f"| set | model | {COLUMNS} |", "|---|---|" + "---|" * 8]
    for name in SETS:
        of = measured.get(name)
        if of is None:
            lines.append(f"| {name} | skipped: the set is not at hand |" + " |" * 8)
            continue
        lines.append(f"| {name} | **this classifier** | {cells(of['test'], of['ece_by_chance'])} |")
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
            f"{share(test['precision_auto'])} | {outside(of, test)} | {change} |"
        )
    return lines


def provider(measured):
    lines = ["## The bundled model, on its validation rows", ""]
    lines += ["Authored text, not customers'. Below the intent head, the same rows as hasty hands would have written them.", ""]
    lines += [f"| head | {COLUMNS} | answered | of these right | out of scope answered |", "|---|" + "---|" * 11]
    for head in HEADS:
        of = measured.get(f"provider_{head}")
        if of is None:
            continue
        rows = [(f"**{head}**", of["test"])]
        rows += [(name, figures) for name, figures in of["hasty"]] if head == "intent" else []
        for name, test in rows:
            auto = " | ".join(share(test[key]) for key in ["coverage_auto", "precision_auto"])
            chance = of["ece_by_chance"] if test is of["test"] else None
            lines.append(f"| {name} | {cells(test, chance)} | {auto} | {outside(of, test)} |")
    if intent := measured.get("provider_intent"):
        lines += [""] + two_intents(intent)
    return lines


def two_intents(intent):
    on = intent["second_intents"]
    lines = [
        f"Two intents in one message: of the {on['with_second']} validation rows marked with a second "
        f"intent, both are among the three listed in {on['both_listed']} and rightly named in "
        f"{on['both_named']}; of the {on['without_second']} others, one was named in {on['wrongly_named']}."
    ]
    if held := intent["held_out"].get("seconds"):
        lines.append(
            f"On held-out training rows, {held['rows']} have a second intent: "
            f"{held['named']} were named, {held['right']} of them rightly."
        )
    return lines


def cost(measured):
    lines = ["## Cost", ""]
    if of := measured.get("scale"):
        lines.append(
            f"20,000 rows × 30 labels, recipe chosen and ten folds: {of['train_seconds']:.0f} s "
            f"({of['told_by']}), "
            f"{of['peak_memory']} at the peak, {of['artifact_bytes'] / 2**20:.1f} MiB, "
            f"read back and tested in {of['reload_ms']:.0f} ms."
        )
    if of := (measured.get("speed") or {}).get("test"):
        lines += ["", (
            f"One of {of['messages']} messages of 13 to 17 words, four heads: p50 {of['p50_us']:.1f} µs, "
            f"p99 {of['p99_us']:.1f} µs at load {of['load']}; by the least time of each message, which "
            f"other work on the machine does not touch, {of['least_p50_us']:.1f} and {of['least_p99_us']:.1f} µs."
        )]
    return lines


def main():
    out, page = map(pathlib.Path, sys.argv[1:3])
    measured = {}
    for name in SETS + [f"provider_{head}" for head in HEADS] + ["scale", "speed"]:
        if (of := read(out / f"{name}.json")) is not None:
            of["sklearn"] = read(out / f"{name}.sklearn.json")
            measured[name] = of
    (page / "results.json").write_text(json.dumps(measured, indent=1) + "\n", encoding="utf-8")
    head = (page / "head.md").read_text(encoding="utf-8").rstrip()
    lines = [head, ""] + public(measured) + [""] + provider(measured) + [""] + cost(measured)
    (page / "results.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
