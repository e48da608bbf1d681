// Asks over the PostgreSQL protocol as the JDBC driver does: simple and extended, binary after five executions, rows in
// parts, metadata, timeouts.
//
// Usage: java -cp postgresql.jar Postgres.java URL QUESTION. Prints the answer to the question as JSON.

import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.sql.Timestamp;
import java.time.Instant;
import java.time.OffsetDateTime;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

public class Postgres {
    static final String ENDLESS =
        "SELECT sum(a.value + b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
    static final Instant START = Instant.parse("2025-03-30T00:30:00.123456Z");

    static void check(boolean holds, Object found) {
        if (!holds) throw new AssertionError(String.valueOf(found));
    }

    static void fails(Statement statement, String sql, String state) {
        try {
            statement.execute(sql);
        } catch (SQLException error) {
            check(state.equals(error.getSQLState()), sql + ": " + error.getSQLState() + " " + error.getMessage());
            return;
        }
        throw new AssertionError(sql + ": no error");
    }

    static List<String> names(ResultSet rows, String column) throws SQLException {
        List<String> names = new ArrayList<>();
        while (rows.next()) names.add(rows.getString(column));
        return names;
    }

    static String answer(ResultSet rows) throws SQLException {
        int columns = rows.getMetaData().getColumnCount();
        List<String> lines = new ArrayList<>();
        while (rows.next()) {
            List<String> cells = new ArrayList<>();
            for (int column = 1; column <= columns; column++) {
                Object value = rows.getObject(column);
                cells.add(value instanceof Number || value == null ? String.valueOf(value) : "\"" + value + "\"");
            }
            lines.add("[" + String.join(", ", cells) + "]");
        }
        return "[" + String.join(", ", lines) + "]";
    }

    static void parameters(Connection connection) throws SQLException {
        String sql = "SELECT start_time, input_tokens, attributes, 1.50::numeric(5, 2), ARRAY['a', 'b'] FROM spans"
            + " WHERE trace_id = ? AND input_tokens >= ? AND start_time >= ? AND request_model = ANY(?)"
            + " ORDER BY start_time LIMIT 1";
        try (PreparedStatement statement = connection.prepareStatement(sql)) {
            for (int round = 0; round < 8; round++) {
                statement.setString(1, "0".repeat(31) + "1");
                statement.setLong(2, 100);
                statement.setTimestamp(3, Timestamp.from(START));
                statement.setArray(4, connection.createArrayOf("text", new String[] {"a-1", "b-2"}));
                try (ResultSet rows = statement.executeQuery()) {
                    check(rows.next(), "there is a row");
                    check(rows.getTimestamp(1).toInstant().equals(START), rows.getTimestamp(1));
                    check(rows.getObject(1, OffsetDateTime.class).toInstant().equals(START), rows.getObject(1));
                    check(rows.getLong(2) == 100, rows.getLong(2));
                    check(rows.getString(3).contains("as sent"), rows.getString(3));
                    check(rows.getBigDecimal(4).toPlainString().equals("1.50"), rows.getBigDecimal(4));
                    check(Arrays.equals((Object[]) rows.getArray(5).getArray(), new String[] {"a", "b"}), "the list");
                }
            }
        }
    }

    static void parts(Connection connection) throws SQLException {
        connection.setAutoCommit(false);
        try (Statement statement = connection.createStatement()) {
            statement.setFetchSize(100);
            long sum = 0;
            try (ResultSet rows = statement.executeQuery("SELECT value FROM generate_series(1, 5000)")) {
                while (rows.next()) sum += rows.getLong(1);
            }
            check(sum == 12502500, sum);
        }
        connection.commit();
        connection.setAutoCommit(true);
    }

    static void metadata(Connection connection) throws SQLException {
        var metadata = connection.getMetaData();
        check(metadata.getDatabaseProductVersion().startsWith("16."), metadata.getDatabaseProductVersion());
        List<String> tables = names(metadata.getTables(null, "public", "%", new String[] {"TABLE", "VIEW"}), "TABLE_NAME");
        check(tables.containsAll(List.of("spans", "logs", "llm_calls", "traces")), tables);
        try (ResultSet columns = metadata.getColumns(null, "public", "spans", "start_time")) {
            check(columns.next(), "start_time is a column");
            check(columns.getString("TYPE_NAME").equals("timestamptz"), columns.getString("TYPE_NAME"));
            check(columns.getString("REMARKS") != null, "it is described");
        }
        check(names(metadata.getSchemas(), "TABLE_SCHEM").contains("public"), "there is a schema");
        check(names(metadata.getTypeInfo(), "TYPE_NAME").contains("timestamptz"), "there are types");
        check(!metadata.getPrimaryKeys(null, "public", "spans").next(), "there is no primary key");
        check(!metadata.getIndexInfo(null, "public", "spans", false, false).next(), "there is no index");
    }

    public static void main(String[] arguments) throws SQLException {
        String url = "jdbc:" + arguments[0] + "?user=test";
        try (Connection connection = DriverManager.getConnection(url); Statement statement = connection.createStatement()) {
            String answer = answer(statement.executeQuery(arguments[1]));
            parameters(connection);
            parts(connection);
            metadata(connection);
            fails(statement, "SELECT nothing_such FROM spans", "42703");
            fails(statement, "DELETE FROM spans", "25006");
            statement.setQueryTimeout(1);
            fails(statement, ENDLESS, "57014");
            System.out.println(answer);
        }
        try (Connection connection = DriverManager.getConnection(url + "&preferQueryMode=simple");
                Statement statement = connection.createStatement()) {
            check(statement.executeQuery("SELECT 1").next(), "simple queries are answered");
        }
    }
}
