import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.text.Normalizer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * The exported model: reads a text, scores it, judges it, and writes both records. One instance a
 * thread: buffers are kept between messages.
 */
public final class Model {
    /** Number and factor of an n-gram; its weights are row `row`. */
    private record Gram(int row, double scale, boolean pair) {}

    /** What came of a message. */
    public record Decided(boolean answered, byte[] routed, byte[] decision) {}

    private static final double NATS_MAX = 12.0;
    private final JsonFactory json = new JsonFactory();
    private final Map<String, Gram> grams = new HashMap<>(1 << 15);
    private final Map<String, String> abbreviations = new HashMap<>();
    private final String[] labels;
    private final double[][] weights;
    private final double[] logPrior;
    private final int outOfScope;
    private final double logTemperature;
    private final double exponent;
    private final double[] novelty;
    private final Logistic gate;
    private final Logistic confidence;
    private final double inScopeFrom;
    private final double[] thresholds;
    private final boolean[] assistOnly;
    private final int[] counts;
    private final double[] scores;
    private final double[] probabilities;
    private final ByteArrayOutputStream out = new ByteArrayOutputStream(512);

    private record Logistic(double bias, double[] weights, double[] means, double[] deviations) {
        static Logistic of(JsonNode node) {
            if (node == null || node.isNull()) return null;
            return new Logistic(node.get("bias").asDouble(), doubles(node.get("weights")),
                doubles(node.get("means")), doubles(node.get("deviations")));
        }

        double logOdds(double... features) {
            double sum = 0;
            for (int i = 0; i < features.length; i++) {
                sum += weights[i] * (features[i] - means[i]) / deviations[i];
            }
            return bias + sum;
        }
    }

    public Model(String directory) throws IOException {
        JsonNode root = new ObjectMapper().readTree(new File(directory, "model.json"));
        JsonNode calibration = root.get("calibration");
        JsonNode list = root.get("grams");
        labels = new String[root.get("labels").size()];
        for (int i = 0; i < labels.length; i++) labels[i] = root.get("labels").get(i).asText();
        weights = new double[list.size()][];
        for (int row = 0; row < list.size(); row++) {
            JsonNode gram = list.get(row);
            String name = gram.get("gram").asText();
            weights[row] = doubles(gram.get("weights"));
            grams.put(name, new Gram(row, gram.get("scale").asDouble(), name.indexOf(' ') >= 0));
        }
        root.get("abbreviations").fields()
            .forEachRemaining(entry -> abbreviations.put(entry.getKey(), entry.getValue().asText()));
        logPrior = doubles(root.get("log_prior"));
        JsonNode oos = calibration.get("oos_class");
        outOfScope = oos.isNull() ? -1 : oos.asInt();
        JsonNode temperature = calibration.get("temperature");
        logTemperature = Math.log(temperature.get("temperature").asDouble());
        exponent = temperature.get("exponent").asDouble();
        novelty = doubles(temperature.get("novelty"));
        gate = Logistic.of(calibration.get("gate"));
        confidence = Logistic.of(calibration.get("confidence"));
        inScopeFrom = root.get("thresholds").get("in_scope_from").asDouble();
        JsonNode intents = root.get("thresholds").get("intents");
        thresholds = new double[labels.length];
        assistOnly = new boolean[labels.length];
        for (int i = 0; i < labels.length; i++) {
            thresholds[i] = intents.get(i).get("threshold").asDouble();
            assistOnly[i] = intents.get(i).get("assist_only").asBoolean();
        }
        counts = new int[weights.length];
        scores = new double[labels.length + 1];
        probabilities = new double[labels.length];
    }

    private static double[] doubles(JsonNode node) {
        double[] values = new double[node.size()];
        for (int i = 0; i < values.length; i++) values[i] = node.get(i).asDouble();
        return values;
    }

    /** Decides about a message given as JSON. */
    public Decided decide(byte[] message) throws IOException {
        long id = 0;
        String text = "";
        try (JsonParser parser = json.createParser(message)) {
            parser.nextToken();
            while (parser.nextToken() == JsonToken.FIELD_NAME) {
                String name = parser.currentName();
                parser.nextToken();
                if (name.equals("id")) id = parser.getLongValue();
                else if (name.equals("text")) text = parser.getText();
                else parser.skipChildren();
            }
        }
        return judge(id, text);
    }

    private List<String> words(String text) {
        String folded = text;
        for (int i = 0; i < text.length(); i++) {
            if (text.charAt(i) > 127) {
                folded = Normalizer.normalize(text, Normalizer.Form.NFD);
                break;
            }
        }
        List<String> words = new ArrayList<>(24);
        StringBuilder word = new StringBuilder(16);
        for (int i = 0; i <= folded.length(); i++) {
            char c = i < folded.length() ? Character.toLowerCase(folded.charAt(i)) : ' ';
            if (c >= 'a' && c <= 'z' || c >= '0' && c <= '9') {
                word.append(c);
            } else if (c < '\u0300' || c > '\u036f') {
                if (word.length() > 0) {
                    String plain = word.toString();
                    word.setLength(0);
                    String full = abbreviations.get(plain);
                    if (full == null) words.add(plain);
                    else for (String part : full.split(" ")) words.add(part);
                }
            }
        }
        return words;
    }

    private Decided judge(long id, String text) throws IOException {
        List<String> words = words(text);
        List<Gram> known = new ArrayList<>(2 * words.size());
        int knownWords = 0, knownPairs = 0, pairs = Math.max(0, words.size() - 1);
        for (int i = 0; i < words.size(); i++) {
            knownWords += meet(words.get(i), known);
            if (i > 0) knownPairs += meet(words.get(i - 1) + " " + words.get(i), known);
        }
        double squares = 0, mass = 0;
        java.util.Arrays.fill(scores, 0.0);
        for (Gram gram : known) {
            int count = counts[gram.row];
            if (count == 0) continue; // taken account of
            counts[gram.row] = 0;
            double value = (1.0 + Math.log(count)) * gram.scale;
            squares += value * value;
            mass += value;
            double[] row = weights[gram.row];
            for (int c = 0; c < row.length; c++) scores[c] += value * row[c];
        }
        double unit = squares > 0 ? 1.0 / Math.sqrt(squares) : 1.0;
        mass *= unit;
        for (int c = 0; c < scores.length; c++) scores[c] *= unit;
        for (int c = 0; c < labels.length; c++) scores[c] += logPrior[c];
        return told(id, text, new Reading(words.size(), pairs, knownWords, knownPairs, mass));
    }

    private record Reading(int words, int pairs, int knownWords, int knownPairs, double mass) {
        static double unknown(int all, int known) {
            return all == 0 ? 1.0 : (all - known) / (double) all;
        }
    }

    private int meet(String name, List<Gram> known) {
        Gram gram = grams.get(name);
        if (gram == null) return 0;
        counts[gram.row]++;
        known.add(gram);
        return 1;
    }

    private Decided told(long id, String text, Reading read) throws IOException {
        int all = read.words + read.pairs, known = read.knownWords + read.knownPairs;
        double unknown = Reading.unknown(all, known);
        double newWords = Reading.unknown(read.words, read.knownWords);
        double newPairs = Reading.unknown(read.pairs, read.knownPairs);
        double scale = Math.exp(logTemperature + exponent * Math.log(Math.max(known, 1))
            + novelty[0] * unknown + novelty[1] * newWords + novelty[2] * newPairs);
        int best = -1;
        double top = Double.NEGATIVE_INFINITY, second = Double.NEGATIVE_INFINITY;
        for (int c = 0; c < labels.length; c++) {
            if (c == outOfScope) continue;
            if (best < 0 || scores[c] > top) {
                second = best < 0 ? second : top;
                best = c;
                top = scores[c];
            } else if (scores[c] > second) {
                second = scores[c];
            }
        }
        double sum = 0;
        for (int c = 0; c < labels.length; c++) {
            probabilities[c] = c == outOfScope ? 0 : Math.exp((scores[c] - top) / scale);
            sum += probabilities[c];
        }
        double probability = probabilities[best] / sum, inScope = 1.0, sure = probability;
        if (known == 0) {
            best = 0;
            inScope = 0;
            sure = 0;
        } else if (gate != null) {
            double odds = clamp(Math.log(probability) - Math.log1p(-probability), -NATS_MAX, NATS_MAX);
            double margin = clamp((top - second) / scale, 0, NATS_MAX);
            double evidence = (top - scores[labels.length]) / Math.max(read.mass, 1e-9);
            double length = Math.log(all + 1);
            double oos = outOfScope < 0 ? 0
                : clamp((scores[outOfScope] - top) / scale, -NATS_MAX, NATS_MAX);
            double gateOdds = clamp(gate.logOdds(odds, margin, unknown, evidence, length, oos, 0.0,
                newWords, newPairs), -NATS_MAX, NATS_MAX);
            inScope = sigmoid(gateOdds);
            sure = confidence == null ? inScope * probability : sigmoid(confidence.logOdds(odds,
                gateOdds, margin, unknown, length, 0.0, newWords, newPairs));
        }
        boolean answered = inScope >= inScopeFrom && !assistOnly[best] && sure >= thresholds[best];
        return new Decided(answered, routed(id, best, sure, text), decision(id, best, sure, inScope, answered));
    }

    private static double clamp(double value, double low, double high) {
        return Math.min(high, Math.max(low, value));
    }

    private static double sigmoid(double odds) {
        return 1.0 / (1.0 + Math.exp(-odds));
    }

    private byte[] routed(long id, int best, double sure, String text) throws IOException {
        out.reset();
        try (JsonGenerator generator = json.createGenerator(out)) {
            generator.writeStartObject();
            generator.writeNumberField("id", id);
            generator.writeStringField("intent", labels[best]);
            generator.writeNumberField("confidence", sure);
            generator.writeStringField("text", text);
            generator.writeEndObject();
        }
        return out.toByteArray();
    }

    private byte[] decision(long id, int best, double sure, double inScope, boolean answered)
        throws IOException {
        out.reset();
        try (JsonGenerator generator = json.createGenerator(out)) {
            generator.writeStartObject();
            generator.writeNumberField("id", id);
            generator.writeStringField("intent", labels[best]);
            generator.writeNumberField("confidence", sure);
            generator.writeNumberField("in_scope", inScope);
            generator.writeStringField("route", answered ? "auto" : "human");
            generator.writeEndObject();
        }
        return out.toByteArray();
    }
}
