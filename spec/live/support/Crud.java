// SPDX-License-Identifier: Apache-2.0
// A CRUD by the DataStax Java driver, one line of standard output for each step; the specs compare them.
//
// usage: java -cp 'LIB/*' Crud.java PORT VERSION ADDRESS...
import com.datastax.oss.driver.api.core.CqlSession;
import com.datastax.oss.driver.api.core.CqlSessionBuilder;
import com.datastax.oss.driver.api.core.config.DefaultDriverOption;
import com.datastax.oss.driver.api.core.config.DriverConfigLoader;
import com.datastax.oss.driver.api.core.cql.BatchStatement;
import com.datastax.oss.driver.api.core.cql.DefaultBatchType;
import com.datastax.oss.driver.api.core.cql.PreparedStatement;
import com.datastax.oss.driver.api.core.cql.ResultSet;
import com.datastax.oss.driver.api.core.cql.Row;
import com.datastax.oss.driver.api.core.cql.SimpleStatement;
import java.net.InetSocketAddress;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Set;

public class Crud {
  static void say(String step, Object what) {
    System.out.println(step + ": " + what);
  }

  public static void main(String[] args) {
    DriverConfigLoader config = DriverConfigLoader.programmaticBuilder()
        .withString(DefaultDriverOption.PROTOCOL_VERSION, args[1])
        .withDuration(DefaultDriverOption.REQUEST_TIMEOUT, Duration.ofSeconds(60))
        .withDuration(DefaultDriverOption.CONNECTION_INIT_QUERY_TIMEOUT, Duration.ofSeconds(30))
        .withDuration(DefaultDriverOption.CONTROL_CONNECTION_TIMEOUT, Duration.ofSeconds(30))
        .withString(DefaultDriverOption.REQUEST_CONSISTENCY, "QUORUM")
        .build();
    CqlSessionBuilder builder = CqlSession.builder().withConfigLoader(config).withLocalDatacenter("datacenter1");
    for (int i = 2; i < args.length; i++) {
      builder = builder.addContactPoint(new InetSocketAddress(args[i], Integer.parseInt(args[0])));
    }
    try (CqlSession session = builder.build()) {
      crud(session);
    }
  }

  static void crud(CqlSession session) {
    say("nodes", session.getMetadata().getNodes().size());
    say("version", session.getContext().getProtocolVersion());
    session.execute("DROP KEYSPACE IF EXISTS java");
    session.execute("CREATE KEYSPACE java WITH replication = {'class': 'NetworkTopologyStrategy', 'datacenter1': 3}");
    session.execute("CREATE TYPE java.address (street text, zip int)");
    session.execute("CREATE TABLE java.users (id int, at int, name text, tags set<text>, scores map<text, int>, "
        + "home frozen<address>, PRIMARY KEY (id, at))");
    say("table", session.getMetadata().getKeyspace("java").get().getTable("users").get().getColumns().keySet());
    PreparedStatement insert = session.prepare("INSERT INTO java.users (id, at, name, tags, scores) VALUES (?, ?, ?, ?, ?)");
    for (int at = 0; at < 25; at++) {
      session.execute(insert.bind(1, at, "user " + at, Set.of("a"), Map.of("x", at)));
    }
    session.execute("INSERT INTO java.users (id, at, name, home) VALUES (2, 0, 'ana', {street: 'Elm', zip: 7})");
    PreparedStatement select = session.prepare("SELECT * FROM java.users WHERE id = ? AND at = ?");
    Row row = session.execute(select.bind(1, 7)).one();
    say("read", row.getFormattedContents());
    say("udt", session.execute(select.bind(2, 0)).one().getUdtValue("home").getFormattedContents());
    session.execute("UPDATE java.users SET name = 'changed', tags = tags + {'b'} WHERE id = 1 AND at = 7");
    say("updated", session.execute(select.bind(1, 7)).one().getFormattedContents());
    ResultSet pages = session.execute(SimpleStatement.newInstance("SELECT at FROM java.users WHERE id = 1").setPageSize(10));
    int sum = 0, rows = 0;
    for (Row each : pages) {
      sum += each.getInt("at");
      rows++;
    }
    say("paged", rows + " rows, " + sum);
    BatchStatement batch = BatchStatement.newInstance(DefaultBatchType.LOGGED,
        insert.bind(3, 1, "one", Set.of(), Map.of()), insert.bind(3, 2, "two", Set.of(), Map.of()));
    session.execute(batch);
    say("batch", session.execute("SELECT name FROM java.users WHERE id = 3").all().size());
    String once = "INSERT INTO java.users (id, at, name) VALUES (4, 1, 'first') IF NOT EXISTS";
    say("condition", List.of(session.execute(once).wasApplied(), session.execute(once).wasApplied()));
    session.execute("DELETE FROM java.users WHERE id = 1 AND at = 7");
    say("deleted", session.execute(select.bind(1, 7)).one());
    say("count", session.execute("SELECT count(*), max(at), min(at), avg(at) FROM java.users WHERE id = 1").one()
        .getFormattedContents());
    try {
      session.execute("SELECT * FROM java.nothing");
    } catch (Exception error) {
      say("error", error.getClass().getSimpleName());
    }
    session.execute("DROP KEYSPACE java");
    say("dropped", session.getMetadata().getKeyspace("java").isPresent());
  }
}
