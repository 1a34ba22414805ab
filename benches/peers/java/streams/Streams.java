import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Properties;
import org.apache.kafka.common.serialization.Serdes;
import org.apache.kafka.streams.KafkaStreams;
import org.apache.kafka.streams.StreamsConfig;
import org.apache.kafka.streams.Topology;
import org.apache.kafka.streams.processor.api.Processor;
import org.apache.kafka.streams.processor.api.ProcessorContext;
import org.apache.kafka.streams.processor.api.Record;

/** usage: Streams HOST:PORT PREFIX MODEL_DIR GUARANTEE */
public final class Streams {
    static final class Score implements Processor<byte[], byte[], byte[], byte[]> {
        private final String model;
        private Model scores;
        private ProcessorContext<byte[], byte[]> context;

        Score(String model) {
            this.model = model;
        }

        @Override
        public void init(ProcessorContext<byte[], byte[]> context) {
            this.context = context;
            try {
                scores = new Model(model);
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }

        @Override
        public void process(Record<byte[], byte[]> record) {
            try {
                Model.Decided decided = scores.decide(record.value());
                context.forward(record.withValue(decided.routed()), decided.answered() ? "auto" : "human");
                context.forward(record.withValue(decided.decision()), "decisions");
            } catch (IOException error) {
                throw new UncheckedIOException(error);
            }
        }
    }

    public static void main(String[] args) {
        String prefix = args[1], model = args[2], guarantee = args[3];
        Properties settings = new Properties();
        settings.put(StreamsConfig.APPLICATION_ID_CONFIG, prefix + "streams");
        settings.put(StreamsConfig.BOOTSTRAP_SERVERS_CONFIG, args[0]);
        settings.put(StreamsConfig.PROCESSING_GUARANTEE_CONFIG, guarantee);
        settings.put(StreamsConfig.NUM_STREAM_THREADS_CONFIG, 1);
        settings.put(StreamsConfig.STATE_DIR_CONFIG, System.getenv("PEER_STATE_DIR"));
        settings.put(StreamsConfig.DEFAULT_KEY_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        settings.put(StreamsConfig.DEFAULT_VALUE_SERDE_CLASS_CONFIG, Serdes.ByteArraySerde.class);
        // As often as the others commit; its own default is 30 s at least once, 100 ms exactly once.
        if (guarantee.equals("at_least_once")) settings.put(StreamsConfig.COMMIT_INTERVAL_MS_CONFIG, 500);
        settings.put(StreamsConfig.producerPrefix("acks"), "all");
        settings.put(StreamsConfig.producerPrefix("linger.ms"),
            System.getenv().getOrDefault("PEER_LINGER_MS", "1"));
        settings.put(StreamsConfig.consumerPrefix("auto.offset.reset"), "earliest");

        Topology topology = new Topology();
        topology.addSource("in", prefix + "in");
        topology.addProcessor("score", () -> new Score(model), "in");
        for (String to : new String[] {"auto", "human", "decisions"}) {
            topology.addSink(to, prefix + to, "score");
        }
        KafkaStreams streams = new KafkaStreams(topology, settings);
        Runtime.getRuntime().addShutdownHook(new Thread(streams::close));
        streams.start();
    }
}
