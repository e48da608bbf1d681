-- One row is one trace: the facts that hold for the whole run, as the views of its parts fill them in.
--
-- Rule: what the root says, else what all spans agree on (see `trace_parts`), as in `traces`. Views join it by tenant and
-- trace, it first: an engine keeps the left side in memory. Its columns have names of their own, for DataFusion 55 takes a
-- filter over columns of one name from both sides of a join to be over one side.
SELECT
    tenant, trace_id,
    coalesce(max(conversation_id) FILTER (WHERE array_has(of_root, 'conversation_id')), CASE WHEN NOT bool_or(array_has(disputed, 'conversation_id')) AND min(conversation_id) = max(conversation_id) THEN min(conversation_id) END) AS run_conversation_id,
    coalesce(max(user_id) FILTER (WHERE array_has(of_root, 'user_id')), CASE WHEN NOT bool_or(array_has(disputed, 'user_id')) AND min(user_id) = max(user_id) THEN min(user_id) END) AS run_user_id,
    coalesce(max(team) FILTER (WHERE array_has(of_root, 'team')), CASE WHEN NOT bool_or(array_has(disputed, 'team')) AND min(team) = max(team) THEN min(team) END) AS run_team,
    coalesce(max(workflow_name) FILTER (WHERE array_has(of_root, 'workflow_name')), CASE WHEN NOT bool_or(array_has(disputed, 'workflow_name')) AND min(workflow_name) = max(workflow_name) THEN min(workflow_name) END) AS run_workflow_name,
    coalesce(max(workflow_version) FILTER (WHERE array_has(of_root, 'workflow_version')), CASE WHEN NOT bool_or(array_has(disputed, 'workflow_version')) AND min(workflow_version) = max(workflow_version) THEN min(workflow_version) END) AS run_workflow_version,
    coalesce(bool_or(is_trial), false) AS run_is_trial
FROM trace_parts
GROUP BY tenant, trace_id
