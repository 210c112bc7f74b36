-- Each row with its text as the models read it, the key of that text, and why the row is of no use, if so.
-- The raw text stays behind in bronze.
WITH normal AS (
    SELECT
        ingested.origin,
        ingested.row_id,
        ingested.label,
        ingested.rating,
        ingested.stars,
        -- A join, as Spark takes no subquery here.
        CASE WHEN null_words.word IS NULL THEN normalise(ingested.text) END AS text
    FROM ingested
    LEFT JOIN null_words ON ingested.text = null_words.word
)
SELECT
    normal.*,
    row_key(normal.text) AS key,
    CASE
        WHEN normal.text IS NULL THEN 'null text'
        WHEN normal.label IS NULL THEN 'null label'
        WHEN normal.text = '' THEN 'empty text'
        WHEN normal.label = 'neutral' AND settings.drop_neutral THEN 'neutral'
    END AS dropped
FROM normal
CROSS JOIN settings
