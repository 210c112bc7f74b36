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
    CASE violates WHEN 'rating' THEN bad_rating WHEN 'label' THEN label WHEN 'text' THEN text END AS found
FROM judged
