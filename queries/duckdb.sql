-- What the views in `queries/views` need in DuckDB: settings, and macros for the functions that it lacks.
--
-- `queries/duckdb_views.py` runs this, registers the tables and makes the views. By hand: no macro can stand for two
-- things of the views, which have to be written otherwise. The aggregates `first_value` and `last_value` are `first`
-- and `last`, and `named_struct('a', x)` is `struct_pack(a := x)`.
--
-- What differs:
-- * Which spans are one model call is decided by code, so `call_spans` and `merged_calls` are Tracewell's alone. The
--   table `calls` stands for `llm_calls`, and `traces` for `trace_parts`: they have the dates that are settled, all of
--   them after `tracewell settle`.
-- * What attributes mean is told by code: `mapping_coverage` is Tracewell's alone.
-- * Prices are worked out by code: costs are NULL, and every call counts as one without a price.
-- * `tracewell_digest` is another number. Only where a span was sent in versions that are equally long and do not agree
--   may another one of them stand for it.
-- * `min_by` and `max_by` pass over a row whose value is NULL: a run with two roots has the status of the one that has one.
-- * Sums of whole numbers are HUGEINT.
SET TimeZone = 'UTC';
SET integer_division = true;
SET default_null_order = 'nulls_last_on_asc_first_on_desc';

CREATE OR REPLACE MACRO make_array() AS [], (a) AS [a], (a, b) AS [a, b], (a, b, c) AS [a, b, c];

-- The views cast nothing but microseconds so.
CREATE OR REPLACE MACRO arrow_cast(microseconds, type) AS make_timestamptz(microseconds);

CREATE OR REPLACE MACRO tracewell_digest(a, b := NULL, c := NULL, d := NULL, e := NULL, f := NULL, g := NULL, h := NULL,
    i := NULL, j := NULL, k := NULL, l := NULL, m := NULL, n := NULL, o := NULL, p := NULL) AS
    hash(a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p);

-- The first of the named members of a JSON object that is there; a name may be a path.
CREATE OR REPLACE MACRO tracewell_member(json, a, b := NULL, c := NULL, d := NULL, e := NULL, f := NULL, g := NULL) AS
    list_extract(list_filter(list_transform([a, b, c, d, e, f, g], lambda name: CASE WHEN json_valid(json) THEN
        coalesce(json ->> ('$."' || name || '"'), json ->> ('$."' || replace(name, '.', '"."') || '"')) END),
        lambda found: found IS NOT NULL), 1);

CREATE OR REPLACE MACRO tracewell_cost(call) AS NULL::DECIMAL(38, 24);
CREATE OR REPLACE MACRO tracewell_cost_parts(call) AS NULL;
CREATE OR REPLACE MACRO tracewell_price(call) AS NULL::STRUCT(unpriced_reason VARCHAR, currency VARCHAR, rule VARCHAR,
    source VARCHAR, catalogue VARCHAR, catalogue_version VARCHAR, prices_version VARCHAR, tier VARCHAR,
    context_over BIGINT, model_reading VARCHAR, count_reading VARCHAR);
