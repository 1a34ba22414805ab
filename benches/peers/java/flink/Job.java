import java.util.Properties;
import org.apache.flink.api.common.eventtime.WatermarkStrategy;
import org.apache.flink.api.common.functions.OpenContext;
import org.apache.flink.api.common.typeinfo.TypeInformation;
import org.apache.flink.api.java.tuple.Tuple3;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.connector.base.DeliveryGuarantee;
import org.apache.flink.connector.kafka.sink.KafkaRecordSerializationSchema;
import org.apache.flink.connector.kafka.sink.KafkaSink;
import org.apache.flink.connector.kafka.source.KafkaSource;
import org.apache.flink.connector.kafka.source.enumerator.initializer.OffsetsInitializer;
import org.apache.flink.connector.kafka.source.reader.deserializer.KafkaRecordDeserializationSchema;
import org.apache.flink.streaming.api.environment.LocalStreamEnvironment;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.functions.ProcessFunction;
import org.apache.flink.util.Collector;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.producer.ProducerRecord;

/** usage: Job HOST:PORT PREFIX MODEL_DIR */
public final class Job {
    /** Topic, key and value. */
    static final class Out extends Tuple3<String, byte[], byte[]> {
        public Out() {}

        Out(String topic, byte[] key, byte[] value) {
            super(topic, key, value);
        }
    }

    static final class Read implements KafkaRecordDeserializationSchema<Out> {
        @Override
        public void deserialize(ConsumerRecord<byte[], byte[]> record, Collector<Out> out) {
            out.collect(new Out("", record.key(), record.value()));
        }

        @Override
        public TypeInformation<Out> getProducedType() {
            return TypeInformation.of(Out.class);
        }
    }

    static final class Write implements KafkaRecordSerializationSchema<Out> {
        private final String prefix;

        Write(String prefix) {
            this.prefix = prefix;
        }

        @Override
        public ProducerRecord<byte[], byte[]> serialize(Out out, KafkaSinkContext context, Long time) {
            return new ProducerRecord<>(prefix + out.f0, out.f1, out.f2);
        }
    }

    static final class Score extends ProcessFunction<Out, Out> {
        private final String directory;
        private transient Model model;

        Score(String directory) {
            this.directory = directory;
        }

        @Override
        public void open(OpenContext context) throws Exception {
            model = new Model(directory);
        }

        @Override
        public void processElement(Out in, Context context, Collector<Out> out) throws Exception {
            Model.Decided decided = model.decide(in.f2);
            out.collect(new Out(decided.answered() ? "auto" : "human", in.f1, decided.routed()));
            out.collect(new Out("decisions", in.f1, decided.decision()));
        }
    }

    public static void main(String[] args) throws Exception {
        String prefix = args[1];
        LocalStreamEnvironment environment =
            StreamExecutionEnvironment.createLocalEnvironment(1, new Configuration());
        environment.enableCheckpointing(500);
        // Objects are not kept by any function here, so they need no copies between chained operators.
        environment.getConfig().enableObjectReuse();
        // By default records wait up to 100 ms between tasks; here all tasks are one chain.
        environment.setBufferTimeout(0);
        KafkaSource<Out> source = KafkaSource.<Out>builder()
            .setBootstrapServers(args[0])
            .setTopics(prefix + "in")
            .setGroupId(prefix + "flink")
            .setStartingOffsets(OffsetsInitializer.earliest())
            .setDeserializer(new Read())
            .build();
        Properties producer = new Properties();
        producer.put("acks", "all");
        producer.put("linger.ms", System.getenv().getOrDefault("PEER_LINGER_MS", "1"));
        KafkaSink<Out> sink = KafkaSink.<Out>builder()
            .setBootstrapServers(args[0])
            .setKafkaProducerConfig(producer)
            .setDeliveryGuarantee(DeliveryGuarantee.AT_LEAST_ONCE)
            .setRecordSerializer(new Write(prefix))
            .build();
        environment.fromSource(source, WatermarkStrategy.noWatermarks(), "in")
            .process(new Score(args[2]))
            .sinkTo(sink);
        environment.execute("score");
    }
}
