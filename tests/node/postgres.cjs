// Asks over the PostgreSQL protocol as node-postgres does.
//
// Usage: NODE_PATH=node_modules node postgres.cjs URL QUESTION. Prints the answer to the question as JSON.
"use strict";

const assert = require("node:assert");
const { Client, types } = require("pg");
const Cursor = require("pg-cursor");

const [url, question] = process.argv.slice(2);
const endless = "SELECT sum(a.value + b.value) FROM generate_series(1, 1000000) a, generate_series(1, 1000000) b";
// 64-bit integers and decimals come as text otherwise.
for (const number of [types.builtins.INT8, types.builtins.NUMERIC]) types.setTypeParser(number, Number);

async function main() {
  const client = new Client({ connectionString: url });
  await client.connect();
  const answer = await client.query({ text: question, rowMode: "array" });
  const sql = `SELECT start_time, attributes, input_tokens, finish_reasons FROM spans
               WHERE trace_id = $1 AND input_tokens >= $2 AND start_time >= $3 ORDER BY start_time LIMIT 1`;
  const values = ["1".padStart(32, "0"), 100, new Date("2025-03-30T00:30:00Z")];
  for (let round = 0; round < 3; round++) {
    const { rows } = await client.query({ name: "first", text: sql, values });
    assert.equal(rows[0].start_time.toISOString(), "2025-03-30T00:30:00.123Z");
    assert.equal(rows[0].attributes.kept, "as sent");
    assert.equal(rows[0].input_tokens, 100);
  }
  const lists = await client.query("SELECT ARRAY['a', 'b,c', NULL] AS list, NULL AS nothing, true AS yes");
  assert.deepEqual(lists.rows[0], { list: ["a", "b,c", null], nothing: null, yes: true });
  const cursor = client.query(new Cursor("SELECT value FROM generate_series(1, 1000) WHERE value >= $1", [1]));
  let sum = 0;
  for (let rows; (rows = await cursor.read(300)).length > 0; ) for (const row of rows) sum += row.value;
  await cursor.close();
  assert.equal(sum, 500500);
  await client.query("SET statement_timeout = 300");
  await assert.rejects(client.query(endless), { code: "57014" });
  await assert.rejects(client.query("SELECT nothing_such FROM spans"), { code: "42703", position: "8" });
  await assert.rejects(client.query("DELETE FROM spans"), { code: "25006" });
  await client.end();
  console.log(JSON.stringify(answer.rows));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
