-- Bronze: every row of the raw files, with one label each.
-- A label that means nothing stays as it was found, for `validate` to show; nothing is dropped here.
WITH trimmed AS (
    SELECT
        origin,
        row_id,
        text,
        -- Tabs and line ends too: they come along when a spreadsheet is pasted.
        nullif(trim(BOTH concat(' ', chr(9), chr(10), chr(13)) FROM label), '') AS label,
        nullif(trim(BOTH concat(' ', chr(9), chr(10), chr(13)) FROM rating), '') AS rating
    FROM raw
),
rated AS (
    SELECT
        *,
        -- Written out, as engines do not agree on what else a cast takes for a number.
        CASE
            WHEN rating IN ('1', '1.0', '1.00') THEN 1
            WHEN rating IN ('2', '2.0', '2.00') THEN 2
            WHEN rating IN ('3', '3.0', '3.00') THEN 3
            WHEN rating IN ('4', '4.0', '4.00') THEN 4
            WHEN rating IN ('5', '5.0', '5.00') THEN 5
        END AS stars
    FROM trimmed
)
SELECT
    origin,
    row_id,
    text,
    rating,
    stars,
    CASE
        WHEN settings.labels_from_ratings AND stars IN (1, 2) THEN 'negative'
        WHEN settings.labels_from_ratings AND stars = 3 THEN 'neutral'
        WHEN settings.labels_from_ratings AND stars IN (4, 5) THEN 'positive'
        WHEN settings.labels_from_ratings THEN rating
        WHEN lower(label) IN ('negative', 'neg') THEN 'negative'
        WHEN lower(label) IN ('neutral', 'neu') THEN 'neutral'
        WHEN lower(label) IN ('positive', 'pos') THEN 'positive'
        ELSE label
    END AS label
FROM rated
CROSS JOIN settings
