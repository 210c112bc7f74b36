-- Each row with the rule of the schema contract that it breaks, if any.
SELECT
    cleaned.*,
    CASE
        WHEN rating IS NOT NULL AND stars IS NULL THEN 'rating'
        WHEN label NOT IN ('negative', 'neutral', 'positive') THEN 'label'
        WHEN length(text) > settings.max_chars THEN 'text'
    END AS violates
FROM cleaned
CROSS JOIN settings
