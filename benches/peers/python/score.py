"""confluent-kafka and scikit-learn: a batch is polled, vectorised and predicted at once.

usage: score.py HOST:PORT PREFIX MODEL_DIR
"""

import json
import re
import signal
import sys
import time
import unicodedata
from pathlib import Path

import numpy as np
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer
from sklearn.naive_bayes import MultinomialNB

BATCH = 500
COMMIT_EVERY_S = 0.5
NATS_MAX = 12.0
WORD = re.compile(r"[a-z0-9]+")


class Logistic:
    def __init__(self, found):
        self.bias = found["bias"]
        self.weights, self.means, self.deviations = (
            np.array(found[name]) for name in ("weights", "means", "deviations")
        )

    def log_odds(self, *features):
        rows = (np.column_stack(features) - self.means) / self.deviations
        return self.bias + rows @ self.weights


def sigmoid(odds):
    return 1.0 / (1.0 + np.exp(-odds))


class Model:
    def __init__(self, directory):
        found = json.loads((Path(directory) / "model.json").read_text())
        self.abbreviations = {short: full.split(" ") for short, full in found["abbreviations"].items()}
        self.labels = np.array(found["labels"])
        grams = found["grams"]
        vocabulary = {gram["gram"]: row for row, gram in enumerate(grams)}
        self.vectorizer = CountVectorizer(
            vocabulary=vocabulary, analyzer=self.grams_of, dtype=np.float64
        )
        self.is_word = np.array([" " not in gram["gram"] for gram in grams], dtype=np.float64)
        self.tf_idf = TfidfTransformer(sublinear_tf=True, norm="l2")
        self.tf_idf.idf_ = np.array([gram["scale"] for gram in grams])
        weights = np.array([gram["weights"] for gram in grams]).T
        # The last row is the background, which has no prior.
        self.bayes = MultinomialNB()
        self.bayes.classes_ = np.arange(len(weights))
        self.bayes.feature_log_prob_ = weights
        self.bayes.class_log_prior_ = np.append(found["log_prior"], 0.0)
        self.bayes.n_features_in_ = len(grams)
        calibration = found["calibration"]
        self.oos = calibration["oos_class"]
        self.temperature = calibration["temperature"]
        self.gate = calibration["gate"] and Logistic(calibration["gate"])
        self.confidence = calibration["confidence"] and Logistic(calibration["confidence"])
        thresholds = found["thresholds"]
        self.in_scope_from = thresholds["in_scope_from"]
        intents = thresholds["intents"]
        self.thresholds = np.array([one["threshold"] for one in intents])
        self.assist_only = np.array([one["assist_only"] for one in intents])

    def words(self, text):
        if not text.isascii():
            text = unicodedata.normalize("NFD", text)
            text = "".join(c for c in text if not "\u0300" <= c <= "\u036f")
        words = []
        for word in WORD.findall(text.lower()):
            full = self.abbreviations.get(word)
            if full is None:
                words.append(word)
            else:
                words.extend(full)
        return words

    def grams_of(self, words):
        return words + [f"{left} {right}" for left, right in zip(words, words[1:])]

    def decide(self, texts):
        """Of each text: its class, confidence, probability of being in scope, whether it is answered."""
        split = [self.words(text) for text in texts]
        counts = self.vectorizer.transform(split)
        words = np.array([len(one) for one in split], dtype=np.float64)
        pairs = np.maximum(words - 1, 0)
        known = np.asarray(counts.sum(axis=1)).ravel()
        known_words = counts @ self.is_word
        values = self.tf_idf.transform(counts)
        mass = np.asarray(values.sum(axis=1)).ravel()
        scores = self.bayes.predict_joint_log_proba(values)
        return self.judge(scores, words, pairs, known, known_words, mass)

    def judge(self, scores, words, pairs, known, known_words, mass):
        rows = np.arange(len(scores))
        scores, background = scores[:, :-1].copy(), scores[:, -1]
        unknown = share(words + pairs, known)
        new_words = share(words, known_words)
        new_pairs = share(pairs, known - known_words)
        temperature = self.temperature
        grams_weight, words_weight, pairs_weight = temperature["novelty"]
        scale = np.exp(
            np.log(temperature["temperature"])
            + temperature["exponent"] * np.log(np.maximum(known, 1))
            + grams_weight * unknown
            + words_weight * new_words
            + pairs_weight * new_pairs
        )
        oos = np.zeros(len(scores))
        if self.oos is not None:
            oos = scores[:, self.oos].copy()
            scores[:, self.oos] = -np.inf
        best = scores.argmax(axis=1)
        top = scores[rows, best]
        second = np.partition(scores, -2, axis=1)[:, -2]
        probability = 1.0 / np.exp((scores - top[:, None]) / scale[:, None]).sum(axis=1)
        in_scope, sure = np.ones(len(scores)), probability
        if self.gate:
            with np.errstate(divide="ignore"):
                odds = np.clip(np.log(probability) - np.log1p(-probability), -NATS_MAX, NATS_MAX)
            margin = np.clip((top - second) / scale, 0, NATS_MAX)
            evidence = (top - background) / np.maximum(mass, 1e-9)
            length = np.log(words + pairs + 1)
            none = np.zeros(len(scores))
            if self.oos is not None:
                oos = np.clip((oos - top) / scale, -NATS_MAX, NATS_MAX)
            gate_odds = np.clip(
                self.gate.log_odds(
                    odds, margin, unknown, evidence, length, oos, none, new_words, new_pairs
                ),
                -NATS_MAX,
                NATS_MAX,
            )
            in_scope = sigmoid(gate_odds)
            sure = in_scope * probability
            if self.confidence:
                sure = sigmoid(
                    self.confidence.log_odds(
                        odds, gate_odds, margin, unknown, length, none, new_words, new_pairs
                    )
                )
        blank = known == 0
        best, in_scope, sure = (np.where(blank, 0, one) for one in (best, in_scope, sure))
        answered = (
            (in_scope >= self.in_scope_from)
            & ~self.assist_only[best]
            & (sure >= self.thresholds[best])
        )
        return self.labels[best].tolist(), sure.tolist(), in_scope.tolist(), answered.tolist()


def share(all_of, known):
    return np.where(all_of == 0, 1.0, (all_of - known) / np.maximum(all_of, 1))


def main():
    bootstrap, prefix, directory = sys.argv[1:]
    model = Model(directory)
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": prefix + "python",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    failed = []
    producer = Producer(
        {
            "bootstrap.servers": bootstrap,
            "enable.idempotence": True,
            "acks": "all",
            "linger.ms": 1,
            # As Java's and ours: a key's partition is that of its murmur2.
            "partitioner": "murmur2_random",
        }
    )
    told = lambda error, _: error and failed.append(error)
    consumer.subscribe([prefix + "in"])
    stopped = []
    signal.signal(signal.SIGTERM, lambda *_: stopped.append(True))
    auto, human, decisions = (prefix + name for name in ("auto", "human", "decisions"))
    committed, following = time.monotonic(), {}
    while not stopped:
        messages = take(consumer)
        if messages:
            bodies = [orjson.loads(message.value()) for message in messages]
            found = model.decide([body["text"] for body in bodies])
            for message, body, intent, sure, scope, answered in zip(messages, bodies, *found):
                routed = {"id": body["id"], "intent": intent, "confidence": sure, "text": body["text"]}
                decision = {
                    "id": body["id"],
                    "intent": intent,
                    "confidence": sure,
                    "in_scope": scope,
                    "route": "auto" if answered else "human",
                }
                for topic, value in ((auto if answered else human, routed), (decisions, decision)):
                    produce(producer, topic, message.key(), orjson.dumps(value), told)
                following[message.partition()] = message.offset() + 1
        producer.poll(0)
        if failed:
            sys.exit(f"not delivered: {failed[0]}")
        if following and time.monotonic() - committed >= COMMIT_EVERY_S:
            commit(consumer, producer, prefix, following)
            committed = time.monotonic()
    commit(consumer, producer, prefix, following)
    consumer.close()


def take(consumer):
    """What is there, at most a batch; waits for the first only."""
    first = consumer.poll(0.1)
    if first is None:
        return []
    messages = [first, *consumer.consume(BATCH - 1, 0)]
    for message in messages:
        if message.error():
            sys.exit(f"not read: {message.error()}")
    return messages


def produce(producer, topic, key, value, told):
    while True:
        try:
            return producer.produce(topic, value, key, on_delivery=told)
        except BufferError:
            producer.poll(0.01)


def commit(consumer, producer, prefix, following):
    producer.flush()
    offsets = [TopicPartition(prefix + "in", at, offset) for at, offset in following.items()]
    if offsets:
        consumer.commit(offsets=offsets, asynchronous=True)
    following.clear()


if __name__ == "__main__":
    main()
