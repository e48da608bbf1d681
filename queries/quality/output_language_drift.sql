-- title: Drift of the answers' language (heuristic)
-- question: In which languages does a prompt answer, and did that change (days in UTC)?
-- param: since timestamptz = now() - INTERVAL '7 days' | Beginning of the period
-- param: until timestamptz = now() | End of the period, not included
-- param: team text = NULL | Only this team
-- param: prompt text = NULL | Only the prompt of this name
-- By the script of the first 256 characters, else by the most frequent small words; 'unknown' where there are none.
-- Needs captured answers; a turn that only calls tools is no answer.
WITH answers AS (
    SELECT
        prompt_name, date, output_preview,
        regexp_count(output_preview, '\b(the|and|is|are|of|to|for|with|that|this|your|not)\b', 1, 'i') AS english,
        regexp_count(output_preview, '\b(der|die|das|und|ist|nicht|ein|eine|mit|für|auf|sie)\b', 1, 'i') AS german,
        regexp_count(output_preview, '\b(le|la|les|et|est|des|une|dans|pour|vous|sur|pas)\b', 1, 'i') AS french,
        regexp_count(output_preview, '\b(el|los|las|es|una|para|con|que|por|del|está|su)\b', 1, 'i') AS spanish
    FROM llm_calls
    WHERE date BETWEEN CAST($since AT TIME ZONE 'UTC' AS date) AND CAST($until AT TIME ZONE 'UTC' AS date)
        AND start_time >= $since AND start_time < $until
        AND is_trial IS NOT TRUE
        AND ($team IS NULL OR team = $team)
        AND ($prompt IS NULL OR prompt_name = $prompt)
        AND kind IN ('chat', 'completion') AND output_preview IS NOT NULL
        AND NOT coalesce(array_has(finish_reasons, 'tool_calls'), false)
        AND (status IS NULL OR status <> 'error')
),
guessed AS (
    SELECT
        prompt_name, date,
        CASE
            WHEN output_preview ~ '[\p{Hiragana}\p{Katakana}]' THEN 'Japanese'
            WHEN output_preview ~ '\p{Hangul}' THEN 'Korean'
            WHEN output_preview ~ '\p{Han}' THEN 'Chinese'
            WHEN output_preview ~ '\p{Cyrillic}' THEN 'Cyrillic script'
            WHEN output_preview ~ '\p{Arabic}' THEN 'Arabic script'
            WHEN output_preview ~ '\p{Devanagari}' THEN 'Devanagari script'
            WHEN greatest(english, german, french, spanish) = 0 THEN 'unknown'
            WHEN english = greatest(english, german, french, spanish) THEN 'English'
            WHEN german = greatest(german, french, spanish) THEN 'German'
            WHEN french >= spanish THEN 'French'
            ELSE 'Spanish'
        END AS language
    FROM answers
)
SELECT
    prompt_name, date, language,
    count(*) AS answers,
    round(1.0 * count(*) / sum(count(*)) OVER (PARTITION BY prompt_name, date), 3) AS share
FROM guessed
GROUP BY prompt_name, date, language
ORDER BY prompt_name, date, answers DESC, language
