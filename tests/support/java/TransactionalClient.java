import java.io.BufferedReader;
import java.io.InputStreamReader;
import java.util.HashMap;
import java.util.Map;
import java.util.Properties;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.serialization.StringSerializer;

/** Kafka's own client, a command per line: open, begin, send, commit, abort; answers "ok" each. */
public class TransactionalClient {
  public static void main(String[] arguments) throws Exception {
    Map<String, KafkaProducer<String, String>> producers = new HashMap<>();
    BufferedReader lines = new BufferedReader(new InputStreamReader(System.in));
    for (String line = lines.readLine(); line != null; line = lines.readLine()) {
      String[] words = line.split(" ");
      String name = words[1];
      KafkaProducer<String, String> producer = producers.get(name);
      switch (words[0]) {
        case "open" -> producers.put(name, open(arguments[0], words[2], words[3]));
        case "begin" -> producer.beginTransaction();
        case "send" -> {
          for (int at = 3; at < words.length; at++) {
            String[] pair = words[at].split("=", 2);
            String value = pair[1].equals("null") ? null : pair[1];
            producer.send(new ProducerRecord<>(words[2], 0, pair[0], value));
          }
          producer.flush();
        }
        case "commit" -> producer.commitTransaction();
        case "abort" -> producer.abortTransaction();
        default -> throw new IllegalArgumentException(line);
      }
      System.out.println("ok");
    }
    producers.values().forEach(KafkaProducer::close);
  }

  private static KafkaProducer<String, String> open(String brokers, String codec, String id) {
    Properties settings = new Properties();
    settings.put("bootstrap.servers", brokers);
    settings.put("compression.type", codec);
    settings.put("linger.ms", "20");
    if (!id.equals("-")) settings.put("transactional.id", id);
    StringSerializer text = new StringSerializer();
    KafkaProducer<String, String> producer = new KafkaProducer<>(settings, text, text);
    if (!id.equals("-")) producer.initTransactions();
    return producer;
  }
}
