// Prints how many partitions each broker leads, a line each: its number and how many.
// usage: java -cp 'kafka-lib/*' Leaders.java HOST:PORT[,…]

import java.util.Map;
import java.util.TreeMap;
import org.apache.kafka.clients.admin.Admin;

public class Leaders {
    public static void main(String[] args) throws Exception {
        Map<Integer, Integer> leads = new TreeMap<>();
        try (Admin admin = Admin.create(Map.<String, Object>of("bootstrap.servers", args[0]))) {
            admin.describeCluster().nodes().get().forEach(node -> leads.put(node.id(), 0));
            var names = admin.listTopics().names().get();
            for (var topic : admin.describeTopics(names).allTopicNames().get().values()) {
                for (var partition : topic.partitions()) {
                    if (partition.leader() != null) {
                        leads.merge(partition.leader().id(), 1, Integer::sum);
                    }
                }
            }
        }
        leads.forEach((broker, partitions) -> System.out.println(broker + " " + partitions));
    }
}
