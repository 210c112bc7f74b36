-- Each row with the rule of the schema contract that it breaks and the value that does, if any.
WITH judged AS (
    SELECT
        cleaned.*,
        CASE
            WHEN bad_rating IS NOT NULL THEN 'rating'
            WHEN label NOT IN ('negative', 'neutral', 'positive') THEN 'label'
            WHEN length(text) > settings.max_chars THEN 'text'
        END AS violates
    FROM cleaned
    CROSS JOIN settings
)
SELECT
    origin,
    row_id,
    text,
    key,
    label,
    stars,
    copies,
    violates,
    -- To count by: a column of free text that was named by mistake has as many values as rows.
    CASE WHEN violates IS NULL THEN label END AS valid_label,
    CASE violates WHEN 'rating' THEN bad_rating WHEN 'label' THEN label WHEN 'text' THEN text END AS found
FROM judged
