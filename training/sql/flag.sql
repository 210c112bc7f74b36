-- Each row with what is odd about it, in one column, and the reason to leave it out, if the settings say so.
WITH measured AS (
    SELECT
        *,
        length(text) AS chars,
        letters(text) AS letters,
        longest_run(text) AS longest_run
    FROM validated
),
judged AS (
    SELECT
        measured.*,
        chars < settings.min_chars AS too_short,
        chars > settings.max_chars AS too_long,
        longest_run > settings.max_run AS repeated_characters,
        letters < settings.min_letter_share * chars AS mostly_non_letters,
        -- Only the ends of the scale: three stars with kind words are nobody's mistake.
        coalesce((label = 'negative' AND stars = 5) OR (label = 'positive' AND stars = 1), FALSE)
            AS label_against_rating
    FROM measured
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
    concat_ws(
        ' ',
        CASE WHEN too_short THEN 'too_short' END,
        CASE WHEN too_long THEN 'too_long' END,
        CASE WHEN repeated_characters THEN 'repeated_characters' END,
        CASE WHEN mostly_non_letters THEN 'mostly_non_letters' END,
        CASE WHEN label_against_rating THEN 'label_against_rating' END
    ) AS flags,
    CASE
        WHEN too_short AND settings.exclude_too_short THEN 'too_short'
        WHEN too_long AND settings.exclude_too_long THEN 'too_long'
        WHEN repeated_characters AND settings.exclude_repeated_characters THEN 'repeated_characters'
        WHEN mostly_non_letters AND settings.exclude_mostly_non_letters THEN 'mostly_non_letters'
        WHEN label_against_rating AND settings.exclude_label_against_rating THEN 'label_against_rating'
    END AS excluded_as
FROM judged
CROSS JOIN settings
